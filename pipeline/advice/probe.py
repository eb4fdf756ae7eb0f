"""Ridge probes: what auxiliary labels are worth to a linear tagger, in closed form.

A probe is a ridge regression to the labels of a layer, from a token and its two neighbours as word
types or as frozen vectors. The main layer's probe is fitted on its n tokens, once without and once
with the labels that the auxiliaries' own probes predict for the same tokens as further inputs.
Every sentence is predicted by a probe that leaves it out, so no labels but the n of the user are
needed. Nothing is trained.

Notation
--------
n : tokens of the main layer;  V : word types;  K : labels;  r : labels of all auxiliaries together
W : width of a frozen vector
X : inputs (n, D), of word types sparse with D = 3(V + 1), of vectors with D = 3W
Y : one-hot labels less their frequencies, (n, K)
A : labels of auxiliaries as their probes predict them, (n, r)
λ : the ridge;  G = (X Xᵀ + λ)⁻¹, (n, n); with A it is G − G A (1 + Aᵀ G A)⁻¹ Aᵀ G (Woodbury)
s : a sentence; the errors of its prediction from all others are (G_ss)⁻¹ (G Y)_s

Source: Allen 1974 (PRESS), with sentences in place of single rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from mtl_laws.simulator.corpus import Text
from mtl_laws.simulator.readers.vectors import LENGTH, FrozenVectors

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Places = NDArray[np.int64]
Inputs = csr_matrix | NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ProbeRules:
    """Settings of probes.

    Attributes
    ----------
    ridge : λ.
    neighbour : weight of a neighbour's input; the token's own has 1.
    softness : difference of two scores at which a label counts as 0.73 right, not 0.5.
    tolerance : relative error of the auxiliaries' probes, which are solved by iteration.
    """

    ridge: float = 1.0
    neighbour: float = 0.5
    softness: float = 0.05
    tolerance: float = 1e-3


RULES = ProbeRules()


def token_inputs(text: Text, places: Places, types: int, rules: ProbeRules = RULES) -> csr_matrix:
    """Inputs (M, 3(V + 1)) of tokens: the token, the one before, the one after, one-hot.

    The type V stands for a neighbour beyond the sentence.

    Parameters
    ----------
    places : (M,), of the tokens in the text.
    types : V.
    """
    near, inside = _neighbourhood(text, places)
    columns = np.where(inside, text.tokens[near], types) + np.arange(3) * (types + 1)
    weights = np.tile([1.0, rules.neighbour, rules.neighbour], len(places))
    starts = np.arange(0, 3 * len(places) + 1, 3)
    return csr_matrix((weights, columns.ravel(), starts), (len(places), 3 * (types + 1)))


def vector_inputs(
    text: Text, places: Places, vectors: FrozenVectors, rules: ProbeRules = RULES
) -> NDArray[np.float32]:
    """Inputs (M, 3W) of tokens: the vectors of the token, the one before and the one after.

    They have the mean length of one-hot inputs, and are 0 for a neighbour beyond the sentence.
    """
    near, inside = _neighbourhood(text, places)
    weights = np.array([1.0, rules.neighbour, rules.neighbour]) / LENGTH
    parts = [
        vectors.rows(near[:, k]) * (weights[k] * inside[:, [k]]).astype(np.float32)
        for k in range(3)
    ]
    return np.concatenate(parts, axis=1)


def _neighbourhood(text: Text, places: Places) -> tuple[Places, NDArray[np.bool_]]:
    """Places (M, 3) of tokens, those before and those after, and which lie in the sentence."""
    lengths = np.diff(text.bounds)
    first, last = np.repeat(text.bounds[:-1], lengths), np.repeat(text.bounds[1:], lengths)
    near = places[:, None] + np.array([0, -1, 1])
    inside = (near >= first[places, None]) & (near < last[places, None])
    return np.clip(near, 0, text.size - 1), inside


def predicted_labels(
    inputs: Inputs, labels: Labels, classes: int, asked: Inputs, rules: ProbeRules = RULES
) -> Floats:
    """Scores (M, K) that a probe of `inputs` (N, D) and `labels` (N,) gives to `asked` (M, D)."""
    frequencies = np.bincount(labels, minlength=classes) / len(labels)
    target = np.eye(classes)[labels] - frequencies
    solver = "cholesky" if isinstance(inputs, np.ndarray) else "sparse_cg"
    probe = Ridge(alpha=rules.ridge, fit_intercept=False, solver=solver, tol=rules.tolerance)
    probe.fit(inputs, target)
    return np.asarray(probe.predict(asked)).reshape(asked.shape[0], classes) + frequencies


class MainProbe:
    """The main layer's probe on n tokens; the expensive part is done once, for all auxiliaries.

    Parameters
    ----------
    inputs : (n, D).
    labels : (n,), 0 to K − 1.
    lengths : labelled tokens of each sentence, which are n together.
    classes : K.
    """

    def __init__(
        self,
        inputs: Inputs,
        labels: Labels,
        lengths: NDArray[np.int64],
        classes: int,
        rules: ProbeRules = RULES,
    ) -> None:
        self.labels = labels
        self.frequencies = np.bincount(labels, minlength=classes) / len(labels)
        self._bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
        self._target = np.eye(classes)[labels] - self.frequencies
        product = inputs @ inputs.T
        gram = product.astype(float) if isinstance(product, np.ndarray) else product.toarray()
        gram[np.diag_indices_from(gram)] += rules.ridge
        self._inverse = np.linalg.inv(gram)
        self._solved = self._inverse @ self._target

    def scores(self, added: Floats | None = None) -> Floats:
        """Scores (n, K) of the labels, those of each sentence from all other sentences.

        Parameters
        ----------
        added : further inputs (n, r), A; None for none.
        """
        solved, left, right = self._solved, None, None
        if added is not None:
            left = self._inverse @ added
            right = np.linalg.solve(np.eye(added.shape[1]) + added.T @ left, left.T)
            solved = solved - right.T @ (added.T @ self._solved)
        errors = np.empty_like(solved)
        for start, stop in pairwise(self._bounds):
            s = slice(start, stop)
            block = self._inverse[s, s]
            if left is not None and right is not None:
                block = block - left[s] @ right[:, s]
            errors[s] = np.linalg.solve(block, solved[s])
        return np.asarray(self._target - errors + self.frequencies)


def soft_accuracy(scores: Floats, labels: Labels, softness: float = RULES.softness) -> float:
    """Fraction of labels that score highest, each counted by how clearly it does.

    It tells small changes of a probe from few tokens, where the plain fraction of right labels
    changes by whole tokens.
    """
    rows = np.arange(len(labels))
    others = scores.copy()
    others[rows, labels] = -np.inf
    margin = scores[rows, labels] - others.max(axis=1)
    return float(np.mean(1.0 / (1.0 + np.exp(-margin / softness))))
