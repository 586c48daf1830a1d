"""The gate for tool calls: schema, provenance, policy, confidence against money, rollout stage, consent.

Each check is a plain function of values; `judge_call` runs them in order and stops at the first that decides. Only the
look-up of the touched record asks the backend.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from agents.confidence.model import ConfidenceModel, Features
from agents.confidence.money import CostModel, Stakes, weigh
from agents.gate.verdict import Check, Ruling, Verdict
from records.spending import Spent
from tools.errors import ToolError
from tools.policy import PolicyEngine, PolicyRequest, PolicyVerdict
from tools.provenance import TRUSTED_ORIGINS, Evidence, Origin, Trace, typed_values
from tools.registry import ToolRegistry
from tools.tool import Arguments, Effect, IdentityLevel, Resource, Tool

CLEAR_WISH = 0.9
"""Probability of the intent from which an effect that can harm nothing needs no yes of its own."""


@dataclass(frozen=True)
class Situation:
    """What the gate knows of the turn, none of it from the model."""

    conversation_id: str
    customer_id: str
    level: IdentityLevel
    plan: str
    customer_value_minor: int
    offered_tools: frozenset[str]
    evidence: Evidence
    wish_probability: float
    """How sure triage is of what the customer asks for in this message, or was when the matter was taken up."""
    features: Features
    stage: str
    canary_share: float
    queue: str
    spent: Spent
    consents: frozenset[str]
    """Fingerprints of the effects to which the customer said yes."""
    refused: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Of those that did not get their yes with this message: they are not clearly asked for, whatever else is."""
    addressed: frozenset[str] = frozenset()
    """E-mail addresses in the customer's request that are not the contact's."""
    free_model: bool = False
    """Whether a language model chose the values: a procedure that runs its own steps chooses them by rule."""
    intent: str | None = None
    """What the matter is, as triage settled it."""
    churn_risk: float = 0.0
    """0 to 100."""
    approvals: frozenset[str] = frozenset()
    """Fingerprints of the effects that a person approved."""
    stepped_up: bool = False
    """Whether the customer typed a code that was sent to them a short while ago. It counts for access only."""

    def level_for(self, tool: Tool) -> IdentityLevel:
        """How sure the service is of who asks for this tool."""
        return IdentityLevel.STEPPED_UP if self.stepped_up and _steps_up(tool, self.level) else self.level

    def a_code_helps(self, tool: Tool, needed: IdentityLevel | None) -> bool:
        """Whether a code, and nothing else, is what policy misses."""
        return needed is IdentityLevel.STEPPED_UP and not self.stepped_up and _steps_up(tool, self.level)


@dataclass(frozen=True)
class Judged:
    """A judged call: the verdict, and what was learnt on the way."""

    tool: Tool | None
    arguments: Arguments | None
    resource: Resource | None
    verdict: Verdict
    amount: tuple[int, str] | None = None


def _steps_up(tool: Tool, level: IdentityLevel) -> bool:
    return tool.effect is not None and tool.effect.kind == "access" and level is IdentityLevel.VERIFIED


