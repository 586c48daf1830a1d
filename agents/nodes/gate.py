"""gate: enters with proposals; leaves to execute, act, ask, respond, await_approval or escalate.

Every proposal and its verdict is written down here, the intended effects in the same transaction, before anything
happens.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.runtime import Runtime
from langgraph.types import Command
from sqlmodel import SQLModel, col, select

from agents.confidence.model import Features
from agents.gate.call import ADDRESS, Judged, Situation, canonical_arguments, check_schema, fingerprint
from agents.gate.verdict import Check, Ruling, Verdict
from agents.models.chain import EMBEDDED
from agents.models.names import to_wire
from agents.nodes.act import hand_over
from agents.nodes.judge_reply import Next, judge_reply
from agents.nodes.triage import UNDERSTOOD
from agents.nodes.understanding import features_of, understood
from agents.state import TurnState
from agents.turn import TurnContext, decision_event
from records.decision import DecisionRecord
from records.effect import EffectRecord
from records.identifiers import new_id
from records.offer import Approval, Offer
from records.spending import Spent, SpentMeanwhile, spent
from tools.tool import IdentityLevel

APPROVAL_EXPIRES = timedelta(hours=24)
JUDGED_AGAIN = 6
"""How often calls are judged anew because others moved money meanwhile."""


async def gate(state: TurnState, runtime: Runtime[TurnContext]) -> Next:
    """Judge what the model proposed."""
    turn = runtime.context
    with turn.stage("gate"):
        if state.get("calls"):
            return await _judge_calls(turn, state["calls"])  # type: ignore[typeddict-item]
        return judge_reply(turn, state.get("reply") or {})


@dataclass
class _Round:
    """The verdicts on the calls of one message, before anything is written."""

    judged: dict[str, Judged] = field(default_factory=dict)
    """Call id -> verdict, in the order of the calls."""
    decisions: dict[str, DecisionRecord] = field(default_factory=dict)
    """Call id -> the record of it; a call that was intended before has none."""
    known: dict[str, str] = field(default_factory=dict)
    """Call id -> the effect that was intended for it before."""

    def ruled(self, *rulings: Ruling) -> list[str]:
        """The calls with one of these verdicts."""
        return [call for call in self.decisions if self.judged[call].verdict.ruling in rulings]


async def _judge_calls(turn: TurnContext, calls: list[dict[str, Any]]) -> Next:
    calls = _each_once(turn, calls)
    await _recall_approvals(turn)
    for call in calls:
        turn.proposed[_mark(call)] = turn.proposed.get(_mark(call), 0) + 1
    times = 0
    while True:
        times += 1
        stop = "" if times <= JUDGED_AGAIN else "too much money is being moved at the same moment"
        situation = await _situation(turn, calls)
        found = await _judge(turn, calls, situation)
        try:
            return await _rule(turn, calls, found, situation.spent, stop)
        except SpentMeanwhile:
            continue


async def _judge(turn: TurnContext, calls: list[dict[str, Any]], situation: Situation) -> _Round:
    """Each call's verdict; what one of them moves counts for those after it."""
    found = _Round()
    for call in calls:
        if (known := await _was_intended(turn, call)) is not None:
            found.judged[call["id"]], found.known[call["id"]] = known
            continue
        if (intent := _matter_of(turn, call)) != situation.intent:
            situation = replace(situation, intent=intent, features=_features(turn, intent))
            if situation.stage:
                stage, share = await turn.services.stage_of(intent or "")
                situation = replace(situation, stage=stage, canary_share=share)
        judged = await turn.services.gate.judge(call["tool"], call["arguments"], situation)
        judged = _limit_repeats(turn, call, judged)
        if judged.verdict.ruling is Ruling.PERMITTED and judged.tool is not None and judged.amount is not None:
            situation = replace(situation, spent=situation.spent.and_then(judged.tool.name, *judged.amount))
        found.judged[call["id"]] = judged
        found.decisions[call["id"]] = _decision(turn, call, judged)
    return found


