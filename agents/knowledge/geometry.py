"""Similarity of meaning, measured by what tells the documents apart instead of by what all of them share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.embed import Vectors

PRIOR = 10.0
PRIOR_SHARE = 0.004
"""How many windows' worth of evidence stands for plain cosines: at least so many, and of all windows this share."""


@dataclass(frozen=True)
class Geometry:
    """The space of one collection's vectors, in which a question is compared with the windows of its passages.

    Two corrections, learned from nothing but the documents. The mean of all windows is taken away: it stands for the
    subject that they have in common, and makes everything look alike (Mu and Viswanath 2018, All-but-the-Top). And a
    question, which names a subject as a title does, is mapped to where texts under such a title lie: linearly, by
    ridge regression from titles to windows that shrinks towards leaving questions as they are.
    """

    mean: Vectors
    map: NDArray[np.floating]
    lengths: NDArray[np.float32]
    """Of each window's vector, once the mean is taken away."""

    @classmethod
    def learned(cls, windows: Vectors, documents: NDArray[np.int64], titles: dict[int, Vectors]) -> "Geometry":
        """`windows`: a unit row each; `documents`: the number of each one's document; `titles`: by that number."""
        mean = windows.sum(axis=0) / (len(windows) + PRIOR)
        lengths = np.maximum(np.linalg.norm(windows - mean, axis=1), 1e-6)
        counts = np.bincount(documents)
        texts = np.zeros((len(counts), windows.shape[1]))
        np.add.at(texts, documents, (windows - mean) / lengths[:, None])
        subjects = np.zeros_like(texts)
        if titles:
            subjects[list(titles)] = _unit(np.array(list(titles.values())) - np.mean(list(titles.values()), axis=0))
        prior = max(PRIOR, PRIOR_SHARE * len(windows)) * np.eye(windows.shape[1])
        covariance = (subjects * counts[:, None]).T @ subjects
        return cls(mean, np.linalg.solve(covariance + prior, subjects.T @ texts + prior), lengths)

    def question(self, vectors: Vectors) -> Vectors:
        """Questions' vectors, one a row, as they are to be compared with the stored ones."""
        return _unit((vectors - self.mean) @ self.map).astype(np.float32)

    def cosines(self, question: Vectors, products: NDArray[np.floating], rows: NDArray[np.int64]) -> Vectors:
        """From the dot products of a `question` with the stored vectors of these rows."""
        return ((products - question @ self.mean) / self.lengths[rows]).astype(np.float32)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
