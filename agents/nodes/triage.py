"""triage: enters with the customer's words; leaves to a person, to the gate (an accepted offer) or to retrieval.

No language model is called. What is found out here decides which procedure, and so which tools, the turn may use.
"""

from collections.abc import Sequence
from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.brief import Brief, Route
from agents.consent import asks_price, leans_to_yes, names_what_is_offered, requests
from agents.frame import Understanding
from agents.nodes.beside_yes import beside_yes
from agents.nodes.offer_answer import about_the_offer, answer_to_offers, not_agreed_to
from agents.nodes.signs import FOR_PEOPLE, answers_question, not_understood, record, trigger_names
from agents.nodes.understanding import asked_first, note_understanding
from agents.procedures.asides import corrected_to, introduced
from agents.procedures.choosing import MEANT, chosen_of, topics_meant
from agents.procedures.procedure import phrases_of
from agents.procedures.slots import additions, revisions
from agents.state import TurnState
from agents.triage.courtesy import closes, greets, introduces, introduces_first, only_agrees, settles, thanks_only
from agents.triage.phrasing import asks, leans_on_last, merely_states, orders, proposes_another
from agents.triage.questions import only_wonders
from agents.triage.route import ACT, LIKELY, OUT_OF_SCOPE, SECOND, Guess, Reading, learned_matter, meant_with, route
from agents.triage.subjects import only_subject
from agents.turn import TurnContext
from records.conversation import Role

THANKS, GREETING = "thanks", "greeting"
"""The matters whose procedures answer courtesies, so far as an operator has them."""
FEW_WORDS = 4
SURE = 0.9
"""While the customer chooses between topics, few words are the choice unless triage is as sure as this."""
UNDERSTOOD = 0.95
"""What a matter is worth that an earlier turn understood, or that the customer chose when asked which."""
CHOSEN = Understanding(probability=UNDERSTOOD, margin=UNDERSTOOD, out_of_scope=0.0, chosen=True)
"""How a matter is understood to which a reply invited, after a yes."""
LIKELY_ENOUGH = 0.3
"""Probability from which a first message is asked about, though it tells little but who writes."""
FEARED = 0.2
"""Probability from which a matter for people decides who gets what nobody understood."""
SAID_NO = 8
"""Words up to which a no is only that; a longer one may ask for something else."""
SAID = 4
"""So many of the last replies are looked through for what "that invoice" means."""
SHORT = 15
"""Words up to which a message may be a correction of the matter that was settled last."""
CORRECTED = 30
"""The same for one that says itself that it corrects something ("sorry, I meant ...")."""


