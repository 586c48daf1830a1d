"""Handoffs: a conversation passed to people, with the packet that makes them ready."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from records.columns import Row, document, moment


class Handoff(Row, table=True):
    """One conversation in one queue. State: open, claimed, returned or resolved."""

    __tablename__ = "handoffs"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    episode_id: str | None = None
    turn_id: str | None = None
    queue: str = Field(index=True)
    priority: str = "normal"
    """urgent, high or normal."""
    reason: str
    trigger: str | None = None
    packet: dict[str, Any] = document(default_factory=dict)
    state: str = Field(default="open", index=True)
    due_at: datetime = moment()
    claimed_by: str | None = None
    resolution: str = ""
    created_at: datetime = moment()
    claimed_at: datetime | None = moment(default=None)
    closed_at: datetime | None = moment(default=None)


class Suggestion(Row, table=True):
    """A reply proposed to a representative, and what they made of it."""

    __tablename__ = "suggestions"

    id: str = Field(primary_key=True)
    conversation_id: str | None = Field(default=None, index=True)
    episode_id: str | None = None
    words: str = ""
    """What the customer wrote, redacted."""
    text: str
    intent: str | None = None
    probability: float | None = None
    """How sure triage was of the intent."""
    citations: list[dict[str, Any]] = document(default_factory=list)
    verdict: str | None = None
    """accepted, edited or rejected."""
    final_text: str | None = None
    author: str | None = None
    created_at: datetime = moment()
    decided_at: datetime | None = moment(default=None)
