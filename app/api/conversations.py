"""Conversations: customers write and listen; staff read the whole record."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select
from sse_starlette import EventSourceResponse

from agents.frame import ASKS_WHICH
from app import learning
from app.api.callers import Caller, CallingCustomer, Service
from app.api.problems import Problem
from app.identity import Customer, Staff
from app.runtime import Runtime
from records.conversation import Conversation, ConversationEvent, Disposition, Episode, Feedback, Message, Role
from records.decision import DecisionRecord
from records.effect import EffectRecord
from records.handoff import Handoff
from records.identifiers import new_id
from records.offer import Approval, Offer
from records.turn import Turn, TurnStep

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])

MAX_WAIT = 120.0
POLL = 0.5


class NewConversation(BaseModel):
    """How a conversation is opened."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"channel": "chat"}]})
    channel: str = Field(default="chat", pattern=r"^[a-z][a-z0-9_-]{0,31}$")


class NewMessage(BaseModel):
    """What the customer writes. The same `client_message_id` twice is one message."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"client_message_id": "m-1", "text": "You took 29 euros twice this month?"}]},
    )
    text: str
    client_message_id: str | None = Field(default=None, min_length=1, max_length=128)


class NewFeedback(BaseModel):
    """What the customer thought of it."""

    model_config = ConfigDict(extra="forbid")
    solved: bool | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    comment: str = Field(default="", max_length=4000)


@router.post("", status_code=201)
async def open_conversation(
    runtime: Service, customer: CallingCustomer, body: NewConversation | None = None
) -> dict[str, Any]:
    """Open a conversation."""
    channel = body.channel if body else "chat"
    conversation = await runtime.services.transcript.open(customer.id, customer.level.value, channel)
    return {"id": conversation.id, "created_at": conversation.created_at, "disposition": conversation.disposition}


@router.post("/{conversation_id}/messages", status_code=202)
async def send_message(
    conversation_id: str,
    body: NewMessage,
    runtime: Service,
    customer: CallingCustomer,
    response: Response,
    prefer: str = Header(default=""),
) -> dict[str, Any]:
    """Store a message, then answer it: 202 at once, or with `Prefer: wait=30` the turn if it is finished by then."""
    text = body.text.replace("\x00", "").strip()
    if not text:
        raise Problem(422, "The message is empty", "Send at least one character of text.")
    if len(text) > runtime.settings.max_message_chars:
        limit = runtime.settings.max_message_chars
        raise Problem(413, "The message is too long", f"It has {len(text)} characters; {limit} are allowed.")
    transcript = runtime.services.transcript
    await transcript.get(conversation_id, customer.id)
    message, task = await runtime.turns.receive(conversation_id, text, body.client_message_id, customer.level.value)
    wait = _wait_seconds(prefer)
    if wait is None:
        return {"message_id": message.id, "status": "received"}
    await asyncio.wait({task}, timeout=wait)
    turn = await _turn_of(runtime, message.id, wait if task.done() else 0.0)
    if turn is None or turn.state == "running":
        return {"message_id": message.id, "status": "received"}
    response.status_code = 200
    response.headers["Preference-Applied"] = f"wait={wait:g}"
    return await turn_answer(runtime, message.id)


def _wait_seconds(prefer: str) -> float | None:
    found = re.search(r"\bwait\s*=\s*(\d+)", prefer, re.IGNORECASE)
    return min(float(found[1]), MAX_WAIT) if found else None


async def _turn_of(runtime: Runtime, message_id: str, wait: float) -> Turn | None:
    """The turn that handled a message; another process may still be at it."""
    deadline = asyncio.get_running_loop().time() + wait
    while True:
        async with runtime.services.database.read() as session:
            message = await session.get_one(Message, message_id)
            turn = await session.get(Turn, message.turn_id) if message.turn_id else None
        done = turn is not None and turn.state != "running"
        if done or asyncio.get_running_loop().time() >= deadline:
            return turn
        await asyncio.sleep(0.05)


async def turn_answer(runtime: Runtime, message_id: str) -> dict[str, Any]:
    """What the finished turn said to a message.

    `asks` names the slot that the reply asks for, if it asks for one; it is ``topic`` where the customer is asked which
    of `topics` (intents) they mean.
    """
    async with runtime.services.database.read() as session:
        message = await session.get_one(Message, message_id)
        turn = await session.get_one(Turn, message.turn_id)
        conversation = await session.get_one(Conversation, message.conversation_id)
        frame = conversation.frame or {}
        stack, topics = frame.get("stack") or [{}], frame.get("clarifying") or []
        replies = await session.scalars(
            select(Message).where(Message.turn_id == turn.id, Message.role == "agent").order_by(col(Message.number))
        )
        reply = "\n\n".join(message.text for message in replies)
        offers = await session.scalars(select(Offer).where(Offer.turn_id == turn.id, Offer.state == "offered"))
        offered = [{"id": offer.id, "tool": offer.tool, "text": offer.text} for offer in offers]
    return {
        "message_id": message_id,
        "turn_id": turn.id,
        "reply": reply,
        "disposition": turn.disposition,
        "intent": turn.intent,
        "offers": offered,
        "asks": ASKS_WHICH if topics else stack[-1].get("waiting_for"),
        "topics": topics,
        "milliseconds": round((turn.finished_at - turn.started_at).total_seconds() * 1000)
        if turn.finished_at
        else None,
    }


@router.get("/{conversation_id}")
async def read_conversation(conversation_id: str, runtime: Service, caller: Caller) -> dict[str, Any]:
    """The conversation: for its customer the messages, for staff the whole record."""
    customer_id = caller.id if isinstance(caller, Customer) else None
    conversation = await runtime.services.transcript.get(conversation_id, customer_id)
    return await conversation_record(runtime, conversation, whole=isinstance(caller, Staff))


async def conversation_record(runtime: Runtime, conversation: Conversation, *, whole: bool) -> dict[str, Any]:
    """A conversation as JSON, all of it as of one moment.

    `whole` adds turns, steps, decisions, effects, offers, approvals and handoffs.
    """
    ours = lambda table: table.conversation_id == conversation.id  # noqa: E731
    async with runtime.services.database.snapshot() as session:
        conversation = await session.get_one(Conversation, conversation.id)
        messages = await session.scalars(select(Message).where(ours(Message)).order_by(col(Message.number)))
        record: dict[str, Any] = {
            "id": conversation.id,
            "disposition": conversation.disposition,
            "handled_by": conversation.handled_by,
            "created_at": conversation.created_at,
            "last_event_id": conversation.events,
            "messages": [
                {
                    "id": m.id,
                    "role": m.role,
                    "text": m.text,
                    "author": m.author if whole else None,
                    "at": m.created_at,
                    "citations": m.citations,
                    "turn_id": m.turn_id,
                }
                for m in messages
            ],
        }
        offers = list(await session.scalars(select(Offer).where(ours(Offer)).order_by(col(Offer.id))))
        if not whole:
            record["offers"] = [{"id": o.id, "text": o.text, "state": o.state} for o in offers if o.state == "offered"]
            return record
        record |= {"customer_id": conversation.customer_id, "level": conversation.level, "offers": _rows(offers)}
        for name, table in (
            ("episodes", Episode),
            ("turns", Turn),
            ("steps", TurnStep),
            ("decisions", DecisionRecord),
            ("effects", EffectRecord),
            ("approvals", Approval),
            ("handoffs", Handoff),
            ("feedback", Feedback),
        ):
            record[name] = _rows(await session.scalars(select(table).where(ours(table)).order_by(col(table.id))))
    return record


def _rows(rows: Any) -> list[dict[str, Any]]:
    return [row.model_dump(mode="json") for row in rows]


@router.post("/{conversation_id}/feedback", status_code=201)
async def give_feedback(
    conversation_id: str, body: NewFeedback, runtime: Service, customer: CallingCustomer
) -> dict[str, Any]:
    """Say whether it helped."""
    services = runtime.services
    await services.transcript.get(conversation_id, customer.id)
    feedback = Feedback(
        id=new_id("fbk"), conversation_id=conversation_id, created_at=services.clock(), **body.model_dump()
    )
    event = {"feedback": feedback.id, "solved": body.solved, "rating": body.rating}
    await services.transcript.record(conversation_id, [feedback], [("feedback", event)])
    facts = await services.customer_facts(customer.id)
    async with services.database.write() as session:
        conversation = await session.get_one(Conversation, conversation_id, with_for_update=True)
        await learning.of_feedback(session, services, conversation, feedback, facts)
    return {"id": feedback.id}


@router.get("/{conversation_id}/events")
async def listen(conversation_id: str, request: Request, runtime: Service, caller: Caller) -> EventSourceResponse:
    """What happens in the conversation, as it happens (SSE). `Last-Event-ID` resumes after a break."""
    customer_id = caller.id if isinstance(caller, Customer) else None
    await runtime.services.transcript.get(conversation_id, customer_id)
    after = request.headers.get("Last-Event-ID") or request.query_params.get("last_event_id") or "0"
    if re.fullmatch(r"[0-9]{1,18}", after) is None:
        raise Problem(400, "Last-Event-ID is not one of ours", "Send the id of the last event that you received.")
    stream = _events(runtime, conversation_id, int(after), request, public=isinstance(caller, Customer))
    return EventSourceResponse(stream, ping=15)


async def _events(
    runtime: Runtime, conversation_id: str, after: int, request: Request, *, public: bool
) -> AsyncIterator[dict[str, Any]]:
    hidden = {"approval_id", "author"} if public else set()
    with runtime.broadcaster.listen(conversation_id) as live:
        while not await request.is_disconnected():
            for event, told in await _stored_events(runtime, conversation_id, after):
                after = event.number
                payload = {name: value for name, value in told.items() if name not in hidden}
                if (queue := runtime.services.escalation.queues.get(payload.get("queue", ""))) is not None:
                    payload["team"] = queue.team
                yield {
                    "id": str(event.number),
                    "event": event.kind,
                    "data": json.dumps({**payload, "at": event.at.isoformat()}),
                }
            try:
                kind, payload = await asyncio.wait_for(live.get(), timeout=POLL)
            except TimeoutError:
                continue
            if kind == "status":
                yield {"event": "status", "data": json.dumps(payload)}


async def _stored_events(
    runtime: Runtime, conversation_id: str, after: int
) -> list[tuple[ConversationEvent, dict[str, Any]]]:
    async with runtime.services.database.read() as session:
        rows = await session.scalars(
            select(ConversationEvent)
            .where(ConversationEvent.conversation_id == conversation_id, col(ConversationEvent.number) > after)
            .order_by(col(ConversationEvent.number))
        )
        return [(row, await _payload(session, row)) for row in rows]


async def _payload(session: AsyncSession, event: ConversationEvent) -> dict[str, Any]:
    """What the listener is told. A customer's own message carries the id under which it was sent."""
    if event.kind != "message" or event.payload["role"] != Role.CUSTOMER:
        return event.payload
    message = await session.get_one(Message, event.payload["message_id"])
    return {**event.payload, "client_message_id": message.client_message_id}


__all__ = ["Disposition", "conversation_record", "router"]
