"""What the policies come to: what each identity level may do with each tool, and which permits no request can reach.

The requests are made up from the policies themselves: every value that a condition compares with, the values just below
and above it, and one that no policy names. A search goes through them tool by tool, leaves out what cannot come out
differently, and asks the engine about what is left; only the engine's answers count.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tools.policy import (
    DEFAULT_DENY,
    NO_ADDITIONS,
    Policy,
    PolicyAdditions,
    PolicyEngine,
    PolicyRequest,
    PolicyVerdict,
    read_policies,
)
from tools.policy_conditions import ABSENT, Entity, Extension, Mentions, Place, applies, holds, mentions
from tools.policy_schema import CedarAction, CedarAttribute, CedarType, PolicySchema
from tools.tool import IdentityLevel, Resource

CUSTOMER = "cus_001"
MOST_STEPS = 20_000
"""After so many partial requests a search ends undecided."""
AMOUNT: Place = ("context", "amount_minor")
LEVEL: Place = ("context", "level")
APPROVED: Place = ("context", "approved")

May = Literal["allowed", "needs approval", "never"]


@dataclass(frozen=True)
class Problem:
    """Something about one policy that must be mended."""

    file: str
    line: int
    policy: str
    says: str


@dataclass(frozen=True)
class Permission:
    """What one identity level may do with one tool."""

    may: May
    policies: list[str]
    """The permits by which it is allowed; where it never is, what denies it."""
    with_approval: list[str]
    """The permits that let through, once a person has approved, what is not allowed without."""
    limits: dict[str, int] = field(default_factory=dict)
    """Per permit with a limit to it, the largest amount that it allows, in minor units."""
    example: dict[str, Any] = field(default_factory=dict)
    """A request that comes out so: {"resource": {...}, "context": {...}}."""


@dataclass(frozen=True)
class ToolPermissions:
    """One tool's permissions by identity level, and the forbids that can stand in the way."""

    tool: str
    levels: dict[IdentityLevel, Permission]
    forbids: list[str]