def fingerprint(tool: str, arguments: Mapping[str, Any]) -> str:
    """What a consent or an approval binds to: the tool and exactly these arguments."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{tool} {canonical}".encode()).hexdigest()


def canonical_arguments(arguments: Arguments) -> dict[str, Any]:
    """The arguments as JSON without those left out."""
    return arguments.model_dump(mode="json", exclude_none=True)


class CallGate:
    """Judges proposed tool calls."""

    def __init__(
        self, registry: ToolRegistry, policy: PolicyEngine, confidence: ConfidenceModel, costs: CostModel
    ) -> None:
        self.registry, self.policy, self.confidence, self.costs = registry, policy, confidence, costs

    async def judge(self, name: str, arguments: Mapping[str, Any], situation: Situation) -> Judged:
        """The verdict on one proposed call."""
        schema, tool, parsed = check_schema(self.registry, name, arguments, situation.offered_tools)
        if tool is None or parsed is None:
            return Judged(tool, None, None, Verdict((schema,)))
        provenance, origins = check_provenance(tool, parsed, situation.evidence)
        checks = [schema, provenance]
        traces = {field: {"origin": t.origin.value, "source": t.source} for field, t in origins.items()}
        if not provenance.passed:
            return Judged(tool, parsed, None, Verdict(tuple(checks), (), traces))
        try:
            resource = await tool.resource(situation.customer_id, parsed)
        except ToolError as error:
            checks.append(Check("policy", Ruling.REFUSED, f"the record cannot be read: {error}"))
            return Judged(tool, parsed, None, Verdict(tuple(checks), (), traces))
        if resource is None:
            checks.append(Check("policy", Ruling.REFUSED, "there is no such record"))
            return Judged(tool, parsed, None, Verdict(tuple(checks), (), traces))
        mark = fingerprint(name, canonical_arguments(parsed))
        amount = tool.effect.amount(parsed, resource) if tool.effect else None
        policy, decided = self._check_policy(tool, resource, amount, mark, situation)
        checks.append(policy)
        p = None
        if tool.effect is not None and policy.ruling is not Ruling.REFUSED:
            loss = tool.effect.loss_of(parsed, resource)
            confidence, p = self._check_confidence(tool, origins, amount, loss, mark, situation)
            if policy.ruling is not Ruling.NEEDS_APPROVAL:  # otherwise a person weighs it anyway
                checks += [confidence, check_stage(situation, mark)]
            checks.append(check_destination(tool, situation))
            checks.append(check_consent(tool, mark, situation, origins))
        return Judged(tool, parsed, resource, Verdict(_in_effect(checks), tuple(decided.policies), traces, p), amount)

    def a_question_helps(
        self,
        tools: Collection[str],
        intent: str,
        queue: str,
        facts: Mapping[str, Any],
        now: Features,
        then: Features,
    ) -> bool:
        """Whether one of these tools would be too risky as the matter is understood now, and no longer as it is then.

        What an amount would add to the loss, and what the arguments may take from it, is not known yet and left aside.
        """
        value, risk = int(facts.get("yearly_value_minor", 0)), float(facts.get("churn_risk", 0))
        for effect in (self.registry.get(name).effect for name in tools if name in self.registry):
            if effect is not None:
                stakes = _stakes(effect, (0, ""), effect.fixed_loss_minor, queue, value, risk)
                bound = self.confidence.bound(intent, effect.kind)
                chances = [self.confidence.p_correct(features.of_call(effect)) for features in (now, then)]
                alone = [weigh(self.costs, p, bound, stakes).act_alone for p in chances]
                if alone == [False, True]:
                    return True
        return False

    def _check_policy(
        self, tool: Tool, resource: Resource, amount: tuple[int, str] | None, mark: str, situation: Situation
    ) -> tuple[Check, PolicyVerdict]:
        level = situation.level_for(tool)
        minor, currency = amount or (0, "")
        spent, today = situation.spent.of(tool.name, currency)
        context = {
            "amount_minor": minor,
            "currency": currency,
            "spent_30d_minor": spent,
            "spent_today_minor": today,
            "plan": situation.plan,
            "level": level.rank,
            "stage": situation.stage,
            "approved": mark in situation.approvals,
        }
        request = PolicyRequest(
            customer_id=situation.customer_id, level=level, tool=tool.name, resource=resource, context=context
        )
        verdict = self.policy.decide(request)
        figures = {
            "policies": list(verdict.policies),
            "amount_minor": minor,
            "currency": currency,
            "spent_30d_minor": spent,
            "spent_today_minor": today,
        }
        if verdict.needs_level is not None:
            figures["needs_level"] = verdict.needs_level.value
        reason = "; ".join(verdict.reasons)
        if verdict.allowed:
            return Check("policy", Ruling.PERMITTED, reason, figures), verdict
        ruling = Ruling.NEEDS_APPROVAL if verdict.needs_approval else Ruling.REFUSED
        if ruling is Ruling.REFUSED and situation.a_code_helps(tool, verdict.needs_level):
            ruling = Ruling.NEEDS_CODE
        return Check("policy", ruling, reason or "no policy permits this", figures), verdict

    def _check_confidence(
        self,
        tool: Tool,
        origins: Mapping[str, Trace],
        amount: tuple[int, str] | None,
        fixed_loss_minor: int,
        mark: str,
        situation: Situation,
    ) -> tuple[Check, float]:
        assert tool.effect is not None
        grounded = [t for t in origins.values() if t.origin in TRUSTED_ORIGINS]
        share = len(grounded) / len(origins) if origins else 1.0
        features = situation.features.of_call(tool.effect, grounded_arguments=share)
        value, risk = situation.customer_value_minor, situation.churn_risk
        stakes = _stakes(tool.effect, amount or (0, ""), fixed_loss_minor, situation.queue, value, risk)
        p = self.confidence.p_correct(features)
        weighing = weigh(self.costs, p, self.confidence.bound(situation.intent, stakes.kind), stakes)
        model = {"model": self.confidence.id, "intent": situation.intent, "features": vars(features)}
        figures = {**weighing.as_json(), **model}
        if weighing.act_alone or mark in situation.approvals:
            return Check("confidence", figures=figures), p
        # Where only the money speaks against it, a colleague's look at it is enough.
        ruling = Ruling.NEEDS_APPROVAL if weighing.sure_enough else Ruling.ESCALATE
        return Check("confidence", ruling, weighing.in_words, figures), p


def _stakes(
    effect: Effect, amount: tuple[int, str], fixed_loss_minor: int, queue: str, value_minor: int, churn_risk: float
) -> Stakes:
    return Stakes(
        kind=effect.kind,
        queue=queue,
        amount_minor=amount[0],
        currency=amount[1],
        reversible=effect.reversible,
        fixed_loss_minor=fixed_loss_minor,
        value_minor=value_minor,
        churn_risk=churn_risk,
    )


def _in_effect(checks: list[Check]) -> tuple[Check, ...]:
    """The customer is asked before a colleague is: a missing consent decides before a missing approval does."""
    if any(check.name == "consent" and not check.passed for check in checks):
        waiting = [check for check in checks if check.ruling in (Ruling.NEEDS_APPROVAL, Ruling.NEEDS_CODE)]
        return tuple([check for check in checks if check not in waiting] + waiting)
    return tuple(checks)


def check_schema(
    registry: ToolRegistry, name: str, arguments: Mapping[str, Any], offered: frozenset[str]
) -> tuple[Check, Tool | None, Arguments | None]:
    """The tool exists, is offered in this turn, and its arguments validate strictly."""
    if name not in registry.names():
        return Check("schema", Ruling.REFUSED, f"there is no tool {name}"), None, None
    tool = registry.get(name)
    if name not in offered:
        return Check("schema", Ruling.REFUSED, f"{name} is not offered for this request"), tool, None
    try:
        return Check("schema"), tool, tool.arguments.model_validate(dict(arguments))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "arguments"
        return Check("schema", Ruling.REFUSED, f"{name}: {place}: {first['msg']}"), tool, None


def check_provenance(tool: Tool, arguments: Arguments, evidence: Evidence) -> tuple[Check, dict[str, Trace]]:
    """Refuse a value that steers money, access or identity and that neither the customer, a record nor policy gave."""
    traces: dict[str, Trace] = {}
    for leaf in typed_values(arguments):
        if leaf.value is not None:
            traces[leaf.path] = evidence.trace(leaf.kind, leaf.value)
    strays = {
        path: trace.origin.value
        for path, trace in traces.items()
        if path.split(".")[0].split("[")[0] in tool.steering and trace.origin not in TRUSTED_ORIGINS
    }
    if strays:
        named = ", ".join(f"{path} ({origin})" for path, origin in strays.items())
        return Check("provenance", Ruling.REFUSED, f"nobody who may gave these values: {named}", strays), traces
    return Check("provenance"), traces


def check_stage(situation: Situation, mark: str) -> Check:
    """Whether the intent has been rolled out far enough to act."""
    if mark in situation.approvals:
        return Check("stage", figures={"stage": situation.stage})
    if situation.stage == "autonomous" or (situation.stage == "canary" and _in_canary(situation)):
        return Check("stage", figures={"stage": situation.stage})
    reason = f"the rollout stage is {situation.stage}: a person decides"
    return Check("stage", Ruling.ESCALATE, reason, {"stage": situation.stage})


def _in_canary(situation: Situation) -> bool:
    digest = hashlib.sha256(situation.conversation_id.encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 < situation.canary_share


ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def check_destination(tool: Tool, situation: Situation) -> Check:
    """Whether something would be sent elsewhere than the customer asked: only a person may change where it goes."""
    if tool.effect is None or not tool.effect.sends:
        return Check("destination")
    strange = sorted(situation.addressed - situation.evidence.addresses())
    if not strange:
        return Check("destination")
    reason = f"it goes only to the address on record, and the customer names {', '.join(strange)}"
    return Check("destination", Ruling.ESCALATE, reason, {"named": strange})


def check_consent(tool: Tool, mark: str, situation: Situation, origins: Mapping[str, Trace]) -> Check:
    """Whether the customer said yes to exactly this, or clearly asked for what can harm nothing."""
    asked_for = situation.wish_probability
    named = all(
        trace.origin is Origin.CUSTOMER
        for path, trace in origins.items()
        if tool.steering & {path.split(".")[0].split("[")[0]}
    )
    if tool.effect is None or (
        not tool.effect.consent
        and mark not in situation.refused
        and asked_for >= CLEAR_WISH
        and (named or not situation.free_model)
    ):
        return Check("consent", reason="it was clearly asked for and goes only to the address on record")
    if mark in situation.consents:
        return Check("consent", reason="the customer said yes to exactly these values")
    return Check("consent", Ruling.ASK, "the customer has not agreed to exactly these values yet")


__all__ = ["CallGate", "Judged", "Origin", "Situation", "canonical_arguments", "fingerprint"]
