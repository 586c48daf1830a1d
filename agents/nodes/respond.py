"""respond and ask: the two ways in which the agent speaks. Only what passed the gate is sent."""

from typing import Any

from langgraph.runtime import Runtime

from agents.frame import ActiveProcedure, Frame
from agents.gate.call import canonical_arguments
from agents.nodes.code import code_for
from agents.nodes.finish import finish
from agents.nodes.gate import offer_text
from agents.state import TurnState
from agents.turn import TurnContext
from records.conversation import Disposition
from records.identifiers import new_id
from records.offer import Offer


async def respond(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Send the reply. A question leaves the conversation waiting for the customer, an answer leaves it resolved."""
    turn = runtime.context
    reply = state.get("reply") or {}
    disposition = Disposition.AWAITING_CUSTOMER if reply["kind"] == "question" else Disposition.RESOLVED
    await finish(
        turn,
        disposition,
        reply["text"],
        frame=next_frame(turn, done=disposition is Disposition.RESOLVED),
        citations=_citations(turn, reply.get("citations", [])),
    )
    return {}


async def ask(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Put the effects that need a yes to the customer, with the values of the record."""
    turn = runtime.context
    now = turn.services.clock()
    offers = []
    for _, judged in turn.asking:
        assert judged.tool is not None and judged.arguments is not None
        offers.append(
            Offer(
                id=new_id("off"),
                conversation_id=turn.conversation_id,
                turn_id=turn.turn_id,
                tool=judged.tool.name,
                arguments=canonical_arguments(judged.arguments),
                text=offer_text(turn, judged),
                at=now,
            )
        )
    texts = [offer.text for offer in offers]
    asked = (
        f"Shall I {texts[0]}?"
        if len(texts) == 1
        else "Shall I do the following?\n" + "\n".join(f"- {t}" for t in texts)
    )
    if len(texts) > 1:
        asked += "\nA yes covers all of them."
    code = await code_for(turn, offers)
    reply = "\n\n".join([*(part for part in turn.said if part), asked, *code.words])
    event = {"offers": [{"id": o.id, "tool": o.tool, "text": o.text} for o in offers], "turn_id": turn.turn_id}
    await finish(
        turn,
        Disposition.AWAITING_CUSTOMER,
        reply,
        frame=next_frame(turn),
        rows=[*offers, *code.rows],
        audit=[("offer", {"offer": offer.id, "tool": offer.tool}) for offer in offers],
        events=[("offer", event)],
    )
    return {}


def next_frame(turn: TurnContext, *, done: bool = False) -> dict[str, Any] | None:
    """The dialogue state for the next turn. A language model proposes none: then triage's choice of topic is kept.

    None for a turn that was parked: meanwhile the conversation went on without it. Where it comes back with an offer,
    its matter is taken up again.
    """
    if turn.parked:
        return _taken_up_again(turn) if turn.asking else None
    if turn.new_frame is not None:
        understood = {intent: known.model_dump(mode="json") for intent, known in turn.frame.understood.items()}
        return {**turn.new_frame, "understood": understood}  # triage's word, not the model's
    if done:
        return Frame().model_dump(mode="json")
    frame = turn.frame.model_copy(deep=True)
    brief = turn.brief
    if brief is not None and brief.route.kind == "start":
        for intent, words in brief.route.intents:
            procedure = turn.services.library.for_intent(intent)
            if procedure is not None and procedure.name not in [active.name for active in frame.stack]:
                frame.stack = [*frame.stack, ActiveProcedure(name=procedure.name, opening=words)][-3:]
    return frame.model_dump(mode="json")


def _taken_up_again(turn: TurnContext) -> dict[str, Any]:
    now, then = Frame.model_validate(turn.start.conversation.frame or {}), turn.frame.active
    if then is not None:
        then = then.model_copy(update={"offering": False})  # the offer is the approver's, not its own step's
        now.stack = [*(active for active in now.stack if active.name != then.name), then][-3:]
    return now.model_dump(mode="json")


def _citations(turn: TurnContext, document_ids: list[str]) -> list[dict[str, Any]]:
    passages = turn.brief.passages if turn.brief else ()
    cited = {passage.document_id: passage for passage in passages if passage.document_id in document_ids}
    return [{"document_id": p.document_id, "title": p.title, "source": p.source} for p in cited.values()]