async def _rule(turn: TurnContext, calls: list[dict[str, Any]], found: _Round, known: Spent, stop: str) -> Next:
    """Write the verdicts down, with what they lead to, and go on. Raises `SpentMeanwhile`, having changed nothing.

    Where a person is to have the matter (`stop` is why, or a verdict says so), nothing is begun any more.
    """
    by_id = {call["id"]: call for call in calls}
    escalating = found.ruled(Ruling.ESCALATE)
    why = stop or (found.judged[escalating[0]].verdict.deciding.reason if escalating else "")
    permitted = [call for call in calls if call["id"] in found.known or call["id"] in found.ruled(Ruling.PERMITTED)]
    asking, waiting = found.ruled(Ruling.ASK, Ruling.NEEDS_CODE), found.ruled(Ruling.NEEDS_APPROVAL)
    rows: list[SQLModel] = []
    intended, used = dict(found.known), []
    for call in permitted if not why else ():
        judged = found.judged[call["id"]]
        if call["id"] not in found.known and judged.tool is not None and judged.tool.effect is not None:
            effect, offer = _intend(turn, call, judged, found.decisions[call["id"]])
            rows.append(effect)
            used += [offer] if offer else []
            intended[call["id"]] = effect.id
    first = by_id[waiting[0]] if waiting and not (permitted or asking or why) else None
    approval = await _was_asked_for(turn, found.judged[first["id"]]) if first else None
    if first and approval is None:
        approval = _approval(turn, first, found.judged[first["id"]], found.decisions[first["id"]])
        rows.append(approval)
    decisions = [*turn.decisions, *found.decisions.values()]
    if rows:
        # Something may happen now: all verdicts so far are written first. Those on look-ups wait for the next write.
        events = [decision_event(decision) for decision in decisions]
        accepted = [offer.model_copy(update={"state": "used"}) for offer in used]
        await turn.services.transcript.record(
            turn.conversation_id, [*decisions, *rows], events, accepted, turn.start.turn, known
        )
        decisions = []
    for offer in used:
        offer.state = "used"
    turn.decisions = decisions
    turn.judged |= found.judged
    turn.intended |= intended
    turn.asking = [(call, found.judged[call]) for call in asking]
    refused = found.ruled(Ruling.REFUSED)
    for call in refused:
        _answer(turn, by_id[call], found.judged[call].verdict.deciding.reason)
    if why:
        turn.triage["proposed"] = [{"tool": c["tool"], "arguments": c["arguments"]} for c in calls]
        command = hand_over(turn, why)
        return Command(goto="escalate", update=command.update)
    if permitted:
        for call in (*asking, *waiting):
            _answer(turn, by_id[call], "not done: propose it alone, once you have what you need to know", failed=False)
        return Command(goto="execute", update={"calls": permitted})
    if first and approval is not None:
        # The call goes on as it was validated: what is approved must be the very thing that is judged afterwards.
        call = {**first, "arguments": approval.arguments}
        return Command(goto="park", update={"approval_id": approval.id, "calls": [call]})
    if asking:
        return Command(goto="ask", update={"calls": []})
    if turn.approval_changed and refused:
        text = turn.services.templates.reply("system_approval_change_refused", {})
        return Command(goto="respond", update={"calls": [], "reply": {"text": text, "kind": "question"}})
    return Command(goto="act" if refused else "escalate", update={"calls": []})


async def _recall_approvals(turn: TurnContext) -> None:
    """What was approved, and still waited for the customer's yes, which comes in a later turn."""
    if not turn.accepted or turn.parked:
        return
    since = turn.services.clock() - APPROVAL_EXPIRES
    standing = select(Approval).where(
        Approval.conversation_id == turn.conversation_id,
        Approval.state == "approved",
        col(Approval.decided_at) > since,
    )
    async with turn.services.database.read() as session:
        approvals = list(await session.scalars(standing))
    for approval in approvals:
        mark = fingerprint(approval.tool, approval.arguments)
        done = any(
            fingerprint(row.tool, row.arguments) == mark and row.intended_at > approval.requested_at
            for row in turn.start.effects
        )
        asked_here = (
            approval.turn_id == turn.turn_id and approval.asked_arguments is None
        )  # this turn still waits for it
        if mark in turn.accepted and not done and not asked_here:
            turn.approvals.add(mark)
            turn.vouch_for(approval.tool, approval.arguments, f"approval {approval.id}")


