"""Sentiment and urgency of a message, from word lists: cheap, explainable, no model."""

import re
from functools import lru_cache
from typing import Any

_URGENT = re.compile(
    r"\b(urgent(ly)?|asap|immediately|right (now|away)|emergency|critical|production|down|outage|blocked|deadline|"
    r"today|within the hour|cannot work|can'?t work|losing (money|customers)|stuck|demo in|in \d+ minutes)\b",
    re.IGNORECASE,
)

TOLD = 4
"""So many words of each kind are told."""


def sentiment(text: str) -> float:
    """From -1 (furious) to 1 (delighted): VADER's compound score (Hutto and Gilbert, 2014)."""
    return _analyzer().polarity_scores(text)["compound"]


def felt_words(text: str, felt: float) -> list[str]:
    """The words that speak most for the sentiment `felt` of a message, strongest first."""
    sign = 1 if felt > 0 else -1
    lexicon = _analyzer().lexicon
    words = dict.fromkeys(re.findall(r"[a-z']+", text.lower()))
    return sorted((w for w in words if lexicon.get(w, 0.0) * sign > 0), key=lambda w: -abs(lexicon[w]))[:TOLD]


def urgency(text: str) -> float:
    """From 0 to 1: words of urgency, shouting and exclamation marks."""
    words = len(_URGENT.findall(text))
    return min(1.0, 0.35 * min(words, 2) + (0.3 if _shouts(text) else 0.0) + 0.1 * min(text.count("!"), 3))


def urgent_signs(text: str) -> list[str]:
    """What makes a message urgent: its words of urgency, and how it is written."""
    signs = list(dict.fromkeys(match.group(0).lower() for match in _URGENT.finditer(text)))[:TOLD]
    return signs + ["capital letters"] * _shouts(text) + ["exclamation marks"] * ("!" in text)


def _shouts(text: str) -> bool:
    letters = [c for c in text if c.isalpha()]
    return len(letters) > 12 and sum(c.isupper() for c in letters) / len(letters) > 0.6


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
