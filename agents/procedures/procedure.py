"""A procedure: one business process, read by a language model as guidance and executed by the embedded model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

import cel

from agents.procedures.expressions import Expression, ExpressionError
from agents.triage.route import Topics
from tools.provenance import kind_of
from tools.registry import ToolRegistry

SlotType = Literal[
    "invoice",
    "payment",
    "user",
    "resource",
    "plan",
    "count",
    "direction",
    "choice",
    "month",
    "text",
    "yes_no",
    "email",
    "document",
    "incident",
]
Risk = Literal["information", "account", "access", "money", "compliance"]
StepKind = Literal["call", "reply", "say", "escalate", "answer", "goto", "procedure"]


@dataclass(frozen=True)
class Slot:
    """One fact that the procedure needs from the customer."""

    name: str
    type: SlotType
    ask: str
    source: str | None = None
    """The tool whose result lists the candidates."""
    where: Expression | None = None
    label: str | None = None
    choices: dict[str, list[str]] = field(default_factory=dict)
    default: Expression | None = None
    unanswered: Expression | None = None
    """The value that is taken where the customer was asked and what they said is no answer."""
    total: Expression | None = None
    """Over `total`, the number that the customer wants in all: the value that follows from it."""
    in_use: Expression | None = None
    """Of a count: how many of them are used, so that "all that nobody uses" can be told."""
    present: Expression | None = None
    """Of a plan: which one it is now, so that "the one in between" can be told."""
    optional: bool = False
    when_many: dict[str, str] = field(default_factory=dict)
    """Values that other slots take where more than `filling.MOST_EACH` records are named for this one."""


@dataclass(frozen=True)
class Step:
    """One step. `target` is the tool, reply, queue, label or procedure that the step names."""

    kind: StepKind
    target: str
    line: int
    when: Expression | None = None
    label: str | None = None
    arguments: dict[str, Expression] = field(default_factory=dict)
    save: str | None = None
    declined: str | None = None
    why: str = ""
    invites: str | None = None
    """The intent that a plain yes to this reply means ("tell me if you would like another card")."""
    speaks_of: tuple[str, ...] = ()
    """The slots that its reply speaks of."""

    @property
    def expressions(self) -> list[Expression]:
        """All expressions of the step, its condition first."""
        return ([self.when] if self.when else []) + list(self.arguments.values())


@dataclass(frozen=True)
class Procedure:
    """One business process as an operator wrote it."""

    name: str
    intent: str
    title: str
    risk: Risk
    queue: str
    examples: list[str]
    slots: dict[str, Slot]
    steps: list[Step]
    guidance: str
    small_talk: bool = False
    likelier: Expression | None = None
    """Over `customer`: a situation in which more customers than usual ask for this."""
    unlikelier: Expression | None = None
    """The same for fewer."""
    subjects: tuple[str, ...] = ()
    """Nouns, in the singular, for what it is about: a message that names one and no wish is asked about."""

    @property
    def tools(self) -> frozenset[str]:
        """The tools that the procedure offers to a model."""
        called = {step.target for step in self.steps if step.kind == "call"}
        return frozenset(called | {slot.source for slot in self.slots.values() if slot.source})

    @property
    def named_values(self) -> list[tuple[str, str, Slot]]:
        """(tool, argument, slot) where an argument is what the customer chose from a list of names."""
        return [
            (step.target, argument, slot)
            for step in self.steps
            if step.kind == "call"
            for argument, expression in step.arguments.items()
            if (slot := self.slots.get(expression.source.removeprefix("slots."))) is not None
            and expression.source.startswith("slots.")
            and slot.choices
        ]

    def said_after(self, tools: frozenset[str]) -> list[str]:
        """The replies that follow directly on a call of one of these tools: they tell what it did."""
        told, follows = [], False
        for step in self.steps:
            if step.kind == "call":
                follows = step.target in tools
            elif follows and step.kind in ("reply", "say"):
                told.append(step.target)
                follows = step.kind == "say"
        return told

    @property
    def offered(self) -> frozenset[str]:
        """The tools that are put to the customer as an offer, which they may decline."""
        return frozenset(step.target for step in self.steps if step.kind == "call" and step.declined)

    @property
    def invites(self) -> frozenset[str]:
        """The intents to which its replies invite."""
        return frozenset(step.invites for step in self.steps if step.invites)


SITUATION = 3.0
"""So much likelier is an intent whose procedure says that it fits the customer's situation."""


