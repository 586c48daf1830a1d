"""What representatives do with handoffs and approvals, behind the thin endpoints of `app/api/staff.py`."""

from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from agents.gate.call import canonical_arguments, fingerprint
from app import learning
from app.api.problems import Problem
from app.identity import Staff
from app.runtime import Runtime
from records import audit
from records.conversation import Conversation, Disposition, Episode, Message, Role, tell
from records.handoff import Handoff
from records.identifiers import new_id
from records.offer import Approval
from records.transcript import TurnTaken
from records.turn import Turn

PRIORITIES = {"urgent": 0, "high": 1, "normal": 2}


async def waiting(runtime: Runtime, queue: str | None, state: str | None) -> list[Handoff]:
    """Handoffs that are not closed, the most pressing first."""
    query = select(Handoff).where(col(Handoff.state).in_([state] if state else ["open", "claimed"]))
    if queue:
        query = query.where(Handoff.queue == queue)
    async with runtime.services.database.read() as session:
        rows = list(await session.scalars(query))
    return sorted(rows, key=lambda row: (PRIORITIES.get(row.priority, 2), row.due_at, row.id))


async def find(runtime: Runtime, handoff_id: str) -> Handoff:
    """One handoff, or a 404."""
    async with runtime.services.database.read() as session:
        row = await session.get(Handoff, handoff_id)
    if row is None:
        raise Problem(404, "No such handoff", f"There is no handoff {handoff_id}.")
    return row


async def change(
    runtime: Runtime,
    handoff_id: str,
    staff: Staff,
    action: str,
    *,
    queue: str = "",
    note: str = "",
    intent: str | None = None,
) -> Handoff:
    """Claim, return, transfer or resolve a handoff, with its audit event. `intent`: what a resolved one was about."""
    learning.checked(intent)
    now = runtime.services.clock()
    async with runtime.services.database.write() as session:
        row = await session.get(Handoff, handoff_id, with_for_update=True)
        if row is None:
            raise Problem(404, "No such handoff", f"There is no handoff {handoff_id}.")
        conversation = await session.get_one(Conversation, row.conversation_id, with_for_update=True)
        if row.state in ("resolved", "returned"):
            raise Problem(409, "The handoff is closed", f"It was {row.state} already.")
        if action == "claim":
            if row.state == "claimed" and row.claimed_by != staff.email:
                raise Problem(409, "Already claimed", f"{row.claimed_by} has it.")
            row.state, row.claimed_by, row.claimed_at = "claimed", staff.email, now
        elif action == "transfer":
            if queue not in runtime.services.escalation.queues:
                known = ", ".join(sorted(runtime.services.escalation.queues))
                raise Problem(422, "Unknown queue", f"The queues are: {known}.")
            row.queue, row.state, row.claimed_by = queue, "open", None
            noted = {"by": staff.email, "at": now.isoformat(), "text": note}
            row.packet = {**row.packet, "notes": [*row.packet.get("notes", []), noted]} if note else row.packet
        else:
            await _close(session, row, conversation, "resolved" if action == "resolve" else "returned", note)
            row.closed_at = now
        event = {"handoff": row.id, "action": action, "by": staff.email, "queue": row.queue}
        if action == "resolve":
            event |= {"intent": intent} if intent else {}
            await learning.of_handoff(session, runtime.services, row, intent, staff.email, now)
        audit.append(session, conversation, [("handoff", event)], now)
        session.add(tell(conversation, "handoff", {"handoff_id": row.id, "state": row.state, "queue": row.queue}, now))
    runtime.services.emit(row.conversation_id, "handoff", {"handoff_id": row.id, "state": row.state})
    return row


async def _close(session: AsyncSession, row: Handoff, conversation: Conversation, state: str, note: str) -> None:
    row.state, row.resolution = state, note
    conversation.handled_by = "handrail"
    conversation.handoff_closed = state == "resolved"
    conversation.disposition = Disposition.RESOLVED if state == "resolved" else Disposition.OPEN
    conversation.frame = {}
    episode = await session.get(Episode, row.episode_id) if row.episode_id else None
    if episode is not None and state == "resolved":
        episode.disposition = Disposition.ESCALATED


