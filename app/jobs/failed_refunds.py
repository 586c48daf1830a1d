"""Follows a refund that its backend took and that failed afterwards: the customer does not have the money.

Days may lie between the two, and the customer was told that the money is on its way. So the effect is marked as failed,
people get the conversation, and the customer hears the truth. All of it is one transaction, which leaves the effect in
a state that needs nothing more: reports that come twice, late or at the same time change nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from agents.services import Services
from records import audit
from records.audit import AuditEvent
from records.conversation import Conversation, Message, Role, tell
from records.effect import EffectRecord, EffectState
from records.handoff import Handoff
from records.identifiers import new_id
from records.transcript import add_message, give_to_person, text_digest
from records.turn import Turn
from tools.errors import ToolError
from tools.stripe_billing.events import FailedRefund

log = structlog.get_logger(__name__)

REASON = "a refund failed after it was taken"
QUEUE = "billing"
ACTION = "refund_failed"
"""What the handoff's audit event says was done; there is one such event for an effect."""


@dataclass(frozen=True)
class _Found:
    """What was looked up before anything is written."""

    failed: FailedRefund
    invoice: str
    """The invoice as the customer knows it."""
    facts: dict[str, Any]


async def follow(services: Services, effect_id: str, failed: FailedRefund) -> bool:
    """See to what a failed refund needs. Returns whether the effect counted as done, or as open, until now."""
    async with services.database.read() as session:
        row = await session.get_one(EffectRecord, effect_id)
    found = _Found(failed, await _invoice(services, row), await _facts(services, row.customer_id))
    written: tuple[Handoff, Message] | None = None
    async with services.database.write() as session:
        conversation = await session.get_one(Conversation, row.conversation_id, with_for_update=True)
        row = (await session.scalars(select(EffectRecord).where(EffectRecord.id == effect_id))).one()
        confirmed, now = row.state == EffectState.VERIFIED, services.clock()
        if not confirmed and not EffectState(row.state).open:
            return False  # seen to before, or never told as done
        _mark(row, failed, now)
        event = {"effect": row.id, "tool": row.tool, "state": row.state, "error": row.error}
        audit.append(session, conversation, [("effect", event)], now)
        turn = await session.get_one(Turn, row.turn_id)
        will_tell = not confirmed and turn.state in ("running", "awaiting_approval")
        if not will_tell and not await _told(session, row):
            written = await _to_people(services, session, conversation, turn, row, found, confirmed, now)
    log.warning("refund_failed_afterwards", effect=row.id, refund=failed.refund_id, confirmed=confirmed)
    if written is not None:
        handoff, message = written
        services.emit(row.conversation_id, "handoff", {"handoff_id": handoff.id, "state": handoff.state})
        services.emit(row.conversation_id, "written", {"message_id": message.id})
    return True


async def _facts(services: Services, customer_id: str) -> dict[str, Any]:
    try:
        return dict(await services.customer_facts(customer_id))
    except ToolError:
        return {}


async def _invoice(services: Services, row: EffectRecord) -> str:
    invoice_id = str(row.arguments.get("invoice_id", ""))
    tool = services.registry.get("billing.get_invoice")
    try:
        invoice = await tool.call(row.customer_id, tool.arguments.model_validate({"invoice_id": invoice_id}), "")
    except ToolError:
        return invoice_id
    return str(invoice.model_dump()["number"])


async def _told(session: AsyncSession, row: EffectRecord) -> bool:
    """Whether people and the customer have heard of it."""
    events = await session.scalars(
        select(AuditEvent).where(AuditEvent.conversation_id == row.conversation_id, AuditEvent.kind == "handoff")
    )
    return any(event.payload.get("action") == ACTION and event.payload["effect"] == row.id for event in events)


def _mark(row: EffectRecord, failed: FailedRefund, now: datetime) -> None:
    """The effect as it turned out. What had been read back stays beside it."""
    row.state = EffectState.FAILED
    row.error = f"refund {failed.refund_id} failed after it was taken: {failed.why}"
    told = {"refund_id": failed.refund_id, "why": failed.why, "at": now.isoformat(timespec="seconds")}
    row.result = {**(row.result or {}), "failed_afterwards": told}
    row.settled_at = now


