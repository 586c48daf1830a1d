"""A decision in plain words, for somebody who answers for it and knows nothing of its inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.commands.values import aligned, lines_of, moment, money, plain, words
from records.decision import DecisionRecord
from records.effect import EffectRecord
from records.offer import Approval

VERDICTS = {
    "permitted": "permitted",
    "ask": "the customer is asked first",
    "needs_approval": "waits for a person's approval",
    "refused": "refused",
    "escalate": "handed to a person",
    "shadowed": "decided, but not carried out",
}
ORIGINS = {
    "customer": "said by the customer",
    "record": "from the customer's records",
    "policy": "set by the operator",
    "knowledge": "from a document or procedure",
    "free_text": "from text that others wrote",
    "model": "from nowhere but the model",
}
_PASSED = {
    "schema": "The tool exists, is offered here, and its arguments are valid.",
    "provenance": "Every value that steers money, access or identity came from the customer, a record or the operator.",
    "policy": "The policies permit it.",
    "confidence": "It is likely enough to be right for what a mistake would cost.",
    "stage": "This matter has been rolled out far enough to act alone.",
    "destination": "It goes where the customer asked, or sends nothing.",
    "consent": "The customer agreed, or nothing needs their yes.",
    "reply": "Every figure and promise in the reply is backed.",
}
_TOLD_ELSEWHERE = {
    "policies",
    "features",
    "p_correct",
    "p_now",
    "minimum_probability",
    "bound_from",
    "calibrated_bound",
    "break_even",
    "loss_terms",
    "person_terms",
    "stakes",
    "intent",
    "house_currency",
}
"""Figures that have a sentence of their own; `handrail gate explain` shows the whole sum."""


@dataclass(frozen=True)
class Explained:
    """A decision with all that belongs to it."""

    decision: DecisionRecord
    customer_id: str
    effects: Sequence[EffectRecord] = ()
    approvals: Sequence[Approval] = ()
    sentences: Mapping[str, str] = field(default_factory=dict)
    """The policies' sentences, as they read today."""
    house_currency: str = "EUR"
    """The currency in which mistakes and people's time are weighed."""

    @property
    def currency(self) -> str | None:
        """The currency of the money that the proposal moves."""
        policy = self.figures("policy").get("currency")
        return policy or next((effect.currency for effect in self.effects if effect.currency), None)

    def figures(self, check: str) -> dict[str, Any]:
        """What a check compared."""
        return next((one.get("figures") or {} for one in self.decision.checks if one["check"] == check), {})


def proposed(decision: DecisionRecord) -> str:
    """What was proposed, in a few words."""
    proposal = decision.proposal
    match decision.kind:
        case "call":
            return f"to call {proposal.get('tool', 'a tool')}"
        case "reply":
            return "to ask the customer" if proposal.get("kind") == "question" else "to reply"
        case "routing":
            return f"to hand over to {proposal.get('queue', 'a person')}"
    return decision.kind


def as_document(explained: Explained) -> dict[str, Any]:
    """The decision as JSON: as it was recorded, with sentences beside it."""
    decision = explained.decision
    return {
        **decision.model_dump(mode="json"),
        "customer_id": explained.customer_id,
        "proposed": proposed(decision),
        "verdict_in_words": VERDICTS.get(decision.verdict, decision.verdict),
        "checks": [{**check, "says": _sentence(explained, check)} for check in decision.checks],
        "policies": [{"id": policy, "reason": _policy(explained, policy)} for policy in decision.policies],
        "amounts": dict(_amounts(explained)),
        "effects": [{"id": e.id, "tool": e.tool, "state": e.state, "error": e.error} for e in explained.effects],
        "approvals": [approval.model_dump(mode="json") for approval in explained.approvals],
    }


def as_text(explained: Explained) -> str:
    """The decision as a page of text."""
    decision = explained.decision
    verdict = VERDICTS.get(decision.verdict, words(decision.verdict))
    because = f": {_as_sentence(decision.reason)}" if decision.reason else ""
    lines = [
        f"Decision {decision.id}, {moment(decision.at)}",
        f"Conversation {decision.conversation_id} with {explained.customer_id}, turn {decision.turn_id}",
        "",
        f"Proposed: {proposed(decision)}",
        *_proposal(explained),
        "",
        f"Verdict: {verdict}{because}{_decider(decision)}",
    ]
    if decision.checks:
        rows = [
            (f"{number}", words(check["check"]), "passed" if check["ruling"] == "permitted" else _ruling(check), says)
            for number, check in enumerate(decision.checks, 1)
            for says in [_sentence(explained, check)]
        ]
        lines += ["", "Checks, in order:", *aligned(rows)]
    if decision.policies:
        policies = [(policy, _policy(explained, policy)) for policy in decision.policies]
        lines += ["", "Policies that decided:", *aligned(policies)]
    if decision.p_correct is not None:
        lines += ["", f"Probability that this is right: {100 * decision.p_correct:.1f} %"]
        features = explained.figures("confidence").get("features", {})
        lines += aligned([(words(name), plain("", value)) for name, value in features.items()])
    if amounts := _amounts(explained):
        lines += ["", "Limits and amounts:", *aligned(amounts)]
    for effect in explained.effects:
        failed = f" ({effect.error})" if effect.error else ""
        lines += ["", f"Effect {effect.id}: {effect.state}{failed}, `handrail effects show {effect.id}`"]
    for approval in explained.approvals:
        by = f" by {approval.decided_by}" if approval.decided_by else ""
        lines += ["", f"Approval {approval.id}: {approval.state}{by}, asked for at {moment(approval.requested_at)}"]
    return "\n".join(lines)


