"""The figures of a run."""

from collections.abc import Sequence
from typing import Any

from agents.frame import ASKS_WHICH
from evals.grading import Grade, Played
from evals.tickets import Ticket

Results = Sequence[tuple[Ticket, Played, Grade]]


def summarise(results: Results, seconds: float, refused: Sequence[str] = ()) -> dict[str, Any]:
    """Every figure of a run; rates are between 0 and 1, costs in minor units."""
    count = len(results)
    right = sum(grade.correct for _, _, grade in results)
    wrong = sum(grade.wrong_actions for _, _, grade in results)
    turns = sorted(ms for _, played, _ in results for ms in played.turn_ms)
    return {
        "conversations": count,
        "resolved": _ended(results, "resolved"),
        "escalated": _ended(results, "escalated"),
        "awaiting_customer": _ended(results, "awaiting_customer"),
        "awaiting_approval": _ended(results, "awaiting_approval"),
        "effects_verified": sum(e["state"] == "verified" for _, played, _ in results for e in played.effects),
        "lost": sum(played.lost for _, played, _ in results),
        "correct": round(right / count, 4) if count else 0.0,
        "correct_interval": wilson(right, count),
        "wrong_actions": wrong,
        "wrong_actions_interval": wilson(sum(g.wrong_actions > 0 for _, _, g in results), count),
        "missed_escalations": sum(grade.missed_escalation for _, _, grade in results),
        "unnecessary_escalations": sum(grade.unnecessary_escalation for _, _, grade in results),
        "asked_which": sum(any(e.get("asks") == ASKS_WHICH for e in played.exchanges) for _, played, _ in results),
        "refused_lines": list(refused),
        "turn_ms": {"p50": _quantile(turns, 0.5), "p95": _quantile(turns, 0.95)},
        "model_calls": sum(played.model_calls for _, played, _ in results),
        "baseline": _baseline(results),
        "seconds": round(seconds, 2),
        "tickets": [_ticket(*result) for result in results],
    }


def _ended(results: Results, disposition: str) -> int:
    return sum(played.disposition == disposition for _, played, _ in results)


def _ticket(ticket: Ticket, played: Played, grade: Grade) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "conversation_id": played.conversation_id,
        "intent": played.intent,
        "disposition": played.disposition,
        "queue": played.queue,
        "correct": grade.correct,
        "problems": grade.problems,
        "reason": played.reason,
        "effects": [{"tool": e["tool"], "arguments": e["arguments"], "state": e["state"]} for e in played.effects],
        "exchanges": played.exchanges,
        "turn_ms": [round(ms, 1) for ms in played.turn_ms],
        "expected": ticket.expected.model_dump(exclude_defaults=True),
        "decisions": played.decisions,
    }


def _baseline(results: Results) -> dict[str, Any]:
    """What the recorded handling cost, for comparison."""
    recorded = [ticket.baseline for ticket, _, _ in results]
    escalated = [b.escalated for b in recorded if b.escalated is not None]
    costs = [b.cost for b in recorded if b.cost is not None]
    times = [b.handle_seconds for b in recorded if b.handle_seconds is not None]
    return {
        "escalated": sum(escalated),
        "cost": sum(costs),
        "mean_handle_seconds": round(sum(times) / len(times), 1) if times else None,
    }


def wilson(hits: int, count: int, z: float = 1.96) -> list[float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if count == 0:
        return [0.0, 1.0]
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * ((share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5) / (1 + z * z / count)
    return [round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4)]


def _quantile(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else 0.0
