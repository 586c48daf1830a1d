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
        from sklearn.feature_extraction.text import HashingVectorizer

        self.idf = idf
        self._counters = [HashingVectorizer(**kind, **COUNTS, n_features=idf.shape[1]) for kind in KINDS]

    @property
    def dimension(self) -> int:
        """The number of columns."""
        return self.idf.size

    @classmethod
    def fit(cls, texts: Sequence[str]) -> "LexicalFeatures":
        """Learns how rare each n-gram is."""
        counts: list[Any] = [counter.transform(texts) for counter in cls(np.ones((len(KINDS), BUCKETS)))._counters]
        frequencies = [np.bincount(rows.indices, minlength=BUCKETS) for rows in counts]
        return cls(np.log((1 + len(texts)) / (1 + np.array(frequencies))) + 1)

    def transform(self, texts: Sequence[str]) -> "sparse.csr_array":
        """Shape (len(texts), dimension), float32."""
        from scipy import sparse

        halves = [_tf_idf(counter.transform(texts), idf) for counter, idf in zip(self._counters, self.idf, strict=True)]
        return sparse.csr_array(sparse.hstack(halves, format="csr", dtype=np.float32))


def _tf_idf(counts: Any, idf: NDArray[np.float64]) -> Any:
    """Rows of counts, damped and weighed, each to the length that gives both halves the same say.

    sklearn's `TfidfTransformer` does the same and takes a millisecond to check a single row.
    """
    weighed = (np.log(counts.data) + 1) * idf[counts.indices]
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    lengths = np.sqrt(len(KINDS) * np.bincount(row, weighed**2, minlength=counts.shape[0]))
    counts.data = (weighed / lengths[row]).astype(np.float32)
    return counts


def cosines(left: "sparse.csr_array", right_transposed: "sparse.csr_array") -> NDArray[np.float32]:
    """The cosine of every row on the left with every column on the right, as a dense array."""
    rows = len(left.indptr) - 1
    return np.vstack([(left[i : i + BLOCK] @ right_transposed).toarray() for i in range(0, rows, BLOCK)])
