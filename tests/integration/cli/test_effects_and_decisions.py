"""`handrail effects` and `handrail decisions`: what was done, what became of the rest, and why."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from records.clock import system_clock
from records.conversation import Disposition
from records.database import Database, sqlite_url
from records.decision import DecisionRecord
from records.effect import EffectRecord, EffectState
from records.offer import Approval
from records.transcript import Transcript
from records.turn import Turn
from tools.errors import BackendUnavailable
from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.toolset import sandbox_tools

Handrail = Callable[..., Any]
Intend = Callable[..., str]

REFUND = {"invoice_id": "in_0042", "amount": 2900, "reason": "duplicate", "payment_id": "pay_0042_2"}
LONG_AGO = datetime(2026, 1, 15, 10, tzinfo=UTC)
DUPLICATE = "A second payment of one invoice goes back without a person up to 500.00, and up to 500.00 within 30 days."
CHECKS = [
    {"check": "schema", "ruling": "permitted", "reason": "", "figures": {}},
    {
        "check": "policy",
        "ruling": "permitted",
        "reason": f"{DUPLICATE}; An older sentence.",
        "figures": {
            "policies": ["refund-own-duplicate", "gone-by-now"],
            "amount_minor": 2900,
            "currency": "EUR",
            "spent_30d_minor": 1250,
        },
    },
    {
        "check": "confidence",
        "ruling": "permitted",
        "reason": "",
        "figures": {
            "p_correct": 0.9971,
            "loss": 3400.696,
            "expected_loss": 9.8067,
            "cost_of_person": 760.0,
            "minimum_probability": 0.85,
            "features": {"consented": 1.0},
            "p_now": 0.9691,
        },
    },
    {
        "check": "consent",
        "ruling": "ask",
        "reason": "the customer has not agreed to exactly these values yet",
        "figures": {},
    },
]
ORIGINS = {
    "invoice_id": {"origin": "record", "source": "billing.find_duplicates: duplicates[0].invoice_id"},
    "amount": {"origin": "customer", "source": "message msg_1"},
    "reason": {"origin": "model", "source": ""},
}


def in_records(home: Path, work: Callable[[Database, Transcript], Coroutine[Any, Any, Any]], at: datetime) -> Any:
    """Do something with the records of a home, as a service did at that time."""

    async def done() -> Any:
        home.mkdir(exist_ok=True)
        database = await Database.open(sqlite_url(home / "handrail.db"))
        try:
            return await work(database, Transcript(database, lambda: at))
        finally:
            await database.close()

    return asyncio.run(done())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def intend(home: Path) -> Intend:
    """Writes an effect with its decision into the records: the id of the conversation."""

    def intended(effect_id: str = "eff_1", at: datetime = LONG_AGO, customer: str = "cus_001", **columns: Any) -> str:
        async def work(_database: Database, transcript: Transcript) -> str:
            conversation = await transcript.open(customer, "verified", "chat")
            _, _, start = await transcript.receive_and_begin(conversation.id, "twice!", None)
            assert start is not None
            decision = DecisionRecord(
                id=effect_id.replace("eff", "dec"),
                conversation_id=conversation.id,
                turn_id=start.turn.id,
                kind="call",
                proposal={"tool": "billing.refund", "arguments": REFUND},
                verdict="ask",
                check="consent",
                reason="the customer has not agreed to exactly these values yet",
                checks=CHECKS,
                policies=["refund-own-duplicate", "gone-by-now"],
                origins=ORIGINS,
                p_correct=0.9971,
                at=at,
            )
            effect = EffectRecord(
                **{
                    "id": effect_id,
                    "conversation_id": conversation.id,
                    "turn_id": start.turn.id,
                    "decision_id": decision.id,
                    "customer_id": customer,
                    "tool": "billing.refund",
                    "kind": "money",
                    "arguments": REFUND,
                    "idempotency_key": f"key of {effect_id}",
                    "amount_minor": 2900,
                    "currency": "EUR",
                    "intended_at": at,
                    **columns,
                }
            )
            await transcript.record(conversation.id, [decision, effect], [])
            return conversation.id

        return in_records(home, work, at)

    return intended


def refunded(home: Path, key: str | None = None) -> int:
    """How many refunds the sandbox has made; with a key, after it has made one under it."""

    async def work() -> int:
        backend = await SandboxBackend.open(home / "sandbox.db", clock=system_clock, today=system_clock().date())
        try:
            if key is not None:
                tool = ToolRegistry(sandbox_tools(backend)).get("billing.refund")
                await tool.call("cus_001", tool.arguments.model_validate(REFUND), key)
            rows = (await backend.dump())["refunds"]
            return sum(row["customer_id"] == "cus_001" for row in rows)
        finally:
            await backend.close()

    return asyncio.run(work())


def test_effects_are_listed_newest_first_and_chosen_by_state_and_customer(handrail: Handrail, intend: Intend) -> None:
    intend("eff_1")
    intend("eff_2", state=EffectState.VERIFIED)
    intend("eff_3", customer="cus_002", state=EffectState.UNKNOWN, error="no answer")

    def listed(*options: object) -> list[str]:
        return [effect["id"] for effect in handrail("effects", "list", *options, "--json").document["effects"]]

    assert listed() == ["eff_3", "eff_2", "eff_1"]
    assert listed("--state", "open") == ["eff_3", "eff_1"]
    assert listed("--state", "verified") == ["eff_2"]
    assert listed("--customer", "cus_002") == ["eff_3"]
    assert handrail("effects", "list", "--limit", "1", "--json").document["total"] == 3
    table = handrail("effects", "list").out
    assert "29.00 EUR" in table and "no answer" in table and "3 of 3 effects" in table


def test_an_effect_is_shown_with_its_decision_its_proof_and_its_times(handrail: Handrail, intend: Intend) -> None:
    intend(state=EffectState.VERIFIED, result={"refund_id": "re_1", "amount": 2900, "currency": "EUR"}, attempts=1)
    document = handrail("effects", "show", "eff_1", "--json").document
    assert (document["effect"]["state"], document["decision"]["id"]) == ("verified", "dec_1")
    assert document["read_back"]["refund_id"] == "re_1"
    text = handrail("effects", "show", "eff_1").out
    for words in ("billing.refund for cus_001, verified", "re_1", "29.00 EUR", "2026-01-15 10:00:00 UTC", "not yet"):
        assert words in text
    assert "2900" not in text


def test_an_effect_that_the_backend_has_made_is_settled_as_verified_and_not_made_again(
    handrail: Handrail, intend: Intend, home: Path
) -> None:
    intend(state=EffectState.UNKNOWN, attempts=1, error="no answer")
    before = refunded(home)
    assert refunded(home, "key of eff_1") == before + 1
    ended = handrail("effects", "settle", "--json")
    assert ended.code == 0
    [settled] = ended.document["effects"]
    assert (settled["was"], settled["state"], settled["result"]["amount"]) == ("unknown", "verified", 2900)
    assert refunded(home) == before + 1
    assert handrail("effects", "settle").out.strip() == "no effect is open"
    again = handrail("effects", "settle", "eff_1")
    assert (again.code, "settled before" in again.out) == (0, True)


def test_an_effect_that_the_backend_never_saw_has_failed_once_its_turn_is_over(
    handrail: Handrail, intend: Intend, home: Path
) -> None:
    conversation_id = intend(state=EffectState.SENT, attempts=1)

    async def end(database: Database, _transcript: Transcript) -> None:
        async with database.write() as session:
            for turn in await session.scalars(select(Turn).where(Turn.conversation_id == conversation_id)):
                turn.state, turn.disposition = "finished", Disposition.ESCALATED

    before = refunded(home)
    in_records(home, end, LONG_AGO)
    ended = handrail("effects", "settle", "eff_1")
    assert ended.code == 0
    assert "sent -> failed (its turn ended before it was done)" in ended.out
    assert refunded(home) == before


def test_an_effect_that_cannot_be_read_back_stays_unknown_and_ends_with_one(
    handrail: Handrail, intend: Intend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> None:
        raise BackendUnavailable("the backend does not answer")

    intend(state=EffectState.SENT, attempts=1)
    monkeypatch.setattr(SandboxBackend, "find", silent)
    ended = handrail("effects", "settle", "--json")
    assert ended.code == 1
    assert (ended.document["settled"], ended.document["open"]) == (0, 1)
    assert ended.document["effects"][0]["state"] == "unknown"
    assert "does not answer" in ended.document["effects"][0]["says"]


def test_an_effect_that_may_be_under_way_is_left_alone(handrail: Handrail, intend: Intend, home: Path) -> None:
    intend(at=system_clock() - timedelta(seconds=2), state=EffectState.SENT, attempts=1)
    ended = handrail("effects", "settle", "eff_1")
    assert ended.code == 1
    assert "it may be under way: try again in" in ended.out


def test_what_is_not_there_or_makes_no_sense_is_named(handrail: Handrail) -> None:
    for command in (["show", "eff_none"], ["settle", "eff_none"]):
        handrail("effects", *command, "--json").refused("eff_none", "handrail effects list")
    handrail("effects", "list", "--state", "done").refused("--state", "done", "verified")
    handrail("effects", "list", "--limit", "0").refused("--limit")
    handrail("decisions", "show", "dec_none").refused("dec_none", "handrail decisions list")
    handrail("decisions", "list", "--conversation", "conv_none").refused("conv_none")
    handrail("decisions", "list").refused("--conversation")


def test_a_decision_is_told_in_plain_words_with_its_checks_policies_origins_and_amounts(
    handrail: Handrail, intend: Intend, home: Path
) -> None:
    conversation_id = intend()

    async def approve(_database: Database, transcript: Transcript) -> None:
        approval = Approval(
            id="apr_1",
            conversation_id=conversation_id,
            turn_id=turn_id,
            decision_id="dec_1",
            tool="billing.refund",
            state="approved",
            decided_by="lead@example.com",
            requested_at=LONG_AGO,
            expires_at=LONG_AGO,
        )
        await transcript.record(conversation_id, [approval], [])

    turn_id = handrail("decisions", "show", "dec_1", "--json").document["turn_id"]
    in_records(home, approve, LONG_AGO)
    text = " ".join(handrail("decisions", "show", "dec_1").out.split())
    for words in (
        "Proposed: to call billing.refund",
        "amount 29.00 EUR said by the customer (message msg_1)",
        "invoice id in_0042 from the customer's records (billing.find_duplicates: duplicates[0].invoice_id)",
        "reason duplicate from nowhere but the model",
        "payment id pay_0042_2 not traced",
        "Verdict: the customer is asked first: The customer has not agreed to exactly these values yet.",
        "1 schema passed The tool exists",
        "(amount: 29.00 EUR; moved in the last 30 days: 12.50 EUR)",
        "what a mistake would cost 34.01 EUR",
        "4 consent ask first The customer has not agreed",
        f"refund-own-duplicate {DUPLICATE}",
        "gone-by-now An older sentence. (this policy is no longer in use)",
        "Probability that this is right: 99.7 %",
        "Effect eff_1: intended",
        "Approval apr_1: approved by lead@example.com",
    ):
        assert words in text, words
    assert "2900" not in text


def test_the_document_of_a_decision_holds_its_record_with_sentences_beside_it(
    handrail: Handrail, intend: Intend
) -> None:
    conversation_id = intend()
    document = handrail("decisions", "show", "dec_1", "--json").document
    assert document["proposal"]["arguments"]["amount"] == 2900
    assert [check["check"] for check in document["checks"]] == ["schema", "policy", "confidence", "consent"]
    assert all(check["says"] for check in document["checks"])
    assert document["policies"][0] == {"id": "refund-own-duplicate", "reason": DUPLICATE}
    assert document["amounts"]["amount"] == "29.00 EUR"
    assert document["effects"][0]["id"] == "eff_1"
    listed = handrail("decisions", "list", "--conversation", conversation_id, "--json").document
    assert [decision["id"] for decision in listed["decisions"]] == ["dec_1"]
    table = handrail("decisions", "list", "--conversation", conversation_id).out
    assert "to call billing.refund" in " ".join(table.split())
