"""Policy: what the agent may do for this customer, decided by Cedar from files that an operator can read and change.

What no policy permits is denied, and so is everything when a policy cannot be evaluated.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Self

import cedarpy

from tools.tool import IdentityLevel, Resource

POLICY_FOLDER = Path(__file__).with_name("policies")
DEFAULT_DENY = "default-deny"
EVALUATION_FAILED = "evaluation-failed"


class PolicyError(ValueError):
    """A policy file cannot be used; the message names file and line."""


@dataclass(frozen=True)
class PolicyRequest:
    """One question: may the agent call this tool on this record, for this customer, in these circumstances?

    `context` holds amount_minor, currency, spent_30d_minor, spent_today_minor, plan, stage and approved, each where it
    is known.
    """

    customer_id: str
    level: IdentityLevel
    tool: str
    resource: Resource
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyVerdict:
    """The answer, with the policies that decided and their reasons."""

    allowed: bool
    needs_approval: bool
    """Not allowed now, but it would be once a person approves."""
    policies: list[str]
    reasons: list[str]
    needs_level: IdentityLevel | None = None
    """Not allowed now, but it would be at this level of identity without anybody's approval."""


@dataclass(frozen=True)
class Policy:
    """One policy as an operator wrote it. `id` and `reason` are empty where it does not give them."""

    id: str
    reason: str
    file: str
    line: int
    text: str
    parsed: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The policy in Cedar's JSON format."""


@dataclass(frozen=True)
class PolicyAdditions:
    """Policies of an operator beside those of the folder, for tools that only this deployment has."""

    files: tuple[Path, ...] = ()
    schema: str = ""
    """Cedar schema of what they speak of, over that of the folder."""


NO_ADDITIONS = PolicyAdditions()


class PolicyEngine:
    """Policies, parsed once."""

    def __init__(self, policies: dict[str, Policy], parsed: cedarpy.PolicySet) -> None:
        self.policies = policies
        self._parsed = parsed

    @classmethod
    def load(cls, directory: Path | str = POLICY_FOLDER, additions: PolicyAdditions = NO_ADDITIONS) -> Self:
        """Read every ``*.cedar`` of a folder and of additions and check them against the ``schema.cedarschema``.

        Raises `PolicyError` for what does not parse, does not fit the schema, or has no `@id` and `@reason` of its own.
        """
        policies: dict[str, Policy] = {}
        for policy in read_policies(directory, additions):
            place = f"{policy.file}:{policy.line}"
            if not policy.id or not policy.reason:
                raise PolicyError(f"{place}: a policy needs an @id and a @reason")
            if "entity" in policy.parsed["action"] and policy.parsed["action"]["op"] == "in":
                raise PolicyError(f"{place}: {policy.id}: a group of actions stands for no tool: name each tool")
            if policy.id in policies:
                first = policies[policy.id]
                raise PolicyError(f"{place}: @id {policy.id} is taken by {first.file}:{first.line}")
            policies[policy.id] = policy
        return cls.of(policies.values())

    @classmethod
    def of(cls, policies: Iterable[Policy]) -> Self:
        """An engine that knows these policies alone; each has an `id` of its own."""
        by_id = {policy.id: policy for policy in policies}
        static = {policy_id: dict(policy.parsed) for policy_id, policy in by_id.items()}
        together = {"staticPolicies": static, "templates": {}, "templateLinks": []}
        return cls(by_id, cedarpy.PolicySet.from_json_str(json.dumps(together)))

    def decide(self, request: PolicyRequest) -> PolicyVerdict:
        """The verdict on one request; where it is a no, also what would make it a yes."""
        approved = bool(request.context.get("approved", False))
        [now] = self._evaluate(request, [(request.level, approved)])
        if _allows(now):
            return self._verdict(now, allowed=True)
        higher = [level for level in IdentityLevel if level.rank > request.level.rank]
        if_approved, *at_levels = self._evaluate(
            request, [(request.level, True), *((level, approved) for level in higher)]
        )
        needs_level = next((level for level, result in zip(higher, at_levels, strict=True) if _allows(result)), None)
        if _allows(if_approved):
            return self._verdict(if_approved, needs_approval=True, needs_level=needs_level)
        return self._verdict(now, needs_level=needs_level)

    def _evaluate(
        self, request: PolicyRequest, variants: list[tuple[IdentityLevel, bool]]
    ) -> list[cedarpy.AuthzResult]:
        """One request under several (level, approved)."""
        resource = request.resource
        known = {name: value for name, value in request.context.items() if value is not None}
        asked = {
            "principal": {"type": "Agent", "id": "handrail"},
            "action": {"type": "Action", "id": request.tool},
            "resource": {"type": resource.type, "id": resource.id},
        }
        requests = [
            {**asked, "context": {**known, "level": level.rank, "approved": approved}} for level, approved in variants
        ]
        entities = [
            _entity("Agent", "handrail", {"customer": _reference("Customer", request.customer_id)}),
            _entity(
                resource.type,
                resource.id,
                {
                    **{name: value for name, value in resource.attributes.items() if value is not None},
                    "owner": _reference("Customer", resource.owner),
                },
            ),
        ]
        return cedarpy.is_authorized_batch(requests, self._parsed, entities)

    def _verdict(
        self,
        result: cedarpy.AuthzResult,
        *,
        allowed: bool = False,
        needs_approval: bool = False,
        needs_level: IdentityLevel | None = None,
    ) -> PolicyVerdict:
        if result.diagnostics.errors:
            return PolicyVerdict(False, False, [EVALUATION_FAILED], list(result.diagnostics.errors))
        ids = sorted(result.diagnostics.reasons)
        reasons = [self.policies[policy_id].reason for policy_id in ids]
        if not ids:
            ids, reasons = [DEFAULT_DENY], ["No policy permits this."]
        return PolicyVerdict(allowed, needs_approval, ids, reasons, needs_level)


