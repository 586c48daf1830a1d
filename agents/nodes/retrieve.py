"""retrieve: enters with a route; leaves to act with the passages that this customer may see."""

from dataclasses import replace

from langgraph.runtime import Runtime

from agents.state import TurnState
from agents.turn import TurnContext


def audiences_for(plan: str, level: str) -> frozenset[str]:
    """The audiences of documents that a customer may see."""
    signed_in = {"customer", f"plan:{plan}"} if level not in ("anonymous", "claimed") else set()
    return frozenset({"public"} | signed_in)


async def retrieve(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Search only where a question may need it: not for an answer to an offer, and not for small talk."""
    turn = runtime.context
    brief = turn.brief
    assert brief is not None
    answers = any(_quotes(turn, intent) for intent, _ in brief.route.intents) and brief.route.kind == "start"
    active = turn.frame.active
    continues = active is not None and any(s.kind == "answer" for s in turn.services.library.get(active.name).steps)
    if not (answers or continues or turn.frame.clarifying):
        return {}
    turn.status("Looking in our documentation")
    with turn.stage("retrieve"):
        audiences = audiences_for(str(turn.facts.get("plan", "")), turn.start.conversation.level)
        passages, relevance = await turn.services.search(turn.text, audiences)
        turn.brief = replace(brief, passages=tuple(passages), relevance=relevance)
        turn.evidence.knowledge_texts += [(passage.document_id, passage.text) for passage in passages]
        turn.step(
            "retrieval",
            query=turn.text,
            relevance=round(relevance, 4),
            passages=[{"document_id": p.document_id, "title": p.title, "score": round(p.score, 4)} for p in passages],
        )
    return {}


def _quotes(turn: TurnContext, intent: str) -> bool:
    procedure = turn.services.library.for_intent(intent)
    return procedure is not None and any(step.kind == "answer" for step in procedure.steps)
