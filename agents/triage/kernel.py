"""The arithmetic of the intent classifier: how like two messages are, and the machine fitted on it in closed form."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.int8_product import Int8Rows

Matrix = NDArray[np.float32]

SHARPNESS = 4.0  # how fast the likeness of two embeddings falls off with their cosine distance
WORDING_SHARPNESS, WORDING_WEIGHT = 3.0, 1.0  # the same for what earlier layers made of them
LEXICAL_WEIGHT = 0.5
DIRECTIONS = 192  # in which embeddings are compared: half of MiniLM's
RIDGE = 0.2
SCARCE = 0.5  # an intent with fewer examples than this share of the mean gains on the others ...
PRICE = 0.005  # ... while that costs the others at most this share of their examples, each judged without itself ...
MOST_GAIN = 0.5  # ... and by no more than this
GAIN_STEPS = 40

CONSTANTS = (
    *(SHARPNESS, WORDING_SHARPNESS, WORDING_WEIGHT, LEXICAL_WEIGHT, DIRECTIONS, RIDGE),
    *(SCARCE, PRICE, MOST_GAIN, GAIN_STEPS),
)
"""What a fit depends on here."""


@dataclass(frozen=True)
class Directions:
    """Examples as vectors of length 1, compared in those directions that hold most of them all.

    The directions are principal ones without centring, as in latent semantic analysis (Deerwester et al. 1990). What is
    left out says next to nothing about the intent of a message, and would have to be read for each.
    """

    axes: Matrix
    """Shape (dimension, directions), columns of length 1."""
    examples: Matrix
    """Shape (examples, directions)."""

    @classmethod
    def fit(cls, vectors: Matrix) -> "Directions":
        """From the vectors of the examples; shape (examples, dimension)."""
        axes = _principal_axes(vectors)
        return cls(axes, vectors @ axes)

    def cosines(self, vectors: Matrix) -> Matrix:
        """Of each vector with each example, to some thousandths: they are read as int8."""
        return self._as_int8.products(vectors @ self.axes)

    def own_cosines(self) -> Matrix:
        """Of each example with each."""
        return self.examples @ self.examples.T

    @cached_property
    def _as_int8(self) -> Int8Rows:
        return Int8Rows(self.examples)


@dataclass(frozen=True)
class Wording:
    """How the examples are put: the mean direction of what each of the embedder's earlier layers made of them."""

    centres: Matrix
    """What is common to all examples, for each layer; shape (layers, dimension)."""
    directions: Directions
    """All zero where the embedder shows no layers."""

    @classmethod
    def fit(cls, layers: Matrix) -> "Wording":
        """From `embed_with_layers` of the examples."""
        centres = layers.mean(axis=0)
        return cls(centres, Directions.fit(_mean_directions(layers, centres)))

    def cosines(self, layers: Matrix) -> Matrix:
        """Of each text, by its layers, with each example."""
        return self.directions.cosines(_mean_directions(layers, self.centres))

    def own_cosines(self) -> Matrix:
        """Of each example with each."""
        return self.directions.own_cosines()


def kernel(cosines: Matrix, wording: Matrix) -> Matrix:
    """How like messages are in meaning and wording, from two cosines of each pair."""
    likeness = np.exp(SHARPNESS * (cosines - 1))
    likeness += WORDING_WEIGHT * np.exp(WORDING_SHARPNESS * (wording - 1))
    return likeness


def gain_of(held_out: Matrix, classes: NDArray[np.int32]) -> Matrix:
    """What is added to the output of each label: nothing, unless it has far fewer examples than others.

    `held_out`: outputs for each example by a machine that was fitted without it, shape (examples, labels). A label
    gains by the logarithm of how many times fewer examples it has, times a factor: the one at which most examples come
    out right, each scarce label counted as if it had as many as the average (that it has few says little of how often
    customers mean it), while the others lose no more than `PRICE`.
    """
    counts = np.maximum(np.bincount(classes, minlength=held_out.shape[1]), 1)
    rarity = np.log(np.maximum(SCARCE * counts.mean() / counts, 1)).astype(np.float32)
    best = np.zeros_like(rarity)
    if not rarity.any():
        return best
    common = rarity[classes] == 0
    weight = np.where(common, 1, (counts.mean() / counts)[classes])
    right = held_out.argmax(axis=1) == classes
    allowed = right[common].sum() - PRICE * common.sum()
    most = weight[right].sum()
    for step in range(1, GAIN_STEPS + 1):
        gain = rarity * (MOST_GAIN / rarity.max() * step / GAIN_STEPS)
        right = (held_out + gain).argmax(axis=1) == classes
        if right[common].sum() < allowed:
            break
        if weight[right].sum() > most:
            best, most = gain, weight[right].sum()
    return best


def least_squares(likeness: Matrix, classes: NDArray[np.int32], width: int) -> tuple[Matrix, Matrix]:
    """Weights (examples x labels), and the outputs for each example by a machine that was fitted without it.

    `likeness` of the examples with each other is used up.
    """
    from scipy import linalg

    targets = np.full((len(classes), width), -1.0, dtype=np.float32)
    targets[np.arange(len(classes)), classes] = 1.0
    likeness.flat[:: len(likeness) + 1] += RIDGE
    lower = np.asarray(linalg.cholesky(likeness, lower=True, overwrite_a=True, check_finite=False))
    weights = np.asarray(linalg.cho_solve((lower, True), targets, check_finite=False))
    invert_triangle: Any = linalg.get_lapack_funcs("trtri", (lower,))
    inverse, _ = invert_triangle(lower, lower=1, overwrite_c=1)
    precision = np.einsum("ij,ij->j", inverse, inverse)  # the diagonal of the inverse of kernel + ridge
    return weights, targets - weights / precision[:, None]


def _principal_axes(rows: Matrix) -> Matrix:
    _, axes = np.linalg.eigh(rows.T @ rows)  # smallest first
    return np.ascontiguousarray(axes[:, ::-1][:, :DIRECTIONS], dtype=np.float32)


def _mean_directions(layers: Matrix, centres: Matrix) -> Matrix:
    return _unit(_unit(layers - centres).sum(axis=1))


def _unit(vectors: Matrix) -> Matrix:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
