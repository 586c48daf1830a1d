"""Recorded tickets end with BILLING=stripe as they end with the sandbox's billing."""

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.runtime import Shared
from app.settings import ROOT, Settings
from evals.grading import Played, grade
from evals.runner import play
from evals.tickets import Ticket, load_tickets
from evals.world import backends, end_state, fresh_world
from tools.sandbox.tables import SandboxTable

pytestmark = pytest.mark.matrix

ASKED = {
    "T-1001": "a refund",
    "T-1009": "a payment made twice",
    "T-1013": "a copy of an invoice",
    "T-1018": "another card",
    "T-1020": "a bigger plan",
    "T-1021": "the end of a trial",
    "T-1023": "a smaller plan",
    "T-1025": "a smaller plan that people approve",
    "T-1027": "the end",
    "T-1031": "the end, with no offer",
    "T-1033": "more seats",
    "T-1037": "fewer seats",
    "T-1063": "a credit for missed uptime",
    "T-1091": "two things at once",
}


def tickets() -> dict[str, Ticket]:
    """The tickets of this test, with the one about staying and the one about a suspended service."""
    found, _ = load_tickets([ROOT / "evals" / "tickets" / "development.jsonl"])
    told = {effect.tool: ticket.id for ticket in found for effect in ticket.expected.effects}
    more = {told["billing.accept_retention_offer"], told["provisioning.restore_service"]}
    return {ticket.id: ticket for ticket in found if ticket.id in ASKED.keys() | more}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Ticket]:
    return tickets()


@pytest.fixture
async def at_stripe(settings: Settings, prepared_home: Path) -> AsyncIterator[Settings]:
    """Settings of the prepared home, with a stand-in for Stripe."""
    if importlib.util.find_spec("localstripe") is None:
        pytest.skip("localstripe is not installed")
    async with backends(settings.model_copy(update={"home": prepared_home, "billing": "stripe"})) as ready:
        yield ready


def ending(played: Played) -> dict[str, Any]:
    """What the two runs must have in common."""
    effects = [{name: effect[name] for name in ("tool", "arguments", "state")} for effect in played.effects]
    return {"disposition": played.disposition, "queue": played.queue, "effects": effects}


@pytest.mark.parametrize("ticket_id", sorted(tickets()))
async def test_a_ticket_ends_as_with_the_sandbox(
    at_stripe: Settings, shared: Shared, recorded: dict[str, Ticket], ticket_id: str
) -> None:
    ticket = recorded[ticket_id]
    played = await play(ticket, shared, at_stripe)
    assert grade(ticket, played).problems == []
    assert ending(played) == ending(await play(ticket, shared, at_stripe.model_copy(update={"billing": "sandbox"})))


async def test_the_sandboxs_own_ledger_of_money_stays_as_it_was(at_stripe: Settings, shared: Shared, recorded) -> None:
    ticket = recorded["T-1009"]
    async with fresh_world(shared, at_stripe, ticket.opened_at, {ticket.customer}) as runtime:
        before, at_first = await runtime.sandbox.dump(), await end_state(runtime)
        (double,) = await _doubles(runtime, ticket.customer)
        refund = runtime.services.registry.get("billing.refund")
        asked = {"invoice_id": double.invoice_id, "amount": double.amount, "reason": "duplicate"}
        await refund.call(ticket.customer, refund.arguments.model_validate(asked), "key-1")
        assert await runtime.sandbox.dump() == before
        after = await end_state(runtime)
    changed = {table for table in after if after[table] != at_first[table]}
    assert changed == {"invoices", "payments", "refunds"}
    assert changed <= SandboxTable.metadata.tables.keys()


async def _doubles(runtime: Any, customer: str) -> list[Any]:
    find = runtime.services.registry.get("billing.find_duplicates")
    return (await find.call(customer, find.arguments(), "")).duplicates
