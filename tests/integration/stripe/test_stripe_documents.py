"""The tax statement and the invoice archive tell what Stripe has billed, whatever the sandbox's invoices say."""

import io
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader
from stripe_world import NOW, StripeWorld

from app.connectors import connected
from app.settings import Settings
from tools.errors import BackendTimeout
from tools.registry import ToolRegistry
from tools.sandbox.bills import Bill, Bills, sandbox_bills
from tools.sandbox.document_values import document_values
from tools.sandbox.documents import SEND, WhichDocument
from tools.stripe_billing.bills import bills_at

ALL = "cus_001 cus_006 cus_012 cus_016 cus_017 cus_027 cus_030 cus_053".split()


@pytest.fixture
def customers() -> list[str]:
    """Paid twice, trial, suspended, restored, credited, void, cancelled, past due."""
    return ALL


@pytest.fixture
async def deployed(stripe_world: StripeWorld, settings: Settings):
    """The tools of a deployment that bills at this world's Stripe account."""
    key = Settings(stripe_api_key=stripe_world.secret).stripe_api_key  # type: ignore[arg-type]
    here = {"billing": "stripe", "stripe_base_url": stripe_world.line.url, "stripe_api_key": key, "stripe_seconds": 5.0}
    async with AsyncExitStack() as stack:
        registry, _ = await connected(settings.model_copy(update=here), stripe_world.company, lambda: NOW, stack)
        yield registry


async def at_stripe(world: StripeWorld, customer: str) -> Bills:
    return await bills_at(world.backend)(customer)


async def text_of(world: StripeWorld, registry: ToolRegistry, kind: str, key: str = "key-1") -> str:
    """The words of a document that was sent to cus_001."""
    sent: Any = await registry.get(SEND).call("cus_001", WhichDocument(kind=kind), key)
    document = await world.company.issued_document(sent.document_id)
    assert document is not None
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(document.content)).pages)


def comparable(bill: Bill) -> Bill:
    """A bill without failed payments, and with the day and state of refunds left open."""
    through = [line for line in bill.movements if not line.what.endswith("(failed)")]
    lines = [
        replace(line, day=NOW.date(), what=line.what.rpartition(" (")[0]) if line.what.startswith("Refund") else line
        for line in through
    ]
    return replace(bill, movements=tuple(sorted(lines, key=lambda line: (line.day, line.what, line.amount))))


async def test_where_both_hold_the_same_the_documents_say_the_same(stripe_world: StripeWorld) -> None:
    for customer in ALL:
        here = await stripe_world.company.ask("bills", customer, sandbox_bills)
        there = await at_stripe(stripe_world, customer)
        expected = sorted(here.invoices, key=lambda bill: (bill.issued_on, bill.number))
        assert [comparable(bill) for bill in there.invoices] == [comparable(bill) for bill in expected]
        assert sum(line.amount for bill in there.invoices for line in bill.movements) == sum(
            bill.amount_paid - bill.amount_refunded for bill in there.invoices
        )


async def test_a_refund_at_stripe_stands_in_the_documents_and_one_that_failed_does_not(
    stripe_world: StripeWorld, deployed: ToolRegistry
) -> None:
    invoice = await stripe_world.invoice_id("0041")
    await stripe_world.call("billing.refund", "cus_001", invoice_id=invoice, amount=1_100, reason="unused")
    archive = await text_of(stripe_world, deployed, "invoice_archive")
    assert "Refund: unused (succeeded)" in archive
    assert "-11.00 EUR" in archive
    assert "11.00 EUR" in await text_of(stripe_world, deployed, "tax_statement", "key-2")
    (refund,) = [one for one in await stripe_world.refunds() if one.amount == 1_100]
    await stripe_world.fail(refund.id)
    assert "Refund: unused" not in await text_of(stripe_world, deployed, "invoice_archive", "key-3")
    assert "11.00 EUR" not in await text_of(stripe_world, deployed, "tax_statement", "key-4")


async def test_what_was_sent_under_a_key_stays_as_it_was(stripe_world: StripeWorld, deployed: ToolRegistry) -> None:
    before = await text_of(stripe_world, deployed, "invoice_archive")
    invoice = await stripe_world.invoice_id("0041")
    await stripe_world.call("billing.refund", "cus_001", invoice_id=invoice, amount=1_100, reason="unused")
    assert await text_of(stripe_world, deployed, "invoice_archive") == before
    assert len((await stripe_world.company.dump())["issued_documents"]) == 1


async def test_while_stripe_is_away_no_document_on_money_is_sent_and_others_are(
    stripe_world: StripeWorld, deployed: ToolRegistry
) -> None:
    stripe_world.line.mishaps += [("/v1/", "fail_before")] * 30
    for kind in ("tax_statement", "invoice_archive"):
        with pytest.raises(BackendTimeout):
            await text_of(stripe_world, deployed, kind)
    assert (await stripe_world.company.dump())["issued_documents"] == []
    assert "Brightwater Ceramics" in await text_of(stripe_world, deployed, "security_overview")


async def test_credits_are_those_on_the_balance_at_stripe(stripe_world: StripeWorld) -> None:
    await stripe_world.call("billing.apply_sla_credit", "cus_017", month="2025-12", amount=8_700)
    (credit,) = (await at_stripe(stripe_world, "cus_017")).credits
    assert (credit.month, credit.state, credit.amount, credit.currency) == ("2025-12", "applied", 8_700, "EUR")
    effect = stripe_world.registry.get("billing.apply_sla_credit").effect
    assert effect is not None
    assert effect.undo is not None
    await effect.undo("cus_017", "key-1", "key-2")
    (credit,) = (await at_stripe(stripe_world, "cus_017")).credits
    assert credit.state == "reversed"


async def test_tax_that_the_invoice_states_is_not_worked_out_again(stripe_world: StripeWorld) -> None:
    (bill, *_) = (await at_stripe(stripe_world, "cus_001")).invoices
    stated = Bills((replace(bill, total=10_700, amount_due=10_700, tax=700),), ())
    values = await stripe_world.company.ask("values", "cus_001", lambda account: document_values(account, stated))
    (taxed,) = values["taxed"]
    assert (taxed["rate"], taxed["net"], taxed["vat"], taxed["gross"]) == (700, 10_000, 700, 10_700)
