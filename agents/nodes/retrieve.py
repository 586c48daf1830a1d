"""retrieve: enters with a route; leaves to act with the passages that this customer may see."""

from dataclasses import replace

from langgraph.runtime import Runtime

from agents.knowledge.followup import standalone
from agents.knowledge.passage import Passage
from agents.nodes.triage import FEW_WORDS
from agents.procedures.under_way import RELEVANT
from agents.state import TurnState
from agents.triage.questions import questions_in
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
    asks = "?" in turn.text and (brief.route.kind == "clarify" or brief.offer_answer == "other")
    if not (answers or continues or asks or turn.frame.clarifying):
        return {}
    turn.status("Looking in our documentation")
    with turn.stage("retrieve"):
        audiences = audiences_for(str(turn.facts.get("plan", "")), turn.start.conversation.level)
        query, passages, relevance = await _first_relevant(turn, audiences)
        turn.brief = replace(brief, passages=tuple(passages), relevance=relevance)
        turn.evidence.knowledge_texts += [(passage.document_id, passage.text) for passage in passages]
        turn.step(
            "retrieval",
            query=query,
            relevance=round(relevance, 4),
            passages=[{"document_id": p.document_id, "title": p.title, "score": round(p.score, 4)} for p in passages],
        )
    return {}


async def _first_relevant(turn: TurnContext, audiences: frozenset[str]) -> tuple[str, list[Passage], float]:
    """The first way to put the question that finds something relevant; else the one that comes nearest to it."""
    best: tuple[str, list[Passage], float] = ("", [], -1.0)
    for query in _queries(turn):
        passages, relevance = await turn.services.search(query, audiences)
        if relevance > best[2]:
            best = query, passages, relevance
        if relevance >= RELEVANT:
            break
    return best


def _queries(turn: TurnContext) -> list[str]:
    """The customer's question with what it leans on, on its own, without the story around it, and as one about the
    matter under way."""
    question = _question(turn)
    start = turn.start
    before = [m for m in start.messages if m.role == "customer" and m.episode_id == start.turn.episode_id]
    earlier = [m.text for m in before if m.turn_id != start.turn.id]
    matter = _matter(turn)
    about = [f"{matter}: {question}"] if matter else []
    last = turn.frame.last
    if earlier and last is not None and _quotes(turn, turn.services.library.get(last.name).intent):
        about = [f"{earlier[-1]}\n{question}"]  # the title of such a matter says nothing
    alone = [asked for asked in [" ".join(questions_in(question))] if asked]
    return list(dict.fromkeys([standalone(question, earlier), question, *alone, *about]))


def _question(turn: TurnContext) -> str:
    """What they wrote before they were asked which matter it is, where they now say which."""
    before = turn.frame.clarified_words if turn.frame.clarifying else ""
    return before if before and len(turn.text.split()) <= FEW_WORDS else turn.text


def _matter(turn: TurnContext) -> str:
    """What the conversation is about, for a question that leans on it ("and how long afterwards?")."""
    under_way = [active for active in (turn.frame.active, turn.frame.last) if active is not None]
    return turn.services.library.get(under_way[0].name).title if under_way else ""


def _quotes(turn: TurnContext, intent: str) -> bool:
    procedure = turn.services.library.for_intent(intent)
    return procedure is not None and any(step.kind == "answer" for step in procedure.steps)
