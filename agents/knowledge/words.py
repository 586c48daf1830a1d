"""Search by words: BM25 over passages."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Words that say nothing about what a customer wants, among them what polite messages are full of.
STOPWORDS = frozenset(
    """a about after again all also am an and any are as ask at be because been before being but by can can't
    cannot could did didn't do does doesn't doing don't for from get getting go going good got had has have
    having he hello help her here hey hi him his how i i'd i'll i'm i've if in into is isn't it it's its just
    know let like look looking me might more morning my need no not now of off ok on one or our out over please
    quite really right say see she should so some something sorry such tell than thank thanks that that's the
    their them then there these they thing things think this those to too up us use very want wanted was way we
    well were what what's when where which while who why will with won't wonder wondering would yes you your""".split()
)

SENTENCES = 2
SENTENCE_WORDS = 4
"""How many sentences of a question are searched on their own, and from how many meaningful words on."""


def words_of(text: str) -> list[str]:
    """The words that carry meaning, lower case and without the plural's s (the S-stemmer of Harman 1991)."""
    found = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text.lower())
    return [_singular(word) for word in found if word.replace("’", "'") not in STOPWORDS]


def telling_sentences(question: str) -> list[str]:
    """The sentences that say most, where several say something: one of them may be a request of its own."""
    sentences = [(len(set(words_of(text))), text) for text in re.split(r"(?<=[.!?])\s+|\n+", question)]
    telling = [(words, text.strip()) for words, text in sentences if words >= SENTENCE_WORDS]
    return [text for _, text in sorted(telling, key=lambda pair: -pair[0])[:SENTENCES]] if len(telling) > 1 else []


def _singular(word: str) -> str:
    if len(word) <= 3 or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


class WordIndex:
    """BM25 (Robertson and Zaragoza 2009) over a fixed list of passages."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        tokens = [words_of(text) for text in texts]
        self._known = frozenset(word for words in tokens for word in words)
        self._passages = len(tokens)
        self._ranker: bm25s.BM25 | None = None
        if any(tokens):
            self._ranker = bm25s.BM25(k1=1.2, b=0.75)
            self._ranker.index(tokens, show_progress=False)

    def scores(self, question: str) -> NDArray[np.float32]:
        """One BM25 score per passage; 0 where no word is shared."""
        asked = [word for word in words_of(question) if word in self._known]
        if self._ranker is None or not asked:
            return np.zeros(self._passages, dtype=np.float32)
        return np.asarray(self._ranker.get_scores(asked), dtype=np.float32)
