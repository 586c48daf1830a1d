"""Plan, seats and cancellation at Stripe: as the sandbox tells them, and once each."""

import pytest
from stripe_world import StripeWorld, called

from tools.errors import BackendRefused, BackendTimeout, NoSuchRecord

CHANGES = [
    ("billing.add_seats", "cus_002", {"count": 3}),
    ("billing.remove_seats", "cus_002", {"count": 2}),
    ("billing.change_plan", "cus_001", {"plan": "team"}),
    ("billing.cancel_subscription", "cus_002", {"reason": "switching"}),
]
every_change = pytest.mark.parametrize(("tool", "customer", "arguments"), CHANGES, ids=[case[0] for case in CHANGES])


async def held(world: StripeWorld, customer: str) -> dict:
    return (await world.call("billing.get_subscription", customer)).model_dump()


@pytest.mark.parametrize("customer", ["cus_001", "cus_002"])
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("billing.get_subscription", {}),
        ("billing.list_plans", {}),
        ("billing.preview_seats", {"count": 1, "direction": "add"}),
        ("billing.preview_seats", {"count": 1_000, "direction": "add"}),
        ("billing.preview_seats", {"count": 1, "direction": "remove"}),
        ("billing.preview_seats", {"count": 4, "direction": "remove"}),
        ("billing.preview_plan_change", {"plan": "business"}),
        ("billing.preview_plan_change", {"plan": "nonsense"}),
    ],
)
async def test_the_subscription_reads_as_in_the_sandbox(stripe_world, customer, tool, arguments):
    seen = (await stripe_world.call(tool, customer, **arguments)).model_dump(exclude={"subscription_id"})
    expected = (await called(stripe_world.sandbox, tool, customer, **arguments)).model_dump(exclude={"subscription_id"})
    # Stripe rounds what it gives back and what it charges each on its own
    assert abs(seen.pop("due_now", 0) - expected.pop("due_now", 0)) <= 1
    assert seen == expected


@every_change
async def test_a_subscription_is_described_to_the_policies_as_in_the_sandbox(stripe_world, tool, customer, arguments):
    touched = await stripe_world.touched(tool, customer, **arguments)
    sandboxed = stripe_world.sandbox.get(tool)
    expected = await sandboxed.resource(customer, sandboxed.arguments.model_validate(arguments))
    assert touched.attributes == expected.attributes
    assert (touched.type, touched.owner) == ("Subscription", customer)


@every_change
async def test_a_change_is_made_once_and_answered_as_in_the_sandbox(stripe_world, tool, customer, arguments):
    first = await stripe_world.call(tool, customer, **arguments)
    after = await held(stripe_world, customer)
    assert await stripe_world.call(tool, customer, **arguments) == first
    assert await stripe_world.read_back(tool, customer) == first
    assert await held(stripe_world, customer) == after
    assert first == await called(stripe_world.sandbox, tool, customer, **arguments)
    expected = (await called(stripe_world.sandbox, "billing.get_subscription", customer)).model_dump()
    assert {**after, "subscription_id": ""} == {**expected, "subscription_id": ""}


@every_change
async def test_a_change_whose_answer_was_lost_is_found_and_not_repeated(stripe_world, tool, customer, arguments):
    stripe_world.line.mishaps.append(("POST /v1/subscriptions/", "lose_answer"))
    with pytest.raises(BackendTimeout):
        await stripe_world.call(tool, customer, **arguments)
    after = await held(stripe_world, customer)
    found = await stripe_world.read_back(tool, customer)
    assert found is not None
    assert await stripe_world.call(tool, customer, **arguments) == found
    assert await held(stripe_world, customer) == after


@every_change
async def test_a_change_that_never_arrived_is_not_found_and_can_be_sent_again(stripe_world, tool, customer, arguments):
    before = await held(stripe_world, customer)
    stripe_world.line.mishaps.append(("POST /v1/subscriptions/", "lose_request"))
    with pytest.raises(BackendTimeout):
        await stripe_world.call(tool, customer, **arguments)
    assert await stripe_world.read_back(tool, customer) is None
    assert await held(stripe_world, customer) == before
    done = await stripe_world.call(tool, customer, **arguments)
    assert await stripe_world.read_back(tool, customer) == done


@every_change
async def test_a_key_with_other_arguments_is_refused(stripe_world, tool, customer, arguments):
    await stripe_world.call(tool, customer, **arguments)
    other = (
        {"count": 1} if "count" in arguments else {"plan": "business"} if "plan" in arguments else {"reason": "other"}
    )
    with pytest.raises(BackendRefused, match="another request"):
        await stripe_world.call(tool, customer, **other)


async def test_the_latest_twenty_changes_can_be_read_back(stripe_world):
    keys = [f"{number:040d}" for number in range(21)]
    for key in keys:
        await stripe_world.call("billing.add_seats", "cus_002", key, count=1)
    found = [await stripe_world.read_back("billing.add_seats", "cus_002", key) for key in keys]
    assert found[0] is None
    assert [change.seats for change in found[1:]] == list(range(31, 51))


async def test_seats_in_use_stay(stripe_world):
    with pytest.raises(BackendRefused, match="26 of the 29 seats are in use"):
        await stripe_world.call("billing.remove_seats", "cus_002", count=4)
    assert (await held(stripe_world, "cus_002"))["seats"] == 29


async def test_a_cancelled_subscription_is_not_cancelled_again(stripe_world):
    await stripe_world.call("billing.cancel_subscription", "cus_002", reason="other")
    with pytest.raises(BackendRefused, match="cancelled already"):
        await stripe_world.call("billing.cancel_subscription", "cus_002", "key-2", reason="other")


@every_change
async def test_what_was_taken_back_is_as_before(stripe_world, tool, customer, arguments):
    before = await held(stripe_world, customer)
    done = await stripe_world.call(tool, customer, **arguments)
    undo = stripe_world.registry.get(tool).effect.undo
    undone = await undo(customer, "key-1", "key-2")
    assert undone.undoes == done.change_id
    assert await held(stripe_world, customer) == before
    assert await undo(customer, "key-1", "key-2") == undone
    assert await held(stripe_world, customer) == before


async def test_what_was_changed_again_is_not_taken_back(stripe_world):
    await stripe_world.call("billing.add_seats", "cus_002", count=2)
    await stripe_world.call("billing.add_seats", "cus_002", "key-2", count=1)
    undo = stripe_world.registry.get("billing.add_seats").effect.undo
    with pytest.raises(BackendRefused, match="changed again"):
        await undo("cus_002", "key-1", "key-3")
    with pytest.raises(NoSuchRecord):
        await undo("cus_002", "key-never-used", "key-4")