async def _situation(turn: TurnContext, calls: list[dict[str, Any]]) -> Situation:
    # A matter under way was understood in an earlier turn; an answer such as "yes" has no intent of its own.
    under_way = turn.frame.active is not None or bool(turn.accepted)
    stage, share, sums = "", 0.0, Spent()
    if any(_changes_something(turn, call) for call in calls):
        stage, share = await turn.services.stage_of(turn.intent or "")
        async with turn.services.database.read() as session:
            sums = await spent(session, turn.customer_id, turn.services.clock())
    return Situation(
        conversation_id=turn.conversation_id,
        customer_id=turn.customer_id,
        level=IdentityLevel(turn.start.conversation.level),
        plan=str(turn.facts.get("plan", "")),
        customer_value_minor=int(turn.facts.get("yearly_value_minor", 0)),
        churn_risk=float(turn.facts.get("churn_risk", 0)),
        intent=turn.intent,
        offered_tools=turn.offered_tools,
        evidence=turn.evidence,
        wish_probability=UNDERSTOOD if under_way or turn.guess is None else turn.wish_probability,
        features=_features(turn, turn.intent),
        stage=stage,
        canary_share=share,
        queue=turn.queue,
        spent=sums,
        consents=frozenset(turn.accepted),
        refused=frozenset(_not_accepted(turn)),
        addressed=_addressed(turn),
        free_model=turn.model != EMBEDDED,
        approvals=frozenset(turn.approvals),
        stepped_up=turn.stepped_up,
    )


def _matter_of(turn: TurnContext, call: dict[str, Any]) -> str | None:
    """The matter that a call belongs to: of those taken up, one whose procedure offers the tool."""
    library, understood = turn.services.library, turn.frame.understood
    offering = [
        intent
        for intent in understood
        if (procedure := library.for_intent(intent)) is not None and call["tool"] in library.tools_of(procedure.name)
    ]
    return turn.intent if turn.intent in offering or not offering else offering[-1]


def _not_accepted(turn: TurnContext) -> Iterator[str]:
    """The fingerprints of what this turn's message was asked about and did not say yes to."""
    mine = {message.id for message in turn.start.waiting}
    for offer in turn.start.offers:
        if offer.state in ("declined", "withdrawn") and offer.answer_message_id in mine:
            yield fingerprint(offer.tool, offer.arguments)


def _features(turn: TurnContext, intent: str | None) -> Features:
    """What the confidence model is told of a call that belongs to this matter."""
    known = turn.frame.understood.get(intent or "")
    if known is None and turn.guess is not None:
        known = understood(turn.guess.best[0], [turn.guess], turn.services.library.topics)
    return features_of(turn, known)


def _addressed(turn: TurnContext) -> frozenset[str]:
    """The addresses that the customer names in the request under way, less that of the contact on record."""
    words = " ".join([turn.text, *(active.opening for active in turn.frame.stack)])
    named = {address.lower() for address in ADDRESS.findall(words)}
    return frozenset(named - {str(turn.facts.get("contact_email", "")).lower()})


def _mark(call: dict[str, Any]) -> str:
    """A call as it was proposed, valid or not: equal calls have equal marks."""
    return f"{call['tool']} {json.dumps(call['arguments'], sort_keys=True, default=str)}"


