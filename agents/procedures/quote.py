"""Answers from passages by quoting: the sentences of the best passage that share most with the question."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.knowledge.passage import Passage

STOPWORDS = frozenset(
    "a an and are as at be by can could do does for from have how i if in is it me my not of on or our that the their "
    "there they this to us was we what when where which who why will with would you your please".split()
)
MAX_SENTENCES = 4


@dataclass(frozen=True)
class Quote:
    """Quoted words and the document they stand in."""

    text: str
    document_id: str


def quote(question: str, passages: Sequence[Passage]) -> Quote | None:
    """Up to four neighbouring sentences of the top passage, around those closest to the question."""
    if not passages:
        return None
    best = passages[0]
    sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", _plain(best.text)) if s.strip()]
    if not sentences:
        return None
    asked = _content_words(question)
    scores = [len(asked & _content_words(sentence)) for sentence in sentences]
    windows = range(max(1, len(sentences) - MAX_SENTENCES + 1))
    start = max(windows, key=lambda i: (sum(scores[i : i + MAX_SENTENCES]), -i))
    text = " ".join(sentences[start : start + MAX_SENTENCES])
    return Quote(f"{text}\n\n(From “{best.title}” in our help centre.)", best.document_id)


def _content_words(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in STOPWORDS}


def _plain(markdown: str) -> str:
    text = re.sub(r"^#{1,6}\s*.*$", "", markdown, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return re.sub(r"(\*\*|__|`)", "", text).strip()
