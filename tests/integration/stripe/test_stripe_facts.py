"""What triage and the gate know of a customer: Stripe's word on money, the sandbox's on the rest."""

import pytest

from tools.guard import Guard, Limits
from tools.sandbox.facts import customer_facts as sandbox_facts
from tools.stripe_billing.facts import BILLED, customer_facts

ALL = "cus_001 cus_006 cus_012 cus_013 cus_016 cus_027 cus_030 cus_036 cus_038 cus_053".split()


@pytest.fixture
def customers() -> list[str]:
    """Paid twice, trial, suspended, restored, void, cancelled, twice the same, half empty, cancelling, past due."""
    return ALL


def unguarded() -> Guard:
    """A guard that holds nothing back."""
    return Guard("stripe", Limits())


async def test_facts_are_those_of_the_sandbox_where_both_hold_the_same(stripe_world):
    others = sandbox_facts(stripe_world.company)
    look_up = customer_facts(stripe_world.backend, stripe_world.sides, others, unguarded())
    for customer in ALL:
        assert await look_up(customer) == await others(customer)


async def test_an_invoice_that_falls_due_at_stripe_is_overdue_whatever_the_other_records_say(stripe_world):
    (open_one,) = [
        bill for bill in (await stripe_world.call("billing.list_invoices", "cus_012")).invoices if bill.status == "open"
    ]
    await stripe_world.api.invoices.update_async(open_one.id, {"metadata": {"handrail_due_on": "2026-01-02"}})
    others = sandbox_facts(stripe_world.company)
    known = await customer_facts(stripe_world.backend, stripe_world.sides, others, unguarded())("cus_012")
    assert (known["overdue_invoices"], (await others("cus_012"))["overdue_invoices"]) == (2, 1)


async def test_where_stripe_does_not_answer_nobody_else_speaks_of_money(stripe_world):
    others = sandbox_facts(stripe_world.company)
    look_up = customer_facts(stripe_world.backend, stripe_world.sides, others, unguarded())
    stripe_world.line.mishaps += [("GET /v1/customers", "lose_answer")]
    known = await look_up("cus_001")
    assert known["company"] == "Brightwater Ceramics"
    assert not BILLED & known.keys()


async def test_a_customer_whom_nobody_knows_has_no_facts(stripe_world):
    look_up = customer_facts(stripe_world.backend, stripe_world.sides, sandbox_facts(stripe_world.company), unguarded())
    assert await look_up("cus_999") == {}
