"""What operators and auditors read: health, figures, decisions, the audit chain, rollout stages."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, text
from sqlmodel import col, select

from app.api.callers import Service, staff_with
from app.api.problems import Problem, problem_response
from app.identity import Staff
from records import audit
from records.audit import AuditEvent
from records.conversation import Conversation
from records.decision import DecisionRecord
from records.effect import EffectRecord
from records.handoff import Handoff
from records.identifiers import new_id
from records.knowledge import RolloutStage
from records.turn import Turn
from tools.errors import NotReversible, ToolError

router = APIRouter(tags=["operations"])

Operator = Annotated[Staff, Depends(staff_with("lead", "auditor"))]
Admin = Annotated[Staff, Depends(staff_with("lead"))]


class StageChange(BaseModel):
    """A new rollout stage."""

    model_config = ConfigDict(extra="forbid")
    stage: Literal["off", "shadow", "assist", "canary", "autonomous"]
    canary_share: float = Field(default=0.1, ge=0, le=1)


class Undoing(BaseModel):
    """Why an effect is taken back; the audit chain keeps it."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=2000)


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(runtime: Service) -> Response:
    """The service can take turns: its database answers."""
    try:
        async with runtime.services.database.read() as session:
            await session.execute(text("SELECT 1"))
    except Exception as error:
        return problem_response(503, "Not ready", f"the database does not answer ({type(error).__name__})")
    return Response('{"status": "ready"}', media_type="application/json")


@router.get("/metrics")
async def prometheus(runtime: Service) -> Response:
    """Figures for Prometheus, read from the records."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    figures = await _figures(runtime)
    for name, counts in figures.items():
        gauge = Gauge(f"handrail_{name}", f"Number of {name} by state", ["state"], registry=registry)
        for state, count in counts.items():
            gauge.labels(state=str(state)).set(count)
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


async def _figures(runtime: Any) -> dict[str, dict[str, int]]:
    figures = {}
    async with runtime.services.database.read() as session:
        for name, column in (
            ("conversations", Conversation.disposition),
            ("turns", Turn.state),
            ("effects", EffectRecord.state),
            ("handoffs", Handoff.state),
            ("decisions", DecisionRecord.verdict),
        ):
            rows = await session.execute(select(column, func.count()).group_by(column))
            figures[name] = {str(state): count for state, count in rows}
    return figures


@router.get("/v1/metrics")
async def metrics(runtime: Service, staff: Operator) -> dict[str, Any]:
    """Counts by state, and the milliseconds of turns."""
    async with runtime.services.database.read() as session:
        turns = list(await session.scalars(select(Turn).order_by(col(Turn.id).desc()).limit(1000)))
    spans = sorted((t.finished_at - t.started_at).total_seconds() * 1000 for t in turns if t.finished_at)
    latency = {f"p{q}": round(spans[min(len(spans) - 1, len(spans) * q // 100)], 1) for q in (50, 95)} if spans else {}
    return {**await _figures(runtime), "turn_ms": latency}


@router.get("/v1/decisions")
async def decisions(
    runtime: Service, staff: Operator, conversation: str | None = None, limit: Annotated[int, Query(ge=1)] = 100
) -> dict[str, Any]:
    """Decisions of the gate, newest first."""
    query = select(DecisionRecord).order_by(col(DecisionRecord.id).desc()).limit(min(limit, 500))
    if conversation:
        query = query.where(DecisionRecord.conversation_id == conversation)
    async with runtime.services.database.read() as session:
        rows = await session.scalars(query)
        return {"items": [row.model_dump(mode="json") for row in rows]}


@router.post("/v1/effects/{effect_id}/undo")
async def undo_effect(effect_id: str, body: Undoing, runtime: Service, staff: Admin) -> dict[str, Any]:
    """Take an effect back, where its backend can. Done twice it is done once."""
    async with runtime.services.database.read() as session:
        if await session.get(EffectRecord, effect_id) is None:
            raise Problem(404, "No such effect", f"There is no effect {effect_id}.")
    try:
        row = await runtime.services.ledger.compensate(effect_id, staff.email, body.reason)
    except NotReversible as error:
        raise Problem(409, "It cannot be taken back", f"{error}.") from None
    except ToolError as error:
        raise Problem(409, "The backend did not take it back", f"{error}.") from None
    return row.model_dump(mode="json")


@router.get("/v1/audit/{conversation_id}")
async def audit_trail(conversation_id: str, runtime: Service, staff: Operator) -> dict[str, Any]:
    """A conversation's audit chain."""
    async with runtime.services.database.read() as session:
        rows = list(
            await session.scalars(
                select(AuditEvent).where(AuditEvent.conversation_id == conversation_id).order_by(col(AuditEvent.number))
            )
        )
    if not rows:
        raise Problem(404, "No such conversation", f"There is no chain for {conversation_id}.")
    return {"conversation_id": conversation_id, "events": [row.model_dump(mode="json") for row in rows]}


@router.get("/v1/rollout/{intent}")
async def read_stage(intent: str, runtime: Service, staff: Operator) -> dict[str, Any]:
    """How far an intent may act alone."""
    stage, share = await runtime.services.stage_of(intent)
    return {"intent": intent, "stage": stage, "canary_share": share}


@router.post("/v1/rollout/{intent}")
async def change_stage(intent: str, body: StageChange, runtime: Service, staff: Admin) -> dict[str, Any]:
    """Set the stage of an intent. It is audited in a chain of its own."""
    if runtime.services.library.for_intent(intent) is None:
        raise Problem(404, "No such intent", f"No procedure serves {intent!r}.")
    now = runtime.services.clock()
    async with runtime.services.database.write() as session:
        row = RolloutStage(
            intent=intent, stage=body.stage, canary_share=body.canary_share, changed_by=staff.email, changed_at=now
        )
        await session.merge(row)
        chain = await session.get(Conversation, "operations", with_for_update=True)
        if chain is None:
            chain = Conversation(
                id="operations", customer_id="", level="", channel="operations", created_at=now, updated_at=now
            )
            session.add(chain)
            await session.flush()
        event = {"change": new_id("chg"), "intent": intent, "stage": body.stage, "by": staff.email}
        audit.append(session, chain, [("rollout", event)], now)
    return {"intent": intent, "stage": body.stage, "canary_share": body.canary_share}
