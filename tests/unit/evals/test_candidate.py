"""A proposal: what is better, what is worse, what speaks against it, and the report that says so."""

from datetime import UTC, datetime
from typing import Any

from agents.triage.comparison import Judged, Labelled
from app.champion import Base
from evals.candidate import compared_tickets, figures_of, objections, report_lines
from evals.grading import Grade, Played
from evals.tickets import Expected, Ticket, TicketMessage


def judged(intent: str, before: str, after: str, example: str = "") -> Judged:
    return Judged(Labelled("the\nwords", intent, example, served=not example), before, after, {after: 0.9})


def figures(*of: Judged) -> dict[str, Any]:
    return figures_of(of, frozenset({"a", "b"}), {"new": "billing"}, None) | {
        "id": "mdl_1", "folds": 5, "examples": 1, "new_examples": 1, "warnings": ["look here"], "advice": "promote",
        "objections": [],
    }  # fmt: skip


RIGHT = [judged("a", "a", "a")] * 98
NEW = [judged("new", "a", "new", "lex_1")] * 5


def test_old_learned_and_new_intents_are_counted_apart_with_what_moved() -> None:
    found = figures(*RIGHT, judged("a", "a", "b"), judged("b", "a", "b"), judged("a", "b", "a", "lex_2"), *NEW)
    assert found["old_intents"] == {
        "examples": 100, "before": 0.99, "after": 0.99, "right_to_wrong": 1, "wrong_to_right": 1,
    }  # fmt: skip
    assert found["learned_of_old_intents"]["examples"] == 1
    assert (found["new_intents"]["before"], found["new_intents"]["after"]) == (0.0, 1.0)
    assert [one["before"] for one in found["moved"]["worse"]] == ["a"]
    assert found["by_learned_intent"]["new"]["queue"] == "billing"
    assert objections(found) == []


def test_what_speaks_against_it_is_said() -> None:
    lost = figures(*RIGHT, judged("a", "a", "b"), *NEW, *[judged("new", "a", "a", "lex_3")] * 2)
    assert objections(lost) == ["old intents lose 1.0 points", "new is recognised in 71% of its messages only"]
    replay = {"worse": [1, 2], "better": [1], "wrong_actions_before": 0, "wrong_actions_after": 1}
    assert objections(figures(*RIGHT, *NEW) | {"replay": replay}) == [
        "2 tickets get worse and 1 better",
        "wrong actions: 1, were 0",
    ]


def played(name: str, correct: bool, queue: str | None = None) -> tuple[Ticket, Played, Grade]:
    message = TicketMessage(role="customer", text="the words")
    ticket = Ticket(
        id=name, opened_at=datetime(2026, 11, 1, tzinfo=UTC), customer="cus_001", messages=[message],
        expected=Expected(disposition="resolved"),
    )  # fmt: skip
    end = Played(name, "conv_1", "a", "escalated" if queue else "resolved", queue, "", [], [], False, None, 0, [], 1)
    return ticket, end, Grade(correct, 0, False, False, [] if correct else ["it ended otherwise"])


def test_tickets_that_end_better_worse_or_otherwise_are_named_in_the_report() -> None:
    before = [played("T-1", True), played("T-2", False), played("T-3", True), played("T-4", True)]
    after = [played("T-1", False, "billing"), played("T-2", True), played("T-3", True, "contracts"), before[3]]
    found = compared_tickets(before, after)
    assert [[one["ticket"] for one in found[name]] for name in ("worse", "better", "otherwise")] == [
        ["T-1"], ["T-2"], ["T-3"],
    ]  # fmt: skip
    report = "\n".join(report_lines(figures(*RIGHT, *NEW) | {"replay": found}))
    assert "T-1: a resolved -> a escalated billing (it ended otherwise) “the words”" in report
    assert "| new | 5 | 0.0% | 100.0% | billing |" in report
    assert "- look here" in report


def test_what_a_procedure_or_a_trigger_serves_meanwhile_is_no_matter_for_a_queue() -> None:
    base = Base(["x"], ["a"], frozenset({"a"}), frozenset({"billing"}))
    assert base.matters({"a": "billing", "new": "billing", "odd": "a team that is gone"}) == {"new": "billing"}
    assert Base(["x"], ["b"], frozenset(), frozenset()).hash != base.hash
