"""How good retrieval is: how soon it finds what answers a question, and how well it knows that nothing does."""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.documents import UnreadableDocument
from agents.knowledge.embed import Progress
from agents.knowledge.index import KnowledgeIndex
from agents.triage.evaluation import separation

BINS = 10


@dataclass(frozen=True)
class Query:
    """What somebody asked, and the ids of the documents that their case needs."""

    id: str
    query: str
    relevant: frozenset[str]


@dataclass(frozen=True)
class Evaluation:
    """Over all queries, 0 to 1: share with a relevant document among the first ten, and share of these found."""

    queries: int
    hit_rate_at_10: float
    recall_at_10: float
    mean_reciprocal_rank: float
    """Of the first relevant document; 0 where none is among the first ten."""
    mean_relevance: float
    p50_ms: float
    unanswerable: int = 0
    """Questions that nothing answers. Without any, there are no figures below."""
    relevance_auroc: float | None = None
    """How likely a query has more relevance than an unanswerable question."""
    calibration_error: float | None = None
    """Expected calibration error of the relevance in ten bins, both kinds of question being equally likely."""


def read_queries(path: Path) -> list[Query]:
    """One JSON object a line with `id`, `query` and `relevant`.

    Raises `UnreadableDocument` at the first line that has not the form, OSError where the file cannot be read.
    """
    lines = path.read_bytes().split(b"\n")
    queries = [_query(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not queries:
        raise UnreadableDocument(path, 0, "holds no queries")
    return queries


def _query(path: Path, number: int, line: bytes) -> Query:
    row = _object(path, number, line)
    text, relevant = _text(path, number, row, "query"), row.get("relevant")
    if not isinstance(relevant, list) or not relevant or not all(isinstance(id_, str) for id_ in relevant):
        raise UnreadableDocument(path, number, 'field "relevant": must be a list of document ids and not empty')
    return Query(str(row.get("id", number)), text, frozenset(relevant))


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise UnreadableDocument(path, number, f"not JSON ({error})") from error
    if not isinstance(row, dict):
        raise UnreadableDocument(path, number, "not a JSON object")
    return row


def _text(path: Path, number: int, row: dict[str, Any], field: str) -> str:
    text = row.get(field)
    if not isinstance(text, str) or not text.strip():
        raise UnreadableDocument(path, number, f'field "{field}": must be text and not empty')
    return text


def read_unanswerable(path: Path) -> list[str]:
    """One JSON object a line with the question as `query` or `text`. Raises as `read_queries` does."""
    questions: list[str] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            row = _object(path, number, line)
            questions.append(_text(path, number, row, "query" if "query" in row else "text"))
    if not questions:
        raise UnreadableDocument(path, 0, "holds no questions")
    return questions


def evaluate(
    index: KnowledgeIndex,
    queries: Sequence[Query],
    audiences: Collection[str],
    progress: Progress | None = None,
    unanswerable: Sequence[str] = (),
) -> Evaluation:
    """Searches for every query as one of these audiences would, and for what is `unanswerable`."""
    hits, recalls, ranks, relevances, seconds = [], [], [], [], []
    count = len(queries) + len(unanswerable)
    index.search(queries[0].query, audiences)  # loads the embedding model
    for done, query in enumerate(queries, start=1):
        start = time.perf_counter()
        result = index.search(query.query, audiences, k=10)
        seconds.append(time.perf_counter() - start)
        documents = list(dict.fromkeys(passage.document_id for passage in result.passages))
        found = query.relevant.intersection(documents)
        hits.append(bool(found))
        recalls.append(len(found) / len(query.relevant))
        ranks.append(next((1 / rank for rank, document in enumerate(documents, 1) if document in found), 0.0))
        relevances.append(result.relevance)
        if progress:
            progress(done, count)
    foreign = []
    for done, question in enumerate(unanswerable, start=len(queries) + 1):
        foreign.append(index.search(question, audiences).relevance)
        if progress:
            progress(done, count)
    hit_rate, recall, rank, relevance = (float(np.mean(values)) for values in (hits, recalls, ranks, relevances))
    p50_ms = float(np.median(seconds) * 1000)
    evaluation = Evaluation(len(queries), hit_rate, recall, rank, relevance, p50_ms)
    if not foreign:
        return evaluation
    return replace(
        evaluation,
        unanswerable=len(foreign),
        relevance_auroc=separation(foreign, relevances),
        calibration_error=_calibration_error(np.array(relevances), np.array(foreign)),
    )


def _calibration_error(answered: NDArray[np.float64], foreign: NDArray[np.float64]) -> float:
    predicted = np.concatenate([answered, foreign])
    actual = np.repeat([1.0, 0.0], [len(answered), len(foreign)])
    weights = np.repeat([0.5 / len(answered), 0.5 / len(foreign)], [len(answered), len(foreign)])
    bins = np.minimum((predicted * BINS).astype(int), BINS - 1)
    gaps = [abs(((predicted - actual) * weights)[bins == number].sum()) for number in range(BINS)]
    return float(np.sum(gaps))