async def triage(state: TurnState, runtime: Runtime[TurnContext]) -> Command[Literal["escalate", "gate", "retrieve"]]:
    """Read the answer to an offer, classify, look for triggers, and choose the route."""
    turn = runtime.context
    with turn.stage("triage"):
        odds = turn.services.library.odds(turn.facts)
        beside = await beside_yes(turn, odds)
        answer = await answer_to_offers(turn, agreed=beside is not None)
        reading = await _read(turn, odds)
        guess, part_guesses = reading.whole, reading.parts
        turn.guess = guess
        unclear = answer is None and turn.frame.active is None and _answered(turn) and not _says_what(reading, turn)
        asked = bool(turn.frame.clarifying) or (
            turn.frame.active is not None and turn.frame.active.waiting_for is not None
        )
        answering = answers_question(turn)
        if answer in ("no", "other") or unclear or (asked and not answering):
            await turn.kind_of_answer()
        names = trigger_names(turn, guess, part_guesses, answering=answering)
        turn.triage = record(turn, guess, names, odds)
        if turn.answers.odds:
            turn.triage["answer"] = {kind: round(p, 4) for kind, p in turn.answers.odds.items()}
        fired = turn.services.escalation.fired(names)
        if fired is not None:
            turn.intent = turn.intent or guess.best[0]
            turn.triage["trigger"] = fired.id
            escalation = {
                "queue": fired.queue,
                "reason": f"trigger: {fired.id}",
                "detail": fired.reason,
                "because": fired.customer_reason,
                "trigger": fired.id,
                "priority": fired.priority,
            }
            return Command(goto="escalate", update={"escalation": escalation})
        if (matter := _matter_for_people(turn, guess, part_guesses)) is not None:
            return Command(goto="escalate", update={"escalation": matter})
        chosen = Route("continue")
        invited = _invited(turn) if answer is None else None
        if invited is not None:
            chosen = Route("start", ((invited, _words_of_invited(turn, invited)),))
        elif answer == "yes" and beside is not None and beside.reading is not None:
            chosen, reading = beside.route, beside.reading
        elif answer not in ("yes", "no"):
            chosen = _route(turn, reading, answering=answering)
            chosen = await asked_first(turn, chosen, reading.pieces(chosen.intents))
        elif answer == "no" and len(turn.text.split()) > SAID_NO:
            chosen = _something_else(turn, _route(turn, reading, answering=answering))
        turn.triage["route"] = chosen.kind
        asked_for = {intent for intent, _ in chosen.intents}
        pieces = reading.pieces(chosen.intents)
        best = [piece.best for piece in pieces]
        turn.wish_probability = max((p for intent, p in best if intent in asked_for), default=guess.best[1])
        clarified: list[str] = []
        if chosen.kind != "start":
            clarified = chosen_of(turn.frame.clarifying, turn.text, turn.services.library)
        if chosen.kind == "resume" or clarified or invited is not None:
            turn.wish_probability = UNDERSTOOD
        note_understanding(turn, chosen, pieces, clarified)
        if invited is not None:
            turn.frame.understood[invited] = CHOSEN
        _settle_topic(turn, chosen)
        queue = await _likely_queue(turn, chosen)
        again = beside.again if answer == "yes" and beside is not None else {}
        turn.brief = _brief(turn, chosen, answer, queue, again)
    if answer == "yes":
        offers = list(turn.accepted.values())
        calls = [{"id": f"call_offer_{n}", "tool": o.tool, "arguments": o.arguments} for n, o in enumerate(offers, 1)]
        return Command(goto="gate", update={"calls": calls})
    return Command(goto="retrieve")


async def _read(turn: TurnContext, odds: dict[str, float]) -> Reading:
    """The message; with what the customer wrote before it, where only both say what is meant."""
    services, frame = turn.services, turn.frame
    reading = _asked_what(turn, await Reading.of(turn.text, services.classify, odds))
    if frame.active is not None or len(turn.text.split()) <= FEW_WORDS:
        return reading
    if not frame.failed_turns:
        return await _with_what_was_spoken_of(turn, reading, odds)
    before = not_understood(turn)
    if not before or _says_what(reading, turn) or thanks_only(turn.text):
        return reading
    joined = await Reading.of(f"{before[-1]}\n{turn.text}", services.classify, odds)
    return joined if _says_what(joined, turn) else reading


async def _with_what_was_spoken_of(turn: TurnContext, reading: Reading, odds: dict[str, float]) -> Reading:
    """The message; of a request that leans on the matter settled last ("then prepare one"), with that matter's words.

    Only where the message alone says too little, and both together say what it alone may mean too.
    """
    last = turn.frame.last
    if last is None or not (leans_on_last(turn.text) and orders(turn.text)) or _says_what(reading, turn):
        return reading
    joined = await Reading.of(f"{last.opening}\n{turn.text}", turn.services.classify, odds)
    may_mean = {intent for intent, p in reading.whole.ranking if p >= LIKELY}
    return joined if joined.whole.best[0] in may_mean and _says_what(joined, turn) else reading