async def take_over(runtime: Runtime, conversation_id: str, staff: Staff) -> Handoff:
    """Take a conversation that Handrail is at. Whatever it was about to do or say is dropped."""
    services, now = runtime.services, runtime.services.clock()
    conversation = await services.transcript.get(conversation_id)
    facts = await services.customer_facts(conversation.customer_id)
    queue = "general"
    due = services.escalation.queues[queue].due(now, services.escalation.queues[queue].first_response_minutes)
    packet = {
        "reason": "taken over",
        "detail": f"{staff.email} took the conversation over",
        "summary": f"{facts.get('company', conversation.customer_id)}: taken over by {staff.email}.",
        "customer": {"id": conversation.customer_id, **facts},
        "due_at": due.isoformat(),
        "queue": queue,
    }
    row = Handoff(
        id=new_id("hnd"),
        conversation_id=conversation_id,
        episode_id=conversation.episode_id,
        queue=queue,
        reason="taken over",
        packet=packet,
        state="claimed",
        claimed_by=staff.email,
        due_at=due,
        created_at=now,
        claimed_at=now,
    )
    try:
        await services.transcript.take_over(conversation_id, row)
    except TurnTaken:
        raise Problem(409, "A person has it already", "Look for it in the queue.") from None
    services.emit(conversation_id, "handoff", {"handoff_id": row.id, "state": row.state})
    return row


async def reply(runtime: Runtime, handoff_id: str, staff: Staff, text: str) -> str:
    """Send the customer a person's message; the handoff is claimed by its writer."""
    row = await find(runtime, handoff_id)
    if row.state == "open" or row.claimed_by == staff.email:
        row = await change(runtime, handoff_id, staff, "claim")
    if row.claimed_by != staff.email:
        raise Problem(409, "Already claimed", f"{row.claimed_by} has it.")
    message = await runtime.services.transcript.add_person_message(row.conversation_id, text, staff.email)
    runtime.services.emit(row.conversation_id, "written", {"message_id": message.id})
    return message.id


async def _not_ones_own(runtime: Runtime, approval_id: str, staff: Staff) -> None:
    """Nobody approves what they asked for: as the customer, or as the representative who wrote in the conversation."""
    services, email = runtime.services, staff.email.lower()
    async with services.database.read() as session:
        row = await session.get(Approval, approval_id)
        if row is None:
            raise Problem(404, "No such approval", f"There is no approval {approval_id}.")
        conversation = await session.get_one(Conversation, row.conversation_id)
        authors = await session.scalars(
            select(Message.author).where(
                Message.conversation_id == row.conversation_id, Message.role == Role.REPRESENTATIVE
            )
        )
        askers = {author.lower() for author in authors if author}
    facts = await services.customer_facts(conversation.customer_id)
    askers.add(str(facts.get("contact_email", "")).lower())
    if email in askers:
        raise Problem(403, "Your own request", "Somebody else has to decide what you asked for or spoke for.")


def _changed(runtime: Runtime, row: Approval, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """What is approved instead, as the tool takes it; None where it is what was asked for."""
    tool = runtime.services.registry.get(row.tool)
    try:
        changed = canonical_arguments(tool.arguments.model_validate(arguments))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "arguments"
        raise Problem(422, "It cannot be approved like that", f"{row.tool}: {place}: {first['msg']}") from None
    return changed if changed != row.arguments else None


WAITS = ("running", "awaiting_approval")
"""States of a turn in which an approval that it asked for is waited for."""


async def decide_approval(
    runtime: Runtime,
    approval_id: str,
    staff: Staff,
    approved: bool,
    comment: str,
    arguments: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Approve or deny; the waiting turn goes on at once. `arguments` approves something else than what was asked for:
    the gate judges it like any proposal, and the customer is asked for a yes of its own.
    """
    now = runtime.services.clock()
    await _not_ones_own(runtime, approval_id, staff)
    async with runtime.services.database.write() as session:
        seen = await session.get_one(Approval, approval_id)
        conversation = await session.get_one(Conversation, seen.conversation_id, with_for_update=True)
        row = await session.get_one(Approval, approval_id, with_for_update=True, populate_existing=True)
        if row.state != "pending":
            raise Problem(409, "Already decided", f"It is {row.state}.")
        turn = await session.get_one(Turn, row.turn_id)
        if turn.state not in WAITS:
            raise Problem(409, "No longer wanted", "The turn that asked for it ended in another way.")
        row.state = "expired" if row.expires_at < now else "approved" if approved else "denied"
        row.decided_by, row.decided_at, row.comment = staff.email, now, comment
        changed = _changed(runtime, row, arguments) if row.state == "approved" and arguments else None
        if changed is not None:
            row.asked_arguments, row.arguments = row.arguments, changed
        event = {"approval": row.id, "state": row.state, "by": staff.email, "tool": row.tool}
        if changed is not None:
            event["arguments_sha256"] = fingerprint(row.tool, changed)
        audit.append(session, conversation, [("approval", event)], now)
    await runtime.turns.resume(row.turn_id)
    async with runtime.services.database.read() as session:
        turn = await session.get_one(Turn, row.turn_id)
    return {"id": row.id, "state": row.state, "disposition": turn.disposition}
