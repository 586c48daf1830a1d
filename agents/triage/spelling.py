"""Spelling: mends a word that nobody knows and that is one slip away from a word of the examples."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

LONG_WORD = 8
"""From so many letters on, two slips are forgiven."""
SHORT_WORD = 5
"""What has fewer letters is left alone: too much is one slip away from it."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


class Spelling:
    """Knows the words of the examples, and English: "invoce" becomes "invoice", but a "cart" never a "card"."""

    def __init__(self, counts: Mapping[str, int], english: frozenset[str]) -> None:
        """`counts`: in how many examples a word stands. `english`: words that are right whatever the examples hold."""
        self.counts = dict(counts)
        self._known = english.union(counts)
        self._by_initial: dict[str, list[str]] = defaultdict(list)
        for word in sorted(counts, key=lambda word: (-counts[word], word)):
            if len(word) >= SHORT_WORD - 1 and counts[word] >= (2 if word in english else 3):
                self._by_initial[word[0]].append(word)

    @classmethod
    def learn(cls, texts: Iterable[str], english: frozenset[str]) -> "Spelling":
        """From examples. A word may be put in if it stands in three of them, or in two and is English."""
        return cls(Counter(word for text in texts for word in set(_WORD.findall(text.lower()))), english)

    def mended(self, text: str) -> str:
        """The text with its slips mended."""
        return _WORD.sub(lambda match: self._mended_word(match.group()), text)

    def _mended_word(self, word: str) -> str:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        plain = word.lower()
        if len(plain) < SHORT_WORD or "'" in plain or plain in self._known:
            return word
        slips = 2 if len(plain) >= LONG_WORD else 1
        choices = self._by_initial.get(plain[0], ())  # the most frequent first: it wins where several are as near
        found = process.extractOne(plain, choices, scorer=OSA.distance, score_cutoff=slips)
        return found[0] if found else word
