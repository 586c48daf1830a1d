"""The gate's second half: whether what the model wants to say may be said."""

import json
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.types import Command

from agents.gate.reply import check_reply, known_figures
from agents.gate.verdict import Check, Ruling
from agents.gate.wording import beyond
from agents.models.chain import EMBEDDED, SERVED_BY
from agents.nodes.act import hand_over
from agents.turn import TurnContext

Next = Command[Literal["execute", "act", "ask", "respond", "park", "escalate"]]
"""Where the gate leads."""


def judge_reply(turn: TurnContext, reply: dict[str, Any]) -> Next:
    """Let a reply go out, have it written again, or hand over."""
    if not reply.get("text"):
        check = Check("reply", Ruling.REFUSED, "the model said nothing")
    elif _unfounded(turn, reply):
        check = Check("reply", Ruling.REFUSED, "nothing was looked up in this matter")
    else:
        check = _check(turn, reply["text"])
        if check.passed and turn.model != EMBEDDED and (stray := _beyond_records(turn, reply["text"])):
            words = ", ".join(stray[:8])
            check = Check(
                "reply", Ruling.REFUSED, f"the reply says more than the records do: {words}", {"words": stray}
            )
    turn.decisions.append(
        turn.decide(
            "reply",
            {"text": reply.get("text", ""), "kind": reply.get("kind", "reply")},
            verdict=check.ruling.value,
            check="" if check.passed else check.name,
            reason=check.reason,
            checks=[check.as_json()],
        )
    )
    if check.passed:
        return Command(goto="respond")
    turn.reply_retries += 1
    if turn.model == EMBEDDED:
        command = hand_over(turn, f"no reply passed the checks: {check.reason}")
        return Command(goto="escalate", update=command.update)
    refused = AIMessage(content=reply.get("text", "") or "(empty)")
    if turn.reply_retries > 1:
        refused.response_metadata[SERVED_BY] = EMBEDDED  # from here on the turn stays with the embedded model
    turn.scratch += [refused, _correction(check.reason)]
    return Command(goto="act", update={"reply": None})


def _beyond_records(turn: TurnContext, text: str) -> list[str]:
    """The words of a language model's reply that no record, no verified effect and no plain speech has."""
    evidence, verified = turn.evidence, turn.verified_tools()
    passages = [passage.text for passage in turn.brief.passages] if turn.brief else []
    said = [text for _, text in evidence.customer_texts] + [offer.text for offer in turn.start.offers]
    if not beyond(text, evidence=[], context=said, passages=passages):
        return []
    library, sources = turn.services.library, turn.services.templates.sources
    done = [sources[reply] for procedure in library.procedures.values() for reply in procedure.said_after(verified)]
    results = _results(turn)
    foreign = evidence.written_by_others()
    return beyond(text, evidence=results, context=said, passages=passages, done=done, foreign=foreign)


def _results(turn: TurnContext) -> list[Any]:
    """What tools said about this customer in this conversation, what effects came to, and what triage looked up."""
    looked_up: list[Any] = [result for _, result in turn.evidence.results]
    return [*looked_up, *(row.result for row in turn.start.effects if row.result), turn.told_facts]


def _unfounded(turn: TurnContext, reply: dict[str, Any]) -> bool:
    """Whether a language model answers in a matter of the records without a look at them."""
    looked = turn.evidence.results or (turn.brief is not None and turn.brief.passages)
    return turn.model != EMBEDDED and reply["kind"] != "question" and bool(turn.offered_tools) and not looked


def _correction(reason: str) -> HumanMessage:
    """What a language model is told of a reply that was not sent."""
    return HumanMessage(
        f"[service] This reply was not sent: {reason}. Write it again, using only what the results say."
    )


def _check(turn: TurnContext, text: str) -> Check:
    evidence = turn.evidence
    texts = [t for _, t in (*evidence.customer_texts, *evidence.knowledge_texts)]
    texts += [message.text for message in turn.start.messages if message.role != "customer"]
    texts += [turn.brief.today if turn.brief else "", *(offer.text for offer in turn.start.offers)]
    results = _results(turn)
    return check_reply(
        text,
        turn.services.rules,
        figures=lambda: known_figures(texts, [*results, turn.brief.today if turn.brief else ""]),
        evidence_text=" ".join([*texts, json.dumps(results, ensure_ascii=False, default=str)]),
        verified_tools=turn.verified_tools(),
        handed_off=turn.start.handoff is not None,
        customer_id=turn.customer_id,
    )
