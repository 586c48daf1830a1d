"""What the tools tell and do for the customers of the stories."""

from datetime import UTC, datetime

import pytest
from sandbox_world import World

from tools.errors import BackendRefused
from tools.policy import PolicyEngine, PolicyRequest
from tools.sandbox.facts import customer_facts
from tools.tool import IdentityLevel

ENGINE = PolicyEngine.load()


async def verdict(world, tool, customer, level=IdentityLevel.VERIFIED, **arguments):
    """What policy says to a call, with the figures that the gate would pass on."""
    found = world.registry.get(tool)
    given = found.arguments.model_validate(arguments)
    resource = await found.resource(customer, given)
    amount = found.effect.amount(given, resource) if found.effect else None
    minor, currency = amount or (0, "")
    context = {"amount_minor": minor, "currency": currency, "spent_30d_minor": 0, "spent_today_minor": 0}
    return ENGINE.decide(PolicyRequest(customer, level, tool, resource, context))


async def test_a_double_payment_is_found_refunded_and_not_found_again(world):
    [duplicate] = (await world.call("billing.find_duplicates", "cus_001")).duplicates
    assert (duplicate.number, duplicate.amount, duplicate.card_last4) == ("0042", 2_900, "4242")
    arguments = {
        "invoice_id": duplicate.invoice_id,
        "amount": duplicate.amount,
        "reason": "duplicate",
        "payment_id": duplicate.payment_id,
    }
    assert (await verdict(world, "billing.refund", "cus_001", **arguments)).allowed
    refund = await world.call("billing.refund", "cus_001", **arguments)
    assert (refund.amount, refund.currency, refund.arrives_in) == (2_900, "EUR", "5 to 10 business days")
    assert (await world.call("billing.find_duplicates", "cus_001")).duplicates == []
    assert (await world.call("billing.get_invoice", "cus_001", invoice_id="in_0042")).refundable == 2_900


async def test_a_duplicate_that_went_back_is_no_duplicate(world):
    assert (await world.call("billing.find_duplicates", "cus_014")).duplicates == []


async def test_a_large_duplicate_needs_approval(world):
    [duplicate] = (await world.call("billing.find_duplicates", "cus_043")).duplicates
    arguments = {"invoice_id": duplicate.invoice_id, "amount": duplicate.amount, "reason": "duplicate"}
    assert (await verdict(world, "billing.refund", "cus_043", **arguments)).needs_approval


@pytest.mark.parametrize(
    ("customer", "invoice", "status"),
    [("cus_015", "in_1504", "open"), ("cus_016", "in_1603", "void"), ("cus_012", "in_1203", "overdue")],
)
async def test_what_was_not_paid_cannot_go_back(world, customer, invoice, status):
    arguments = {"invoice_id": invoice, "amount": 100, "reason": "other"}
    assert not (await verdict(world, "billing.refund", customer, **arguments)).allowed
    with pytest.raises(BackendRefused, match=status):
        await world.call("billing.refund", customer, **arguments)


async def test_three_more_seats_cost_the_rest_of_the_month_now(world):
    preview = await world.call("billing.preview_seats", "cus_002", count=3, direction="add")
    assert preview.monthly_difference == 3_600
    assert preview.due_now == 1_974  # 17 of January's 31 days
    assert (preview.seats_now, preview.seats_then, preview.possible) == (29, 32, True)


async def test_seats_in_use_cannot_be_removed(world):
    preview = await world.call("billing.preview_seats", "cus_032", count=1, direction="remove")
    assert (preview.possible, preview.blocker) == (False, "15 of the 15 seats are in use")
    assert not (await verdict(world, "billing.remove_seats", "cus_032", count=1)).allowed
    with pytest.raises(BackendRefused, match="in use"):
        await world.call("billing.remove_seats", "cus_032", count=1)


