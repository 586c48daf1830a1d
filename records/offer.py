"""Offers: what the customer was asked to agree to. A yes binds to exactly these arguments, once."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from records.columns import Row, document, moment


class Offer(Row, table=True):
    """One effect put to the customer. State: offered, accepted, used, declined or withdrawn."""

    __tablename__ = "offers"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    turn_id: str = Field(foreign_key="turns.id")
    tool: str
    arguments: dict[str, Any] = document(default_factory=dict)
    text: str
    state: str = "offered"
    answer_message_id: str | None = None
    at: datetime = moment()
    answered_at: datetime | None = moment(default=None)


class Approval(Row, table=True):
    """A call that policy allows only with a person's approval. State: pending, approved, denied, expired or
    withdrawn (the customer took it back, or a person has the conversation)."""

    __tablename__ = "approvals"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    turn_id: str = Field(foreign_key="turns.id", index=True)
    decision_id: str = Field(foreign_key="decisions.id")
    tool: str
    arguments: dict[str, Any] = document(default_factory=dict)
    """What may be done; an approver may have changed it."""
    asked_arguments: dict[str, Any] | None = document(default=None, nullable=True)
    """What was asked for, where an approver changed it."""
    summary: str = ""
    reasons: list[str] = document(default_factory=list)
    state: str = "pending"
    decided_by: str | None = None
    comment: str = ""
    requested_at: datetime = moment()
    expires_at: datetime = moment()
    decided_at: datetime | None = moment(default=None)
