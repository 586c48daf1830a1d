"""A policy's conditions, read: what they speak of, and whether they hold as far as the facts are known.

Works on Cedar's JSON format (https://docs.cedarpolicy.com/policies/json-format.html). It judges with three values
(holds, does not hold, not known yet), so that a search over many requests need not try what cannot come out otherwise.
The engine itself always has the last word.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

Place = tuple[str, ...]
"""Where a value stands: ("resource", "status"), ("context", "amount_minor")."""


class Mark(Enum):
    """What may stand for a value."""

    UNKNOWN = "unknown"
    ABSENT = "absent"


UNKNOWN, ABSENT = Mark.UNKNOWN, Mark.ABSENT


class Entity(NamedTuple):
    """A reference to an entity."""

    type: str
    id: str


class Extension(NamedTuple):
    """A value of one of Cedar's extension types, such as a decimal."""

    function: str
    argument: str


@dataclass
class Mentions:
    """What a set of policies speaks of: places whose values they look at, and what they compare them with."""

    places: dict[Place, None] = field(default_factory=dict)
    compared: list[tuple[set[Place], set[Any]]] = field(default_factory=list)
    """(places that stand in one comparison, literals beside them)."""
    exact: bool = True
    """Whether values around the literals are enough to find out what can hold."""


def mentions(policies: Sequence[Mapping[str, Any]]) -> Mentions:
    """All that the conditions of these policies (in Cedar's JSON) speak of."""
    found = Mentions()
    for policy in policies:
        for condition in policy.get("conditions", []):
            _mention(condition["body"], found)
    return found


def applies(scope: Mapping[str, Any], entity: Entity) -> bool:
    """Whether a policy's scope for its principal, action or resource covers an entity: here none belongs to another."""
    if scope["op"] == "All":
        return True
    if scope["op"] == "is" and (scope["entity_type"] != entity.type or "in" not in scope):
        return scope["entity_type"] == entity.type
    named = scope.get("entities") or [scope.get("entity") or scope.get("in", {}).get("entity") or {}]
    return any((one.get("type"), one.get("id")) == entity for one in named)


def holds(policy: Mapping[str, Any], known: Mapping[Place, Any]) -> Any:
    """Whether all conditions of a policy hold: True, False or `UNKNOWN`. Its scope is judged by `applies`."""
    result: Any = True
    for condition in policy.get("conditions", []):
        value = evaluate(condition["body"], known)
        if value is not UNKNOWN and condition["kind"] == "unless":
            value = not value
        if value is False:
            return False
        if value is UNKNOWN:
            result = UNKNOWN
    return result


def evaluate(expression: Mapping[str, Any], known: Mapping[Place, Any]) -> Any:
    """The value of an expression, or `UNKNOWN` where it hangs on what is not known or not understood here."""
    [(operator, parts)] = expression.items()
    match operator:
        case "Value":
            return _literal(parts)
        case "Var" | ".":
            value = known.get(_place(expression) or (), UNKNOWN)
            return UNKNOWN if value is ABSENT else value
        case "has":
            place = _place({".": parts})
            value = known.get(place, UNKNOWN) if place else UNKNOWN
            return UNKNOWN if value is UNKNOWN else value is not ABSENT
        case "&&" | "||":
            return _both(parts, known, decides=operator == "||")
        case "!":
            value = evaluate(parts["arg"], known)
            return UNKNOWN if value is UNKNOWN else not value
        case "if-then-else":
            value = evaluate(parts["if"], known)
            return UNKNOWN if value is UNKNOWN else evaluate(parts["then" if value else "else"], known)
        case "Set":
            values = [evaluate(part, known) for part in parts]
            return UNKNOWN if UNKNOWN in values else frozenset(values)
        case "is":
            value = evaluate(parts["left"], known)
            return value.type == parts["entity_type"] if isinstance(value, Entity) and "in" not in parts else UNKNOWN
        case "like":
            value = evaluate(parts["left"], known)
            return bool(_pattern(parts["pattern"]).fullmatch(value)) if isinstance(value, str) else UNKNOWN
        case _ if operator in _BINARY:
            left, right = evaluate(parts["left"], known), evaluate(parts["right"], known)
            return UNKNOWN if UNKNOWN in (left, right) else _BINARY[operator](left, right)
    return UNKNOWN


def _within(entity: Any, others: Any) -> bool:
    """`in`, for entities without parents: the service gives them none."""
    return entity in others if isinstance(others, frozenset) else entity == others


_BINARY = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "in": _within,
    "contains": lambda left, right: right in left,
    "containsAll": lambda left, right: left >= right,
    "containsAny": lambda left, right: bool(left & right),
}
_JOINING = {"&&", "||", "!", "if-then-else"}
_INEXACT = {"*", "like"}
_EXTENSIONS = {"decimal", "ip", "datetime", "duration"}


def _both(parts: Mapping[str, Any], known: Mapping[Place, Any], *, decides: bool) -> Any:
    """`&&` and `||`: one side that is `decides` settles it, whatever the other is."""
    left = evaluate(parts["left"], known)
    if left is decides:
        return decides
    right = evaluate(parts["right"], known)
    if right is decides:
        return decides
    return UNKNOWN if UNKNOWN in (left, right) else not decides


def _mention(expression: Mapping[str, Any], found: Mentions) -> None:
    [(operator, parts)] = expression.items()
    if operator in _JOINING:
        for part in parts.values():
            _mention(part, found)
        return
    places: set[Place] = set()
    literals: set[Any] = set()
    for below in _beneath(expression):
        [(inner, inside)] = below.items()
        if inner in _INEXACT or inner in _EXTENSIONS:
            found.exact = False
        if inner == "Value":
            literals.add(_literal(inside))
        elif inner == "like":
            literals |= {"".join("" if p == "Wildcard" else p["Literal"] for p in inside["pattern"])}
        elif inner in _EXTENSIONS and "Value" in inside[0]:
            literals.add(Extension(inner, inside[0]["Value"]))
        place = _place({".": inside} if inner == "has" else below)
        if place is not None and len(place) > 1:
            found.places.setdefault(place)
            if inner != "has":
                places.add(place)
    if places:
        found.compared.append((places, literals))


def _beneath(expression: Any) -> Iterator[Mapping[str, Any]]:
    """Every expression in an expression, itself first; of a chain ``a.b.c`` only the whole."""
    if isinstance(expression, Mapping) and len(expression) == 1:
        yield expression
        [(operator, parts)] = expression.items()
        if operator == "Value" or _place(expression) is not None:
            return
        within = parts.values() if isinstance(parts, Mapping) else parts
        for part in within if isinstance(within, list) or isinstance(parts, Mapping) else []:
            for one in part if isinstance(part, list) else [part]:
                yield from _beneath(one)


def _place(expression: Mapping[str, Any]) -> Place | None:
    """("resource", "status") of ``resource.status``; None where it is not a plain chain from a variable."""
    [(operator, parts)] = expression.items()
    if operator == "Var":
        return (parts,)
    if operator == "." and (before := _place(parts["left"])) is not None:
        return (*before, parts["attr"])
    return None


def _literal(value: Any) -> Any:
    if isinstance(value, Mapping):
        entity = value.get("__entity")
        return Entity(entity["type"], entity["id"]) if entity else UNKNOWN
    return frozenset(map(_literal, value)) if isinstance(value, list) else value


def _pattern(parts: Sequence[Any]) -> re.Pattern[str]:
    return re.compile("".join(".*" if part == "Wildcard" else re.escape(part["Literal"]) for part in parts), re.DOTALL)