async def test_an_upgrade_begins_at_once_and_a_downgrade_with_the_next_period(world):
    up = await world.call("billing.preview_plan_change", "cus_042", plan="team")
    assert (up.direction, up.effective_on, up.monthly_now, up.monthly_then) == ("upgrade", "2026-01-15", 4_500, 9_450)
    down = await world.call("billing.preview_plan_change", "cus_040", plan="team")
    assert (down.direction, down.effective_on, down.due_now) == ("downgrade", "2026-02-01", 0)
    await world.call("billing.change_plan", "cus_040", plan="team")
    assert (await world.call("billing.get_subscription", "cus_040")).plan == "business"


async def test_a_downgrade_that_does_not_fit_says_why(world):
    preview = await world.call("billing.preview_plan_change", "cus_041", plan="team")
    assert preview.blocker == "the team plan has at most 50 seats and you have 90"
    assert not (await verdict(world, "billing.change_plan", "cus_041", plan="team")).allowed


async def test_a_plan_that_does_not_exist_is_not_possible(world):
    assert not (await world.call("billing.preview_plan_change", "cus_042", plan="platinum")).possible


async def test_a_trial_becomes_a_paid_subscription_with_its_upgrade(world):
    await world.call("billing.change_plan", "cus_011", plan="starter")
    subscription = await world.call("billing.get_subscription", "cus_011")
    assert (subscription.status, subscription.plan, subscription.renews_on) == ("active", "starter", "2026-02-01")


async def test_the_discount_for_staying_takes_back_an_arranged_end_and_is_given_once(world):
    offer = await world.call("billing.get_retention_offer", "cus_038")
    assert (offer.available, offer.percent, offer.months) == (True, 20, 3)
    await world.call("billing.accept_retention_offer", "cus_038", offer_id=offer.offer_id)
    subscription = await world.call("billing.get_subscription", "cus_038")
    assert (subscription.cancel_at, subscription.monthly_total) == (None, 1_536)
    assert not (await world.call("billing.get_retention_offer", "cus_038")).available
    assert not (await world.call("billing.get_retention_offer", "cus_037")).available


async def test_a_credit_is_owed_once_for_a_month_under_the_promise(world):
    sla = await world.call("contracts.get_sla", "cus_017")
    month = sla.months[0]
    assert (sla.promised_percent, month.measured_percent, month.credit_due) == ("99.90", "99.60", 8_700)
    arguments = {"month": month.month, "amount": month.credit_due}
    assert (await verdict(world, "billing.apply_sla_credit", "cus_017", **arguments)).allowed
    await world.call("billing.apply_sla_credit", "cus_017", **arguments)
    assert (await world.call("contracts.get_sla", "cus_017")).months[0].credited
    assert not (await verdict(world, "billing.apply_sla_credit", "cus_017", **arguments)).allowed


async def test_large_credits_need_approval_and_given_ones_are_not_given_again(world):
    large = (await world.call("contracts.get_sla", "cus_018")).months[0]
    arguments = {"month": large.month, "amount": large.credit_due}
    assert (await verdict(world, "billing.apply_sla_credit", "cus_018", **arguments)).needs_approval
    given = (await world.call("contracts.get_sla", "cus_045")).months[0]
    arguments = {"month": given.month, "amount": given.credit_due}
    assert (await verdict(world, "billing.apply_sla_credit", "cus_045", **arguments)).policies == ["sla-credit-once"]


async def test_a_disputed_contract_missed_its_promise_three_months_running(world):
    sla = await world.call("contracts.get_sla", "cus_003")
    assert [month.measured_percent for month in sla.months] == ["98.90", "99.40", "99.20"]
    assert all(month.breached and not month.credited for month in sla.months)


async def test_without_a_contract_there_is_no_promise(world):
    sla = await world.call("contracts.get_sla", "cus_001")
    assert (sla.contract_id, sla.months) == ("", [])


