"""Invoices, payments and refunds at Stripe: as the sandbox tells them, once each, and nobody else's."""

import asyncio
import json

import pytest
from stripe_world import StripeWorld, called

from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable, NoSuchRecord
from tools.stripe_billing.toolset import stripe_billing_tools

REFUND = "billing.refund"


def without_ids(value):
    """A result without the identifiers that each backend chooses for itself."""
    if isinstance(value, dict):
        own = {"id", "invoice_id", "payment_id", "subscription_id"}
        return {name: without_ids(part) for name, part in value.items() if name not in own}
    return [without_ids(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("customer", ["cus_001", "cus_002"])
async def test_invoices_read_as_in_the_sandbox(stripe_world: StripeWorld, customer):
    seen = await stripe_world.call("billing.list_invoices", customer)
    expected = await called(stripe_world.sandbox, "billing.list_invoices", customer)
    assert without_ids(seen.model_dump()) == without_ids(expected.model_dump())
    one = await stripe_world.call("billing.get_invoice", customer, invoice_id=seen.invoices[0].id)
    assert one == seen.invoices[0]


async def test_a_payment_made_twice_is_found(stripe_world):
    seen = await stripe_world.call("billing.find_duplicates", "cus_001")
    expected = await called(stripe_world.sandbox, "billing.find_duplicates", "cus_001")
    assert without_ids(seen.model_dump()) == without_ids(expected.model_dump())
    assert (await stripe_world.call("billing.find_duplicates", "cus_002")).duplicates == []


async def test_cards_are_listed_without_their_numbers(stripe_world):
    (card,) = (await stripe_world.call("billing.list_payment_methods", "cus_001")).methods
    assert (card.last4, card.expires, card.is_default) == ("4242", "2026-10", True)


async def test_an_invoice_is_described_to_the_policies_as_in_the_sandbox(stripe_world):
    touched = await stripe_world.touched(
        "billing.get_invoice", "cus_001", invoice_id=await stripe_world.invoice_id("0042")
    )
    tool = stripe_world.sandbox.get("billing.get_invoice")
    expected = await tool.resource("cus_001", tool.arguments.model_validate({"invoice_id": "in_0042"}))
    assert touched.attributes == expected.attributes
    assert (touched.type, touched.owner) == ("Invoice", "cus_001")


async def test_a_refund_is_made_once_however_often_it_is_asked_for(stripe_world):
    asked = {"invoice_id": await stripe_world.invoice_id("0042"), "amount": 2_900, "reason": "duplicate"}
    first = await stripe_world.call(REFUND, "cus_001", **asked)
    assert await stripe_world.call(REFUND, "cus_001", **asked) == first
    assert await stripe_world.read_back(REFUND, "cus_001") == first
    (made,) = await stripe_world.refunds()
    assert (made.id, made.amount, made.metadata["handrail_key"]) == (first.refund_id, 2_900, "key-1")
    assert (await stripe_world.call("billing.find_duplicates", "cus_001")).duplicates == []


async def test_refunds_at_the_same_time_under_one_key_are_one(stripe_world):
    asked = {"invoice_id": await stripe_world.invoice_id("0041"), "amount": 500, "reason": "other"}
    answers = await asyncio.gather(*(stripe_world.call(REFUND, "cus_001", **asked) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert len(await stripe_world.refunds()) == 1


async def test_a_refund_whose_answer_was_lost_is_found_and_not_repeated(stripe_world):
    asked = {"invoice_id": await stripe_world.invoice_id("0041"), "amount": 500, "reason": "other"}
    stripe_world.line.mishaps.append(("POST /v1/refunds", "lose_answer"))
    with pytest.raises(BackendTimeout):
        await stripe_world.call(REFUND, "cus_001", **asked)
    found = await stripe_world.read_back(REFUND, "cus_001")
    assert found.amount == 500
    assert await stripe_world.call(REFUND, "cus_001", **asked) == found
    assert len(await stripe_world.refunds()) == 1


async def test_a_refund_that_never_arrived_is_not_found_and_can_be_sent_again(stripe_world):
    asked = {"invoice_id": await stripe_world.invoice_id("0041"), "amount": 500, "reason": "other"}
    stripe_world.line.mishaps.append(("POST /v1/refunds", "lose_request"))
    with pytest.raises(BackendTimeout):
        await stripe_world.call(REFUND, "cus_001", **asked)
    assert await stripe_world.read_back(REFUND, "cus_001") is None
    await stripe_world.call(REFUND, "cus_001", **asked)
    assert len(await stripe_world.refunds()) == 1


async def test_the_same_key_with_other_arguments_is_refused(stripe_world):
    asked = {"invoice_id": await stripe_world.invoice_id("0041"), "reason": "other"}
    await stripe_world.call(REFUND, "cus_001", amount=500, **asked)
    with pytest.raises(BackendRefused, match="another request"):
        await stripe_world.call(REFUND, "cus_001", amount=600, **asked)
    assert len(await stripe_world.refunds()) == 1


async def test_more_than_was_paid_does_not_go_back(stripe_world):
    invoice_id = await stripe_world.invoice_id("0041")
    with pytest.raises(BackendRefused, match=r"more than the 29\.00 EUR"):
        await stripe_world.call(REFUND, "cus_001", invoice_id=invoice_id, amount=2_901, reason="other")
    await stripe_world.call(REFUND, "cus_001", invoice_id=invoice_id, amount=2_000, reason="other")
    with pytest.raises(BackendRefused, match=r"more than the 9\.00 EUR"):
        await stripe_world.call(REFUND, "cus_001", "key-2", invoice_id=invoice_id, amount=1_000, reason="other")
    assert stripe_world.line.passed.count("POST /v1/refunds") == 1


async def test_one_refund_is_of_one_payment(stripe_world):
    invoice_id = await stripe_world.invoice_id("0042")
    (twice,) = (await stripe_world.call("billing.find_duplicates", "cus_001")).duplicates
    with pytest.raises(BackendRefused, match="on its own"):
        await stripe_world.call(REFUND, "cus_001", invoice_id=invoice_id, amount=5_800, reason="duplicate")
    asked = {"invoice_id": invoice_id, "amount": 2_900, "reason": "duplicate", "payment_id": twice.payment_id}
    await stripe_world.call(REFUND, "cus_001", **asked)
    (made,) = await stripe_world.refunds()
    assert made.charge == twice.payment_id
    with pytest.raises(NoSuchRecord):
        await stripe_world.call(REFUND, "cus_001", "key-2", **asked | {"payment_id": "ch_elsewhere"})


async def test_another_customers_invoice_is_out_of_reach(stripe_world):
    theirs = await stripe_world.invoice_id("0204", "cus_002")
    for tool, more in (
        ("billing.get_invoice", {}),
        (REFUND, {"amount": 100, "reason": "other"}),
        ("billing.send_invoice_copy", {}),
    ):
        with pytest.raises(NoSuchRecord):
            await stripe_world.call(tool, "cus_001", invoice_id=theirs, **more)
        touched = await stripe_world.touched(tool, "cus_001", invoice_id=theirs, **more)
        assert touched.owner == "cus_002"
    assert await stripe_world.refunds() == []
    assert not [line for line in stripe_world.line.passed if line.startswith("POST")]


async def test_a_key_is_not_shared_between_customers(stripe_world):
    invoice_id = await stripe_world.invoice_id("0041")
    await stripe_world.call(REFUND, "cus_001", invoice_id=invoice_id, amount=500, reason="other")
    assert await stripe_world.read_back(REFUND, "cus_002") is None


async def test_unknown_invoices_and_customers_are_not_found(stripe_world):
    with pytest.raises(NoSuchRecord):
        await stripe_world.call("billing.get_invoice", "cus_001", invoice_id="in_nowhere")
    assert await stripe_world.touched("billing.get_invoice", "cus_001", invoice_id="in_nowhere") is None
    with pytest.raises(NoSuchRecord):
        await stripe_world.call("billing.list_invoices", "cus_999")


async def test_a_customer_is_found_by_search_where_there_is_one(stripe_world):
    (record,) = [
        customer
        for customer in (await stripe_world.api.customers.list_async()).data
        if customer.metadata["handrail_customer"] == "cus_002"
    ]
    found = {"object": "search_result", "data": [record.to_dict()], "has_more": False, "url": "/v1/customers/search"}
    stripe_world.line.canned["GET /v1/customers/search"] = json.dumps(found).encode()
    assert len((await stripe_world.call("billing.list_invoices", "cus_002")).invoices) == 4
    assert "GET /v1/customers" not in stripe_world.line.passed
    with pytest.raises(NoSuchRecord):  # a search that returns somebody else finds nobody
        await stripe_world.call("billing.list_invoices", "cus_001")


async def test_a_customer_whom_stripe_knows_twice_is_nobody(stripe_world):
    await stripe_world.api.customers.create_async({"metadata": {"handrail_customer": "cus_002"}})
    with pytest.raises(BackendRefused, match="2 customers"):
        await stripe_world.call("billing.list_invoices", "cus_002")


async def test_an_invoice_copy_is_sent_to_the_address_on_record_and_noted(stripe_world):
    asked = {"invoice_id": await stripe_world.invoice_id("0041")}
    sent = await stripe_world.call("billing.send_invoice_copy", "cus_001", **asked)
    assert (sent.sent_to, sent.number) == ("marta.keller@brightwater-ceramics.example", "0041")
    assert await stripe_world.call("billing.send_invoice_copy", "cus_001", **asked) == sent
    assert await stripe_world.read_back("billing.send_invoice_copy", "cus_001") == sent
    assert [line for line in stripe_world.line.passed if line.endswith("/send")] == [
        f"POST /v1/invoices/{asked['invoice_id']}/send"
    ]


async def test_a_server_that_does_not_answer_in_time_leaves_it_unknown(stripe_world):
    asked = {"invoice_id": await stripe_world.invoice_id("0041"), "amount": 500, "reason": "other"}
    tools = {
        tool.name: tool
        for tool in stripe_billing_tools(stripe_world.secret, base_url=stripe_world.line.url, seconds=0.5)
    }
    stripe_world.line.mishaps.append(("POST /v1/refunds", "keep_waiting"))
    with pytest.raises(BackendTimeout, match=r"0\.5 seconds|lost"):
        await tools[REFUND].call("cus_001", tools[REFUND].arguments.model_validate(asked), "key-1")
    assert (await stripe_world.read_back(REFUND, "cus_001")).amount == 500


async def test_a_server_that_cannot_be_reached_has_not_acted():
    tools = {
        tool.name: tool for tool in stripe_billing_tools("sk_test_nobody", base_url="http://127.0.0.1:1", seconds=2)
    }
    with pytest.raises(BackendUnavailable):
        await tools["billing.list_invoices"].call("cus_001", None, "")


async def test_a_key_that_stripe_does_not_take_is_a_refusal(stripe_world):
    tools = {tool.name: tool for tool in stripe_billing_tools("no_secret", base_url=stripe_world.line.url)}
    with pytest.raises(BackendRefused):
        await tools["billing.list_invoices"].call("cus_001", None, "")