@dataclass(frozen=True)
class PolicyReport:
    """All that was found out about a folder of policies."""

    policies: int
    tools: list[ToolPermissions]
    problems: list[Problem]
    """Policies without a proper `@id` or `@reason`."""
    unreachable: list[Problem]
    """Permits that no request can reach."""
    undecided: list[Problem]
    """Permits of which this cannot be told."""

    @property
    def ok(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.problems and not self.unreachable


def examine(directory: Path, additions: PolicyAdditions = NO_ADDITIONS) -> PolicyReport:
    """Check every policy of a folder and of additions.

    Raises `PolicyError` for what does not parse or does not fit the schema.
    """
    policies, problems = _named(read_policies(directory, additions))
    coverage = Coverage(policies, PolicySchema.load(directory / "schema.cedarschema", additions.schema))
    problems += [
        Problem(forbid.file, forbid.line, forbid.id, _COVERS_NOTHING)
        for forbid in coverage.forbids
        if not any(coverage.covers(forbid, action) for action in coverage.tools)
    ]
    tools = [coverage.permissions(action) for action in coverage.tools]
    reached = {
        permit
        for tool in tools
        for permission in tool.levels.values()
        if permission.may != "never"
        for permit in (*permission.policies, *permission.with_approval)
    }
    unreachable, undecided = [], []
    for permit in coverage.permits:
        if permit.id in reached:
            continue
        try:
            if (why := coverage.unreachable(permit)) is not None:
                unreachable.append(Problem(permit.file, permit.line, permit.id, why))
        except _Undecided:
            says = "it could not be told whether any request can reach this permit"
            undecided.append(Problem(permit.file, permit.line, permit.id, says))
    return PolicyReport(len(policies), tools, problems, unreachable, undecided)


_COVERS_NOTHING = "it covers no tool: name each tool in its action, as a group of actions stands for none"


def _named(policies: Sequence[Policy]) -> tuple[list[Policy], list[Problem]]:
    """The policies, each with an id of its own, and what is wrong with their annotations."""
    named: dict[str, Policy] = {}
    problems = []
    for policy in policies:
        place = f"{Path(policy.file).name}:{policy.line}"
        policy_id = policy.id
        complaints = []
        if not policy.id:
            complaints.append('it has no @id: put @id("a-name-of-its-own") before it')
        elif policy.id in named:
            first = named[policy.id]
            complaints.append(f"@id {policy.id} is taken by {Path(first.file).name}:{first.line}: give it another")
        if not policy.reason:
            complaints.append('it has no @reason: put @reason("A sentence that a customer may read.") before it')
        elif not _is_sentence(policy.reason):
            complaints.append(f"its @reason {policy.reason!r} is no sentence: write one, from a capital to a full stop")
        if not policy_id or policy_id in named:
            policy_id = place
        named[policy_id] = Policy(policy_id, policy.reason, policy.file, policy.line, policy.text, policy.parsed)
        problems += [Problem(policy.file, policy.line, policy_id, complaint) for complaint in complaints]
    return list(named.values()), problems


def _is_sentence(text: str) -> bool:
    return len(text.split()) >= 3 and not text[0].islower() and text.rstrip()[-1] in ".!?"


class _Undecided(Exception):
    """Whether there is such a request cannot be told."""


@dataclass(frozen=True)
class Coverage:
    """Searches a set of policies for requests that come out in a certain way."""

    policies: Sequence[Policy]
    schema: PolicySchema

    @cached_property
    def engine(self) -> PolicyEngine:
        """All policies together."""
        return PolicyEngine.of(self.policies)

    @cached_property
    def _alone(self) -> dict[str, PolicyEngine]:
        """By permit: that permit alone, with all forbids."""
        return {permit.id: PolicyEngine.of([permit, *self.forbids]) for permit in self.permits}

    @property
    def tools(self) -> list[CedarAction]:
        """The actions that can be asked for, sorted by name; the others are groups."""
        return sorted((a for a in self.schema.actions.values() if a.resources), key=lambda action: action.name)

    @property
    def permits(self) -> list[Policy]:
        """The policies that permit."""
        return [policy for policy in self.policies if policy.parsed["effect"] == "permit"]

    @property
    def forbids(self) -> list[Policy]:
        """The policies that forbid."""
        return [policy for policy in self.policies if policy.parsed["effect"] == "forbid"]

    def permissions(self, action: CedarAction) -> ToolPermissions:
        """What each identity level may do with a tool."""
        forbids = [policy.id for policy in self.forbids if self.covers(policy, action)]
        levels: dict[IdentityLevel, Permission] = {}
        ways = {level: self._ways(action, level) for level in IdentityLevel}
        somewhere = next((found for way in ways.values() for part in way for found in part.values()), None)
        for level, (alone, approved) in ways.items():
            requests = [*alone.values(), *approved.values()]
            example = next(iter(requests), None)
            if example is None:
                request = somewhere or self._any_request(action)
                decided = self.engine.decide(_at(request, level))
                levels[level] = Permission("never", decided.policies, [], example=_shown(_at(request, level)))
                continue
            may: May = "allowed" if alone else "needs approval"
            limits = self._limits(action, {**approved, **alone})
            levels[level] = Permission(may, [*alone], [*approved], limits, _shown(example))
        return ToolPermissions(action.name, levels, forbids)

    def unreachable(self, permit: Policy) -> str | None:
        """Why no request can reach a permit; None where one can. Raises `_Undecided`."""
        undecided = False
        if not any(self.covers(permit, action) for action in self.tools):
            return _COVERS_NOTHING
        for action, level in self._asked_by(permit):
            for approved in (False, True):
                try:
                    if self._find(permit, action, level, approved=approved) is not None:
                        return None
                except _Undecided:
                    undecided = True
        if undecided:
            raise _Undecided
        for action, level in self._asked_by(permit):
            request = self._find(permit, action, level, approved=True, forbidding=False)
            if request is not None:
                by = self._alone[permit.id].decide(request).policies
                named = "what forbids it" if by == [DEFAULT_DENY] else ", ".join(by)
                return f"whatever it permits is forbidden, as by {named}: change one of them, or remove this permit"
        return "no request meets its conditions: change them, or remove this permit"

    def _ways(
        self, action: CedarAction, level: IdentityLevel
    ) -> tuple[dict[str, PolicyRequest], dict[str, PolicyRequest]]:
        """By permit, a request that it allows: (as it is, only once a person has approved)."""
        alone: dict[str, PolicyRequest] = {}
        approved: dict[str, PolicyRequest] = {}
        for permit in self.permits:
            if not self.covers(permit, action):
                continue
            for found, once_approved in ((alone, False), (approved, True)):
                try:
                    request = self._find(permit, action, level, approved=once_approved, only_then=once_approved)
                except _Undecided:
                    continue
                if request is not None:
                    found[permit.id] = request
        return alone, approved

    def _limits(self, action: CedarAction, requests: Mapping[str, PolicyRequest]) -> dict[str, int]:
        """The largest amount that each permit lets through, unless none is too much for it."""
        choices = _Grid.of(self._relevant(action), self.schema, action, action.resources[0]).choices
        amounts = {permit: request.context.get("amount_minor") for permit, request in requests.items()}
        largest = choices.get(AMOUNT, [0])[0]
        return {permit: amount for permit, amount in amounts.items() if amount is not None and amount < largest}

    def _asked_by(self, permit: Policy) -> Iterator[tuple[CedarAction, IdentityLevel]]:
        for action in self.tools:
            if self.covers(permit, action):
                for level in IdentityLevel:
                    yield action, level

    def covers(self, policy: Policy, action: CedarAction) -> bool:
        """Whether a policy is about a tool."""
        return applies(policy.parsed["action"], Entity("Action", action.name))

    def _relevant(self, action: CedarAction) -> list[Policy]:
        return [policy for policy in self.policies if self.covers(policy, action)]

    def _any_request(self, action: CedarAction) -> PolicyRequest:
        resource = Resource(action.resources[0], "example", CUSTOMER, {})
        return PolicyRequest(CUSTOMER, IdentityLevel.ANONYMOUS, action.name, resource, {})

    def _find(
        self,
        permit: Policy,
        action: CedarAction,
        level: IdentityLevel,
        *,
        approved: bool,
        only_then: bool = False,
        forbidding: bool = True,
    ) -> PolicyRequest | None:
        """A request that a permit allows although the forbids stand, or None.

        With `only_then`, one that nothing allows before it is approved. Without `forbidding`, as if nothing were
        forbidden. Raises `_Undecided`.
        """
        relevant = [policy for policy in self._relevant(action) if policy.parsed["effect"] == "permit" or forbidding]
        deciding = [permit, *(policy for policy in relevant if policy.parsed["effect"] == "forbid")]
        if only_then and APPROVED not in mentions([policy.parsed for policy in deciding]).places:
            return None  # what this permit allows, it allows without approval too
        undecided = False
        for kind in action.resources:
            alone = self._alone[permit.id] if forbidding else PolicyEngine.of([permit])
            search = _Search(
                permit, relevant, self.schema, action, kind, level, approved, only_then, alone, self.engine
            )
            if search.hopeless:
                continue
            try:
                if (found := search.run()) is not None:
                    return found
            except _Undecided:
                undecided = True
            undecided = undecided or not search.grid.exact
        if undecided:
            raise _Undecided
        return None


class _Search:
    """One search for a request to one tool on one kind of record, by one identity level."""

    def __init__(
        self,
        permit: Policy,
        relevant: Sequence[Policy],
        schema: PolicySchema,
        action: CedarAction,
        kind: str,
        level: IdentityLevel,
        approved: bool,
        only_then: bool,
        alone: PolicyEngine,
        whole: PolicyEngine,
    ) -> None:
        scope = permit.parsed["resource"]
        named = (scope.get("entity") or {}).get("id", "example") if scope["op"] == "==" else "example"
        self.resource = Entity(kind, named)
        principal = Entity("Agent", "handrail")
        self.permit, self.action, self.level, self.approved, self.only_then = permit, action, level, approved, only_then
        covering = [
            policy
            for policy in relevant
            if applies(policy.parsed["resource"], self.resource) and applies(policy.parsed["principal"], principal)
        ]
        self.hopeless = permit not in covering
        self.forbids = [policy for policy in covering if policy.parsed["effect"] == "forbid"]
        self.permits = [policy for policy in covering if policy.parsed["effect"] == "permit"]
        self.grid = _Grid.of([permit, *self.forbids, *(self.permits if only_then else [])], schema, action, kind)
        self.pinned: dict[Place, Any] = {
            ("principal",): principal,
            ("principal", "customer"): Entity("Customer", CUSTOMER),
            ("action",): Entity("Action", action.name),
            ("resource",): self.resource,
            LEVEL: level.rank,
            APPROVED: approved,
        }
        self.alone, self.whole = alone, whole
        self.steps = 0

    def run(self) -> PolicyRequest | None:
        """The first request that comes out as wanted. Raises `_Undecided`."""
        choices = {
            place: [value for value in values if self._possible({**self.pinned, place: value})]
            for place, values in self.grid.choices.items()
        }
        if not all(choices.values()):
            return None
        # Amounts first, so that the largest is found; then what leaves the fewest choices.
        order = sorted(choices, key=lambda place: (place != AMOUNT, len(choices[place])))
        return self._extend(self.pinned, [(place, choices[place]) for place in order])

    def _extend(self, known: dict[Place, Any], open_: list[tuple[Place, list[Any]]]) -> PolicyRequest | None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise _Undecided
        if not self._possible(known):
            return None
        if not open_:
            request = self._request(known)
            return request if self._comes_out(request) else None
        (place, values), *rest = open_
        for value in values:
            if (found := self._extend({**known, place: value}, rest)) is not None:
                return found
        return None

    def _possible(self, known: dict[Place, Any]) -> bool:
        """Whether what is known so far can still become a request that comes out as wanted."""
        if holds(self.permit.parsed, known) is False:
            return False
        if any(holds(policy.parsed, known) is True for policy in self.forbids):
            return False
        if not self.only_then:
            return True
        before = {**known, APPROVED: False}
        permitted = any(holds(policy.parsed, before) is True for policy in self.permits)
        return not permitted or any(holds(policy.parsed, before) is not False for policy in self.forbids)

    def _comes_out(self, request: PolicyRequest) -> bool:
        if not self.alone.decide(request).allowed:
            return False
        if not self.only_then:
            return True
        before = PolicyRequest(
            request.customer_id, self.level, request.tool, request.resource, {**request.context, "approved": False}
        )
        verdict: PolicyVerdict = self.whole.decide(before)
        return verdict.needs_approval and self.permit.id in verdict.policies

    def _request(self, known: Mapping[Place, Any]) -> PolicyRequest:
        resource: dict[str, Any] = {}
        context: dict[str, Any] = {"approved": self.approved}
        for place in self.grid.choices:
            value = known[place]
            if value is not ABSENT:
                _put(resource if place[0] == "resource" else context, place[1:], _cedar(value))
        owner = resource.pop("owner", None)
        owner = owner["__entity"]["id"] if isinstance(owner, dict) else CUSTOMER
        touched = Resource(self.resource.type, self.resource.id, owner, resource)
        return PolicyRequest(CUSTOMER, self.level, self.action.name, touched, context)


@dataclass(frozen=True)
class _Grid:
    """Per place that policies look at, the values worth trying."""

    choices: dict[Place, list[Any]]
    exact: bool
    """Whether what is not found among these values cannot be found at all."""

    @classmethod
    def of(cls, policies: Sequence[Policy], schema: PolicySchema, action: CedarAction, kind: str) -> "_Grid":
        mentioned = mentions([policy.parsed for policy in policies])
        roots = {"context": action.context, "resource": schema.entities.get(kind, CedarType("Record"))}
        choices: dict[Place, list[Any]] = {}
        exact = mentioned.exact
        groups = _groups(mentioned)
        for place in mentioned.places:
            attribute = _attribute(roots, place)
            if attribute is None or place in (LEVEL, APPROVED) or attribute.type.name == "Record":
                continue
            linked, literals = groups.get(place, ({place}, set()))
            values = _values(attribute.type, place, literals, len(linked), schema)
            exact = exact and attribute.type.name in {"Long", "String", "Bool", "Set", *schema.entities}
            choices[place] = values if attribute.required else [*values, ABSENT]
        return cls(choices, exact)


def _attribute(roots: Mapping[str, CedarType], place: Place) -> CedarAttribute | None:
    """What the schema says of a place; None where this kind of record has no such attribute."""
    within = roots.get(place[0])
    attribute = None
    for name in place[1:]:
        attribute = within.attributes.get(name) if within is not None else None
        within = attribute.type if attribute is not None else None
    return attribute


def _groups(mentioned: Mentions) -> dict[Place, tuple[set[Place], set[Any]]]:
    """Per place: the places that it is compared with, over any number of steps, and the literals beside all of them."""
    groups: dict[Place, tuple[set[Place], set[Any]]] = {}
    for places, literals in mentioned.compared:
        joined, values = set(places), set(literals)
        for place in places:
            if place in groups:
                joined |= groups[place][0]
                values |= groups[place][1]
        for place in joined:
            groups[place] = (joined, values)
    return groups


def _values(type_: CedarType, place: Place, literals: set[Any], linked: int, schema: PolicySchema) -> list[Any]:
    """The values worth trying for one place of which `linked` are compared with one another."""
    match type_.name:
        case "Bool":
            return [False, True]
        case "Long":
            numbers = {value for value in literals if type(value) is int}
            near = {number + step for number in numbers for step in (-1, 0, 1)} | {0, 1}
            if linked > 1:  # room for one to be larger than the other, and for what is left of a sum
                near |= {max(near) + step for step in range(1, linked)}
                near |= {abs(one - other) for one in numbers for other in numbers}
            return sorted(near, key=lambda number: (number < 0, -number if place == AMOUNT else number))
        case "String":
            texts = sorted(value for value in literals if isinstance(value, str))
            others = ["EUR", "USD"] if place[-1] == "currency" else ["another value", "yet another value"]
            return [*texts, *[text for text in others if text not in texts][: 2 if linked > 1 else 1]]
        case "Set":
            element = type_.element or CedarType("String")
            flat = {v for value in literals for v in (value if isinstance(value, frozenset) else [value])}
            single = [v for v in _values(element, place, flat, linked, schema) if v is not ABSENT]
            whole = frozenset(value for value in flat if value in single)
            return list(dict.fromkeys([frozenset(), *(frozenset([value]) for value in single), whole]))
        case name if name in schema.entities:
            own = [Entity(name, CUSTOMER), Entity(name, "another")]
            return [*own, *(v for v in literals if isinstance(v, Entity) and v.type == name and v not in own)]
    return [value for value in literals if isinstance(value, Extension) and value.function == type_.name] or [ABSENT]


def _cedar(value: Any) -> Any:
    """A value as Cedar takes it in JSON."""
    if isinstance(value, Entity):
        return {"__entity": {"type": value.type, "id": value.id}}
    if isinstance(value, Extension):
        return {"__extn": {"fn": value.function, "arg": value.argument}}
    return [_cedar(one) for one in sorted(value, key=repr)] if isinstance(value, frozenset) else value


def _put(record: dict[str, Any], names: Place, value: Any) -> None:
    for name in names[:-1]:
        record = record.setdefault(name, {})
    record[names[-1]] = value


def _at(request: PolicyRequest, level: IdentityLevel) -> PolicyRequest:
    return PolicyRequest(request.customer_id, level, request.tool, request.resource, request.context)


def _shown(request: PolicyRequest) -> dict[str, Any]:
    """A request as a reader sees it: the record's values and the circumstances."""
    return {
        "resource": {"type": request.resource.type, **request.resource.attributes},
        "context": {**request.context, "level": request.level.rank},
    }
