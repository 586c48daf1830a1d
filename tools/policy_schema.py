"""The policies' schema, read: which tools there are, which records they touch and what those records hold.

Cedar checks policies against a schema but does not tell what stands in it; this reads the text
(https://docs.cedarpolicy.com/schema/human-readable-schema-grammar.html) for whoever must make up requests that fit it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.policy import PolicyError


@dataclass(frozen=True)
class CedarType:
    """The type of a value. `name` is String, Long, Bool, Set, Record, or the name of an entity or an extension."""

    name: str
    element: "CedarType | None" = None
    """What a Set holds."""
    attributes: Mapping[str, "CedarAttribute"] = field(default_factory=dict)
    """What a Record holds."""


@dataclass(frozen=True)
class CedarAttribute:
    """One attribute of a record or an entity."""

    type: CedarType
    required: bool = True


@dataclass(frozen=True)
class CedarAction:
    """What one action may be asked for: a tool of the agent."""

    name: str
    principals: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    context: CedarType = CedarType("Record")


@dataclass(frozen=True)
class PolicySchema:
    """Entities with their attributes, and actions."""

    entities: Mapping[str, CedarType]
    actions: Mapping[str, CedarAction]

    @classmethod
    def load(cls, path: Path, more: str = "") -> "PolicySchema":
        """Read a schema that Cedar has accepted, with `more` after it. Raises `PolicyError` for a namespace: no tool is
        in one.
        """
        return _Reader(path, more).read()


_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|//[^\n]*|([A-Za-z_]\w*(?:::\w+)*)|(\s+)|(.)', re.DOTALL)
_PRIMITIVES = {"Boolean": "Bool", "__cedar::Bool": "Bool", "__cedar::Long": "Long", "__cedar::String": "String"}


class _Reader:
    """Reads the text token by token; names of types are looked up once all are known."""

    def __init__(self, path: Path, more: str) -> None:
        text = f"{path.read_text(encoding='utf-8')}\n{more}"
        found = [
            (m[1] if m[1] is not None else m[2] or m[4] or "", text.count("\n", 0, m.start()) + 1)
            for m in _TOKEN.finditer(text)
            if m[3] is None and not m[0].startswith("//")
        ]
        self.path, self.tokens, self.at = path, found, 0
        self.types: dict[str, CedarType] = {}
        self.entities: dict[str, CedarType] = {}
        self.actions: dict[str, CedarAction] = {}

    def read(self) -> PolicySchema:
        while self.at < len(self.tokens):
            word = self.next()
            if word == "@":
                self.annotation()
            elif word == "entity":
                self.entity()
            elif word == "type":
                name = self.next()
                self.expect("=")
                self.types[name] = self.type()
                self.expect(";")
            elif word == "action":
                self.action()
            else:
                raise self.problem(f"{word!r} cannot be used here: the service knows entities, types and actions only")
        entities = {name: self.resolved(type_) for name, type_ in self.entities.items()}
        actions = {
            name: CedarAction(name, a.principals, a.resources, self.resolved(a.context))
            for name, a in self.actions.items()
        }
        return PolicySchema(entities, actions)

    def entity(self) -> None:
        names = self.names()
        record = CedarType("Record")
        if self.took("in"):
            self.names_or_list()
        if self.took("enum"):
            self.names_or_list()
        self.took("=")
        if self.peek() == "{":
            record = self.type()
        if self.took("tags"):
            self.type()
        self.expect(";")
        self.entities |= dict.fromkeys(names, record)

    def action(self) -> None:
        names = self.names()
        if self.took("in"):
            self.names_or_list()
        principals: tuple[str, ...] = ()
        resources: tuple[str, ...] = ()
        context = CedarType("Record")
        if self.took("appliesTo"):
            self.expect("{")
            while not self.took("}"):
                part = self.next()
                self.expect(":")
                if part == "principal":
                    principals = self.names_or_list()
                elif part == "resource":
                    resources = self.names_or_list()
                else:
                    context = self.type()
                self.took(",")
        self.expect(";")
        self.actions |= {name: CedarAction(name, principals, resources, context) for name in names}

    def type(self) -> CedarType:
        if not self.took("{"):
            name = self.next()
            if name != "Set":
                return CedarType(_PRIMITIVES.get(name, name))
            self.expect("<")
            element = self.type()
            self.expect(">")
            return CedarType("Set", element)
        attributes = {}
        while not self.took("}"):
            while self.took("@"):
                self.annotation()
            name, optional = self.next(), self.took("?")
            self.expect(":")
            attributes[name] = CedarAttribute(self.type(), not optional)
            self.took(",")
        return CedarType("Record", attributes=attributes)

    def annotation(self) -> None:
        self.next()
        if self.took("("):
            self.next()
            self.expect(")")

    def names(self) -> tuple[str, ...]:
        found = [self.next()]
        while self.took(","):
            found.append(self.next())
        return tuple(found)

    def names_or_list(self) -> tuple[str, ...]:
        if not self.took("["):
            return (self.next(),)
        found = []
        while not self.took("]"):
            found.append(self.next())
            self.took(",")
        return tuple(found)

    def resolved(self, type_: CedarType) -> CedarType:
        """The type with the names that `type` declared put in full."""
        if type_.name in self.types:
            return self.resolved(self.types[type_.name])
        attributes = {n: CedarAttribute(self.resolved(a.type), a.required) for n, a in type_.attributes.items()}
        return CedarType(type_.name, self.resolved(type_.element) if type_.element else None, attributes)

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise self.problem("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1][0]

    def took(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self.at += 1
        return True

    def expect(self, word: str) -> None:
        if not self.took(word):
            raise self.problem(f"{word!r} is expected before {self.peek()!r}")

    def problem(self, what: str) -> PolicyError:
        line = self.tokens[min(self.at, len(self.tokens)) - 1][1] if self.tokens else 1
        return PolicyError(f"{self.path}:{line}: {what}")
