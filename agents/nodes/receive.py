"""receive: enters with a turn that holds its lease; leaves to triage, or to the end where a person has it."""

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.nodes.approval import thought_better
from agents.nodes.code import code_answered
from agents.nodes.finish import finish
from agents.state import TurnState
from agents.turn import TurnContext
from records.conversation import Disposition


async def receive(state: TurnState, runtime: Runtime[TurnContext]) -> Command[Literal["triage", "__end__"]]:
    """Settle what an interrupted turn left open, then go on; while a person has the conversation, only acknowledge."""
    turn = runtime.context
    turn.status("Reading your message")
    with turn.stage("receive"):
        if turn.start.turn.attempt > 1:
            for row in await turn.services.ledger.open_rows(turn.conversation_id):
                await turn.services.ledger.settle(row)
        turn.facts = dict(await turn.services.customer_facts(turn.customer_id))
    handoff = turn.start.handoff
    if handoff is None or turn.start.conversation.handled_by != "person":
        over = await code_answered(turn) or await thought_better(turn)
        return Command(goto="__end__" if over else "triage")
    reply = ""
    if handoff.state == "open":
        queue = turn.services.escalation.queues[handoff.queue]
        due = handoff.due_at.astimezone(queue.zone).strftime("%H:%M on %-d %B")
        names = {"team": queue.team[0].upper() + queue.team[1:], "due": due}
        reply = turn.services.templates.reply("system_waiting_for_person", names)
    await finish(turn, Disposition.ESCALATED, reply, frame=None)
    return Command(goto="__end__")
