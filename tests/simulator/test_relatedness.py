"""AMI from tables of counts is scikit-learn's; entropies obey their identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.simulator import SpecError
from mtl_laws.simulator.expected_mutual_information import expected_information
from mtl_laws.simulator.relatedness import (
    ami_by_definition,
    ami_of_table,
    contingency,
    entropy_of,
    measure,
    quick_ami,
)


def layers(seed: int, tokens: int, sizes: tuple[int, ...], unlabelled: float) -> np.ndarray:
    """Layers that copy one another here and there, skewed, partly unlabelled."""
    rng = np.random.default_rng(seed)
    base = rng.random(tokens) ** 2
    rows = []
    for size in sizes:
        own = np.where(rng.random(tokens) < 0.5, base, rng.random(tokens) ** 3)
        row = np.floor(own * size).astype(np.int16)
        row[rng.random(tokens) < unlabelled] = -1
        rows.append(row)
    return np.stack(rows)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(30, 4000),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([0.0, 0.3]),
)
def test_ami_equals_its_definition(
    seed: int, tokens: int, sizes: tuple[int, int], unlabelled: float
) -> None:
    labels = layers(seed, tokens, sizes, unlabelled)
    found = measure(labels, labels, sizes).ami
    np.testing.assert_allclose(found, ami_by_definition(labels), atol=1e-9)


def test_expected_information_by_shuffling() -> None:
    rng = np.random.default_rng(0)
    first, second = layers(1, 200, (4, 3), 0.0)
    shuffled = []
    for _ in range(3000):
        table = contingency(first, rng.permutation(second), (4, 3))
        shuffled.append(
            entropy_of(table.sum(0)) + entropy_of(table.sum(1)) - entropy_of(table.ravel())
        )
    standard_error = np.std(shuffled) / np.sqrt(len(shuffled))
    expected = expected_information(contingency(first, second, (4, 3)))
    assert abs(np.mean(shuffled) - expected) < 4 * standard_error


def test_the_quick_form_is_near_on_a_pool() -> None:
    first, second = layers(2, 20_000, (5, 7), 0.0)
    table = contingency(first, second, (5, 7))
    assert quick_ami(table) == pytest.approx(ami_of_table(table), abs=1e-4)


def test_conditional_entropies_and_their_asymmetry() -> None:
    fine = np.arange(600, dtype=np.int16) % 6
    labels = np.stack([fine, fine // 2])
    found = measure(labels, labels, (6, 3))
    np.testing.assert_allclose(found.entropy, np.log([6, 3]))
    np.testing.assert_allclose(found.conditional_entropy, [[0, np.log(2)], [0, 0]], atol=1e-12)


def test_layers_without_a_common_token_have_no_ami() -> None:
    apart = np.array([[0, 1, -1, -1], [-1, -1, 0, 1]], dtype=np.int16)
    with pytest.raises(SpecError, match="share"):
        measure(apart, apart, (2, 2))


def test_one_layer_has_a_matrix_too() -> None:
    alone = np.zeros((1, 10), dtype=np.int16)
    assert measure(alone, alone, (2,)).ami.tolist() == [[1.0]]
