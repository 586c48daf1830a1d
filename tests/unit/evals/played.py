"""Results of a run without playing one."""

from datetime import UTC, datetime
from typing import Any

from evals.grading import Grade, Played, grade
from evals.tickets import Baseline, Expected, Ticket, TicketMessage

Result = tuple[Ticket, Played, Grade]


def ticket(name: str = "T-1", text: str = "Please refund the last one", **fields: Any) -> Ticket:
    """A ticket that should be resolved."""
    given: dict[str, Any] = {"expected": Expected(intent="refund_request", disposition="resolved"), **fields}
    return Ticket(
        id=name,
        opened_at=datetime(2026, 1, 5, tzinfo=UTC),
        customer="cus_001",
        messages=[TicketMessage(role="customer", text=text)],
        baseline=Baseline(escalated=True, cost=500),
        **given,
    )


def result(of: Ticket | None = None, disposition: str = "resolved", **fields: Any) -> Result:
    """The ticket played to this end."""
    of = of or ticket()
    given: dict[str, Any] = {
        "intent": of.expected.intent,
        "queue": None,
        "reason": "answered",
        "exchanges": [{"customer": of.customer_messages[0], "handrail": "Done.", "disposition": disposition}],
        "effects": [],
        "changed": False,
        "reproduced": None,
        "lost": 0,
        "turn_ms": [12.0],
        "model_calls": 1,
        **fields,
    }
    played = Played(ticket_id=of.id, conversation_id="conv_1", disposition=disposition, **given)
    return of, played, grade(of, played)


def decision(
    p_correct: float, verdict: str = "permitted", tool: str = "billing.refund", **arguments: Any
) -> dict[str, Any]:
    """One weighed action."""
    return {
        "kind": "call",
        "verdict": verdict,
        "check": "",
        "reason": "",
        "policies": [],
        "p_correct": p_correct,
        "proposal": {"tool": tool, "arguments": arguments},
    }
