"""Turns and their steps: what was computed to answer, how long it took and what it cost."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from records.columns import Row, document, moment


class Turn(Row, table=True):
    """One run of the graph over the customer's waiting messages."""

    __tablename__ = "turns"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    episode_id: str | None = None
    state: str = "running"
    """running, finished, awaiting_approval or superseded (a person took over)."""
    attempt: int = 1
    disposition: str | None = None
    intent: str | None = None
    triage: dict[str, Any] = document(default_factory=dict)
    stages_ms: dict[str, float] = document(default_factory=dict)
    model: str = ""
    model_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_micros: int = 0
    """What the model's provider charges, in millionths of the house currency."""
    started_at: datetime = moment()
    finished_at: datetime | None = moment(default=None)


class TurnStep(Row, table=True):
    """One thing that happened in a turn: a model call, a tool call with its result, a retrieval."""

    __tablename__ = "turn_steps"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    turn_id: str = Field(foreign_key="turns.id", index=True)
    number: int
    kind: str
    payload: dict[str, Any] = document(default_factory=dict)
    at: datetime = moment()
