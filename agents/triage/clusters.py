"""Messages that nobody has named, in groups that look like one matter each, with the words that set each apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.embed import Embedder
from agents.triage.reading import core_of

APART = 0.7
"""Mean cosine distance from which two groups are two matters. On mixed shipped intents this gives the purest groups
that are still few."""
SMALLEST = 2
WORDS = 4
WORD = r"(?u)\b[a-zA-Z]{3,}\b"
TYPICAL = 3


@dataclass(frozen=True)
class Cluster:
    """One group. `members` are positions among the messages, the most typical first."""

    members: tuple[int, ...]
    words: tuple[str, ...]
    """What sets it apart, the most characteristic first."""

    @property
    def name(self) -> str:
        """A name for an intent, as a proposal."""
        pair = next((words.split() for words in self.words if " " in words), list(self.words[:2]))
        return "_".join(pair) or "unnamed"


def clusters_of(texts: Sequence[str], embedder: Embedder) -> tuple[list[Cluster], list[int]]:
    """(the groups, the largest first; the messages that are like no other).

    Average linkage over the cosine distance of the embeddings (Sokal and Michener 1958), cut at `APART`.
    """
    if len(texts) < SMALLEST:
        return [], list(range(len(texts)))
    from sklearn.cluster import AgglomerativeClustering

    vectors = embedder.embed([core_of(text) for text in texts])
    distances = np.clip(1.0 - vectors @ vectors.T, 0.0, 2.0).astype(np.float64)
    machine = AgglomerativeClustering(
        n_clusters=None,  # type: ignore[arg-type]
        metric="precomputed",
        linkage="average",
        distance_threshold=APART,
    )
    labels = machine.fit_predict(distances)
    groups = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    found = [_typical_first(group, distances) for group in groups if len(group) >= SMALLEST]
    found.sort(key=lambda members: (-len(members), members))
    words = characteristic_words([[texts[n] for n in members] for members in found])
    alone = [int(group[0]) for group in groups if len(group) < SMALLEST]
    return [Cluster(members, tuple(said)) for members, said in zip(found, words, strict=True)], sorted(alone)


def _typical_first(group: NDArray[np.intp], distances: NDArray[np.float64]) -> tuple[int, ...]:
    """The medoid and what is near it first."""
    order = np.argsort(distances[np.ix_(group, group)].sum(axis=1), kind="stable")
    return tuple(int(group[n]) for n in order)


def characteristic_words(groups: Sequence[Sequence[str]]) -> list[list[str]]:
    """For each group the words that it uses more than the others: class-based tf-idf (Grootendorst 2022)."""
    from sklearn.feature_extraction.text import CountVectorizer

    if not groups:
        return []
    counter = CountVectorizer(stop_words="english", ngram_range=(1, 2), token_pattern=WORD)
    try:
        counts: Any = counter.fit_transform([" \n".join(core_of(text) for text in group) for group in groups])
    except ValueError:  # nothing but stop words
        return [[] for _ in groups]
    used = np.asarray(counts.toarray(), dtype=np.float64)
    share = used / np.maximum(used.sum(axis=1, keepdims=True), 1.0)
    rarity = np.log(1.0 + used.sum() / len(groups) / np.maximum(used.sum(axis=0), 1.0))
    spread = np.array([[sum(word in text.lower() for text in group) for word in counter.get_feature_names_out()]
                       for group in groups])  # fmt: skip
    weights = share * rarity * (spread > 1)  # a word of one message says little of the group
    names = counter.get_feature_names_out()
    return [[str(names[n]) for n in np.argsort(-row, kind="stable")[:WORDS] if row[n] > 0] for row in weights]
