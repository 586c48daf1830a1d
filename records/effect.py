"""The effect ledger: what will be done, is being done and was proven to be done at a backend."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field

from records.columns import Row, document, moment


class EffectState(StrEnum):
    """The life of an effect. `INTENDED`, `SENT` and `UNKNOWN` are open: recovery must settle them."""

    INTENDED = "intended"
    SENT = "sent"
    VERIFIED = "verified"
    FAILED = "failed"
    UNKNOWN = "unknown"
    COMPENSATED = "compensated"

    @property
    def open(self) -> bool:
        """Whether the backend has yet to be asked what became of it."""
        return self in (EffectState.INTENDED, EffectState.SENT, EffectState.UNKNOWN)


class EffectRecord(Row, table=True):
    """One row of the ledger. The idempotency key is unique: the same effect cannot be intended twice."""

    __tablename__ = "effects"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    turn_id: str = Field(foreign_key="turns.id", index=True)
    decision_id: str = Field(foreign_key="decisions.id")
    customer_id: str = Field(index=True)
    tool: str
    kind: str
    arguments: dict[str, Any] = document(default_factory=dict)
    idempotency_key: str = Field(unique=True)
    state: str = Field(default=EffectState.INTENDED, index=True)
    amount_minor: int | None = None
    currency: str | None = None
    result: dict[str, Any] | None = document(default=None, nullable=True)
    error: str = ""
    attempts: int = 0
    intended_at: datetime = moment(index=True)
    sent_at: datetime | None = moment(default=None)
    settled_at: datetime | None = moment(default=None)
    undo_key: str | None = Field(default=None, index=True)
    """The key under which it is being, or was, taken back."""
    undone_by: str | None = None
