"""The figures of a run: reliability, intervals, certainty, money, the digest."""

from math import comb
from typing import Any

import pytest
from played import Result, decision, result, ticket

from evals.certainty import certainty
from evals.intervals import ratio_interval, share_interval, wilson
from evals.reliability import pass_k
from evals.summary import summarise
from evals.tickets import Expected, ExpectedEffect


def repeated(name: str, *right: bool, group: str = "") -> list[Result]:
    of = ticket(name, group=group)
    return [result(of, "resolved" if ok else "awaiting_customer", repeat=number) for number, ok in enumerate(right)]


def test_pass_k_is_the_unbiased_estimate_of_tau_bench() -> None:
    results = repeated("a", True, True, False, True) + repeated("b", False, True, False, False)
    found = pass_k(results, 0)
    for k in range(1, 5):
        assert found[str(k)]["share"] == pytest.approx((comb(3, k) + comb(1, k)) / comb(4, k) / 2, abs=1e-4)
    assert list(found) == ["1", "2", "3", "4"]


def test_the_interval_of_repeats_is_wider_than_of_independent_tickets() -> None:
    hits = [True, False] * 20
    low, high = share_interval(hits, [f"t{n}" for n in range(40)])
    assert [low, high] == wilson(20, 40)
    by_group = share_interval([True] * 20 + [False] * 20, ["a"] * 10 + ["b"] * 10 + ["c"] * 10 + ["d"] * 10)
    assert by_group[1] - by_group[0] > high - low
    assert share_interval([True] * 20, ["a"] * 10 + ["b"] * 10) == wilson(2, 2)


def test_the_bootstrap_holds_the_truth_and_is_the_same_each_time() -> None:
    values = [float(n % 7) for n in range(300)]
    groups = [str(n) for n in range(300)]
    low, high = ratio_interval(values, [1.0] * 300, groups)
    assert low < sum(values) / 300 < high
    assert [low, high] == ratio_interval(values, [1.0] * 300, groups)
    assert ratio_interval([], [], []) == [0.0, 0.0]


def test_the_digest_leaves_the_times_out_and_nothing_else() -> None:
    one = summarise([result(turn_ms=[5.0])], 1.0, run={"seed": 1})
    assert one["digest"] == summarise([result(turn_ms=[999.0])], 77.0, run={"seed": 2})["digest"]
    for other in (result(disposition="escalated", queue="billing"), result(model_calls=2), result(reason="else")):
        assert one["digest"] != summarise([other], 1.0)["digest"]


def test_certainty_judges_the_last_word_on_each_action() -> None:
    expected = Expected(
        disposition="resolved", effects=[ExpectedEffect(tool="billing.refund", arguments={"amount": 1})]
    )
    of = ticket(expected=expected)
    results = [
        result(of, decisions=[decision(0.9, "ask", amount=1), decision(0.95, amount=1)]),
        result(of, decisions=[decision(0.8, amount=2)]),
        result(of, decisions=[decision(0.7, "ask", amount=3)]),
        result(ticket(expected=Expected(disposition="awaiting_approval")), decisions=[decision(0.6, "needs_approval")]),
    ]
    found = certainty(results, 0)
    assert (found["actions"], found["right"]) == (3, 2)
    assert [(p["threshold"], p["wrong"], p["coverage"]) for p in found["risk_coverage"]] == [
        (0.95, 0, 0.3333),
        (0.8, 1, 0.6667),
        (0.6, 1, 1.0),
    ]


def test_money_counts_people_and_the_second_contact_after_a_wrong_end() -> None:
    def total(one: Result) -> Any:
        return summarise([one], 0.0)["cost"]

    assert total(result())["total"] == 0 and total(result())["settled_alone"] == 1
    handed = total(result(ticket(), "escalated", queue="billing"))
    assert handed["people"] > 0 and handed["waiting"] > 0 and handed["per_resolution"] is None
    wrong = total(result(ticket(), "awaiting_customer"))
    assert wrong["second_contacts"] > 0 and wrong["settled_alone"] == 0
    assert total(result(model_cost=0.25))["model"] == 25.0


def test_an_empty_run_has_all_figures() -> None:
    assert summarise([], 0.0)["correct"] == 0.0
