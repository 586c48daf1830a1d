"""Decisions: each proposal of a model with the verdict of the gate, written before anything happens."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from records.columns import Row, document, moment


class DecisionRecord(Row, table=True):
    """One proposal (a tool call, a reply or a routing) and what the gate made of it."""

    __tablename__ = "decisions"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    turn_id: str = Field(foreign_key="turns.id", index=True)
    kind: str
    """call, reply or routing."""
    proposal: dict[str, Any] = document(default_factory=dict)
    verdict: str
    """permitted, ask, needs_approval, refused, escalate, or shadowed."""
    check: str = ""
    """The check that decided, or empty where all passed."""
    reason: str = ""
    checks: list[dict[str, Any]] = document(default_factory=list)
    policies: list[str] = document(default_factory=list)
    origins: dict[str, Any] = document(default_factory=dict)
    p_correct: float | None = None
    at: datetime = moment()
