"""Mapped tools behind the same gate and the same ledger as all others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from orders_world import HttpShop, Shop, called
from sqlmodel import select

from agents.confidence.model import ConfidenceModel, Features
from agents.confidence.money import CostModel
from agents.gate.call import CallGate, Situation, fingerprint
from agents.gate.verdict import Ruling
from app.settings import PROMPTS
from records.database import Database, migrated_copy, sqlite_url
from records.decision import DecisionRecord
from records.effect import EffectRecord, EffectState
from records.spending import Spent
from records.transcript import Transcript
from tools.ledger import Ledger
from tools.provenance import Evidence
from tools.registry import ToolRegistry
from tools.tool import IdentityLevel

CANCEL, READ, LIST = "orders.cancel", "orders.get_order", "orders.list_orders"
NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
SURE = Features(
    intent_probability=0.99,
    intent_margin=0.98,
    out_of_scope=0.0,
    chosen=0.0,
    grounded_arguments=1.0,
    relevance=1.0,
    tool_errors=0,
    failed_turns=0,
    declined_offers=0,
    repeats=0,
)


def situation(said: str, *offered: str) -> Situation:
    """cus_001, verified, has said this."""
    return Situation(
        conversation_id="con_1",
        customer_id="cus_001",
        level=IdentityLevel.VERIFIED,
        plan="starter",
        customer_value_minor=100_000,
        offered_tools=frozenset(offered),
        evidence=Evidence(customer_texts=[("msg_1", said)]),
        wish_probability=0.99,
        features=SURE,
        stage="autonomous",
        canary_share=0.1,
        queue="general",
        spent=Spent(),
        consents=frozenset(),
    )


def gate_over(shop: Shop, tools: ToolRegistry) -> CallGate:
    return CallGate(tools, shop.policies(), ConfidenceModel.load(), CostModel.load(PROMPTS / "costs.yaml"))


async def test_the_gate_asks_for_a_yes_and_then_lets_through_what_the_operator_permits(shop: Shop) -> None:
    async with shop.opened() as tools:
        gate = gate_over(shop, tools)
        asked = {"order_id": "ord-1001"}
        first = await gate.judge(CANCEL, asked, situation("cancel ord-1001 please", CANCEL))
        assert first.verdict.ruling is Ruling.ASK and first.amount == (4900, "EUR")
        agreed = replace(situation("cancel ord-1001", CANCEL), consents=frozenset({fingerprint(CANCEL, asked)}))
        judged = await gate.judge(CANCEL, asked, agreed)
        assert judged.verdict.ruling is Ruling.PERMITTED
        assert judged.verdict.policies == ("cancel-small-order",)


async def test_the_gate_refuses_another_customers_record_whoever_named_it(shop: Shop) -> None:
    async with shop.opened() as tools:
        gate = gate_over(shop, tools)
        for tool in (CANCEL, READ):
            judged = await gate.judge(tool, {"order_id": "ord-2001"}, situation("my order is ord-2001", tool))
            assert judged.verdict.ruling is Ruling.REFUSED
            assert judged.verdict.policies == ("only-own-records",)


async def test_the_gate_refuses_what_no_customer_and_no_record_named(shop: Shop) -> None:
    async with shop.opened() as tools:
        gate, now = gate_over(shop, tools), situation("cancel my order", CANCEL)
        judged = await gate.judge(CANCEL, {"order_id": "ord-1001"}, now)
        assert (judged.verdict.ruling, judged.verdict.checks[-1].name) == (Ruling.REFUSED, "provenance")
        now.evidence.add_result(LIST, await called(tools, LIST, "cus_001"))
        judged = await gate.judge(CANCEL, {"order_id": "ord-1001"}, now)
        assert judged.verdict.ruling is Ruling.ASK


async def test_the_gate_refuses_a_tool_that_is_not_mapped_or_not_offered(shop: Shop) -> None:
    async with shop.opened() as tools:
        gate = gate_over(shop, tools)
        for tool, offered in (("orders.delete_everything", "orders.delete_everything"), (CANCEL, READ)):
            judged = await gate.judge(tool, {"order_id": "ord-1001"}, situation("ord-1001", offered))
            assert (judged.verdict.ruling, judged.verdict.checks[-1].name) == (Ruling.REFUSED, "schema")


@asynccontextmanager
async def a_ledger(folder: Path, tools: ToolRegistry) -> AsyncIterator[tuple[Ledger, str, Database]]:
    """A ledger with one intended cancellation: (ledger, effect, database)."""
    await migrated_copy(folder / "template.db", folder / "handrail.db")
    database = await Database.open(sqlite_url(folder / "handrail.db"), migrate=False)
    transcript = Transcript(database, lambda: NOW)
    conversation = await transcript.open("cus_001", "verified", "chat")
    _, _, start = await transcript.receive_and_begin(conversation.id, "cancel it", None)
    assert start is not None
    place: dict[str, Any] = {"conversation_id": conversation.id, "turn_id": start.turn.id}
    decision = DecisionRecord(id="dec_1", kind="call", verdict="permitted", at=NOW, **place)
    effect = EffectRecord(
        id="eff_1",
        decision_id=decision.id,
        customer_id="cus_001",
        tool=CANCEL,
        kind="money",
        arguments={"order_id": "ord-1001"},
        idempotency_key="key-1",
        intended_at=NOW,
        **place,
    )
    await transcript.record(conversation.id, [decision, effect], [])
    try:
        yield Ledger(database, tools, lambda: NOW), effect.id, database
    finally:
        await database.close()


@pytest.mark.parametrize(
    "mishaps",
    [
        [],
        ["fail after cancel_order"],
        ["fail before cancel_order"],
        ["fail after cancel_order", "fail find_cancellation"],
    ],
    ids=["well", "error-after", "error-before", "error-after-and-in-the-read-back"],
)
async def test_the_ledger_agrees_with_the_server_whatever_it_answers(shop: Shop, tmp_path: Path, mishaps) -> None:
    async with shop.opened() as tools, a_ledger(tmp_path, tools) as (ledger, effect, _):
        shop.change(mishaps=mishaps)
        row = await ledger.execute(effect)
        made = len(shop.there()["cancellations"])
        assert (row.state, made) == ((EffectState.FAILED, 0) if "before" in str(mishaps) else (EffectState.VERIFIED, 1))


async def test_a_server_that_died_after_it_acted_is_settled_when_it_is_back(
    shop: Shop, http_shop: HttpShop, tmp_path: Path
) -> None:
    async with shop.opened() as tools, a_ledger(tmp_path, tools) as (ledger, effect, database):
        shop.change(mishaps=["die after cancel_order"])
        row = await ledger.execute(effect)
        assert row.state == EffectState.UNKNOWN
        http_shop.died()
        http_shop.start()
        for open_row in await ledger.open_rows():
            await ledger.settle(open_row)
        async with database.read() as session:
            row = (await session.scalars(select(EffectRecord).where(EffectRecord.id == effect))).one()
        assert (row.state, row.result) == (EffectState.VERIFIED, {"order_id": "ord-1001", "refund_minor": 4900})
    assert len(shop.there()["cancellations"]) == 1
