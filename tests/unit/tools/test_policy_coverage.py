"""What a set of policies comes to: who may do what, and which permits nobody reaches."""

from pathlib import Path

import pytest

from tools.policy import POLICY_FOLDER, PolicyError
from tools.policy_coverage import Permission, PolicyReport, examine
from tools.policy_schema import PolicySchema
from tools.tool import IdentityLevel

ANONYMOUS, CLAIMED, VERIFIED, STEPPED_UP = IdentityLevel


@pytest.fixture(scope="module")
def shipped() -> PolicyReport:
    return examine(POLICY_FOLDER)


def may(report: PolicyReport, tool: str, level: IdentityLevel = VERIFIED) -> Permission:
    return next(found.levels[level] for found in report.tools if found.tool == tool)


def policy(policy_id: str, scope: str, condition: str = "", reason: str = "A reason in a sentence.") -> str:
    effect, _, tool = scope.partition(" ")
    when = f" when {{ {condition} }}" if condition else ""
    action = f'action == Action::"{tool}"' if tool else "action"
    return f'@id("{policy_id}")\n@reason("{reason}")\n{effect} (principal, {action}, resource){when};\n'


def written(folder: Path, *policies: str, schema: str | None = None) -> Path:
    (folder / "schema.cedarschema").write_text(schema or (POLICY_FOLDER / "schema.cedarschema").read_text())
    (folder / "mine.cedar").write_text("\n".join(policies))
    return folder


def test_the_policies_in_use_need_no_mending_and_every_permit_can_be_reached(shipped: PolicyReport) -> None:
    assert shipped.ok
    assert (shipped.problems, shipped.unreachable, shipped.undecided) == ([], [], [])
    assert {"billing.refund", "access.change_role"} <= {tool.tool for tool in shipped.tools}


def test_an_anonymous_visitor_may_do_nothing(shipped: PolicyReport) -> None:
    assert {tool.levels[ANONYMOUS].may for tool in shipped.tools} == {"never"}
    assert {tool.tool for tool in shipped.tools if tool.levels[CLAIMED].may != "never"} == {"status.list_incidents"}


def test_a_refund_is_allowed_up_to_a_limit_and_beyond_it_with_approval(shipped: PolicyReport) -> None:
    refund = may(shipped, "billing.refund")
    assert refund.may == "allowed"
    assert "refund-with-approval" in refund.with_approval
    assert refund.limits == {"refund-own-paid-invoice": 5_000, "refund-own-duplicate": 50_000}


def test_a_powerful_role_needs_approval_until_a_fresh_code_was_given(shipped: PolicyReport) -> None:
    assert may(shipped, "access.change_role").with_approval == ["give-powerful-role-with-approval"]
    stepped_up = may(shipped, "access.change_role", STEPPED_UP)
    assert stepped_up.policies == ["give-ordinary-role", "give-powerful-role"]
    assert stepped_up.with_approval == []


def test_the_forbids_that_can_stand_in_the_way_are_named(shipped: PolicyReport) -> None:
    forbids = {tool.tool: set(tool.forbids) for tool in shipped.tools}
    assert forbids["provisioning.delete_resource"] == {"only-own-records", "delete-nothing-others-need"}


def test_what_only_a_person_can_permit_needs_approval(tmp_path: Path) -> None:
    report = examine(written(tmp_path, policy("ask", "permit billing.add_seats", "context.approved")))
    found = may(report, "billing.add_seats", ANONYMOUS)
    assert (found.may, found.policies, found.with_approval) == ("needs approval", [], ["ask"])
    assert may(report, "billing.refund").policies == ["default-deny"]


def test_an_approval_that_only_a_forbid_asks_for_is_seen(tmp_path: Path) -> None:
    forbid = policy("careful", "forbid billing.add_seats", "resource.seats > 10 && !context.approved")
    found = may(examine(written(tmp_path, policy("add", "permit billing.add_seats"), forbid)), "billing.add_seats")
    assert (found.policies, found.with_approval) == (["add"], ["add"])


@pytest.mark.parametrize(
    "condition",
    [
        "context has amount_minor && context.amount_minor > 5000 && context.amount_minor < 100",
        'resource.status == "paid" && resource.status == "open"',
        "context.level > 3",
        "resource.duplicate && !resource.duplicate",
        "context has amount_minor && context.amount_minor < resource.refundable && "
        "resource.refundable < context.amount_minor",
        "false",
    ],
)
def test_a_permit_whose_conditions_never_hold_is_found(tmp_path: Path, condition: str) -> None:
    report = examine(written(tmp_path, policy("dead", "permit billing.refund", condition)))
    assert [(problem.policy, problem.line) for problem in report.unreachable] == [("dead", 1)]
    assert "no request meets its conditions" in report.unreachable[0].says
    assert not report.ok


