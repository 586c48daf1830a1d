"""The end of a turn: everything that it leaves behind is written in one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import SQLModel

from agents.turn import TurnContext, decision_event
from records.conversation import Disposition
from records.transcript import TurnEnd


async def finish(
    turn: TurnContext,
    disposition: Disposition,
    reply: str,
    *,
    frame: dict[str, Any] | None,
    citations: list[dict[str, Any]] | None = None,
    rows: Sequence[SQLModel] = (),
    audit: list[tuple[str, dict[str, Any]]] | None = None,
    events: list[tuple[str, dict[str, Any]]] | None = None,
    state: str = "finished",
    handled_by: str | None = None,
) -> None:
    """Write the turn's end and tell the listeners."""
    end = TurnEnd(
        turn_id=turn.turn_id,
        attempt=turn.start.turn.attempt,
        conversation_id=turn.conversation_id,
        disposition=disposition,
        reply=reply,
        frame=frame,
        citations=citations or [],
        state=state,
        figures={
            "triage": turn.triage,
            "stages_ms": turn.stages_ms,
            "model": turn.model,
            "model_calls": turn.model_calls,
            "tokens_in": turn.tokens_in,
            "tokens_out": turn.tokens_out,
            "cost_micros": turn.cost_micros,
            "intent": turn.intent,
        },
        steps=turn.steps,
        rows=[*turn.decisions, *rows],
        offers=[offer for offer in turn.start.offers if offer.state not in ("offered", "used")],
        audit=[*(decision_event(decision) for decision in turn.decisions), *(audit or [])],
        events=events or [],
        handled_by=handled_by,
        messages_seen=max((message.number for message in turn.start.messages), default=0),
    )
    turn.more_waits = await turn.services.transcript.finish_turn(end)
    turn.services.emit(turn.conversation_id, "written", {"turn_id": turn.turn_id})