def _asked_what(turn: TurnContext, reading: Reading) -> Reading:
    """The reading; of a message that names a subject and no wish, one that lets the customer choose."""
    frame, topics = turn.frame, turn.services.library.topics
    if frame.active is not None or frame.clarifying:
        return reading
    about = only_subject(turn.text, topics.subjects)
    intent, probability = reading.whole.best
    return reading if not about or (intent in about and probability >= ACT) else reading.undecided(about)


def _says_what(reading: Reading, turn: TurnContext) -> bool:
    """Whether it is clear what is meant: something that a procedure serves, or a matter for people."""
    intent, probability = reading.whole.best
    if intent in turn.services.escalation.intents and probability >= SECOND:
        return True
    topics = turn.services.library.topics
    return route(reading, turn.frame, topics).kind == "start" and intent not in topics.small_talk


def _matter_for_people(turn: TurnContext, guess: Guess, parts: Sequence[Guess]) -> dict[str, Any] | None:
    """The way to the people who solve a matter that triage was taught, unless another matter is under way."""
    if turn.frame.active is not None or any(offer.state == "offered" for offer in turn.start.offers):
        return None
    if turn.frame.clarifying and len(turn.text.split()) <= FEW_WORDS:
        return None
    found = learned_matter(guess, parts)
    if found is None:
        return None
    intent, probability = found
    turn.intent, turn.triage["matter"] = intent, intent
    queue = guess.version.matters[intent]
    return {
        "queue": queue,
        "reason": f"matter: {intent}",
        "detail": f"No procedure serves {intent.replace('_', ' ')} ({probability:.0%} sure); {queue} solved it before.",
        "because": "they look after requests like this",
        "trigger": None,
        "priority": "normal",
    }


def _route(turn: TurnContext, reading: Reading, *, answering: bool) -> Route:
    """What the message is about, given what the conversation is at. `answering`: it holds what was asked for."""
    guess = reading.whole
    library, frame, today = turn.services.library, turn.frame, turn.services.clock().date()
    if (
        frame.active is not None
        and frame.active.offering
        and (leans_to_yes(turn.text) or about_the_offer(turn) or asks_price(turn.text, not_agreed_to(turn)))
    ):
        return Route("continue", _asked_beside(turn, reading))  # a yes with a condition is about the offer
    few = len(turn.text.split()) <= FEW_WORDS
    named = guess.best[0] in library.topics.small_talk and not (thanks_only(turn.text) or greets(turn.text))
    if frame.clarifying and (turn.answers.puts_off(turn.text) or (few and (guess.best[1] < SURE or named))):
        return Route("continue")
    if (
        frame.failed_turns
        and frame.active is None
        and guess.best[0] in library.topics.small_talk
        and leans_to_yes(turn.text)
        and not thanks_only(turn.text)
    ):
        return Route("out_of_scope")  # "yes, that one": to a question that named nothing
    chosen = route(reading, frame, library.topics, answers=answering)
    if frame.active is not None and chosen.kind == "start" and _is_beside(turn, reading, chosen):
        return Route("continue")
    small = {library.topics.answering, *library.topics.small_talk}
    nothing_asked = chosen.kind in ("clarify", "out_of_scope") or {intent for intent, _ in chosen.intents} <= small
    remarks = frame.active is None and chosen.kind in ("clarify", "out_of_scope") and turn.answers.remarks
    remarks = remarks and not asks(turn.text)
    settled = frame.active is None and settles(turn.text)
    if chosen.kind != "continue" and nothing_asked and (remarks or settled or not frame.clarifying):
        kind = THANKS if remarks or settled or _rounds_off(turn) else GREETING if _opens(turn, chosen) else ""
        if procedure := library.for_intent(kind):
            chosen = Route("start", ((procedure.intent, turn.text),))
    asks_for_nothing_new = (
        chosen.kind in ("clarify", "out_of_scope")
        or proposes_another(turn.text)
        or (chosen.kind == "start" and all(intent in library.topics.small_talk for intent, _ in chosen.intents))
    )
    if asks_for_nothing_new:
        words = len(turn.text.split())
        longest = CORRECTED if corrected_to(turn.text) or proposes_another(turn.text) else SHORT
        unclear = chosen.kind in ("clarify", "out_of_scope") and words <= CORRECTED
        for settled in filter(None, (frame.last, frame.acted)):
            procedure = library.get(settled.name)
            revised = words <= longest and revisions(procedure, settled, turn.text, today)
            if revised or (unclear and additions(procedure, settled, turn.text, today)):
                if (asked := _wonders_about(turn, guess)) is not None:
                    return Route("start", ((asked, turn.text),))
                frame.last = settled
                return Route("resume")
    return chosen