async def test_service_comes_back_once_paid_and_not_before(world):
    assert (await verdict(world, "provisioning.restore_service", "cus_013")).allowed
    restored = await world.call("provisioning.restore_service", "cus_013")
    assert (restored.status, restored.resources_running) == ("active", 2)
    assert not (await verdict(world, "provisioning.restore_service", "cus_012")).allowed
    with pytest.raises(BackendRefused, match="overdue"):
        await world.call("provisioning.restore_service", "cus_012", "key-2")


async def test_what_others_depend_on_is_not_deleted_and_the_rest_is(world):
    refused = await verdict(world, "provisioning.delete_resource", "cus_026", resource_id="res_2601")
    assert refused.policies == ["delete-nothing-others-need"]
    await world.call("provisioning.delete_resource", "cus_026", resource_id="res_2603")
    await world.call("provisioning.delete_resource", "cus_026", "key-2", resource_id="res_2604")
    assert (await verdict(world, "provisioning.delete_resource", "cus_026", resource_id="res_2601")).allowed


async def test_what_the_plan_does_not_offer_is_not_created(world):
    wanted = {"kind": "cluster", "region": "eu-west", "size": "small", "name": "web"}
    assert (await verdict(world, "provisioning.create_resource", "cus_007", **wanted)).policies == [
        "create-within-the-plan"
    ]
    with pytest.raises(BackendRefused, match="has no kind cluster"):
        await world.call("provisioning.create_resource", "cus_007", **wanted)


async def test_an_expensive_resource_needs_approval(world):
    wanted = {"kind": "cluster", "region": "eu-west", "size": "large", "name": "web"}
    assert (await verdict(world, "provisioning.create_resource", "cus_009", **wanted)).needs_approval


async def test_the_only_administrator_stays_one(world):
    arguments = {"user_id": "usr_4901", "role": "member"}
    refused = await verdict(world, "access.change_role", "cus_049", IdentityLevel.STEPPED_UP, **arguments)
    assert refused.policies == ["keep-the-last-administrator"]
    with pytest.raises(BackendRefused, match="only administrator"):
        await world.call("access.change_role", "cus_049", **arguments)
    assert (await verdict(world, "access.change_role", "cus_055", user_id="usr_5501", role="member")).allowed


async def test_quotas_tell_who_is_over_and_who_is_near(world):
    over = {quota.metric: quota.percent for quota in (await world.call("provisioning.get_quota", "cus_024")).quotas}
    near = {quota.metric: quota.percent for quota in (await world.call("provisioning.get_quota", "cus_025")).quotas}
    assert over["api_calls"] == 112
    assert near["storage"] == 93


async def test_incidents_are_shown_to_those_they_touch(world):
    [now] = (await world.call("status.list_incidents", "cus_046")).incidents
    assert (now.status, now.ended_at) == ("identified", None)
    assert (await world.call("status.list_incidents", "cus_007")).incidents == []


async def test_documents_follow_the_plan(world):
    kinds = {document.kind for document in (await world.call("documents.list_available", "cus_006")).documents}
    assert kinds == {"security_overview", "data_processing"}
    assert await world.touched("documents.send_compliance_document", "cus_006", kind="tax_statement") is None
    sent = await world.call("documents.send_compliance_document", "cus_035", kind="tax_statement")
    assert len(sent.sha256) == 64


async def test_what_triage_needs_to_know_is_told_apart_from_what_a_model_sees(world):
    facts = await customer_facts(world.backend)("cus_012")
    assert (facts["plan"], facts["overdue_invoices"], facts["status"]) == ("team", 1, "suspended")
    profile = await world.call("customer.get_profile", "cus_012")
    assert not {"churn_risk", "yearly_value_minor", "situation"} & set(type(profile).model_fields)


@pytest.mark.parametrize("day", [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, tzinfo=UTC)])
async def test_seats_are_charged_for_at_least_a_day_and_at_most_a_month(tmp_path, day):
    world = await World.open(tmp_path / "sandbox.db", clock=lambda: day)
    preview = await world.call("billing.preview_seats", "cus_002", count=1, direction="add")
    assert 0 < preview.due_now <= preview.monthly_difference
    await world.backend.close()
