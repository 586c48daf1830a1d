"""What a model is told about one turn. A language model reads it as text; the embedded model reads it as it is."""

from dataclasses import dataclass, field
from typing import Any, Literal

from agents.frame import Frame
from agents.knowledge.passage import Passage
from agents.triage.answers import UNREAD, AnswerOdds

RouteKind = Literal["continue", "resume", "start", "clarify", "out_of_scope"]
"""`resume`: the message changes something about the matter that was settled last."""


@dataclass(frozen=True)
class Route:
    """What triage makes of the message: which request it is about."""

    kind: RouteKind
    intents: tuple[tuple[str, str], ...] = ()
    """(intent, the words that mean it): to start, or to choose between when a question is needed."""


@dataclass(frozen=True)
class Brief:
    """One turn as the models see it."""

    text: str
    frame: Frame
    route: Route
    offer_answer: Literal["yes", "no", "other"] | None
    offer_text: str
    """What the customer agreed to."""
    customer: dict[str, Any]
    company: str
    today: str
    passages: tuple[Passage, ...] = ()
    relevance: float = 0.0
    ranking: tuple[tuple[str, float], ...] = ()
    likely_queue: str = "general"
    """Who is likeliest to be the right one, should nobody find out what the customer means."""
    answers: AnswerOdds = UNREAD
    """What kind of answer to an offer the message is."""
    offers: str = ""
    """What the message answers otherwise than with a yes."""
    writer: str = ""
    """The full name by which whoever writes introduced themselves in this conversation; empty where they did not."""
    said: tuple[str, ...] = ()
    """The last replies to the customer, newest first."""
    again: dict[str, Any] = field(default_factory=dict)
    """Slot -> the other record for which the customer wants the same as what they agree to."""
    facts: dict[str, Any] = field(default_factory=dict)
