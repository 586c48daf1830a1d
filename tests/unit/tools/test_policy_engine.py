"""What the policies permit, and how the engine explains itself."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.policy import POLICY_FOLDER, PolicyEngine, PolicyError, PolicyRequest, decision_milliseconds, statements
from tools.tool import IdentityLevel, Resource

ENGINE = PolicyEngine.load()
VERIFIED, STEPPED_UP, CLAIMED = IdentityLevel.VERIFIED, IdentityLevel.STEPPED_UP, IdentityLevel.CLAIMED

INVOICE = {
    "status": "paid",
    "currency": "EUR",
    "refundable": 60_000,
    "duplicate": False,
    "duplicate_amount": 0,
    "paid_days_ago": 3,
}
SUBSCRIPTION = {
    "plan": "team",
    "status": "active",
    "currency": "EUR",
    "seats": 5,
    "seats_used": 3,
    "cancel_scheduled": False,
    "retention_available": True,
    "possible": True,
}
USER = {"role": "member", "locked": False, "is_last_admin": False}
MONEY = {"currency": "EUR", "spent_30d_minor": 0, "spent_today_minor": 0}


def ask(
    tool: str,
    kind: str,
    attributes: dict[str, Any],
    context: dict[str, Any] | None = None,
    level: IdentityLevel = VERIFIED,
    owner: str = "cus_001",
):
    resource = Resource(kind, "some-id", owner, attributes)
    return ENGINE.decide(PolicyRequest("cus_001", level, tool, resource, context or {}))


def refund(
    amount: int, *, spent: int = 0, today: int = 0, approved: bool = False, currency: str = "EUR", **invoice: Any
):
    spending = {"spent_30d_minor": spent, "spent_today_minor": today}
    context = {"amount_minor": amount, **spending, "currency": currency, "approved": approved}
    return ask("billing.refund", "Invoice", {**INVOICE, **invoice}, context)


def test_over_the_house_limit_of_a_day_a_refund_needs_approval():
    assert refund(2_900, today=1_997_100).allowed
    over = refund(2_900, today=1_997_101)
    assert (over.allowed, over.needs_approval) == (False, True)
    assert refund(2_900, today=1_997_101, approved=True).allowed


def test_a_small_refund_of_a_paid_invoice_is_allowed_and_names_its_policy():
    verdict = refund(2_900)
    assert verdict.allowed
    assert verdict.policies == ["refund-own-paid-invoice"]


@pytest.mark.parametrize(
    ("amount", "spent"), [(5_001, 0), (5_000, 5_001), (60_000, 0)], ids=["over 50.00", "over 100.00 in 30 days", "all"]
)
def test_a_refund_over_a_limit_needs_approval_and_is_allowed_with_it(amount: int, spent: int):
    verdict = refund(amount, spent=spent)
    assert (verdict.allowed, verdict.needs_approval) == (False, True)
    assert verdict.policies == ["refund-with-approval"]
    assert refund(amount, spent=spent, approved=True).allowed


def test_a_duplicate_goes_back_up_to_500_and_the_payment_that_stands_does_not_go_with_it():
    assert refund(30_000, duplicate=True, duplicate_amount=30_000).policies == ["refund-own-duplicate"]
    assert refund(30_001, duplicate=True, duplicate_amount=30_000).needs_approval
    assert refund(50_001, duplicate=True, duplicate_amount=50_001).needs_approval


def test_an_old_payment_needs_approval():
    assert refund(2_900, paid_days_ago=121).needs_approval


@pytest.mark.parametrize(
    ("changes", "policy"),
    [
        ({"status": "open"}, "refund-paid-invoices-only"),
        ({"status": "void"}, "refund-paid-invoices-only"),
        ({"refundable": 2_899}, "refund-within-what-was-paid"),
        ({"currency": "USD"}, "refund-in-the-invoice-currency"),
    ],
)
def test_no_approval_can_allow_what_is_forbidden(changes: dict[str, Any], policy: str):
    context = {"amount_minor": 2_900, **MONEY, "approved": True}
    verdict = ask("billing.refund", "Invoice", {**INVOICE, **changes}, context)
    assert (verdict.allowed, verdict.needs_approval) == (False, False)
    assert policy in verdict.policies


@given(
    amount=st.integers(-(10**9), 10**9),
    refundable=st.integers(0, 10**6),
    spent=st.integers(0, 10**6),
    approved=st.booleans(),
    duplicate=st.booleans(),
)
def test_no_refund_over_what_can_go_back_is_ever_allowed(amount, refundable, spent, approved, duplicate):
    verdict = refund(
        amount, spent=spent, approved=approved, refundable=refundable, duplicate=duplicate, duplicate_amount=refundable
    )
    if verdict.allowed or verdict.needs_approval:
        assert 0 < amount <= refundable
    if verdict.allowed and not approved:
        assert amount + spent <= 50_000


RESOURCES = {
    "Account": {"plan": "team", "status": "suspended", "possible": True, "monthly_price": 1, "overdue_invoices": 0},
    "Invoice": INVOICE,
    "Subscription": {**SUBSCRIPTION, "requested_plan": "business"},
    "User": {**USER, "requested_role": "viewer", "locked": True},
    "Resource": {"kind": "cache", "status": "running", "dependants": 0},
    "SlaMonth": {"currency": "EUR", "credit_due": 100, "credited": False},
    "Document": {"kind": "tax_statement"},
}


def known_actions() -> list[str]:
    text = (POLICY_FOLDER / "schema.cedarschema").read_text()
    declared = text[text.index("\naction") :]
    return [piece for piece in declared.split('"')[1::2] if "." in piece]


@given(
    tool=st.sampled_from(known_actions()),
    kind=st.sampled_from(sorted(RESOURCES)),
    owner=st.text(min_size=1).filter(lambda owner: owner != "cus_001"),
    level=st.sampled_from(list(IdentityLevel)),
    approved=st.booleans(),
)
def test_no_request_for_another_customers_record_is_ever_allowed(tool, kind, owner, level, approved):
    context = {"amount_minor": 100, **MONEY, "approved": approved}
    verdict = ask(tool, kind, RESOURCES[kind], context, level, owner)
    assert not verdict.allowed
    assert not verdict.needs_approval
    assert verdict.needs_level is None


@given(tool=st.sampled_from(known_actions()), kind=st.sampled_from(sorted(RESOURCES)))
def test_nobody_anonymous_is_told_or_given_anything(tool, kind):
    verdict = ask(tool, kind, RESOURCES[kind], {"amount_minor": 100, **MONEY}, IdentityLevel.ANONYMOUS)
    assert not verdict.allowed


def test_records_are_read_by_the_verified_and_incidents_by_the_claimed():
    account = RESOURCES["Account"]
    assert ask("billing.list_invoices", "Account", account).allowed
    denied = ask("billing.list_invoices", "Account", account, level=CLAIMED)
    assert (denied.allowed, denied.needs_level) == (False, VERIFIED)
    assert ask("status.list_incidents", "Account", account, level=CLAIMED).allowed


def test_an_unknown_tool_is_denied():
    verdict = ask("billing.give_everything", "Account", RESOURCES["Account"])
    assert verdict.policies == ["default-deny"]


def test_a_powerful_role_takes_a_fresh_code_or_a_persons_approval():
    attributes = {**USER, "requested_role": "admin"}
    verified = ask("access.change_role", "User", attributes)
    assert (verified.allowed, verified.needs_approval, verified.needs_level) == (False, True, STEPPED_UP)
    assert ask("access.change_role", "User", attributes, level=STEPPED_UP).allowed
    assert ask("access.change_role", "User", {**USER, "requested_role": "viewer"}).allowed


def test_the_last_administrator_stays_one_whoever_asks():
    attributes = {**USER, "role": "admin", "is_last_admin": True, "requested_role": "member"}
    verdict = ask("access.change_role", "User", attributes, {"approved": True}, STEPPED_UP)
    assert verdict.policies == ["keep-the-last-administrator"]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"requested_plan": "business"}, "allowed"),
        ({"requested_plan": "enterprise"}, "approval"),
        ({"plan": "enterprise", "requested_plan": "business"}, "approval"),
        ({"requested_plan": "business", "status": "past_due"}, "denied"),
        ({"requested_plan": "business", "possible": False}, "denied"),
    ],
)
def test_a_plan_change_depends_on_the_plan_and_on_good_standing(changes: dict[str, Any], outcome: str):
    verdict = ask("billing.change_plan", "Subscription", {**SUBSCRIPTION, **changes})
    assert outcome == ("allowed" if verdict.allowed else "approval" if verdict.needs_approval else "denied")


def test_the_end_of_an_enterprise_subscription_needs_approval_and_is_arranged_once():
    assert ask("billing.cancel_subscription", "Subscription", SUBSCRIPTION).allowed
    assert ask("billing.cancel_subscription", "Subscription", {**SUBSCRIPTION, "plan": "enterprise"}).needs_approval
    again = ask("billing.cancel_subscription", "Subscription", {**SUBSCRIPTION, "cancel_scheduled": True})
    assert again.policies == ["cancel-only-once"]


def test_the_discount_for_staying_is_given_once():
    assert ask("billing.accept_retention_offer", "Subscription", SUBSCRIPTION).allowed
    used = {**SUBSCRIPTION, "retention_available": False}
    assert not ask("billing.accept_retention_offer", "Subscription", used).allowed


def test_a_resource_that_others_need_is_not_deleted():
    verdict = ask("provisioning.delete_resource", "Resource", {**RESOURCES["Resource"], "dependants": 2})
    assert verdict.policies == ["delete-nothing-others-need"]


def test_service_is_restored_only_when_nothing_is_overdue():
    assert ask("provisioning.restore_service", "Account", RESOURCES["Account"]).allowed
    verdict = ask("provisioning.restore_service", "Account", {**RESOURCES["Account"], "overdue_invoices": 1})
    assert "restore-only-when-paid" in verdict.policies


@pytest.mark.parametrize(
    ("due", "amount", "credited", "outcome"),
    [
        (8_700, 8_700, False, "allowed"),
        (64_000, 64_000, False, "approval"),
        (8_700, 8_699, False, "denied"),
        (8_700, 8_700, True, "denied"),
        (0, 0, False, "denied"),
    ],
)
def test_an_sla_credit_is_exactly_what_is_owed(due: int, amount: int, credited: bool, outcome: str):
    month = {"currency": "EUR", "credit_due": due, "credited": credited}
    verdict = ask("billing.apply_sla_credit", "SlaMonth", month, {"amount_minor": amount, **MONEY})
    assert outcome == ("allowed" if verdict.allowed else "approval" if verdict.needs_approval else "denied")


def test_a_missing_figure_denies_instead_of_counting_as_nothing():
    assert not ask("billing.refund", "Invoice", INVOICE, {"amount_minor": 100, "currency": "EUR"}).allowed
    assert not ask("billing.refund", "Invoice", INVOICE, {"spent_30d_minor": 0, "currency": "EUR"}).allowed


def test_a_policy_that_cannot_be_evaluated_denies():
    incomplete = {name: value for name, value in INVOICE.items() if name != "refundable"}
    verdict = ask("billing.refund", "Invoice", incomplete, {"amount_minor": 100, **MONEY})
    assert not verdict.allowed
    assert verdict.policies == ["evaluation-failed"]
    assert ask("billing.refund", "Invoice", INVOICE, {"amount_minor": 1.5, **MONEY}).policies == ["evaluation-failed"]


def test_every_policy_gives_its_reason_in_a_sentence():
    assert all(policy.reason.endswith(".") and len(policy.reason) < 140 for policy in ENGINE.policies.values())


def write(folder: Path, policies: str, schema: str | None = None) -> Path:
    (folder / "schema.cedarschema").write_text(schema or (POLICY_FOLDER / "schema.cedarschema").read_text())
    (folder / "mine.cedar").write_text(policies)
    return folder


@pytest.mark.parametrize(
    ("policies", "place", "complaint"),
    [
        (
            '// first\n\n@id("a")\n@reason("b.")\npermit (principal, action == , resource);',
            "mine.cedar:3",
            "unexpected",
        ),
        (
            '@id("a")\n@reason("b;c.")\npermit (principal, action, resource);\n// two\n'
            '@id("d")\n@reason("e.")\nforbid (principal, action == Action::"billing.refund", resource)\n'
            "when { resource.colour };",
            "mine.cedar:5",
            "colour",
        ),
        ("permit (principal, action, resource);", "mine.cedar:1", "@id"),
        (
            '@id("a")\n@reason("b.")\npermit (principal, action, resource);\n'
            '@id("a")\n@reason("b.")\npermit (principal, action, resource);',
            "mine.cedar:4",
            "taken",
        ),
        (
            '@id("a")\n@reason("b.")\nforbid (principal, action in Action::"billing.refund", resource);',
            "mine.cedar:1",
            "name each tool",
        ),
    ],
    ids=["syntax", "schema", "no id", "id twice", "a group of actions"],
)
def test_a_policy_that_cannot_be_used_is_named_with_file_and_line(tmp_path, policies, place, complaint):
    with pytest.raises(PolicyError) as refused:
        PolicyEngine.load(write(tmp_path, policies))
    assert place in str(refused.value)
    assert complaint in str(refused.value)


def test_a_schema_that_cannot_be_used_is_named_with_file_and_line(tmp_path):
    with pytest.raises(PolicyError, match=r"schema\.cedarschema:2: .*Strin"):
        PolicyEngine.load(write(tmp_path, "", "entity Customer;\nentity Agent = { customer: Strin };"))


def test_policies_are_cut_at_semicolons_outside_texts_and_comments():
    text = '@reason("a; b // c")\npermit (principal, action, resource); // d;\n\nforbid (principal, action, resource);'
    assert [line for line, _ in statements(text)] == [1, 4]


def test_the_time_of_a_decision_is_measured():
    times = decision_milliseconds(ENGINE, 20)
    assert 0 < times["p50"] <= times["p95"]
