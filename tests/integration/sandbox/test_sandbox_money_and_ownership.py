"""Properties that hold under any sequence of calls: money never exceeds what was paid, and nobody reaches another's."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_world import World

from tools.errors import BackendRefused, BackendTimeout, NoSuchRecord
from tools.policy import PolicyEngine, PolicyRequest
from tools.sandbox.backend import Fault
from tools.sandbox.stories import STORIES
from tools.tool import IdentityLevel

ENGINE = PolicyEngine.load()


def in_a_fresh_world(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            world = await World.open(Path(folder, "sandbox.db"))
            try:
                await scenario(world)
            finally:
                await world.backend.close()

    asyncio.run(run())


REFUND = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["a", "b", "c", "d"]),
        "amount": st.integers(1, 6_000),
        "payment": st.sampled_from([None, "pay_0042_1", "pay_0042_2", "pay_0041_1"]),
        "fault": st.sampled_from([None, Fault.TIMEOUT_AFTER]),
    }
)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(REFUND, min_size=1, max_size=8))
def test_refunds_never_exceed_what_was_paid_and_the_books_agree(steps: list[dict[str, Any]]):
    async def scenario(world: World) -> None:
        for step in steps:
            if step["fault"]:
                world.backend.faults.add("billing.refund", step["fault"])
            try:
                await world.call(
                    "billing.refund",
                    "cus_001",
                    step["key"],
                    invoice_id="in_0042",
                    amount=step["amount"],
                    reason="other",
                    payment_id=step["payment"],
                )
            except (BackendRefused, NoSuchRecord, BackendTimeout):
                continue
        state = await world.backend.dump()
        invoice = next(row for row in state["invoices"] if row["id"] == "in_0042")
        payments = [row for row in state["payments"] if row["invoice_id"] == "in_0042"]
        refunds = [row for row in state["refunds"] if row["invoice_id"] == "in_0042"]
        assert invoice["amount_refunded"] <= invoice["amount_paid"] == 5_800
        assert all(0 <= payment["amount_refunded"] <= payment["amount"] for payment in payments)
        assert invoice["amount_refunded"] == sum(refund["amount"] for refund in refunds)
        assert invoice["amount_refunded"] == sum(payment["amount_refunded"] for payment in payments)
        assert len({refund["idempotency_key"] for refund in refunds}) == len(refunds)

    in_a_fresh_world(scenario)


BY_RECORD = {
    "billing.get_invoice": lambda n: {"invoice_id": invoice_id(n)},
    "billing.refund": lambda n: {"invoice_id": invoice_id(n), "amount": 100, "reason": "other"},
    "billing.send_invoice_copy": lambda n: {"invoice_id": invoice_id(n)},
    "access.change_role": lambda n: {"user_id": f"usr_{n:02d}01", "role": "viewer"},
    "access.send_password_reset": lambda n: {"user_id": f"usr_{n:02d}01"},
    "access.unlock_user": lambda n: {"user_id": f"usr_{n:02d}01"},
    "provisioning.delete_resource": lambda n: {"resource_id": f"res_{n:02d}02"},
}
OWNERS = [story.number for story in STORIES if story.plan != "trial" and story.situation != "cancelled"]


def invoice_id(number: int) -> str:
    first = next(story.first_invoice for story in STORIES if story.number == number) or number * 100 + 1
    return f"in_{first:04d}"


def test_the_list_of_tools_that_name_a_record_is_complete():
    async def scenario(world: World) -> None:
        named = {"invoice_id", "user_id", "resource_id"}
        assert {tool.name for tool in world.registry if named & set(tool.arguments.model_fields)} == set(BY_RECORD)

    in_a_fresh_world(scenario)


@settings(max_examples=40, deadline=None)
@given(
    tool=st.sampled_from(sorted(BY_RECORD)),
    asking=st.sampled_from(OWNERS),
    owning=st.sampled_from(OWNERS),
    level=st.sampled_from(list(IdentityLevel)),
    approved=st.booleans(),
)
def test_another_customers_record_is_neither_permitted_nor_reached(tool, asking, owning, level, approved):
    if asking == owning:
        return

    async def scenario(world: World) -> None:
        customer, arguments = f"cus_{asking:03d}", BY_RECORD[tool](owning)
        resource = await world.touched(tool, customer, **arguments)
        assert resource
        assert resource.owner == f"cus_{owning:03d}"
        currency = resource.attributes.get("currency", "EUR")
        money = {"amount_minor": 100, "currency": currency, "spent_30d_minor": 0, "spent_today_minor": 0}
        verdict = ENGINE.decide(PolicyRequest(customer, level, tool, resource, {**money, "approved": approved}))
        assert not verdict.allowed
        assert "only-own-records" in verdict.policies
        before = await world.backend.dump()
        with pytest.raises(NoSuchRecord):
            await world.call(tool, customer, **arguments)
        assert await world.backend.dump() == before

    in_a_fresh_world(scenario)


def test_reads_tell_every_customer_about_that_customer_only():
    async def scenario(world: World) -> None:
        for story in STORIES:
            seen = await world.call("billing.list_invoices", story.id)
            for invoice in seen.invoices:
                resource = await world.touched("billing.get_invoice", story.id, invoice_id=invoice.id)
                assert resource
                assert resource.owner == story.id
            users = await world.call("access.list_users", story.id)
            assert len(users.users) == len(story.people)

    in_a_fresh_world(scenario)


def test_every_read_without_arguments_answers_for_every_customer():
    async def scenario(world: World) -> None:
        reads = [tool for tool in world.registry if tool.effect is None and not tool.arguments.model_fields]
        for story in STORIES:
            for tool in reads:
                await tool.call(story.id, tool.arguments(), "")

    in_a_fresh_world(scenario)


def test_the_gate_finds_no_record_of_a_customer_who_does_not_exist():
    async def scenario(world: World) -> None:
        for tool in world.registry:
            if not tool.arguments.model_fields:
                with pytest.raises(NoSuchRecord):
                    await tool.resource("cus_999", tool.arguments())

    in_a_fresh_world(scenario)
