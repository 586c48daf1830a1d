"""escalate: enters with a reason; leaves with a handoff in a queue, its packet, and word to the customer."""

from datetime import datetime
from typing import Any

from langgraph.runtime import Runtime

from agents.gate.call import fingerprint
from agents.nodes.finish import finish
from agents.state import TurnState
from agents.triage.escalation import RANK, Queue
from agents.turn import TurnContext
from records.conversation import Disposition
from records.effect import EffectState
from records.handoff import Handoff
from records.identifiers import new_id

URGENT_SHARE = {"urgent": 0.5, "high": 0.75, "normal": 1.0}
"""How much of the queue's first-response time a priority leaves."""


async def escalate(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Write the handoff and tell the customer to whom, why and how long."""
    turn = runtime.context
    await _hand_over(turn, state.get("escalation") or escalation_to(turn.queue, "the turn found no way forward"))
    return {}


async def hand_over_failed(turn: TurnContext, error: Exception) -> None:
    """Outside the graph: give the conversation of a turn that an error stopped to a person."""
    turn.triage = {"failed": type(error).__name__}
    why = f"an error stopped the turn ({type(error).__name__})"
    await _hand_over(turn, escalation_to(turn.queue, "the turn failed", detail=why, priority="high"))


def escalation_to(queue: str, reason: str, *, detail: str = "", priority: str = "normal") -> dict[str, Any]:
    """What the graph's state says of an escalation that no trigger demanded."""
    return {
        "queue": queue,
        "reason": reason,
        "detail": detail or reason,
        "because": "",
        "trigger": None,
        "priority": priority,
    }


async def _hand_over(turn: TurnContext, escalation: dict[str, Any]) -> None:
    now = turn.services.clock()
    queue = turn.services.escalation.queues[escalation["queue"]]
    priority = max(escalation["priority"], turn.triage.get("priority", "normal"), key=RANK.__getitem__)
    minutes = round(queue.first_response_minutes * URGENT_SHARE[priority])
    due = queue.due(now, minutes)
    if not turn.start.steps:  # a turn that starts something new does not load them
        turn.start.steps = await turn.services.transcript.tool_steps(turn.start.turn.episode_id)
    handoff = Handoff(
        id=new_id("hnd"),
        conversation_id=turn.conversation_id,
        episode_id=turn.start.turn.episode_id,
        turn_id=turn.turn_id,
        queue=escalation["queue"],
        priority=priority,
        reason=escalation["reason"],
        trigger=escalation["trigger"],
        packet=_packet(turn, escalation, due),
        due_at=due,
        created_at=now,
    )
    routing = turn.decide(
        "routing",
        {"queue": handoff.queue, "priority": handoff.priority},
        verdict="escalate",
        check="trigger" if handoff.trigger else "escalation",
        reason=escalation["detail"] or handoff.reason,
        checks=[_why_then(turn, escalation["priority"], priority)],
    )
    turn.decisions.append(routing)
    reply = _message(turn, queue, escalation, now, due, minutes)
    notice = {"handoff_id": handoff.id, "queue": handoff.queue, "due_at": due.isoformat(), "team": queue.team}
    await finish(
        turn,
        Disposition.ESCALATED,
        reply,
        frame={} if not turn.parked else None,
        rows=[handoff],
        audit=[("handoff", {"handoff": handoff.id, "queue": handoff.queue, "trigger": handoff.trigger or ""})],
        events=[("handoff", notice)],
        handled_by="person",
    )


def _why_then(turn: TurnContext, asked: str, priority: str) -> dict[str, Any]:
    """How the priority came about, as a check of the decision tells it."""
    triage = turn.triage
    names = ("urgency", "urgent_signs", "sentiment", "felt_words")
    figures = {name: triage[name] for name in names if name in triage} | triage.get("customer", {})
    reasons = triage.get("priority_reasons", []) if priority != asked else []
    reason = "; ".join(reasons) or ("the rule that sent it here says so" if asked != "normal" else "nothing presses")
    return {"check": "priority", "ruling": "permitted", "reason": f"{priority}: {reason}", "figures": figures}


def _message(
    turn: TurnContext, queue: Queue, escalation: dict[str, Any], now: datetime, due: datetime, minutes: int
) -> str:
    changed = any(
        row.turn_id == turn.turn_id and row.state in (EffectState.VERIFIED, EffectState.UNKNOWN, EffectState.SENT)
        for row in turn.start.effects
    )
    spoken = [part for part in turn.said if part] if escalation["trigger"] is None else []
    names = {
        "done": [] if spoken else _done(turn),
        "team": queue.team,
        "because": escalation["because"],
        "open_now": queue.is_open(now),
        "wait": _wait(minutes),
        "due": _moment(due, now),
        "opens": _moment(queue.next_opening(now), now),
        "changed": changed or bool(turn.verified_tools()),
    }
    return "\n\n".join([*spoken, turn.services.templates.reply("system_handoff", names)])


def _wait(minutes: int) -> str:
    if minutes < 90:
        return f"{minutes} minutes"
    hours = minutes / 60
    return f"{hours:g} working hours" if hours == int(hours) else f"{hours:.1f} working hours"


def _moment(when: datetime, now: datetime) -> str:
    local_now = now.astimezone(when.tzinfo)
    clock = when.strftime("%H:%M")
    if when.date() == local_now.date():
        return f"{clock} today"
    return f"{clock} on {when.strftime('%A')}, {when.day} {when.strftime('%B')}"


def _done(turn: TurnContext) -> list[str]:
    """What the customer said yes to in this turn and was done, before something else went to a person."""
    verified = [row for row in turn.start.effects if row.turn_id == turn.turn_id and row.state == EffectState.VERIFIED]
    offers = [turn.accepted.get(fingerprint(row.tool, row.arguments)) for row in reversed(verified)]
    return [offer.text for offer in offers if offer is not None]


def _packet(turn: TurnContext, escalation: dict[str, Any], due: datetime) -> dict[str, Any]:
    """What the person who takes over needs, without asking the customer again."""
    tried = [step["payload"] for step in turn.steps if step["kind"] == "tool"]
    earlier = [step.payload for step in turn.start.steps]
    return {
        "reason": escalation["reason"],
        "detail": escalation["detail"],
        "summary": _summary(turn, escalation),
        "intent": turn.intent,
        "ranking": turn.triage.get("ranking", []),
        "urgency": turn.triage.get("urgency"),
        "sentiment": turn.triage.get("sentiment"),
        "signals": turn.triage.get("signals", []),
        "customer": {"id": turn.customer_id, **turn.facts},
        "transcript": [{"role": m.role, "text": m.text, "at": m.created_at.isoformat()} for m in turn.start.messages],
        "tried": [*earlier, *tried],
        "effects": [
            {"id": e.id, "tool": e.tool, "arguments": e.arguments, "state": e.state, "result": e.result}
            for e in turn.start.effects
        ],
        "proposed": turn.triage.get("proposed", []),
        "citations": [
            {"document_id": p.document_id, "title": p.title} for p in (turn.brief.passages if turn.brief else ())
        ],
        "due_at": due.isoformat(),
        "queue": escalation["queue"],
    }


def _summary(turn: TurnContext, escalation: dict[str, Any]) -> str:
    facts = turn.facts
    who = f"{facts.get('company', turn.customer_id)} ({facts.get('plan', 'unknown plan')})"
    words = turn.text if len(turn.text) <= 300 else turn.text[:297] + "..."
    procedure = turn.services.library.for_intent(turn.intent) if turn.intent else None
    about = f" about: {procedure.title.lower()}" if procedure else ""
    done = [step["payload"]["tool"] for step in turn.steps if step["kind"] == "tool"]
    looked = f" Looked at: {', '.join(dict.fromkeys(done))}." if done else ""
    why = escalation["detail"] or escalation["reason"]
    return f"{who} writes{about}. Last words: “{words}” Handed over because: {why.rstrip('.')}.{looked}"
