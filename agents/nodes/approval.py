"""await_approval: enters with one call that needs a person's yes; leaves, perhaps days later, to execute or to the end.

The node does nothing before `interrupt()`: LangGraph runs a node again from its start when it resumes. `park`, the node
before it, prepares the wait; `parked` tells of it, when the graph has stopped there.
"""

from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents.brief import Brief, Route
from agents.frame import Frame
from agents.gate.call import fingerprint
from agents.nodes.finish import finish
from agents.nodes.gate import offer_text
from agents.nodes.respond import next_frame
from agents.state import TurnState
from agents.turn import TurnContext
from agents.withdrawal import casts_doubt, pauses, takes_back
from records.conversation import Disposition


async def park(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Keep the dialogue state for the day of the decision."""
    return {"frame": next_frame(runtime.context) or {}}


async def parked(turn: TurnContext, state: TurnState) -> None:
    """Tell the customer that a colleague decides, and free the conversation for other messages.

    Called once the checkpoint is stored, for only then does an approval find a turn to go on with. A turn that dies
    in between is begun again, and finds its approval.
    """
    judged = turn.judged[state["calls"][0]["id"]]  # type: ignore[typeddict-item]
    reply = turn.services.templates.reply("system_approval_requested", {"offer": offer_text(turn, judged)})
    frame = state.get("frame") or {}
    await finish(
        turn,
        Disposition.AWAITING_APPROVAL,
        reply,
        frame={**frame, "stack": frame.get("stack", [])[:-1]},
        state="awaiting_approval",
        events=[("approval", {"approval_id": state.get("approval_id"), "state": "pending"})],
    )


async def await_approval(state: TurnState, runtime: Runtime[TurnContext]) -> Command[Literal["gate", "__end__"]]:
    """Wait for the decision; then let the gate judge again with it, or tell the customer that it was denied."""
    decision = interrupt({"approval_id": state.get("approval_id")})
    turn, templates = runtime.context, runtime.context.services.templates
    turn.parked = True
    calls = state.get("calls", [])
    if decision["state"] == "approved":
        await _take_up(turn, state.get("frame"))
        if changed := decision.get("arguments"):
            turn.approval_changed = True
            calls = [{**calls[0], "arguments": changed}]
            turn.said.append(templates.reply("system_approval_changed", {"comment": decision.get("comment", "")}))
            turn.vouch_for(calls[0]["tool"], changed, f"approval {state.get('approval_id')}")
        marks = {fingerprint(call["tool"], call["arguments"]) for call in calls}
        turn.approvals = marks
        known = {fingerprint(offer.tool, offer.arguments): offer for offer in turn.start.offers}
        if await _doubted(turn):
            turn.said.append(templates.reply("system_approval_asks_again", {}))
        else:
            turn.accepted = {mark: known[mark] for mark in marks if mark in known}
        return Command(goto="gate", update={"calls": calls, "approval_id": None})
    told = "system_approval_expired" if decision["state"] == "expired" else "system_approval_denied"
    names = {"comment": decision.get("comment", ""), "offer": decision.get("summary", "")}
    reply = templates.reply(told, names)
    await finish(turn, Disposition.AWAITING_CUSTOMER, reply, frame=None)
    return Command(goto="__end__", update={"approval_id": None})


async def thought_better(turn: TurnContext) -> bool:
    """Whether the customer takes back or holds up what waits for an approval; then that was the turn.

    A no to something that was asked since is about that, not about what waits.
    """
    text, transcript = turn.text, turn.services.transcript
    asked = turn.frame.active is not None or any(offer.state == "offered" for offer in turn.start.offers)
    if asked or not (takes_back(text) or pauses(text)):
        return False
    if pauses(text):
        approvals, told = await transcript.waiting_approvals(turn.conversation_id), "system_approval_held"
    else:
        approvals, told = await transcript.withdraw_parked(turn.conversation_id), "system_approval_withdrawn"
    if not approvals:
        return False
    reply = turn.services.templates.reply(told, {"offers": [approval.summary for approval in approvals]})
    await finish(turn, Disposition.AWAITING_APPROVAL if pauses(text) else Disposition.RESOLVED, reply, frame=None)
    return True


async def _doubted(turn: TurnContext) -> bool:
    """Whether the customer wrote something since they agreed that may take it back, however much came after it."""
    agreed = max((message.number for message in turn.start.waiting), default=0)
    return any(casts_doubt(text) for text in await turn.services.transcript.said_since(turn.conversation_id, agreed))


async def _take_up(turn: TurnContext, frame: dict[str, Any] | None) -> None:
    """Rebuild what the turn knew when it was parked, possibly in another process."""
    turn.frame = Frame.model_validate(frame or {})
    turn.facts = dict(await turn.services.customer_facts(turn.customer_id))
    procedures = [turn.services.library.get(active.name) for active in turn.frame.stack]
    turn.offered_tools = frozenset().union(
        *(turn.services.library.tools_of(procedure.name) for procedure in procedures)
    )
    if procedures:
        turn.queue, turn.intent = procedures[-1].queue, procedures[-1].intent
    turn.brief = Brief(
        text="",
        frame=turn.frame,
        route=Route("continue"),
        offer_answer="yes",
        offer_text="what was approved",
        customer=turn.facts,
        company=turn.services.company,
        today=turn.services.clock().date().isoformat(),
    )
