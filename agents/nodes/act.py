"""act: enters with the brief and the outcomes so far; leaves with proposed calls or a proposed reply for the gate."""

import json
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.errors import ModelUnavailable
from agents.models.embedded import BRIEF
from agents.models.names import HAND_OVER, from_wire, to_wire
from agents.nodes.escalate import escalation_to
from agents.state import TurnState
from agents.turn import TurnContext

HISTORY = 20
"""How many earlier messages a language model is shown."""

HAND_OVER_SCHEMA = {
    "type": "object",
    "properties": {
        "queue": {"type": "string", "description": "which team"},
        "why": {"type": "string", "description": "one sentence for the colleague who takes over"},
    },
    "required": ["why"],
    "additionalProperties": False,
}


async def act(state: TurnState, runtime: Runtime[TurnContext]) -> Command[Literal["gate", "escalate"]]:
    """Ask the model for its next proposal, within the turn's budgets."""
    turn = runtime.context
    budgets = turn.services.budgets
    if turn.model_calls >= budgets.model_calls or turn.overdue:
        spent = "its time" if turn.overdue else f"its {budgets.model_calls} model calls"
        return hand_over(turn, f"the turn used up {spent} without an answer")
    with turn.stage("act"):
        try:
            answer = await turn.services.proposer.propose(messages_for(turn), tools_for(turn))
        except ModelUnavailable as error:
            turn.step("model", model="none", note=str(error))
            return hand_over(turn, f"no model could answer: {error}")
    turn.model_calls += 1
    turn.model = answer.model
    turn.tokens_in += answer.tokens_in
    turn.tokens_out += answer.tokens_out
    turn.cost_micros += answer.cost_micros
    message = answer.message
    turn.step(
        "model",
        model=answer.model,
        content=message.text,
        calls=[{"tool": from_wire(c["name"]), "arguments": c["args"]} for c in message.tool_calls],
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost_micros=answer.cost_micros,
        note=answer.note,
    )
    metadata = message.response_metadata
    turn.new_frame = metadata.get("frame", turn.new_frame)
    turn.said = metadata.get("said", [])
    handing_over = next((c for c in message.tool_calls if from_wire(c["name"]) == HAND_OVER), None)
    if handing_over is not None:
        queue = str(handing_over["args"].get("queue", "")) or turn.queue
        return hand_over(turn, str(handing_over["args"].get("why", "the model asked for a person")), queue)
    if message.tool_calls:
        turn.scratch.append(message)
        calls = [
            {
                "id": call["id"] or f"call_{turn.model_calls}_{n}",
                "tool": from_wire(call["name"]),
                "arguments": call["args"],
            }
            for n, call in enumerate(message.tool_calls)
        ]
        return Command(goto="gate", update={"calls": calls, "reply": None})
    kind = metadata.get("kind") or ("question" if message.text.rstrip().endswith("?") else "reply")
    reply = {"text": message.text.strip(), "kind": kind, "citations": metadata.get("citations", [])}
    return Command(goto="gate", update={"calls": [], "reply": reply})


def hand_over(turn: TurnContext, why: str, queue: str = "") -> Command[Literal["gate", "escalate"]]:
    """Send the turn to a person. An unknown queue becomes the procedure's."""
    known = queue if queue in turn.services.escalation.queues else turn.queue
    return Command(goto="escalate", update={"escalation": escalation_to(known, why)})


def tools_for(turn: TurnContext) -> list[dict[str, Any]]:
    """The tools of this turn as a model is told them: those of the procedure, and the way to a person."""
    registry = turn.services.registry
    offered = [
        _function(name, registry.get(name).summary, registry.schema(name)) for name in sorted(turn.offered_tools)
    ]
    return [*offered, _function(HAND_OVER, "Hand the conversation to a person.", HAND_OVER_SCHEMA)]


def _function(name: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": to_wire(name), "description": summary, "parameters": schema}}


def messages_for(turn: TurnContext) -> list[BaseMessage]:
    """The system message with the brief, the conversation so far, and what was proposed and found in this turn."""
    brief = turn.brief
    assert brief is not None
    system = SystemMessage(content=_system_text(turn), additional_kwargs={BRIEF: brief})
    history: list[BaseMessage] = []
    new = {message.id for message in turn.start.waiting}
    for message in turn.start.messages[-HISTORY:]:
        if message.id not in new:
            history.append(HumanMessage(message.text) if message.role == "customer" else AIMessage(message.text))
    return [system, *history, HumanMessage(turn.text or "(no new message)"), *turn.scratch]


def _system_text(turn: TurnContext) -> str:
    brief = turn.brief
    assert brief is not None
    active = [turn.services.library.get(active.name) for active in turn.frame.stack]
    started = [p for intent, _ in brief.route.intents if (p := turn.services.library.for_intent(intent))]
    parts = [turn.services.system_prompt, f"Today is {brief.today}. The company is {brief.company}."]
    known = turn.told_facts
    facts = {name: known[name] for name in ("company", "contact_name", "plan", "currency") if name in known}
    parts.append(f"The customer: {json.dumps(facts, ensure_ascii=False)}")
    for procedure in dict.fromkeys(p.name for p in (*active, *started)):
        guide = turn.services.library.get(procedure)
        steps = "\n".join(f"- {s.kind} {s.target}" + (f" when {s.when.source}" if s.when else "") for s in guide.steps)
        parts.append(f"## Procedure: {guide.title}\n{guide.guidance}\nSteps:\n{steps}")
    if brief.route.kind == "clarify":
        topics = [p.title for intent, _ in brief.route.intents if (p := turn.services.library.for_intent(intent))]
        parts.append(f"It is not clear what the customer wants. Ask which of these it is: {'; '.join(topics)}")
    if brief.offer_answer == "yes":
        parts.append(f"The customer agreed to: {brief.offer_text}. It has been carried out; see the result.")
    elif brief.offer_answer == "no":
        parts.append("The customer declined the offer. Nothing was changed.")
    for passage in brief.passages[:5]:
        parts.append(f"<document id={passage.document_id!r} title={passage.title!r}>\n{passage.text}\n</document>")
    return "\n\n".join(parts)
