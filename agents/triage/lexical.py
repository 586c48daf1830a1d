"""The words of a message: tf-idf over words, word pairs and character n-grams, hashed, so no vocabulary is kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

BUCKETS = 2**17  # for each of the two kinds of n-grams
KINDS: list[dict[str, Any]] = [
    {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    {"analyzer": "char_wb", "ngram_range": (2, 5)},
]
COUNTS: dict[str, Any] = {"norm": None, "alternate_sign": False, "dtype": np.float32}
BLOCK = 1000  # rows of a product at a time


class LexicalFeatures:
    """tf-idf rows of length 1: half of each is words and word pairs, the other half 2 to 5 characters within words."""

    def __init__(self, idf: NDArray[np.float64]) -> None:
        """`idf`: the inverse document frequency of each bucket; shape (2, buckets), words first."""
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        self.idf = idf
        self._steps: list[tuple[HashingVectorizer, TfidfTransformer]] = []
        for kind, row in zip(KINDS, idf, strict=True):
            tfidf = TfidfTransformer(sublinear_tf=True)
            tfidf.idf_ = row
            counts = HashingVectorizer(**kind, **COUNTS, n_features=len(row))
            self._steps.append((counts, tfidf))

    @property
    def dimension(self) -> int:
        """The number of columns."""
        return self.idf.size

    @classmethod
    def fit(cls, texts: Sequence[str]) -> "LexicalFeatures":
        """Learns how rare each n-gram is."""
        features = cls(np.ones((len(KINDS), BUCKETS)))
        idf = [
            np.asarray(tfidf.fit(counts.transform(texts)).idf_, dtype=np.float64) for counts, tfidf in features._steps
        ]
        return cls(np.array(idf))

    def transform(self, texts: Sequence[str]) -> "sparse.csr_array":
        """Shape (len(texts), dimension), float32."""
        from scipy import sparse

        halves = [tfidf.transform(counts.transform(texts)) for counts, tfidf in self._steps]
        return sparse.csr_array(sparse.hstack(halves, format="csr", dtype=np.float32)) * np.float32(0.5**0.5)


def cosines(left: "sparse.csr_array", right_transposed: "sparse.csr_array") -> NDArray[np.float32]:
    """The cosine of every row on the left with every column on the right, as a dense array."""
    rows = len(left.indptr) - 1
    return np.vstack([(left[i : i + BLOCK] @ right_transposed).toarray() for i in range(0, rows, BLOCK)])
