"""How good retrieval is: questions with the documents that answer them, hit rate and recall at ten."""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.knowledge.documents import UnreadableDocument
from agents.knowledge.embed import Progress
from agents.knowledge.index import KnowledgeIndex


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
    mean_relevance: float
    p50_ms: float


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
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise UnreadableDocument(path, number, f"not JSON ({error})") from error
    if not isinstance(row, dict):
        raise UnreadableDocument(path, number, "not a JSON object")
    text, relevant = row.get("query"), row.get("relevant")
    if not isinstance(text, str) or not text.strip():
        raise UnreadableDocument(path, number, 'field "query": must be text and not empty')
    if not isinstance(relevant, list) or not relevant or not all(isinstance(id_, str) for id_ in relevant):
        raise UnreadableDocument(path, number, 'field "relevant": must be a list of document ids and not empty')
    return Query(str(row.get("id", number)), text, frozenset(relevant))


def evaluate(
    index: KnowledgeIndex, queries: Sequence[Query], audiences: Collection[str], progress: Progress | None = None
) -> Evaluation:
    """Searches for every query as one of these audiences would."""
    hits, recalls, relevances, seconds = [], [], [], []
    index.search(queries[0].query, audiences)  # loads the embedding model
    for done, query in enumerate(queries, start=1):
        start = time.perf_counter()
        result = index.search(query.query, audiences, k=10)
        seconds.append(time.perf_counter() - start)
        found = query.relevant & {passage.document_id for passage in result.passages}
        hits.append(bool(found))
        recalls.append(len(found) / len(query.relevant))
        relevances.append(result.relevance)
        if progress:
            progress(done, len(queries))
    hit_rate, recall, relevance = (float(np.mean(values)) for values in (hits, recalls, relevances))
    return Evaluation(len(queries), hit_rate, recall, relevance, float(np.median(seconds) * 1000))
