"""Credits for missed uptime, the discount for staying and the link for a new card: as in the sandbox, once each."""

import pytest
from stripe_world import StripeWorld, called

from tools.errors import BackendRefused, BackendTimeout, NoSuchRecord

CREDIT, ACCEPT, LINK = "billing.apply_sla_credit", "billing.accept_retention_offer", "billing.send_payment_update_link"
OWED = {"month": "2025-12", "amount": 8_700}


@pytest.fixture
def customers() -> tuple[str, ...]:
    """cus_017 is owed a credit, cus_045 has had it; cus_037 has had the discount, cus_010 gets none."""
    return "cus_001", "cus_017", "cus_045", "cus_037", "cus_010"


async def offer(world: StripeWorld, customer: str = "cus_001") -> dict:
    return (await world.call("billing.get_retention_offer", customer)).model_dump()


@pytest.mark.parametrize("customer", ["cus_017", "cus_045", "cus_001"])
async def test_missed_uptime_reads_as_in_the_sandbox(stripe_world, customer):
    seen = await stripe_world.call("contracts.get_sla", customer)
    assert seen == await called(stripe_world.sandbox, "contracts.get_sla", customer)


async def test_a_credit_comes_off_the_next_invoice_once(stripe_world):
    first = await stripe_world.call(CREDIT, "cus_017", **OWED)
    assert (first.amount, first.currency, first.month) == (8_700, "EUR", "2025-12")
    assert await stripe_world.call(CREDIT, "cus_017", **OWED) == first
    assert await stripe_world.read_back(CREDIT, "cus_017") == first
    (booked,) = await stripe_world.booked("cus_017")
    assert booked.ending_balance == -8_700
    (missed,) = [m for m in (await stripe_world.call("contracts.get_sla", "cus_017")).months if m.breached]
    assert missed.credited
    with pytest.raises(BackendRefused, match="given already"):
        await stripe_world.call(CREDIT, "cus_017", "key-2", **OWED)


async def test_nothing_but_what_is_owed_is_credited(stripe_world):
    with pytest.raises(BackendRefused, match=r"87\.00 EUR"):
        await stripe_world.call(CREDIT, "cus_017", month="2025-12", amount=8_701)
    with pytest.raises(NoSuchRecord):
        await stripe_world.call(CREDIT, "cus_017", month="2020-01", amount=8_700)
    due = (await stripe_world.call("contracts.get_sla", "cus_045")).months[0].credit_due
    with pytest.raises(BackendRefused, match="given already"):
        await stripe_world.call(CREDIT, "cus_045", month="2025-12", amount=due)
    assert await stripe_world.booked("cus_017") == []


async def test_a_credit_that_was_taken_back_leaves_nothing_and_can_be_given_again(stripe_world):
    done = await stripe_world.call(CREDIT, "cus_017", **OWED)
    undo = stripe_world.registry.get(CREDIT).effect.undo
    undone = await undo("cus_017", "key-1", "key-2")
    assert undone.credit_id == done.credit_id
    assert await undo("cus_017", "key-1", "key-2") == undone
    with pytest.raises(BackendRefused, match="taken back already"):
        await undo("cus_017", "key-1", "key-3")
    assert [booked.amount for booked in await stripe_world.booked("cus_017")] == [8_700, -8_700]
    await stripe_world.call(CREDIT, "cus_017", "key-4", **OWED)


async def test_who_may_have_the_discount_is_as_in_the_sandbox(stripe_world):
    for customer in ("cus_001", "cus_037", "cus_010"):
        expected = await called(stripe_world.sandbox, "billing.get_retention_offer", customer)
        assert stripe_world.names.as_recorded(await offer(stripe_world, customer)) == expected.model_dump()


async def test_the_discount_is_given_once(stripe_world):
    wanted = {"offer_id": (await offer(stripe_world))["offer_id"]}
    first = await stripe_world.call(ACCEPT, "cus_001", **wanted)
    assert (first.percent, first.months) == (20, 3)
    assert await stripe_world.call(ACCEPT, "cus_001", **wanted) == first
    assert await stripe_world.read_back(ACCEPT, "cus_001") == first
    held = await stripe_world.call("billing.get_subscription", "cus_001")
    assert held.monthly_total == first.monthly_total == held.price_per_seat * held.seats * 80 // 100
    assert not (await offer(stripe_world))["available"]
    with pytest.raises(BackendRefused, match="not available"):
        await stripe_world.call(ACCEPT, "cus_001", "key-2", **wanted)


async def test_who_stays_is_no_longer_cancelled_and_the_discount_can_be_taken_back(stripe_world):
    await stripe_world.call("billing.cancel_subscription", "cus_001", "key-0", reason="other")
    await stripe_world.call(ACCEPT, "cus_001", offer_id=(await offer(stripe_world))["offer_id"])
    assert (await stripe_world.call("billing.get_subscription", "cus_001")).cancel_at is None
    undo = stripe_world.registry.get(ACCEPT).effect.undo
    undone = await undo("cus_001", "key-1", "key-2")
    assert await undo("cus_001", "key-1", "key-2") == undone
    held = await stripe_world.call("billing.get_subscription", "cus_001")
    assert held.cancel_at is not None
    assert held.monthly_total == held.price_per_seat * held.seats
    assert (await offer(stripe_world))["available"]


async def test_the_discount_whose_answer_was_lost_is_found(stripe_world):
    wanted = {"offer_id": (await offer(stripe_world))["offer_id"]}
    stripe_world.line.mishaps.append(("POST /v1/subscriptions/", "lose_answer"))
    with pytest.raises(BackendTimeout):
        await stripe_world.call(ACCEPT, "cus_001", **wanted)
    assert (await stripe_world.read_back(ACCEPT, "cus_001")).percent == 20


async def test_the_link_for_a_new_card_is_stripes_own_and_goes_to_the_address_on_record_once(stripe_world):
    sent = await stripe_world.call(LINK, "cus_001")
    address = "marta.keller@brightwater-ceramics.example"
    assert sent.sent_to == address
    assert sent.link == f"https://billing.stripe.example/p/login/test?prefilled_email={address.replace('@', '%40')}"
    assert await stripe_world.call(LINK, "cus_001") == sent
    assert await stripe_world.read_back(LINK, "cus_001") == sent
    assert await stripe_world.read_back(LINK, "cus_017") is None


async def test_without_a_login_page_no_link_is_sent(stripe_world):
    stripe_world.line.canned["GET /v1/billing_portal"] = b'{"object": "list", "data": [], "has_more": false}'
    with pytest.raises(BackendRefused, match="switched off"):
        await stripe_world.call(LINK, "cus_001")
    assert await stripe_world.read_back(LINK, "cus_001") is None
