"""The words of a message: tf-idf over words, word pairs and character n-grams, hashed, so no vocabulary is kept."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
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
COMMON = 0.02  # of the rows have an n-gram that counts as common


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
    def fit(cls, texts: Sequence[str]) -> tuple["LexicalFeatures", "sparse.csr_array"]:
        """Learns how rare each n-gram is; with the rows of the texts, as `transform` gives them."""
        counts = cls(np.ones((len(KINDS), BUCKETS)))._counted(texts)
        frequencies = [np.bincount(rows.indices, minlength=BUCKETS) for rows in counts]
        features = cls(np.log((1 + len(texts)) / (1 + np.array(frequencies))) + 1)
        return features, features._weighed(counts)

    def transform(self, texts: Sequence[str]) -> "sparse.csr_array":
        """Shape (len(texts), dimension), float32."""
        return self._weighed(self._counted(texts))

    def _counted(self, texts: Sequence[str]) -> list[Any]:
        return [counter.transform(texts) for counter in self._counters]

    def _weighed(self, counts: list[Any]) -> "sparse.csr_array":
        from scipy import sparse

        halves = [_tf_idf(rows, idf) for rows, idf in zip(counts, self.idf, strict=True)]
        if halves[0].shape[0] > 1:
            return sparse.csr_array(sparse.hstack(halves, format="csr", dtype=np.float32))
        # the same for one row, in a fifth of the time
        indices = np.concatenate([half.indices + i * self.idf.shape[1] for i, half in enumerate(halves)])
        data = np.concatenate([half.data for half in halves])
        return sparse.csr_array((data, indices, [0, len(data)]), shape=(1, self.dimension))


def _tf_idf(counts: Any, idf: NDArray[np.float64]) -> Any:
    """Rows of counts, damped and weighed, each to the length that gives both halves the same say.

    sklearn's `TfidfTransformer` does the same and takes a millisecond to check a single row.
    """
    weighed = (np.log(counts.data) + 1) * idf[counts.indices]
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    lengths = np.sqrt(len(KINDS) * np.bincount(row, weighed**2, minlength=counts.shape[0]))
    counts.data = (weighed / lengths[row]).astype(np.float32)
    return counts


def cosines(rows: "sparse.csr_array") -> NDArray[np.float32]:
    """The cosine of every row with every row, as a dense array.

    What many rows have is multiplied as a dense matrix, the rest as a sparse one: each takes long for the other's part.
    """
    ngrams, compact = _without_empty_columns(rows)
    count = len(rows.indptr) - 1
    common = np.bincount(compact.indices, minlength=len(ngrams)) > COMMON * count
    by_column: Any = compact.tocsc()
    dense = by_column[:, np.flatnonzero(common)].toarray()
    rare = by_column[:, np.flatnonzero(~common)].tocsr()
    made, columns = dense @ dense.T, rare.T.tocsr()
    for start in range(0, count, BLOCK):
        made[start : start + BLOCK] += (rare[start : start + BLOCK] @ columns).toarray()
    return made


@dataclass(frozen=True)
class NgramWeights:
    """What each n-gram adds to the output of each label.

    A kernel that is a cosine is linear, so its share of a machine's output can be summed up for each n-gram once,
    instead of comparing a message with every example.
    """

    ngrams: NDArray[np.int32]
    """The columns of `LexicalFeatures` that occur in an example, in ascending order."""
    weights: NDArray[np.float32]
    """Shape (n-grams, labels)."""

    @classmethod
    def fit(cls, words: "sparse.csr_array", weights: NDArray[np.float32]) -> "NgramWeights":
        """`weights` of the examples, whose rows are `words`; shape (examples, labels)."""
        ngrams, compact = _without_empty_columns(words)
        return cls(ngrams.astype(np.int32), np.asarray(compact.T @ weights, dtype=np.float32))

    def outputs(self, words: "sparse.csr_array") -> NDArray[np.float32]:
        """Shape (rows of `words`, labels)."""
        made = np.zeros((len(words.indptr) - 1, self.weights.shape[1]), dtype=np.float32)
        if not len(self.ngrams):
            return made
        place = np.minimum(np.searchsorted(self.ngrams, words.indices), len(self.ngrams) - 1)
        known = self.ngrams[place] == words.indices
        for row, (start, end) in enumerate(itertools.pairwise(words.indptr)):
            here = slice(start, end)
            made[row] = words.data[here][known[here]] @ self.weights[place[here][known[here]]]
        return made


def _without_empty_columns(rows: "sparse.csr_array") -> tuple[NDArray[np.integer], "sparse.csr_array"]:
    """The columns that hold something, and the rows with these alone."""
    from scipy import sparse

    columns, place = np.unique(rows.indices, return_inverse=True)
    return columns, sparse.csr_array((rows.data, place, rows.indptr), shape=(len(rows.indptr) - 1, len(columns)))