def read_policies(directory: Path | str = POLICY_FOLDER, additions: PolicyAdditions = NO_ADDITIONS) -> list[Policy]:
    """Every policy of a folder and of additions, checked against the schema but not for an `@id` and `@reason`.

    Raises `PolicyError` for what does not parse or does not fit the schema, and for a folder without any policy.
    """
    directory = Path(directory)
    schema = _schema(directory / "schema.cedarschema", additions)
    policies = []
    for path in [*sorted(directory.glob("*.cedar")), *additions.files]:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise PolicyError(f"{path}: this is not UTF-8 text: save it as UTF-8") from None
        policies += [_policy(path, line, statement, schema) for line, statement in statements(text)]
    if not policies:
        raise PolicyError(f"{directory}: there is no policy in this folder")
    return policies


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Cut Cedar text into its policies: (line on which it begins, text). Comments between them are left out."""
    begins, line, current = 1, 1, ""
    for piece in _TOKENS.findall(text):
        if current.strip() or not (piece.isspace() or piece.startswith("//")):
            if not current.strip():
                begins = line
            current += piece
        line += piece.count("\n")
        if piece == ";":
            yield begins, current.strip()
            current = ""
    if current.strip():
        yield begins, current.strip()


_TOKENS = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|\s+|.', re.DOTALL)


def decision_milliseconds(engine: PolicyEngine, rounds: int = 500) -> dict[str, float]:
    """How long a decision takes: {"p50", "p95"} over refunds of which half are allowed and half need approval."""
    attributes = {
        "status": "paid",
        "currency": "EUR",
        "refundable": 20_000,
        "duplicate": False,
        "duplicate_amount": 0,
        "paid_days_ago": 3,
    }
    invoice = Resource("Invoice", "in_0042", "cus_001", attributes)
    taken = []
    for round_ in range(rounds):
        context = {
            "amount_minor": 2_900 if round_ % 2 else 9_900,
            "currency": "EUR",
            "spent_30d_minor": 0,
            "spent_today_minor": 0,
        }
        request = PolicyRequest("cus_001", IdentityLevel.VERIFIED, "billing.refund", invoice, context)
        begun = time.perf_counter()
        engine.decide(request)
        taken.append((time.perf_counter() - begun) * 1000)
    cuts = quantiles(taken, n=20)
    return {"p50": cuts[9], "p95": cuts[18]}


def _allows(result: cedarpy.AuthzResult) -> bool:
    """An allow counts only without errors: Cedar skips a policy that fails, and it may be one that forbids."""
    return result.allowed and not result.diagnostics.errors


def _schema(path: Path, additions: PolicyAdditions) -> cedarpy.Schema:
    try:
        schema = cedarpy.Schema.from_str(path.read_text(encoding="utf-8"))
        if not additions.schema:
            return schema
    except FileNotFoundError:
        raise PolicyError(f"{path}: there is no schema") from None
    except ValueError as error:
        raise PolicyError(f"{path}:{_schema_line(path, str(error))}: {error}") from None
    try:
        return cedarpy.Schema.from_str(f"{path.read_text(encoding='utf-8')}\n{additions.schema}")
    except ValueError as error:
        raise PolicyError(f"{path}: it does not go with the mapped tools: {_one_line(error)}: rename theirs") from None


def _schema_line(path: Path, message: str) -> int:
    """Where a schema goes wrong: Cedar names no line, so it is the last one with the word that it complains of."""
    lines = path.read_text(encoding="utf-8").splitlines()
    quoted = re.search(r"`([^`]+)`", message)
    word = quoted[1] if quoted else message.rpartition(": ")[2]
    return max((number for number, line in enumerate(lines, 1) if word in line), default=len(lines))


def _policy(path: Path, line: int, text: str, schema: cedarpy.Schema) -> Policy:
    """One statement as a policy."""
    named = _NAMED.search(text)
    place = f"{path}:{line}: {named[1]}" if named else f"{path}:{line}"
    try:
        static = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    except ValueError as error:
        raise PolicyError(f"{place}: {_one_line(error)}: mend the Cedar of this policy") from None
    if len(static) != 1:
        raise PolicyError(f"{place}: this is a template, and nothing fills it in: write a policy without ?slots")
    [parsed] = static.values()
    checked = cedarpy.validate_policies(text, schema)
    if not checked.validation_passed:
        complaints = "; ".join(_one_line(error.error).partition("`, ")[2] or error.error for error in checked.errors)
        raise PolicyError(f"{place}: {complaints}: correct the policy, or declare what it names in schema.cedarschema")
    annotations = parsed.get("annotations", {})
    return Policy(annotations.get("id") or "", annotations.get("reason") or "", str(path), line, text, parsed)


_NAMED = re.compile(r'@id\s*\(\s*"([^"\n]+)"')


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": dict(attributes), "parents": []}


def _reference(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": kind, "id": name}}
