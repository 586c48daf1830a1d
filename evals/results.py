"""What a run gives to those who count: each ticket with what became of it and the verdict."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evals.grading import Grade, Played
from evals.tickets import Ticket

Result = tuple[Ticket, Played, Grade]
Results = Sequence[Result]
WITH_PERSON = ("escalated", "awaiting_approval")
"""Endings at which a person has the matter."""


def last_words(decisions: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the decisions of a conversation the latest on each call that the financial gate weighed.

    A call is weighed before the customer is asked, and again when they said yes: that is one action.
    """
    latest: dict[str, Mapping[str, Any]] = {}
    for decision in decisions:
        if decision["kind"] == "call" and decision["p_correct"] is not None:
            latest[f"{decision['proposal']['tool']} {sorted(decision['proposal']['arguments'].items())}"] = decision
    return list(latest.values())


def group_of(result: Result) -> str:
    """Conversations of one group are no independent evidence."""
    return result[0].group or result[0].id


def needs_person(ticket: Ticket) -> bool:
    """Whether the ticket must reach a person."""
    return ticket.expected.dispositions == ["escalated"]


def may_reach_person(ticket: Ticket) -> bool:
    """Whether handing it to a person is no mistake."""
    return "escalated" in ticket.expected.dispositions
