"""`handrail gate explain` and `gate simulate`: the sums of recorded decisions, and what other costs would change."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.confidence.money import Bound, CostModel, Stakes, weigh
from app.settings import PROMPTS, ROOT
from records.database import Database, sqlite_url
from records.decision import DecisionRecord
from records.transcript import Transcript

Handrail = Callable[..., Any]
COSTS = PROMPTS / "costs.yaml"
AT = datetime(2026, 1, 15, 10, tzinfo=UTC)


@pytest.fixture
def conversation(tmp_path: Path) -> str:
    """A home whose records hold a conversation with one weighed refund and one call that policy refused."""
    stakes = Stakes("money", "billing", 20_000, "EUR", value_minor=1_000_000, churn_risk=20.0)
    weighing = weigh(CostModel.load(COSTS), 0.97, Bound(0.9, "all", 243, 2), stakes)
    figures = {**weighing.as_json(), "intent": "refund_request", "features": {}}
    refund = {"tool": "billing.refund", "arguments": {"invoice_id": "in_0042", "amount": 20_000}}

    async def work() -> str:
        (tmp_path / "home").mkdir()
        database = await Database.open(sqlite_url(tmp_path / "home" / "handrail.db"))
        try:
            transcript = Transcript(database, lambda: AT)
            conversation = await transcript.open("cus_001", "verified", "chat")
            _, _, start = await transcript.receive_and_begin(conversation.id, "refund me", None)
            assert start is not None
            common: dict[str, Any] = {"conversation_id": conversation.id, "turn_id": start.turn.id, "kind": "call"}
            weighed = DecisionRecord(
                id="dec_1",
                proposal=refund,
                verdict="permitted",
                checks=[{"check": "confidence", "ruling": "permitted", "reason": "", "figures": figures}],
                p_correct=0.97,
                at=AT,
                **common,
            )
            refused = DecisionRecord(
                id="dec_2", proposal=refund, verdict="refused", check="policy", reason="not theirs", at=AT, **common
            )
            await transcript.record(conversation.id, [weighed, refused], [])
            return conversation.id
        finally:
            await database.close()

    return asyncio.run(work())


def test_the_sum_is_shown_part_by_part(handrail: Handrail, conversation: str) -> None:
    text = handrail("gate", "explain", conversation).out
    for words in (
        "the amount",
        "200.00 EUR",
        "the risk that they leave",
        "97.00%",
        "3.00% of 207.20 EUR = 6.22 EUR",
        "Worth it from",
        "calibrated on recorded tickets of all matters",
        "it may be done alone",
        "Not weighed, dec_2",
        "not theirs",
    ):
        assert words in text, words
    [made] = handrail("gate", "explain", conversation, "--json").document["sums"]
    assert (made["loss"], made["alone"]) == (20_720, True)


def test_a_conversation_that_is_not_there_is_said_so(handrail: Handrail, conversation: str) -> None:
    handrail("gate", "explain", "conv_none").refused("there is no conversation conv_none")


def test_cheaper_people_would_send_the_refund_to_one(handrail: Handrail, conversation: str, tmp_path: Path) -> None:
    other = tmp_path / "cheap.yaml"
    other.write_text(COSTS.read_text(encoding="utf-8").replace("  billing: 640", "  billing: 100"), encoding="utf-8")
    figures = handrail("gate", "simulate", "--cost-file", other, "--json").document
    assert (figures["alone_now"], figures["alone_then"], figures["to_people_then"]) == (1, 0, 1)
    [change] = figures["changes"]
    assert (change["source"], change["now"], change["then"]) == (conversation, "alone", "person")
    assert figures["expected_cost_now"] == pytest.approx(621.6)
    assert figures["saving"] == pytest.approx(621.6 - 300)
    text = handrail("gate", "simulate", "--cost-file", other).out
    assert "alone now, person then" in text
    same = handrail("gate", "simulate", "--cost-file", COSTS)
    assert "nothing would be decided otherwise" in same.out


def test_a_cost_file_that_cannot_be_used_is_refused_with_its_line(
    handrail: Handrail, conversation: str, tmp_path: Path
) -> None:
    handrail("gate", "simulate", "--cost-file", tmp_path / "none.yaml").refused("--cost-file", "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text(COSTS.read_text(encoding="utf-8").replace("money: 300", "money: lots"), encoding="utf-8")
    handrail("gate", "simulate", "--cost-file", bad).refused("bad.yaml:", "loss.money")


def test_doctor_names_what_is_wrong_with_costs_and_confidence(handrail: Handrail, tmp_path: Path) -> None:
    def gate(**settings: object) -> dict[str, Any]:
        found = handrail("doctor", "--json", **settings).document["findings"]
        return next(finding for finding in found if finding["part"] == "gate")

    assert gate()["ok"] and "alone from" in gate()["says"]
    missing = gate(COSTS=tmp_path / "none.yaml")
    assert not missing["ok"] and "HANDRAIL_COSTS" in missing["says"]
    (tmp_path / "confidence.json").write_text("{}", encoding="utf-8")
    broken = gate(CONFIDENCE=tmp_path)
    assert not broken["ok"] and "HANDRAIL_CONFIDENCE" in broken["says"]


@pytest.mark.slow
def test_recorded_tickets_are_played_under_both_cost_files(
    handrail: Handrail, tmp_path: Path, whole_home: Path
) -> None:
    tickets = (ROOT / "evals" / "tickets" / "development.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "two.jsonl").write_text("\n".join(tickets[:2]), encoding="utf-8")
    cheap = (
        COSTS.read_text(encoding="utf-8")
        .replace("  billing: 640", "  billing: 1")
        .replace("per_hour: 30", "per_hour: 0")
    )
    (tmp_path / "cheap.yaml").write_text(cheap, encoding="utf-8")
    ended = handrail("gate", "simulate", "two.jsonl", "--cost-file", "cheap.yaml", "--json", HOME=whole_home)
    assert ended.code == 0, ended.err
    figures = json.loads(ended.out)
    assert (figures["tickets"], figures["refused_lines"]) == (2, [])
    now, then = figures["endings_now"], figures["endings_then"]
    moved = len(figures["tickets_that_end_otherwise"])
    assert then["awaiting_approval"] - now["awaiting_approval"] == now["resolved"] - then["resolved"] == moved > 0
    assert {change["then"] for change in figures["changes"]} == {"person"}
