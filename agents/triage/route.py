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
LIKELY = 0.08
"""Probability from which an intent is named when the customer is asked which one they mean."""
MENTIONED = 0.02
"""Probability in the whole message from which a part that merely states something counts as a request of its own."""
ANSWER_WORDS = 8
"""A message of so few words that holds what was asked for is the answer, whatever else it looks like."""

_ASKS = re.compile(
    r"\?|\b(please|pls|plz|can|could|would|will you|may|want|wants|wanted|need|needs|like to|wish|how|what|when|where|"
    r"which|who|why|do you|does|is there|are there|let me|let us|let's|i'd|we'd|must|should|shall|also|then)\b",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(am|is|are|was|were|isn't|aren't|wasn't|weren't|has|have|had|hasn't|haven't|got|did|didn't|used|use|uses|paid|"
    r"said|told|never|only|because|since)\b",
    re.IGNORECASE,
)


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


@dataclass(frozen=True)
class Topics:
    """What the procedures say of an intent."""

    served: frozenset[str]
    """Intents that a procedure serves; others, such as ``contract_dispute``, only raise triggers."""
    small_talk: frozenset[str] = frozenset()


def route(guess: Guess, parts: Sequence[Guess], frame: Frame, topics: Topics, *, answers: bool = False) -> Route:
    """Decide on the route. `answers`: the message holds what the customer was just asked for."""
    intent, probability = guess.best
    serves = topics.served.__contains__
    if frame.active is not None:
        short = len(guess.text.split()) <= (ANSWER_WORDS if answers else 2)
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
    if intent in topics.small_talk and probability >= LIKELY:
        return Route("start", ((intent, guess.text),))
    likely = [name for name, p in guess.ranking[:5] if serves(name) and p >= LIKELY and name not in topics.small_talk]
    return Route("clarify", tuple((name, guess.text) for name in likely[:3])) if likely else Route("out_of_scope")


def merely_states(text: str) -> bool:
    """Whether a part of a message tells how things are ("two seats were used for a week") and asks for nothing."""
    plain = text.replace("’", "'")
    return _STATES.search(plain) is not None and _ASKS.search(plain) is None


def _requests(guess: Guess, parts: Sequence[Guess], serves: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
    """The requests in a message: those of its parts that are clear, or the whole."""
    found: dict[str, str] = {}
    mentioned = dict(guess.ranking)
    for part in parts:
        intent, probability = part.best
        background = merely_states(part.text) and mentioned.get(intent, 0.0) < MENTIONED
        if probability >= SECOND and part.out_of_scope < OUT_OF_SCOPE and serves(intent) and not background:
            found[intent] = f"{found[intent]} {part.text}" if intent in found else part.text
    whole, probability = guess.best
    if probability >= START and serves(whole) and whole not in found and len(found) < 2:
        found = {whole: guess.text}
    if not found and serves(whole):
        found = {whole: guess.text}
    return tuple((intent, words if len(found) > 1 else guess.text) for intent, words in found.items())
