"""The dialogue state that is kept between turns: small, JSON, stored with the conversation."""

from typing import Any

from pydantic import BaseModel, Field

ASKS_WHICH = "topic"
"""What a question asks for that names several matters; no slot may be called so."""


class Understanding(BaseModel):
    """How triage understood a matter when it was taken up. A model cannot change it."""

    probability: float
    margin: float
    """Over the next likeliest matter of the same words."""
    out_of_scope: float
    chosen: bool = False
    """Whether the customer chose it when they were asked which."""


class ActiveProcedure(BaseModel):
    """A procedure under way: where it stands, what the customer said, what the tools returned."""

    name: str
    position: int = 0
    slots: dict[str, Any] = Field(default_factory=dict)
    saved: dict[str, Any] = Field(default_factory=dict)
    waiting_for: str | None = None
    asked: dict[str, int] = Field(default_factory=dict)
    listed: list[Any] = Field(default_factory=list)
    """What the last question listed to choose from, in its order."""
    opening: str = ""
    """The customer's words that started it: slots are looked for there too ..."""
    answers: list[str] = Field(default_factory=list)
    """... and in what they said when they were asked for another one."""
    offering: bool = False
    declined: bool = False
    """Whether the customer said no to what it offered."""
    in_all: int | None = None
    """How many the customer wants in all, where they spoke of that and not of how many more."""
    doubtful: bool = False
    """Whether triage was not sure of it when it was taken up."""


class Frame(BaseModel):
    """All that the next turn starts from. The last procedure of the stack is the active one; the others are paused."""

    stack: list[ActiveProcedure] = Field(default_factory=list)
    pending: list[tuple[str, str]] = Field(default_factory=list)
    """(intent, words) of further requests in a message, served after the active one."""
    clarifying: list[str] = Field(default_factory=list)
    """Intents between which the customer was asked to choose."""
    clarified_words: str = ""
    """What the customer had said when they were asked."""
    last: ActiveProcedure | None = None
    """The matter that was settled last: "no, the one before" is about it."""
    invited: str | None = None
    """The intent to which the last reply invited: a plain yes means it."""
    acted: ActiveProcedure | None = None
    """The matter settled last that could change something, where `last` is another: "then just those two" may be about
    it, after a question."""
    understood: dict[str, Understanding] = Field(default_factory=dict)
    """By intent, of the matters under way."""
    failed_turns: int = 0
    declined_offers: int = 0

    @property
    def active(self) -> ActiveProcedure | None:
        """The procedure under way, if any."""
        return self.stack[-1] if self.stack else None
