"""Every registered encoder, weighting, export format and task format keeps its contract.

Families are tested in `tests/simulator`, engines in `tests/pipeline/symbolic`.
"""

from __future__ import annotations

import pytest
import torch

from mtl_laws.pipeline import testing
from mtl_laws.pipeline.export.formats import EXPORTS
from mtl_laws.pipeline.testing import (
    EncoderContract,
    ExportContract,
    FormatContract,
    WeightingContract,
)
from mtl_laws.pipeline.training.encoders import ENCODERS, Encoder
from mtl_laws.pipeline.training.weighting import WEIGHTINGS
from mtl_laws.simulator.formats.base import FORMATS


class Named:
    """Gives a contract the name that the test is parametrized by."""

    @pytest.fixture(autouse=True)
    def _named(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("name", list(ENCODERS))
class TestEncoders(Named, EncoderContract):
    """Every encoder."""


@pytest.mark.parametrize("name", list(WEIGHTINGS))
class TestWeightings(Named, WeightingContract):
    """Every weighting."""


@pytest.mark.parametrize("name", list(EXPORTS))
class TestExports(Named, ExportContract):
    """Every export format."""


@pytest.mark.parametrize("name", list(FORMATS))
class TestFormats(Named, FormatContract):
    """Every format of `mtl-laws simulate`."""


class Leaky(Encoder):
    """A bad encoder: the first model's features go into all models; one parameter is unused."""

    def __init__(self, good: Encoder) -> None:
        self.good = good

    def layout(self, sizes):  # type: ignore[no-untyped-def]
        return {**self.good.layout(sizes), "unused": next(iter(self.good.layout(sizes).values()))}

    def encode(self, views, tokens, sizes):  # type: ignore[no-untyped-def]
        features = self.good.encode(views, tokens, sizes)
        return features + features[:1] + (tokens == sizes.vocabulary).sum()


def test_a_bad_encoder_breaks_its_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "leaky", Leaky(ENCODERS["window"]))
    contract = EncoderContract()
    contract.name = "leaky"
    start = testing.training.starting_views(ENCODERS["leaky"].layout(testing.training.SIZES))
    tokens = torch.arange(30).view(2, 3, 5) % testing.training.SIZES.vocabulary
    contract.test_every_token_has_features(start, tokens)
    for promise in (
        contract.test_a_model_has_parameters_of_its_own,
        contract.test_padding_changes_no_features,
        contract.test_every_parameter_is_used,
    ):
        with pytest.raises(AssertionError):
            promise(start, tokens)
    with pytest.raises(AssertionError):
        contract.test_an_outcome_does_not_depend_on_its_companions()
