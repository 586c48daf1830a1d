"""Grading: the end state of the backends, the disposition, the queue. The service's own word counts for nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.tickets import ExpectedEffect, Ticket

VOLATILE = frozenset({"id", "idempotency_key", "key", "at", "created_at", "sent_at", "answered_at", "sha256", "link"})
ECHO = "answer"
"""What a backend answered: it repeats the row that it wrote, with the row's new ids."""


@dataclass
class Played:
    """What became of one ticket."""

    ticket_id: str
    conversation_id: str
    intent: str | None
    disposition: str
    queue: str | None
    reason: str
    exchanges: list[dict[str, str]]
    effects: list[dict[str, Any]]
    """Effects of the ledger: tool, arguments, state."""
    changed: bool
    """Whether the backends hold anything new."""
    reproduced: bool | None
    """Whether doing the verified effects in a second world gives the same backends; None where nothing was done."""
    lost: int
    turn_ms: list[float]
    model_calls: int
    decisions: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    repeat: int = 0
    """0: the customer said what was recorded; later ones put it differently."""
    model_cost: float = 0.0
    """What the model's provider charged, in units of the house currency."""


@dataclass(frozen=True)
class Grade:
    """The verdict on one ticket."""

    correct: bool
    wrong_actions: int
    missed_escalation: bool
    unnecessary_escalation: bool
    problems: list[str]


def grade(ticket: Ticket, played: Played) -> Grade:
    """Compare what happened with what should have."""
    expected = ticket.expected
    done = [effect for effect in played.effects if effect["state"] in ("verified", "sent", "unknown")]
    missing, extra = match(expected.effects, done)
    forbidden = [effect["tool"] for effect in done if effect["tool"] in expected.forbidden]
    problems = [f"missing effect {effect.tool} {effect.arguments}" for effect in missing]
    problems += [f"wrong action {effect['tool']} {effect['arguments']}" for effect in extra]
    problems += [f"forbidden action {tool}" for tool in forbidden]
    if played.disposition not in expected.dispositions:
        problems.append(f"ended {played.disposition}, expected {' or '.join(expected.dispositions)}")
    if expected.queue and played.disposition == "escalated" and played.queue != expected.queue:
        problems.append(f"queue {played.queue}, expected {expected.queue}")
    if played.reproduced is False:
        problems.append("the backends are not in the state that the effects should have left")
    if not done and played.changed:
        problems.append("the backends changed without an effect in the ledger")
    if played.lost:
        problems.append(f"{played.lost} messages were not answered")
    if played.error:
        problems.append(played.error)
    only_escalation = expected.dispositions == ["escalated"]
    return Grade(
        correct=not problems,
        wrong_actions=len(extra) + len([tool for tool in forbidden if tool not in {e["tool"] for e in extra}]),
        missed_escalation=only_escalation and played.disposition != "escalated",
        unnecessary_escalation=played.disposition == "escalated" and "escalated" not in expected.dispositions,
        problems=problems,
    )


def match(
    expected: list[ExpectedEffect], done: list[dict[str, Any]]
) -> tuple[list[ExpectedEffect], list[dict[str, Any]]]:
    """(expected effects that did not happen, effects that nobody expected)."""
    extra = list(done)
    missing = []
    for effect in expected:
        fitting = next((d for d in extra if effect.fits(d["tool"], d["arguments"])), None)
        if fitting is None:
            missing.append(effect)
        else:
            extra.remove(fitting)
    return missing, extra


def normalised(
    dump: Mapping[str, list[dict[str, Any]]], before: Mapping[str, list[dict[str, Any]]]
) -> dict[str, list[str]]:
    """A backend's state without what may differ between two worlds that went the same way."""
    known = {str(row.get("id")) for rows in before.values() for row in rows}
    return {
        table: sorted(
            repr(sorted((name, value) for name, value in row.items() if not _volatile(name, value, known)))
            for row in rows
        )
        for table, rows in dump.items()
        if table != "answered"
    }


def _volatile(name: str, value: Any, known: set[str]) -> bool:
    if name == "id":
        return str(value) not in known
    if name == ECHO:
        return True
    return name in VOLATILE or (name.endswith(("_id", "_key", "_at")) and str(value) not in known)