def test_a_permit_that_is_always_forbidden_is_found_with_what_forbids_it(tmp_path: Path) -> None:
    report = examine(
        written(
            tmp_path,
            policy("large", "permit billing.refund", "context has amount_minor && context.amount_minor > 5000"),
            policy("small", "permit billing.refund", "context has amount_minor && context.amount_minor <= 5000"),
            policy("cap", "forbid billing.refund", "context has amount_minor && context.amount_minor >= 5001"),
        )
    )
    assert [problem.policy for problem in report.unreachable] == ["large"]
    assert "forbidden, as by cap" in report.unreachable[0].says


@pytest.mark.parametrize(
    "condition",
    [
        "context has amount_minor && context.amount_minor == 777 && context.level == 1 && context.approved",
        "context has amount_minor && context has spent_30d_minor && "
        "context.amount_minor > 40 && context.spent_30d_minor + context.amount_minor == 7000",
        "context has amount_minor && context.amount_minor * 3 == 300",
        "!(context has amount_minor)",
        'resource.status like "pa*d" && resource.status != "paid"',
        'if resource.duplicate then resource.paid_days_ago == 17 else resource.currency == "JPY"',
        '["a", "b"].contains(resource.status) && resource.status != "a"',
        "resource.duplicate_amount < resource.refundable && resource.refundable < resource.paid_days_ago",
        'resource.owner == Customer::"cus_777"',
    ],
)
def test_a_permit_that_one_rare_request_reaches_is_not_called_dead(tmp_path: Path, condition: str) -> None:
    report = examine(written(tmp_path, policy("rare", "permit billing.refund", condition)))
    assert report.unreachable == []


def test_what_cannot_be_told_is_said_and_not_called_dead(tmp_path: Path) -> None:
    condition = "resource.paid_days_ago * resource.paid_days_ago == 1000000 && resource.paid_days_ago > 2"
    report = examine(written(tmp_path, policy("square", "permit billing.refund", condition)))
    assert (report.unreachable, [problem.policy for problem in report.undecided]) == ([], ["square"])
    assert report.ok


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('@reason("A good reason.")\npermit (principal, action, resource);', "no @id"),
        ('@id("a")\npermit (principal, action, resource);', "no @reason"),
        (policy("a", "permit", reason="because"), "no sentence"),
        (policy("a", "permit") + policy("a", "permit"), "taken by mine.cedar:1"),
    ],
)
def test_a_policy_without_a_name_of_its_own_or_a_reason_is_found(tmp_path: Path, text: str, complaint: str) -> None:
    report = examine(written(tmp_path, text))
    assert not report.ok
    assert complaint in report.problems[-1].says
    assert may(report, "billing.refund").may == "allowed"


def test_a_schema_is_read_with_its_types_groups_and_lists(tmp_path: Path) -> None:
    schema = """
    // a comment with { braces }
    type Money = { minor: Long, currency?: String };
    entity Customer, Other;
    entity Agent = { customer: Customer };
    entity Invoice in [Other] = { owner: Customer, "total": Money, tags: Set<String>, };
    action reads;
    @doc("a tool")
    action "a.b", "a.c" in [reads] appliesTo {
      principal: Agent, resource: [Invoice], context: { level: Long, approved: Bool } };
    """
    folder = written(
        tmp_path,
        '@id("group")\n@reason("A reason in a sentence.")\n'
        'permit (principal, action in [Action::"a.b", Action::"a.c"], resource) when '
        '{ resource.total.minor > 5 && resource.tags.contains("vip") && resource.total has currency };',
        schema=schema,
    )
    found = PolicySchema.load(folder / "schema.cedarschema")
    assert (found.actions["a.c"].resources, found.actions["reads"].resources) == (("Invoice",), ())
    total = found.entities["Invoice"].attributes["total"].type
    assert (total.attributes["minor"].required, total.attributes["currency"].required) == (True, False)
    report = examine(folder)
    assert [(tool.tool, tool.levels[ANONYMOUS].may) for tool in report.tools] == [
        ("a.b", "allowed"),
        ("a.c", "allowed"),
    ]


def test_a_policy_about_a_group_of_actions_covers_no_tool(tmp_path: Path) -> None:
    schema = """
    entity Customer;
    entity Agent = { customer: Customer };
    action reads;
    action "a.b" in [reads] appliesTo { principal: Agent, resource: Customer, context: { approved: Bool } };
    """
    scope = '(principal, action in Action::"reads", resource)'
    texts = [
        f'@id("{effect}")\n@reason("A reason in a sentence.")\n{effect} {scope};' for effect in ("permit", "forbid")
    ]
    report = examine(written(tmp_path, *texts, schema=schema))
    assert [problem.policy for problem in (*report.unreachable, *report.problems)] == ["permit", "forbid"]
    assert "covers no tool" in report.problems[0].says


def test_a_schema_in_a_namespace_is_refused_with_its_line(tmp_path: Path) -> None:
    schema = "namespace Shop {\n entity Customer;\n}"
    with pytest.raises(PolicyError, match=r"schema\.cedarschema:1: 'namespace'"):
        PolicySchema.load(written(tmp_path, schema=schema) / "schema.cedarschema")
