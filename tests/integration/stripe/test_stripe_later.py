"""A smaller plan begins with the next period, and leaving a trial begins the first: at Stripe as in the sandbox."""

import pytest
from stripe_world import StripeWorld, called

from tools.errors import BackendRefused, BackendTimeout

CHANGE = "billing.change_plan"
SMALLER = {"plan": "team"}


@pytest.fixture
def customers() -> tuple[str, ...]:
    """cus_040 may move to a smaller plan, cus_041 runs too much for it, cus_006 is on trial."""
    return "cus_040", "cus_041", "cus_006"


async def held(world: StripeWorld, customer: str = "cus_040") -> dict:
    return (await world.call("billing.get_subscription", customer)).model_dump()


@pytest.mark.parametrize("customer", ["cus_040", "cus_041"])
@pytest.mark.parametrize("plan", ["team", "starter", "trial", "business", "enterprise"])
async def test_what_a_change_would_mean_is_told_as_in_the_sandbox(stripe_world, customer, plan):
    seen = await stripe_world.call("billing.preview_plan_change", customer, plan=plan)
    expected = await called(stripe_world.sandbox, "billing.preview_plan_change", customer, plan=plan)
    assert abs(seen.due_now - expected.due_now) <= 1
    assert seen == expected.model_copy(update={"due_now": seen.due_now})


async def test_a_smaller_plan_is_arranged_once_and_begins_with_the_next_period(stripe_world):
    before = await held(stripe_world)
    first = await stripe_world.call(CHANGE, "cus_040", **SMALLER)
    assert first == await called(stripe_world.sandbox, CHANGE, "cus_040", **SMALLER)
    assert await stripe_world.call(CHANGE, "cus_040", **SMALLER) == first
    assert await stripe_world.read_back(CHANGE, "cus_040") == first
    assert await held(stripe_world) == before
    (subscription,) = (await stripe_world.subscriptions("cus_040")).data
    schedule = await stripe_world.api.subscription_schedules.retrieve_async(str(subscription.schedule))
    assert [phase["items"][0].price for phase in schedule.phases] == ["business-eur", "team-eur"]
    assert schedule.phases[0].end_date == subscription.to_dict()["current_period_end"]


async def test_while_a_change_is_arranged_people_make_any_other(stripe_world):
    await stripe_world.call(CHANGE, "cus_040", **SMALLER)
    for tool, arguments in (
        (CHANGE, {"plan": "enterprise"}),
        ("billing.add_seats", {"count": 1}),
        ("billing.cancel_subscription", {"reason": "other"}),
    ):
        with pytest.raises(BackendRefused, match="arranged already"):
            await stripe_world.call(tool, "cus_040", "key-2", **arguments)


@pytest.mark.parametrize("request_line", ["POST /v1/subscription_schedules ", "POST /v1/subscription_schedules/"])
@pytest.mark.parametrize("mishap", ["lose_request", "lose_answer"])
async def test_what_was_interrupted_is_found_or_finished(stripe_world, request_line, mishap):
    stripe_world.line.mishaps.append((request_line.strip(), mishap))
    with pytest.raises(BackendTimeout):
        await stripe_world.call(CHANGE, "cus_040", **SMALLER)
    found = await stripe_world.read_back(CHANGE, "cus_040")
    done = await stripe_world.call(CHANGE, "cus_040", **SMALLER)
    assert found in (None, done)
    made = [line for line in stripe_world.line.passed if line == "POST /v1/subscription_schedules"]
    assert len(made) == 1
    assert await stripe_world.read_back(CHANGE, "cus_040") == done


async def test_a_change_that_was_called_off_can_be_arranged_again(stripe_world):
    done = await stripe_world.call(CHANGE, "cus_040", **SMALLER)
    undo = stripe_world.registry.get(CHANGE).effect.undo
    undone = await undo("cus_040", "key-1", "key-2")
    assert undone.undoes == done.change_id
    assert await undo("cus_040", "key-1", "key-2") == undone
    assert (await stripe_world.call(CHANGE, "cus_040", "key-3", **SMALLER)).plan == "team"


async def test_who_leaves_a_trial_pays_the_first_month_at_once(stripe_world):
    preview = await stripe_world.call("billing.preview_plan_change", "cus_006", plan="team")
    assert (preview.possible, preview.due_now) == (True, preview.monthly_then)
    done = await stripe_world.call(CHANGE, "cus_006", plan="team")
    assert await stripe_world.read_back(CHANGE, "cus_006") == done
    after = await held(stripe_world, "cus_006")
    assert (after["plan"], after["status"]) == ("team", "active")
    (first,) = (await stripe_world.call("billing.list_invoices", "cus_006")).invoices
    assert (first.status, first.amount_paid) == ("paid", done.due_now)
    undo = stripe_world.registry.get(CHANGE).effect.undo
    with pytest.raises(BackendRefused, match="cannot be started again"):
        await undo("cus_006", "key-1", "key-2")
