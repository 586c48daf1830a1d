"""The audit chain: append-only events, each holding the hash of the one before it in its conversation.

The hash is SHA-256 over the RFC 8785 canonical JSON of the event with its predecessor's hash, so a changed, removed,
reordered or inserted row breaks the chain and can be named. The head of each chain stands in its conversation, which
shows a cut-off tail. Triggers refuse UPDATE and DELETE on the table.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import rfc8785
from sqlalchemy import UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col, select

from records.columns import Row, document, moment
from records.conversation import Conversation
from records.identifiers import new_id


class AuditEvent(Row, table=True):
    """One thing that was decided or done."""

    __tablename__ = "audit_events"
    __table_args__ = (UniqueConstraint("conversation_id", "number"),)

    id: str = Field(primary_key=True)
    conversation_id: str = Field(index=True)
    number: int
    kind: str
    payload: dict[str, Any] = document(default_factory=dict)
    at: datetime = moment()
    previous_hash: str
    hash: str


def event_hash(
    conversation_id: str, number: int, kind: str, payload: dict[str, Any], at: datetime, previous: str
) -> str:
    """SHA-256 (hex) over the canonical form of one event and its predecessor's hash."""
    content = {
        "conversation_id": conversation_id,
        "number": number,
        "kind": kind,
        "payload": payload,
        "at": at.isoformat(timespec="microseconds"),
        "previous_hash": previous,
    }
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def append(
    session: AsyncSession, conversation: Conversation, events: Iterable[tuple[str, dict[str, Any]]], at: datetime
) -> None:
    """Add events to a conversation's chain. The conversation row must be held by this transaction for writing."""
    for kind, payload in events:
        number = conversation.audit_number + 1
        digest = event_hash(conversation.id, number, kind, payload, at, conversation.audit_hash)
        session.add(
            AuditEvent(
                id=new_id("aud"),
                conversation_id=conversation.id,
                number=number,
                kind=kind,
                payload=payload,
                at=at,
                previous_hash=conversation.audit_hash,
                hash=digest,
            )
        )
        conversation.audit_number, conversation.audit_hash = number, digest


@dataclass
class AuditReport:
    """What a verification found. Each problem names its row."""

    events: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the whole chain holds."""
        return not self.problems


async def verify(session: AsyncSession) -> AuditReport:
    """Recompute every chain and compare it with what is stored. `session` is one of `Database.snapshot()`."""
    report = AuditReport()
    heads = {
        row.id: (row.audit_number, row.audit_hash)
        for row in await session.execute(select(Conversation.id, Conversation.audit_number, Conversation.audit_hash))
    }
    reached: dict[str, tuple[int, str]] = {}
    rows = await session.stream_scalars(
        select(AuditEvent).order_by(col(AuditEvent.conversation_id), col(AuditEvent.number))
    )
    async for event in rows:
        report.events += 1
        number, previous = reached.get(event.conversation_id, (0, ""))
        name = f"audit_events row {event.id} (conversation {event.conversation_id}, event {event.number})"
        if event.number != number + 1:
            report.problems.append(f"{name}: events {number + 1} to {event.number - 1} before it are missing")
        elif event.previous_hash != previous:
            report.problems.append(f"{name}: does not follow from event {number}")
        try:
            expected = event_hash(
                event.conversation_id, event.number, event.kind, event.payload, event.at, event.previous_hash
            )
        except (TypeError, ValueError, rfc8785.CanonicalizationError):
            expected = "not canonical"
        if expected != event.hash:
            report.problems.append(f"{name}: its content was changed")
        reached[event.conversation_id] = (event.number, event.hash)
    for conversation_id, head in heads.items():
        last = reached.pop(conversation_id, (0, ""))
        if last[0] < head[0]:
            report.problems.append(
                f"conversation {conversation_id}: events {last[0] + 1} to {head[0]} are missing at the end"
            )
        elif last != head:
            report.problems.append(f"conversation {conversation_id}: its head does not match event {last[0]}")
    report.problems += [f"conversation {conversation_id}: is missing, its events remain" for conversation_id in reached]
    return report
