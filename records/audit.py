"""The audit chain: append-only events, each holding the hash of the one before it in its conversation.

What belongs to no conversation (a model was promoted) stands in a chain of the service's own.

The hash is SHA-256 over the RFC 8785 canonical JSON of the event with its predecessor's hash, so a changed, removed,
reordered or inserted row breaks the chain and can be named. The head of each chain stands in its conversation, or in
`audit_chains`, which shows a cut-off tail. Triggers refuse UPDATE and DELETE on the table.
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


class AuditChain(Row, table=True):
    """The head of a chain that belongs to no conversation; its id stands where others have the conversation's."""

    __tablename__ = "audit_chains"

    id: str = Field(primary_key=True)
    audit_number: int = 0
    audit_hash: str = ""


SERVICE = "service"
"""The chain of what concerns the whole service."""


async def service_chain(session: AsyncSession) -> AuditChain:
    """The service's own chain, held for writing by this transaction."""
    chain = await session.get(AuditChain, SERVICE, with_for_update=True)
    if chain is None:  # its head was removed: the verification names that
        chain = AuditChain(id=SERVICE)
        session.add(chain)
        await session.flush()
    return chain


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
    session: AsyncSession,
    chain: Conversation | AuditChain,
    events: Iterable[tuple[str, dict[str, Any]]],
    at: datetime,
) -> None:
    """Add events to a chain. The row that holds its head must be held by this transaction for writing."""
    for kind, payload in events:
        number = chain.audit_number + 1
        digest = event_hash(chain.id, number, kind, payload, at, chain.audit_hash)
        session.add(
            AuditEvent(
                id=new_id("aud"),
                conversation_id=chain.id,
                number=number,
                kind=kind,
                payload=payload,
                at=at,
                previous_hash=chain.audit_hash,
                hash=digest,
            )
        )
        chain.audit_number, chain.audit_hash = number, digest


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
    heads: dict[str, tuple[int, str]] = {}
    for table in (Conversation, AuditChain):
        rows = await session.execute(select(table.id, table.audit_number, table.audit_hash))
        heads |= {row.id: (row.audit_number, row.audit_hash) for row in rows}

    def owner(chain_id: str) -> str:
        return f"chain {chain_id}" if chain_id == SERVICE else f"conversation {chain_id}"

    reached: dict[str, tuple[int, str]] = {}
    rows = await session.stream_scalars(
        select(AuditEvent).order_by(col(AuditEvent.conversation_id), col(AuditEvent.number))
    )
    async for event in rows:
        report.events += 1
        number, previous = reached.get(event.conversation_id, (0, ""))
        name = f"audit_events row {event.id} ({owner(event.conversation_id)}, event {event.number})"
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
    for chain_id, head in heads.items():
        last = reached.pop(chain_id, (0, ""))
        if last[0] < head[0]:
            report.problems.append(f"{owner(chain_id)}: events {last[0] + 1} to {head[0]} are missing at the end")
        elif last != head:
            report.problems.append(f"{owner(chain_id)}: its head does not match event {last[0]}")
    report.problems += [f"{owner(chain_id)}: is missing, its events remain" for chain_id in reached]
    if SERVICE not in heads and SERVICE not in reached:
        report.problems.append(f"{owner(SERVICE)}: is missing")
    return report