def _asked_beside(turn: TurnContext, reading: Reading) -> tuple[tuple[str, str], ...]:
    """What is clearly asked for beside words about the offer that waits: it comes after the offer's matter."""
    topics, active = turn.services.library.topics, turn.frame.active
    here = turn.services.library.get(active.name).intent if active is not None else ""
    others = topics.served - topics.small_talk - {topics.answering} - meant_with(here, topics)
    return tuple(
        (part.best[0], part.text)
        for part in reading.parts[1:]
        if part.best[0] in others
        and part.best[1] >= ACT
        and part.out_of_scope < OUT_OF_SCOPE
        and frozenset((part.best[0], here)) not in topics.kin
        and (orders(part.text) or requests(part.text))
        and not names_what_is_offered(part.text, not_agreed_to(turn))
    )


def _is_beside(turn: TurnContext, reading: Reading, chosen: Route) -> bool:
    """Whether what looks like a new request belongs to the matter under way: it asks or tells, and wants nothing done.

    "What card is it going to?" wants no link for a new card, and "the reason: we now run it ourselves, there is nothing
    wrong with the service" reports no outage.
    """
    active = turn.frame.active
    acting = {intent for intent, _ in chosen.intents} <= turn.services.library.topics.acting
    if acting and only_wonders(turn.text):
        return True
    return active is not None and active.offering and not asks(turn.text) and reading.whole.best[1] < ACT


def _invited(turn: TurnContext) -> str | None:
    """The intent to which the last reply invited, where the message is a yes to that and nothing else."""
    frame = turn.frame
    waits = frame.active is not None or frame.clarifying
    return frame.invited if frame.invited is not None and not waits and only_agrees(turn.text) else None


def _words_of_invited(turn: TurnContext, invited: str) -> str:
    """The yes, with the words that led to the invitation where that was another matter."""
    last = turn.frame.last
    if last is None or turn.services.library.get(last.name).intent == invited:
        return turn.text
    return f"{last.opening}\n{turn.text}"


def _wonders_about(turn: TurnContext, guess: Guess) -> str | None:
    """The intent that answers how another record is ("and 1604, is that one settled?"): nothing is done to it then."""
    topics = turn.services.library.topics
    answering = topics.served - topics.acting - topics.small_talk - {topics.answering}
    return (
        next((i for i, p in guess.ranking if i in answering and p >= MEANT), None) if only_wonders(turn.text) else None
    )


def _rounds_off(turn: TurnContext) -> bool:
    """Whether a message thanks, or closes what was talked about, and asks for nothing."""
    return thanks_only(turn.text) or (_answered(turn) and turn.frame.active is None and closes(turn.text))


def _answered(turn: TurnContext) -> bool:
    """Whether anything was said to this customer before."""
    return any(message.role != Role.CUSTOMER for message in turn.start.messages)


def _opens(turn: TurnContext, chosen: Route) -> bool:
    """Whether a message says who writes, and nothing yet of what it is about."""
    if introduces(turn.text):
        return True
    first = all(message.role == Role.CUSTOMER for message in turn.start.messages)
    likely = turn.guess.best[1] if turn.guess is not None else 0.0
    return first and (chosen.kind == "out_of_scope" or likely < LIKELY_ENOUGH) and introduces_first(turn.text)


