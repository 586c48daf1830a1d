"""Which request a message is about: go on, start something, ask which, or say that it is out of scope."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.brief import Route
from agents.frame import Frame

START = 0.45
"""Probability from which an intent is taken up without a question."""
CHANGE = 0.7
"""Probability from which a message that could answer a question is taken as a new request."""
SECOND = 0.6
"""Probability from which a part of a message is a request of its own."""
OUT_OF_SCOPE = 0.6


@dataclass(frozen=True)
class Guess:
    """What the classifier says of one piece of text."""

    text: str
    ranking: tuple[tuple[str, float], ...]
    out_of_scope: float

    @property
    def best(self) -> tuple[str, float]:
        """The most likely intent."""
        return self.ranking[0]


def parts_of(text: str) -> list[str]:
    """The pieces of a message that may each be a request: sentences and clauses of three words or more."""
    pieces = re.split(r"(?<=[.!?;])\s+|\n+|,?\s+(?:and also|and then|also|plus|and)\s+|;\s*", text)
    parts = [piece.strip() for piece in pieces if len(piece.split()) >= 3]
    return parts if len(parts) > 1 else []


def route(guess: Guess, parts: Sequence[Guess], frame: Frame, serves: Callable[[str], bool]) -> Route:
    """Decide on the route.

    `serves` says whether a procedure serves an intent (other intents, such as ``contract_dispute``, only raise
    triggers).
    """
    intent, probability = guess.best
    active = frame.active
    if active is not None:
        short = len(guess.text.split()) <= 2
        if not short and probability >= CHANGE and guess.out_of_scope < OUT_OF_SCOPE and serves(intent):
            return Route("start", _requests(guess, parts, serves))
        return Route("continue")
    if guess.out_of_scope >= OUT_OF_SCOPE and probability < CHANGE:
        return Route("out_of_scope")
    if probability >= START and serves(intent):
        return Route("start", _requests(guess, parts, serves))
    several = _requests(guess, parts, serves)
    if len(several) > 1:
        return Route("start", several)
    likely = tuple((name, guess.text) for name, p in guess.ranking[:3] if serves(name) and p >= 0.08)
    return Route("clarify", likely) if likely else Route("out_of_scope")


def _requests(guess: Guess, parts: Sequence[Guess], serves: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
    """The requests in a message: those of its parts that are clear, or the whole."""
    found: dict[str, str] = {}
    for part in parts:
        intent, probability = part.best
        if probability >= SECOND and part.out_of_scope < OUT_OF_SCOPE and serves(intent):
            found[intent] = f"{found[intent]} {part.text}" if intent in found else part.text
    whole, probability = guess.best
    if probability >= START and serves(whole) and whole not in found and len(found) < 2:
        found = {whole: guess.text}
    if not found and serves(whole):
        found = {whole: guess.text}
    return tuple((intent, words if len(found) > 1 else guess.text) for intent, words in found.items())