def _each_once(turn: TurnContext, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of a message without those that stand in it twice: one of them is done, or asked about."""
    kept: dict[str, dict[str, Any]] = {}
    for call in calls:
        if kept.setdefault(_mark(call), call) is not call:
            _answer(turn, call, "the same call stands in this message already", failed=False)
    return list(kept.values())


def _changes_something(turn: TurnContext, call: dict[str, Any]) -> bool:
    registry = turn.services.registry
    return call["tool"] in registry and registry.get(call["tool"]).effect is not None


def _limit_repeats(turn: TurnContext, call: dict[str, Any], judged: Judged) -> Judged:
    """A model that proposes the same call over and over is stopped."""
    times = turn.proposed[_mark(call)]
    if times <= turn.services.budgets.repeats:
        return judged
    check = Check("budget", Ruling.ESCALATE, f"{call['tool']} was proposed {times} times in one turn")
    return Judged(judged.tool, judged.arguments, judged.resource, Verdict((check,)), judged.amount)


def _decision(turn: TurnContext, call: dict[str, Any], judged: Judged) -> DecisionRecord:
    verdict = judged.verdict
    return turn.decide(
        "call",
        {"tool": call["tool"], "arguments": call["arguments"]},
        verdict=verdict.ruling.value,
        check=verdict.deciding.name if verdict.ruling is not Ruling.PERMITTED else "",
        reason=verdict.deciding.reason,
        checks=[check.as_json() for check in verdict.checks],
        policies=list(verdict.policies),
        origins=verdict.origins,
        p_correct=verdict.p_correct,
    )


async def _was_intended(turn: TurnContext, call: dict[str, Any]) -> tuple[Judged, str] | None:
    """The effect that was permitted and written for this call before the turn was interrupted, or earlier in it.

    It is not judged again: the world may show its result already ("nothing is left to refund"). The ledger brings the
    row to its end.
    """
    if not _changes_something(turn, call):
        return None
    schema, tool, arguments = check_schema(
        turn.services.registry, call["tool"], call["arguments"], turn.offered_tools | {call["tool"]}
    )
    if tool is None or arguments is None or not schema.passed:
        return None
    _, key = _idempotency(turn, tool.name, canonical_arguments(arguments))
    async with turn.services.database.read() as session:
        known = (await session.scalars(select(EffectRecord).where(EffectRecord.idempotency_key == key))).first()
    if known is None:
        return None
    return Judged(tool, arguments, None, Verdict(())), known.id


async def _was_asked_for(turn: TurnContext, judged: Judged) -> Approval | None:
    """The approval that this turn asked for before it was interrupted, decided meanwhile or not.

    None where it was used up already: a call that needs an approval even so must not wait for the same one for ever.
    """
    assert judged.tool is not None and judged.arguments is not None
    mark = fingerprint(judged.tool.name, canonical_arguments(judged.arguments))
    if mark in turn.approvals:
        return None
    asked = select(Approval).where(Approval.turn_id == turn.turn_id).order_by(col(Approval.id).desc())
    async with turn.services.database.read() as session:
        approvals = list(await session.scalars(asked))
    return next((a for a in approvals if fingerprint(a.tool, a.arguments) == mark), None)


def _idempotency(turn: TurnContext, tool: str, arguments: dict[str, Any]) -> tuple[Offer | None, str]:
    """(the offer that the customer accepted for it, the key): the same effect of one occasion has one key."""
    mark = fingerprint(tool, arguments)
    offer = turn.accepted.get(mark)
    occasion = f"offer {offer.id}" if offer else f"turn {turn.turn_id}"
    return offer, hashlib.sha256(f"{occasion} {mark}".encode()).hexdigest()[:40]


def _intend(
    turn: TurnContext, call: dict[str, Any], judged: Judged, decision: DecisionRecord
) -> tuple[EffectRecord, Offer | None]:
    """The ledger row of a permitted effect, and the offer that it uses up."""
    assert judged.tool is not None and judged.arguments is not None and judged.tool.effect is not None
    arguments = canonical_arguments(judged.arguments)
    offer, key = _idempotency(turn, judged.tool.name, arguments)
    effect = EffectRecord(
        id=new_id("eff"),
        conversation_id=turn.conversation_id,
        turn_id=turn.turn_id,
        decision_id=decision.id,
        customer_id=turn.customer_id,
        tool=judged.tool.name,
        kind=judged.tool.effect.kind,
        arguments=arguments,
        idempotency_key=key,
        amount_minor=judged.amount[0] if judged.amount else None,
        currency=judged.amount[1] if judged.amount else None,
        intended_at=turn.services.clock(),
    )
    return effect, offer


def _approval(turn: TurnContext, call: dict[str, Any], judged: Judged, decision: DecisionRecord) -> Approval:
    assert judged.tool is not None and judged.arguments is not None
    now = turn.services.clock()
    return Approval(
        id=new_id("apr"),
        conversation_id=turn.conversation_id,
        turn_id=turn.turn_id,
        decision_id=decision.id,
        tool=judged.tool.name,
        arguments=canonical_arguments(judged.arguments),
        summary=offer_text(turn, judged),
        reasons=[judged.verdict.deciding.reason],
        requested_at=now,
        expires_at=now + APPROVAL_EXPIRES,
    )


def offer_text(turn: TurnContext, judged: Judged) -> str:
    """What the effect would do, with the values of the record: "refund 29.00 EUR of invoice 0042"."""
    assert judged.tool is not None and judged.tool.effect is not None and judged.arguments is not None
    names = {"args": judged.arguments.model_dump(mode="json"), "resource": judged.resource, "customer": turn.facts}
    return turn.services.templates.text(judged.tool.effect.offer, names, f"offer of {judged.tool.name}")


def _answer(turn: TurnContext, call: dict[str, Any], problem: str, *, failed: bool = True) -> None:
    """Tell the model why a call was not carried out."""
    known = any(isinstance(m, AIMessage) and any(c["id"] == call["id"] for c in m.tool_calls) for m in turn.scratch)
    if not known:
        proposed = {"name": to_wire(call["tool"]), "args": call["arguments"], "id": call["id"]}
        turn.scratch.append(AIMessage(content="", tool_calls=[proposed]))  # type: ignore[list-item]
    turn.scratch.append(ToolMessage(problem, tool_call_id=call["id"], status="error"))
    turn.tool_errors += failed
