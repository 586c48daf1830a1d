"""What representatives and approvers work with: the queue, handoffs, approvals, and what is new."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select
from sse_starlette import EventSourceResponse

from app import handoffs
from app.api.callers import Service, staff_with
from app.api.conversations import conversation_record
from app.api.problems import Problem
from app.events import STAFF
from app.identity import Staff
from app.runtime import Runtime
from records.conversation import Conversation
from records.handoff import Handoff
from records.offer import Approval
from records.turn import Turn

router = APIRouter(prefix="/v1", tags=["representatives"])

Representative = Annotated[Staff, Depends(staff_with("rep", "lead", "approver"))]
Approver = Annotated[Staff, Depends(staff_with("approver", "lead"))]


class PersonReply(BaseModel):
    """A representative's message to the customer."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=8000)


class Note(BaseModel):
    """Why, in a sentence."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field(default="", max_length=4000)


class Resolution(Note):
    """What settled the matter, and what it was about."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"note": "The exemption is on file.", "intent": "tax_exemption"}]},
    )
    intent: str | None = Field(
        default=None,
        description="What it was about: an intent of `GET /v1/intents`, or a new name in small letters with "
        "underscores. The service learns from it, once a person has promoted what it learnt.",
    )


class Transfer(Note):
    """Where the handoff goes."""

    queue: str


class ApprovalDecision(BaseModel):
    """An approver's decision."""

    model_config = ConfigDict(extra="forbid")
    approved: bool
    comment: str = Field(default="", max_length=2000)
    arguments: dict[str, Any] | None = Field(
        default=None,
        description="Approves this instead of what was asked for; the customer is asked whether they agree.",
    )


@router.get("/queue")
async def read_queue(
    runtime: Service, staff: Representative, queue: str | None = None, state: str | None = None
) -> dict[str, Any]:
    """Handoffs that wait for people, the most pressing first, approvals that wait for a decision, and all queues."""
    rows = await handoffs.waiting(runtime, queue, state)
    async with runtime.services.database.read() as session:
        pending = await session.scalars(
            select(Approval)
            .join(Turn, col(Turn.id) == col(Approval.turn_id))
            .where(Approval.state == "pending", col(Turn.state).in_(handoffs.WAITS))
            .order_by(col(Approval.id))
        )
        approvals = [row.model_dump(mode="json") for row in pending]
    queues = {name: known.team for name, known in runtime.services.escalation.queues.items()}
    return {"items": [_item(row) for row in rows], "approvals": approvals, "queues": queues}


def _item(row: Handoff) -> dict[str, Any]:
    return {
        "handoff_id": row.id,
        "conversation_id": row.conversation_id,
        "queue": row.queue,
        "reason": row.reason,
        "priority": row.priority,
        "due_at": row.due_at,
        "state": row.state,
        "claimed_by": row.claimed_by,
        "summary": row.packet.get("summary", ""),
        "customer": row.packet.get("customer", {}).get("company", ""),
        "created_at": row.created_at,
    }


@router.get("/handoffs/{handoff_id}")
async def read_handoff(handoff_id: str, runtime: Service, staff: Representative) -> dict[str, Any]:
    """A handoff with its packet, and the conversation as it stands now."""
    row = await handoffs.find(runtime, handoff_id)
    async with runtime.services.database.read() as session:
        conversation = await session.get_one(Conversation, row.conversation_id)
    record = await conversation_record(runtime, conversation, whole=True)
    return {**_item(row), "trigger": row.trigger, "packet": row.packet, "conversation": record}


@router.post("/conversations/{conversation_id}/takeover", status_code=201)
async def take_over(conversation_id: str, runtime: Service, staff: Representative) -> dict[str, Any]:
    """Take over a conversation that Handrail is at: it stops at once, and you write."""
    return _item(await handoffs.take_over(runtime, conversation_id, staff))


@router.post("/handoffs/{handoff_id}/claim")
async def claim(handoff_id: str, runtime: Service, staff: Representative) -> dict[str, Any]:
    """Take it."""
    return _item(await handoffs.change(runtime, handoff_id, staff, "claim"))


@router.post("/handoffs/{handoff_id}/reply", status_code=201)
async def reply(handoff_id: str, body: PersonReply, runtime: Service, staff: Representative) -> dict[str, Any]:
    """Write to the customer."""
    return {"message_id": await handoffs.reply(runtime, handoff_id, staff, body.text)}


@router.post("/handoffs/{handoff_id}/return")
async def give_back(
    handoff_id: str, runtime: Service, staff: Representative, body: Note | None = None
) -> dict[str, Any]:
    """Give the conversation back to Handrail."""
    return _item(await handoffs.change(runtime, handoff_id, staff, "return", note=body.note if body else ""))


@router.post("/handoffs/{handoff_id}/transfer")
async def transfer(handoff_id: str, body: Transfer, runtime: Service, staff: Representative) -> dict[str, Any]:
    """Pass it to another queue."""
    return _item(await handoffs.change(runtime, handoff_id, staff, "transfer", queue=body.queue, note=body.note))


@router.post("/handoffs/{handoff_id}/resolve")
async def resolve(
    handoff_id: str, runtime: Service, staff: Representative, body: Resolution | None = None
) -> dict[str, Any]:
    """Close it: the matter is settled."""
    said = body or Resolution()
    return _item(
        await handoffs.change(runtime, handoff_id, staff, "resolve", note=said.note, intent=said.intent or None)
    )


@router.get("/approvals/{approval_id}")
async def read_approval(approval_id: str, runtime: Service, staff: Representative) -> dict[str, Any]:
    """What is to be approved, for whom, and the conversation as it stands now."""
    async with runtime.services.database.read() as session:
        row = await session.get(Approval, approval_id)
        if row is None:
            raise Problem(404, "No such approval", f"There is no approval {approval_id}.")
        conversation = await session.get_one(Conversation, row.conversation_id)
    return {
        **row.model_dump(mode="json"),
        "customer": {"id": conversation.customer_id, **await runtime.services.customer_facts(conversation.customer_id)},
        "conversation": await conversation_record(runtime, conversation, whole=True),
    }


@router.post("/approvals/{approval_id}")
async def decide(approval_id: str, body: ApprovalDecision, runtime: Service, staff: Approver) -> dict[str, Any]:
    """Approve or deny what the agent may not do alone."""
    return await handoffs.decide_approval(runtime, approval_id, staff, body.approved, body.comment, body.arguments)


@router.get("/staff/events")
async def listen(request: Request, runtime: Service, staff: Representative) -> EventSourceResponse:
    """Says when something in the queue changed (SSE); read the queue then."""
    return EventSourceResponse(_changes(runtime, request), ping=15)


async def _changes(runtime: Runtime, request: Request) -> AsyncIterator[dict[str, Any]]:
    with runtime.broadcaster.listen(STAFF) as live:
        yield {"event": "ready", "data": "{}"}
        while not await request.is_disconnected():
            try:
                kind, payload = await asyncio.wait_for(live.get(), timeout=1.0)
            except TimeoutError:
                continue
            if kind != "status":
                yield {"event": "changed", "data": json.dumps({"conversation_id": payload["conversation_id"]})}
