"""A passage of a document, as retrieval returns it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """One retrieved chunk. Scores: cosine similarity (dense), BM25 (lexical), reciprocal rank fusion (score)."""

    document_id: str
    title: str
    heading: str
    text: str
    score: float
    dense_score: float
    lexical_score: float
    source: str = ""