@dataclass(frozen=True)
class ProcedureLibrary:
    """All procedures, by name and by intent."""

    procedures: dict[str, Procedure]

    def get(self, name: str) -> Procedure:
        """The procedure of that name; raises `KeyError`."""
        return self.procedures[name]

    def for_intent(self, intent: str) -> Procedure | None:
        """The procedure that serves an intent, if one does."""
        return next((p for p in self.procedures.values() if p.intent == intent), None)

    def tools_of(self, name: str) -> frozenset[str]:
        """The tools that a procedure offers, with those of the procedures that it may go on with."""
        reached, waiting = set[str](), [name]
        while waiting:
            current = waiting.pop()
            if current not in reached:
                reached.add(current)
                waiting += [step.target for step in self.get(current).steps if step.kind == "procedure"]
        return frozenset().union(*(self.get(procedure).tools for procedure in reached))

    @cached_property
    def topics(self) -> Topics:
        """Which intents are served, for triage."""
        procedures = self.procedures.values()
        nouns = {noun.lower() for p in procedures for noun in p.subjects}
        pairs = list(combinations(procedures, 2))
        return Topics(
            served=frozenset(p.intent for p in procedures),
            small_talk=frozenset(p.intent for p in procedures if p.small_talk),
            kin=frozenset(frozenset((a.intent, b.intent)) for a, b in pairs if a.offered & b.offered),
            answering=next((p.intent for p in procedures if any(s.kind == "answer" for s in p.steps)), ""),
            acting=frozenset(p.intent for p in procedures if p.offered),
            subjects={noun: tuple(p.intent for p in procedures if noun in p.subjects) for noun in nouns},
            referring=frozenset(
                frozenset((a.intent, b.intent)) for a, b in pairs if b.intent in a.invites and a.intent in b.invites
            ),
            twins=frozenset(
                frozenset((a.intent, b.intent)) for a, b in pairs if a.offered == b.offered and len(a.offered) == 1
            ),
        )

    def odds(self, customer: Mapping[str, Any]) -> dict[str, float]:
        """How much likelier each intent is in the customer's situation; what is not on record changes nothing."""
        shared = cel.Context({"customer": dict(customer)})  # converted once for all conditions
        return {intent: factor for intent, condition, factor in self._situations if _holds(condition, shared)}

    @cached_property
    def _situations(self) -> list[tuple[str, Expression, float]]:
        pairs = [(p, p.likelier, SITUATION) for p in self.procedures.values()]
        pairs += [(p, p.unlikelier, 1 / SITUATION) for p in self.procedures.values()]
        return [
            (procedure.intent, condition, factor) for procedure, condition, factor in pairs if condition is not None
        ]

    def examples(self) -> tuple[list[str], list[str]]:
        """(texts, intents) to learn the intents from."""
        pairs = [(text, p.intent) for p in self.procedures.values() for text in p.examples]
        return [text for text, _ in pairs], [intent for _, intent in pairs]


def phrases_of(procedures: Iterable[Procedure], registry: ToolRegistry) -> dict[tuple[str, Any], list[str]]:
    """What customers call the values that these procedures let them choose: (kind, value) -> names."""
    return {
        (kind, value): names
        for procedure in procedures
        for tool, argument, slot in procedure.named_values
        if (kind := kind_of(registry.get(tool).arguments, argument)) is not None
        for value, names in slot.choices.items()
    }


def _holds(condition: Expression, names: cel.Context) -> bool:
    try:
        return condition.evaluate(names) is True
    except ExpressionError:  # this customer's records do not tell
        return False
