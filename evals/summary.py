"""The figures of a run."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agents.confidence.money import CostModel
from agents.frame import ASKS_WHICH
from evals.certainty import certainty
from evals.intervals import share_interval, wilson
from evals.keyword_routing import compared, keyword_figures, recorded_figures
from evals.reliability import pass_k
from evals.results import WITH_PERSON, Result, Results, group_of
from evals.spending import costs_here

TIMES = frozenset({"seconds", "turn_ms"})
"""Keys that differ between two equal runs."""
NOT_IN_DIGEST = TIMES | {"digest", "run"}
"""`run` says with what the run was made: another build that decides alike gives the same digest."""

__all__ = ["Results", "digest", "summarise", "wilson"]


def summarise(
    results: Results,
    seconds: float,
    refused: Sequence[str] = (),
    *,
    costs: CostModel | None = None,
    seed: int = 0,
    run: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Every figure of a run; rates are between 0 and 1, costs in minor units. `run` is what the results depend on."""
    costs = costs or _usual_costs()
    figures = _counts(results, seed)
    figures["cost"] = costs_here(results, costs, seed)
    recorded = recorded_figures(results, costs.currency)
    figures |= {
        "refused_lines": list(refused),
        "pass_k": pass_k(results, seed),
        "certainty": certainty(results, seed),
        "turn_ms": _times(results),
        "baseline": {
            "escalated": recorded["escalated"],
            "cost": recorded["cost"]["total"],
            "mean_handle_seconds": recorded["mean_handle_seconds"],
            "recorded": compared(figures, recorded),
            "keyword_routing": compared(figures, keyword_figures(results, costs, seed)),
        },
        "by_intent": _by(results, lambda result: [result[0].expected.intent or "none"]),
        "by_queue": _by(results, lambda result: [result[1].queue] if result[1].queue else []),
        "seconds": round(seconds, 2),
        "run": dict(run or {}),
        "tickets": [_ticket(*result) for result in results],
    }
    return {"digest": digest(figures), **figures}


def digest(figures: Any) -> str:
    """SHA-256 of the results without the times: equal for two runs that went the same way."""
    text = json.dumps(_timeless(figures), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _timeless(part) for name, part in value.items() if name not in NOT_IN_DIGEST}
    return [_timeless(part) for part in value] if isinstance(value, list | tuple) else value


def _usual_costs() -> CostModel:
    from app.settings import PROMPTS

    return CostModel.load(PROMPTS / "costs.yaml")


def _counts(results: Results, seed: int) -> dict[str, Any]:
    groups = [group_of(result) for result in results]
    right = [verdict.correct for _, _, verdict in results]
    alone = [result for result in results if result[1].disposition == "resolved"]
    resolved_wrong = [not verdict.correct for _, _, verdict in alone]
    return {
        "conversations": len(results),
        "different_tickets": len({ticket.id for ticket, _, _ in results}),
        "resolved": _ended(results, "resolved"),
        "escalated": _ended(results, "escalated"),
        "awaiting_customer": _ended(results, "awaiting_customer"),
        "awaiting_approval": _ended(results, "awaiting_approval"),
        "effects_verified": sum(e["state"] == "verified" for _, played, _ in results for e in played.effects),
        "lost": sum(played.lost for _, played, _ in results),
        "correct": _share(sum(right), len(right)),
        "correct_interval": share_interval(right, groups, seed),
        "wrong_actions": sum(verdict.wrong_actions for _, _, verdict in results),
        "wrong_actions_interval": share_interval([v.wrong_actions > 0 for _, _, v in results], groups, seed),
        "resolved_wrong": sum(resolved_wrong),
        "resolved_wrong_interval": share_interval(resolved_wrong, [group_of(result) for result in alone], seed),
        "wrong_alone": sum(not v.correct and p.disposition not in WITH_PERSON for _, p, v in results),
        "missed_escalations": sum(verdict.missed_escalation for _, _, verdict in results),
        "missed_escalations_interval": share_interval([v.missed_escalation for _, _, v in results], groups, seed),
        "unnecessary_escalations": sum(verdict.unnecessary_escalation for _, _, verdict in results),
        "unnecessary_escalations_interval": share_interval(
            [v.unnecessary_escalation for _, _, v in results], groups, seed
        ),
        "asked_which": sum(any(e.get("asks") == ASKS_WHICH for e in played.exchanges) for _, played, _ in results),
        "not_played": sum(bool(played.error) for _, played, _ in results),
        "model_calls": sum(played.model_calls for _, played, _ in results),
    }


def _ended(results: Iterable[Result], disposition: str) -> int:
    return sum(played.disposition == disposition for _, played, _ in results)


def _share(hits: int, count: int) -> float:
    return round(hits / count, 4) if count else 0.0


def _by(results: Results, keys: Callable[[Result], list[str]]) -> dict[str, dict[str, Any]]:
    """The main figures of each part of the conversations, the largest part first."""
    parts: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        for key in keys(result):
            parts[key].append(result)
    largest = sorted(parts.items(), key=lambda part: (-len(part[1]), part[0]))
    return {
        name: {
            "conversations": len(part),
            "correct": _share(sum(verdict.correct for _, _, verdict in part), len(part)),
            "correct_interval": share_interval([v.correct for _, _, v in part], [group_of(r) for r in part]),
            "resolved": _ended(part, "resolved"),
            "escalated": _ended(part, "escalated"),
            "unnecessary_escalations": sum(verdict.unnecessary_escalation for _, _, verdict in part),
            "missed_escalations": sum(verdict.missed_escalation for _, _, verdict in part),
            "wrong_actions": sum(verdict.wrong_actions for _, _, verdict in part),
            "turn_ms": _times(part),
        }
        for name, part in largest
    }


def _times(results: Results) -> dict[str, float]:
    turns = sorted(ms for _, played, _ in results for ms in played.turn_ms)
    return {"p50": _quantile(turns, 0.5), "p95": _quantile(turns, 0.95)}


def _ticket(ticket: Any, played: Any, verdict: Any) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "repeat": played.repeat,
        "conversation_id": played.conversation_id,
        "intent": played.intent,
        "disposition": played.disposition,
        "queue": played.queue,
        "correct": verdict.correct,
        "problems": verdict.problems,
        "wrong_actions": verdict.wrong_actions,
        "missed_escalation": verdict.missed_escalation,
        "unnecessary_escalation": verdict.unnecessary_escalation,
        "reason": played.reason,
        "effects": [{"tool": e["tool"], "arguments": e["arguments"], "state": e["state"]} for e in played.effects],
        "exchanges": played.exchanges,
        "turn_ms": [round(ms, 1) for ms in played.turn_ms],
        "expected": ticket.expected.model_dump(exclude_defaults=True),
        "baseline": ticket.baseline.model_dump(exclude_none=True),
        "decisions": played.decisions,
    }


def _quantile(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else 0.0