def _proposal(explained: Explained) -> list[str]:
    """The proposed values, each with where it came from; or the text of a reply."""
    decision = explained.decision
    if decision.kind == "reply":
        return [f"  {line}" for line in str(decision.proposal.get("text") or "(nothing)").splitlines()]
    if decision.kind != "call":
        return aligned([(words(name), value) for name, value in lines_of(decision.proposal)])
    arguments = decision.proposal.get("arguments", {})
    rows = [
        (words(name), value, _origin(decision.origins, name)) for name, value in lines_of(arguments, explained.currency)
    ]
    return aligned(rows) if rows else ["  with no values: it is about the customer who writes"]


def _origin(origins: Mapping[str, Mapping[str, str]], name: str) -> str:
    """Where a value came from; a value with parts may have come from several places."""
    parts = [trace for path, trace in origins.items() if path == name or path.startswith((f"{name}.", f"{name}["))]
    told = [
        ORIGINS.get(trace["origin"], words(trace["origin"])) + (f" ({trace['source']})" if trace.get("source") else "")
        for trace in parts
    ]
    return "; ".join(dict.fromkeys(told)) or "not traced"


def _decider(decision: DecisionRecord) -> str:
    return f" (decided by: {words(decision.check)})" if decision.check else ""


def _ruling(check: Mapping[str, Any]) -> str:
    return {"ask": "ask first", "needs_approval": "needs approval", "escalate": "to a person"}.get(
        check["ruling"], words(check["ruling"])
    )


def _sentence(explained: Explained, check: Mapping[str, Any]) -> str:
    """What a check found, with its figures."""
    passed = check["ruling"] == "permitted"
    says = check.get("reason") or (_PASSED.get(check["check"], "It passed.") if passed else "It did not pass.")
    if check["check"] in ("policy", "confidence"):
        figures = _figures(explained, check)
    else:
        figures = [(words(name), plain(name, value)) for name, value in (check.get("figures") or {}).items()]
    told = "; ".join(f"{name}: {value}" for name, value in figures)
    return _as_sentence(says) + (f" ({told})" if told else "")


def _as_sentence(text: str) -> str:
    """A reason as it is read: from a capital to a full stop, also where several were joined."""
    text = text.replace(".; ", ". ")
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _figures(explained: Explained, check: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures of the two checks that weigh money, with their currency."""
    figures = check.get("figures") or {}
    if check["check"] == "policy":
        if not figures.get("currency"):
            return []
        return [
            ("amount", money(figures.get("amount_minor"), figures["currency"])),
            ("moved in the last 30 days", money(figures.get("spent_30d_minor"), figures["currency"])),
        ]
    named = {
        "loss": "what a mistake would cost",
        "expected_loss": "expected loss",
        "cost_of_person": "what a person and the wait would cost",
    }
    told = [(name, money(figures[key], explained.house_currency)) for key, name in named.items() if key in figures]
    if figures.get("minimum_probability") is not None:
        told.append(("lowest probability to act alone", f"{100 * figures['minimum_probability']:.1f} %"))
    if "p_now" in figures:  # recorded by earlier versions
        told.append(("probability as it stands, before any further yes", f"{100 * figures['p_now']:.1f} %"))
    rest = [name for name in figures if name not in {*named, *_TOLD_ELSEWHERE}]
    return told + [(words(name), plain(name, figures[name], explained.house_currency)) for name in rest]


def _amounts(explained: Explained) -> list[tuple[str, str]]:
    """All limits and amounts that the decision weighed."""
    checks = [check for check in explained.decision.checks if check["check"] in ("policy", "confidence")]
    return [figure for check in checks for figure in _figures(explained, check)]


def _policy(explained: Explained, policy: str) -> str:
    """A policy's sentence: as it was recorded, or as it reads today."""
    if policy == "default-deny":
        return "No policy permits this."
    recorded = next((check.get("reason", "") for check in explained.decision.checks if check["check"] == "policy"), "")
    today = explained.sentences.get(policy)
    if today is None:
        for other in explained.decision.policies:  # what is left of the recorded sentences is that of the missing one
            recorded = recorded.replace(explained.sentences.get(other, ""), "")
        said = recorded.strip("; ")
        return f"{said} (this policy is no longer in use)".strip() if said else "This policy is no longer in use."
    return today if today in recorded or not recorded else f"{today} (its sentence has changed since)"
