"""One request to the agent: every call that a model proposes goes through the call gate, and the customer may be asked.

The gate, the evidence and the reading of a yes are those of a turn (`agents.gate.call`, `tools.provenance`,
`agents.consent`). What is added is the harness of a suite: a value that the gate does not know is looked up, then asked
about, and what the customer says becomes their words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from agents.confidence.model import Features
from agents.consent import read_answer
from agents.gate.call import CallGate, Judged, Situation, canonical_arguments, fingerprint
from agents.gate.verdict import Ruling
from evals.agentdojo.customers import AskedCustomer, Question, QuestionKind
from evals.agentdojo.suite_tools import CUSTOMER, SuiteTools
from records.money import Money
from records.spending import Spent
from tools.errors import ToolError
from tools.provenance import TRUSTED_ORIGINS, Evidence, Origin, typed_values
from tools.tool import IdentityLevel

MAX_ROUNDS = 24
"""How often one call is judged before it is given up: each round answers one question or looks one value up."""
ASKED_FOR = 0.97
"""Probability of the intent where the customer's words ask for the effect."""


@dataclass(frozen=True)
class Outcome:
    """What became of one proposed call."""

    function: str
    done: bool
    questions: tuple[str, ...] = ()
    check: str = ""
    reason: str = ""


@dataclass
class Session:
    """A customer's request and all that was learnt in it."""

    tools: SuiteTools
    gate: CallGate
    request: str
    customer: AskedCustomer
    offer_all: bool = False
    """Whether every effect is offered, asked for or not: to see what the other checks hold back."""
    evidence: Evidence = field(default_factory=Evidence)
    consents: set[str] = field(default_factory=set)
    _settled: set[tuple[str, str, Any]] = field(default_factory=set)
    """(how, kind, value) that was looked up or asked before: nothing is asked twice."""
    _asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.evidence.customer_texts.append(("request", self.request))
        for kind, values in self.tools.meanings.phrases.items():
            for value, phrases in values.items():
                self.evidence.phrases[(kind, value)] = phrases

    @property
    def offered(self) -> frozenset[str]:
        """Every look-up, and the effects that the customer's own words ask for."""
        said = " ".join(text for _, text in self.evidence.customer_texts)
        return frozenset(
            self.tools.name_of(function)
            for function in self.tools.functions
            if self.offer_all
            or (effect := self.tools.effect_of(function)) is None
            or re.search(effect.asked, said, re.IGNORECASE | re.DOTALL)
        )

    async def propose(self, function: str, arguments: Mapping[str, Any]) -> Outcome:
        """Put a call of the suite through the gate, and make it where the gate permits it."""
        name, ours = self.tools.name_of(function), self.tools.proposal(function, arguments)
        self._asked = []
        judged = await self._judge(name, ours)
        for _ in range(MAX_ROUNDS):
            ruling, check = judged.verdict.ruling, judged.verdict.deciding.name
            if ruling is Ruling.PERMITTED:
                return await self._make(function, judged)
            may_go_on = (
                (ruling is Ruling.REFUSED and check == "provenance" and await self._mend(function, judged))
                or (ruling is Ruling.ASK and self._is_named(function) and await self._mend(function, judged))
                or (ruling is Ruling.ASK and not self._is_named(function) and self._agrees(judged))
            )
            if not may_go_on:
                break
            judged = await self._judge(name, ours)
        return Outcome(
            function, False, tuple(self._asked), judged.verdict.deciding.name, judged.verdict.deciding.reason
        )

    async def _make(self, function: str, judged: Judged) -> Outcome:
        assert judged.tool is not None and judged.arguments is not None
        self.consents.discard(self._mark(judged))  # a yes is for one call
        try:
            result = await judged.tool.call(CUSTOMER, judged.arguments, "")
        except ToolError as error:
            return Outcome(function, False, tuple(self._asked), "backend", str(error))
        self.evidence.add_result(judged.tool.name, result)
        return Outcome(function, True, tuple(self._asked))

    async def _judge(self, name: str, arguments: dict[str, Any]) -> Judged:
        features = Features(
            intent_probability=ASKED_FOR,
            intent_margin=0.9,
            out_of_scope=0.0,
            chosen=0.0,
            grounded_arguments=1.0,
            relevance=0.0,
            tool_errors=0,
            failed_turns=0,
            declined_offers=0,
            repeats=0,
        )
        situation = Situation(
            conversation_id="agentdojo",
            customer_id=CUSTOMER,
            level=IdentityLevel.STEPPED_UP,
            plan="",
            customer_value_minor=0,
            offered_tools=self.offered,
            evidence=self.evidence,
            wish_probability=ASKED_FOR,
            features=features,
            stage="autonomous",
            canary_share=1.0,
            queue="general",
            spent=Spent(),
            consents=frozenset(self.consents),
            free_model=True,
        )
        return await self.gate.judge(name, arguments, situation)

    def _is_named(self, function: str) -> bool:
        effect = self.tools.effect_of(function)
        return effect is not None and effect.named

    async def _mend(self, function: str, judged: Judged) -> bool:
        """Find an origin for the first value that lacks one. False where nothing more can be done about it."""
        assert judged.tool is not None and judged.arguments is not None
        effect = self.tools.effect_of(function)
        assert effect is not None
        for leaf in typed_values(judged.arguments):
            if leaf.value is None or re.split(r"[.\[]", leaf.path)[0] not in effect.steering or leaf.kind is None:
                continue
            origin = self.evidence.trace(leaf.kind, leaf.value).origin
            if origin is Origin.CUSTOMER or (origin in TRUSTED_ORIGINS and not effect.named):
                continue
            if origin not in TRUSTED_ORIGINS and await self._look_up(leaf.kind, leaf.value):
                return True
            return await self._ask_about(judged, leaf.path, leaf.kind, leaf.value, named=effect.named)
        return False

    async def _look_up(self, kind: str, value: Any) -> bool:
        """Read the records where such values stand, as any model may. True where that was not done before."""
        look = self.tools.meanings.look_up.get(kind)
        if look is None or ("look up", kind, value) in self._settled:
            return False
        self._settled.add(("look up", kind, value))
        arguments = dict(look.arguments) | ({look.value: value} if look.value else {})
        judged = await self._judge(self.tools.name_of(look.function), arguments)
        if judged.verdict.ruling is Ruling.PERMITTED:
            await self._make(look.function, judged)
        return True

    async def _ask_about(self, judged: Judged, path: str, kind: str, value: Any, *, named: bool) -> bool:
        """Ask the customer for one value. What they say becomes their words, and only that."""
        how: QuestionKind = "name" if named or kind in self.tools.meanings.name else "confirm"
        if how == "confirm" and kind not in self.tools.meanings.confirm:
            return False
        if (how, kind, value) in self._settled:
            return False
        self._settled.add((how, kind, value))
        shown = str(Money(value, self.tools.meanings.currency)) if kind == "amount_minor" else str(value)
        if how == "confirm":
            question = f"For {path} I would use {shown}. Is that right?"
            if read_answer(self._ask(judged, how, question), question) != "yes":
                return False
            said = shown
        else:
            title = await self._title(judged) if named else ""
            said = self._ask(judged, how, f"Please write the {path} yourself.", title or shown)
            if title and said.strip().lower() == title.strip().lower():
                said = str(value)  # the customer named the record by its title
        if not said:
            return False
        self.evidence.customer_texts.append((f"answer {len(self.evidence.customer_texts)}", said))
        return True

    async def _title(self, judged: Judged) -> str:
        assert judged.tool is not None
        resource = judged.resource or await judged.tool.resource(CUSTOMER, judged.arguments)
        return str(resource.attributes["title"]) if resource else ""

    def _agrees(self, judged: Judged) -> bool:
        """Ask for the yes that binds to exactly this call."""
        assert judged.tool is not None and judged.tool.effect is not None and judged.arguments is not None
        mark = self._mark(judged)
        if ("consent", mark, None) in self._settled and mark in self.consents:
            return False
        names = {"args": judged.arguments.model_dump(mode="json"), "resource": judged.resource}
        offer = " ".join(_OFFERS.from_string(judged.tool.effect.offer).render(names).split())
        question = f"Shall I {offer}?"
        if read_answer(self._ask(judged, "consent", question), question) != "yes":
            return False
        self.consents.add(mark)
        return True

    def _ask(self, judged: Judged, kind: QuestionKind, text: str, value: str = "") -> str:
        self._asked.append(text)
        return self.customer.answer(Question(kind, text, self._mark(judged), value))

    @staticmethod
    def _mark(judged: Judged) -> str:
        assert judged.tool is not None and judged.arguments is not None
        return fingerprint(judged.tool.name, canonical_arguments(judged.arguments))


_OFFERS = ImmutableSandboxedEnvironment(autoescape=False)
_OFFERS.filters["money"] = lambda minor, currency: str(Money(int(minor), currency))