def _something_else(turn: TurnContext, chosen: Route) -> Route:
    """Of what a message with a no asks for, what is not the very matter that was declined."""
    active = turn.frame.active
    declined = turn.services.library.get(active.name).intent if active is not None else ""
    others = tuple(pair for pair in chosen.intents if pair[0] != declined and not merely_states(pair[1]))
    return Route("start", others) if chosen.kind == "start" and others else Route("continue")


def _settle_topic(turn: TurnContext, chosen: Route) -> None:
    """Fix which procedures, and so which tools and queue, this turn may use. The model has no say in it."""
    library = turn.services.library
    intents = [intent for intent, _ in chosen.intents] if chosen.kind == "start" else []
    intents += [intent for intent, _ in turn.frame.pending] + turn.frame.clarifying
    resumed = [turn.frame.last] if chosen.kind == "resume" and turn.frame.last is not None else []
    names = {active.name for active in (*turn.frame.stack, *resumed)} | {
        procedure.name for intent in intents if (procedure := library.for_intent(intent)) is not None
    }
    procedures = [library.get(name) for name in names]
    turn.offered_tools = frozenset().union(*(library.tools_of(procedure.name) for procedure in procedures))
    first = library.for_intent(intents[0]) if intents and chosen.kind == "start" else None
    if turn.frame.clarifying and chosen.kind != "start":
        meant = topics_meant(turn.frame, turn.text, turn.guess.ranking if turn.guess else (), library)
        first = library.for_intent(meant[0]) if meant else None
    if first is None and (under_way := resumed or turn.frame.stack):
        first = library.get(under_way[-1].name)
    if first is not None:
        turn.queue, turn.intent = first.queue, first.intent
        sources = [
            turn.services.templates.sources[step.target]
            for p in procedures
            for step in p.steps
            if step.kind in ("reply", "say")
        ]
        turn.evidence.knowledge_texts += [(f"procedure {p.name}", p.guidance) for p in procedures]
        turn.evidence.knowledge_texts += [("reply templates", source) for source in sources]
    turn.evidence.phrases |= phrases_of(procedures, turn.services.registry)


async def _likely_queue(turn: TurnContext, chosen: Route) -> str:
    """Whose matter it most likely is that the customer could not make clear in two messages; else ``general``."""
    words = not_understood(turn)
    if not words or chosen.kind == "start":
        return "general"
    [guess] = await turn.services.classify(["\n".join((*words, turn.text))])
    people = turn.services.escalation.intents
    weights: dict[str, float] = {}
    for intent, p in guess.ranking:
        procedure = turn.services.library.for_intent(intent)
        if intent in people and p >= FEARED:
            return turn.services.escalation.queue_of(intent) or "general"
        if procedure is not None and not procedure.small_talk:
            weights[procedure.queue] = weights.get(procedure.queue, 0.0) + p
    likeliest = max(weights, key=lambda queue: weights[queue], default="general")
    return likeliest if weights.get(likeliest, 0.0) >= FOR_PEOPLE else "general"


def _brief(
    turn: TurnContext,
    chosen: Route,
    answer: Literal["yes", "no", "other"] | None,
    queue: str,
    again: dict[str, Any],
) -> Brief:
    offers = list(turn.accepted.values())
    return Brief(
        text=turn.text,
        frame=turn.frame,
        route=chosen,
        offer_answer=answer if turn.frame.active is not None else None,
        offer_text=" ".join(offer.text for offer in offers),
        customer=turn.facts,
        company=turn.services.company,
        today=turn.services.clock().date().isoformat(),
        ranking=turn.guess.ranking if turn.guess else (),
        likely_queue=queue,
        answers=turn.answers,
        again=again,
        offers=not_agreed_to(turn),
        writer=next(filter(None, (introduced(m.text) for m in turn.start.messages if m.role == Role.CUSTOMER)), ""),
        said=tuple(m.text for m in reversed(turn.start.messages) if m.role != Role.CUSTOMER)[:SAID],
    )
