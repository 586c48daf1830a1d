"""Sentiment and urgency of a message, from word lists: cheap, explainable, no model."""

import re
from functools import lru_cache
from typing import Any

_URGENT = re.compile(
    r"\b(urgent(ly)?|asap|immediately|right (now|away)|emergency|critical|production|down|outage|blocked|deadline|"
    r"today|within the hour|cannot work|can'?t work|losing (money|customers)|stuck|demo in|in \d+ minutes)\b",
    re.IGNORECASE,
)


def sentiment(text: str) -> float:
    """From -1 (furious) to 1 (delighted): VADER's compound score (Hutto and Gilbert, 2014)."""
    return _analyzer().polarity_scores(text)["compound"]


def urgency(text: str) -> float:
    """From 0 to 1: words of urgency, shouting and exclamation marks."""
    words = len(_URGENT.findall(text))
    letters = [c for c in text if c.isalpha()]
    shouting = len(letters) > 12 and sum(c.isupper() for c in letters) / len(letters) > 0.6
    return min(1.0, 0.35 * min(words, 2) + (0.3 if shouting else 0.0) + 0.1 * min(text.count("!"), 3))


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
