"""Rankings merged by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009), document by document."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

RANK_OFFSET = 10
LEXICAL_WEIGHT = 0.5
PART_WEIGHT = 0.6

Item = TypeVar("Item")


@dataclass(frozen=True)
class Rankings:
    """What the two searches found for one text: passages, best first, each with its score."""

    dense: dict[int, float]
    lexical: dict[int, float]


def fused(whole: Rankings, parts: Sequence[Rankings], document_of: Callable[[int], str]) -> list[tuple[int, float]]:
    """Passages with their scores: documents by their best ranks, each with its best passage, then further passages.

    `parts` are what single sentences of the question found: they count for less, so that they bring in what the whole
    question drowns (its second request), and change the order of what it finds itself but little.
    """
    passages: dict[int, float] = {}
    documents: dict[str, float] = {}
    for rankings, weight in ((whole, 1.0), *((part, PART_WEIGHT) for part in parts)):
        _raise(passages, _by_reciprocal_rank(rankings.dense, rankings.lexical), weight)
        met = [dict.fromkeys(map(document_of, ranking)) for ranking in (rankings.dense, rankings.lexical)]
        _raise(documents, _by_reciprocal_rank(*met), weight)
    by_passage = sorted(passages, key=lambda passage: -passages[passage])
    firsts: dict[str, int] = {}
    for passage in by_passage:
        firsts.setdefault(document_of(passage), passage)
    leading = sorted(firsts, key=lambda document: -documents[document])
    further = [passage for passage in by_passage if firsts[document_of(passage)] != passage]
    return [(firsts[document], documents[document]) for document in leading] + [(i, passages[i]) for i in further]


def _by_reciprocal_rank(dense: Iterable[Item], lexical: Iterable[Item]) -> dict[Item, float]:
    scores: dict[Item, float] = defaultdict(float)
    for ranking, weight in ((dense, 1.0), (lexical, LEXICAL_WEIGHT)):
        for rank, item in enumerate(ranking, start=1):
            scores[item] += weight / (RANK_OFFSET + rank)
    return scores


def _raise(scores: dict[Item, float], found: dict[Item, float], weight: float) -> None:
    for item, score in found.items():
        scores[item] = max(scores.get(item, 0.0), weight * score)
