"""Whether a search found anything relevant, so that no question is answered from unrelated documents."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from agents.knowledge.embed import Vectors

# Logistic regression over two knowledge bases (a bank's, and the sandbox company's): questions on their subjects
# against messages on foreign ones, both equally likely. Fitted on either one, it holds for the other. How many of a
# question's words a passage has helped in one and misled in the other, where questions are long.
BIAS = -3.7
DEVIATIONS = 0.98


@lru_cache(maxsize=1)
def everyday_questions() -> tuple[str, ...]:
    """What people ask whoever they ask, and what no company's documents answer."""
    return tuple((Path(__file__).parent / "everyday.txt").read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True)
class Background:
    """How near questions come to a knowledge base that it does not answer: mean and deviation of their best cosines.

    It differs with the embedding model, the subject and the number of documents; measured from it, one scale fits all
    (z-norm: Auckenthaler, Carey and Lloyd-Thomas 2000, for scores of speaker verification).
    """

    mean: float
    deviation: float

    @classmethod
    def measured(cls, foreign: Vectors, windows: Vectors) -> "Background":
        """From the vectors of foreign questions and of all that can be found, a row each."""
        best = (foreign @ windows.T).max(axis=1)
        return cls(float(np.mean(best)), float(max(np.std(best), 0.01)))

    def relevance(self, cosine: float) -> float:
        """0 to 1: how likely an answer is there, if the nearest passage has this cosine (-1 to 1)."""
        return 1 / (1 + math.exp(-(BIAS + DEVIATIONS * (cosine - self.mean) / self.deviation)))
