"""Conversations, their episodes and their messages: what was said, by whom, in which order."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from records.columns import Row, document, moment


class Disposition(StrEnum):
    """Where a conversation stands after its latest turn."""

    OPEN = "open"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    AWAITING_CUSTOMER = "awaiting_customer"
    AWAITING_APPROVAL = "awaiting_approval"


class Role(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    AGENT = "agent"
    REPRESENTATIVE = "representative"


class Conversation(Row, table=True):
    """One customer's thread in one channel. `frame` is the dialogue state that the next turn starts from."""

    __tablename__ = "conversations"

    id: str = Field(primary_key=True)
    customer_id: str = Field(index=True)
    level: str
    channel: str = "chat"
    disposition: str = Disposition.OPEN
    handled_by: str = "handrail"
    handoff_closed: bool = False
    """Whether a person settled the matter: the next message opens a new episode."""
    episode_id: str | None = None
    episode_number: int = 0
    turn_id: str | None = None
    """The turn that is running or was interrupted."""
    has_effects: bool = False
    stepped_up_until: datetime | None = moment(default=None)
    """Until then the customer counts as stepped up, for access only."""
    code_message_id: str | None = None
    """The message that held the last right code."""
    frame: dict[str, Any] = document(default_factory=dict)
    messages: int = 0
    events: int = 0
    audit_number: int = 0
    audit_hash: str = ""
    lease_owner: str | None = None
    lease_until: datetime | None = moment(default=None)
    created_at: datetime = moment()
    updated_at: datetime = moment()


class Episode(Row, table=True):
    """One matter within a conversation. A customer who returns after a resolution starts the next episode."""

    __tablename__ = "episodes"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    number: int
    intent: str | None = None
    disposition: str = Disposition.OPEN
    started_at: datetime = moment()
    ended_at: datetime | None = moment(default=None)


class Message(Row, table=True):
    """One message. A customer's message whose `turn_id` is null waits for its turn."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "number"),
        UniqueConstraint("conversation_id", "client_message_id"),
    )

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    episode_id: str | None = None
    turn_id: str | None = Field(default=None, index=True)
    number: int
    role: str
    text: str
    author: str | None = None
    client_message_id: str | None = None
    citations: list[dict[str, Any]] = document(default_factory=list)
    created_at: datetime = moment()


class ConversationEvent(Row, table=True):
    """What a listener of the event stream is told; its number is the SSE event id."""

    __tablename__ = "conversation_events"

    conversation_id: str = Field(foreign_key="conversations.id", primary_key=True)
    number: int = Field(primary_key=True)
    kind: str
    payload: dict[str, Any] = document(default_factory=dict)
    at: datetime = moment()


def tell(conversation: Conversation, kind: str, payload: dict[str, Any], at: datetime) -> ConversationEvent:
    """The next event of a conversation; the caller adds it to the session that holds the conversation for writing."""
    conversation.events += 1
    return ConversationEvent(
        conversation_id=conversation.id, number=conversation.events, kind=kind, payload=payload, at=at
    )


class Feedback(Row, table=True):
    """What the customer thought of it."""

    __tablename__ = "feedback"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    solved: bool | None = None
    rating: int | None = None
    comment: str = ""
    created_at: datetime = moment()