async def _to_people(
    services: Services,
    session: AsyncSession,
    conversation: Conversation,
    turn: Turn,
    row: EffectRecord,
    found: _Found,
    confirmed: bool,
    now: datetime,
) -> tuple[Handoff, Message]:
    """Give the conversation to the billing team, or tell the person who has it, and tell the customer."""
    failed = found.failed
    queue_name = QUEUE if QUEUE in services.escalation.queues else "general"
    queue = services.escalation.queues[queue_name]
    told = "The customer was told that it is done. " if confirmed else ""
    detail = (
        f"The refund of {failed.amount} of invoice {found.invoice} failed after it had been "
        f"{'confirmed' if confirmed else 'sent'} ({failed.refund_id}: {failed.why}). {told}"
        "The money has come back to us, so it has to reach the customer in another way."
    )
    has_it = await _with_whom(session, conversation)
    if has_it is None:
        due = queue.due(now, queue.first_response_minutes)
        handoff = _handoff(turn, row, found, queue_name, detail, due, now)
        await give_to_person(session, conversation, handoff, now)
    else:
        handoff, due = has_it, has_it.due_at
        noted = {"by": "handrail", "at": now.isoformat(), "text": detail}
        earlier = handoff.packet.get("detail") or handoff.reason
        notes = [*handoff.packet.get("notes", []), noted]
        handoff.packet = {**handoff.packet, "detail": f"{earlier.rstrip('.')}. Since then: {detail}", "notes": notes}
        handoff.priority = "high" if handoff.priority == "normal" else handoff.priority
    names = {
        "amount": failed.amount.minor,
        "currency": failed.amount.currency,
        "invoice": found.invoice,
        "confirmed": confirmed,
        "with_person": has_it is not None,
        "team": queue.team,
        "due_clock": due.strftime("%H:%M"),
        "due_on": due.date(),
    }
    text = services.templates.reply("system_refund_failed", names)
    message = add_message(session, conversation, Role.AGENT, text, now)
    seen = {"handoff_id": handoff.id, "state": handoff.state, "queue": handoff.queue}
    session.add(tell(conversation, "handoff", seen, now))
    event = {"handoff": handoff.id, "action": ACTION, "effect": row.id, "queue": handoff.queue}
    told_event = {"message": message.id, "role": "agent", "sha256": text_digest(message.text)}
    audit.append(session, conversation, [("handoff", event), ("message", told_event)], now)
    return handoff, message


async def _with_whom(session: AsyncSession, conversation: Conversation) -> Handoff | None:
    """The handoff under which a person has the conversation."""
    if conversation.handled_by != "person":
        return None
    query = select(Handoff).where(
        Handoff.conversation_id == conversation.id, col(Handoff.state).in_(["open", "claimed"])
    )
    return (await session.scalars(query.order_by(col(Handoff.id).desc()).limit(1).with_for_update())).first()


def _handoff(
    turn: Turn,
    row: EffectRecord,
    found: _Found,
    queue: str,
    detail: str,
    due: datetime,
    now: datetime,
) -> Handoff:
    packet = {
        "reason": REASON,
        "detail": detail,
        "summary": f"{found.facts.get('company', row.customer_id)}: {detail}",
        "customer": {"id": row.customer_id, **found.facts},
        "effects": [
            {"id": row.id, "tool": row.tool, "arguments": row.arguments, "state": row.state, "result": row.result}
        ],
        "due_at": due.isoformat(),
        "queue": queue,
    }
    return Handoff(
        id=new_id("hnd"),
        conversation_id=turn.conversation_id,
        episode_id=turn.episode_id,
        turn_id=turn.id,
        queue=queue,
        priority="high",
        reason=REASON,
        packet=packet,
        due_at=due,
        created_at=now,
    )
