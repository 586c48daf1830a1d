"""A passage of a document, as retrieval returns it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """One retrieved chunk. Scores: reciprocal rank fusion (score), cosine in `Geometry` (dense), BM25 (lexical)."""

    document_id: str
    title: str
    heading: str
    text: str
    score: float
    dense_score: float
    lexical_score: float
    source: str = ""
