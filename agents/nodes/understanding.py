"""How surely a matter was understood, what the gate is told of that, and whether a question first would settle it."""

from collections.abc import Sequence
from dataclasses import replace

from agents.brief import Route
from agents.confidence.model import Features
from agents.frame import Understanding
from agents.triage.route import Guess, Topics, meant_with
from agents.turn import TurnContext

REMEMBERED = 8
"""Matters of which it is kept how they were understood."""
ACTING = ("canary", "autonomous")
"""Stages in which anything may be done without a person."""


def understood(intent: str, guesses: Sequence[Guess], topics: Topics) -> Understanding:
    """From that piece of the message which means the matter most clearly.

    What can only end in the same offer ("a bigger plan", "a smaller one") is one matter: the offer names the values.
    """
    meant = meant_with(intent, topics)
    best = max(guesses, key=lambda guess: guess.weight_of(meant))
    probability = best.weight_of(meant)
    rival = max((p for other, p in best.ranking if other not in meant), default=0.0)
    return Understanding(probability=probability, margin=probability - rival, out_of_scope=best.out_of_scope)


def note_understanding(turn: TurnContext, chosen: Route, guesses: Sequence[Guess], clarified: Sequence[str]) -> None:
    """Keep how each matter that is taken up was understood: an answer such as "yes" has no intent of its own."""
    topics = turn.services.library.topics
    taken_up = {i: _once_more(turn, i, guesses) for i, _ in chosen.intents if chosen.kind in ("start", "continue")}
    for intent in (intent for intent in clarified if intent not in taken_up):
        asked_about = turn.frame.understood.get(intent) or understood(intent, guesses, topics)
        taken_up[intent] = asked_about.model_copy(update={"chosen": True})
    if chosen.kind == "clarify":  # they are named to the customer, who may choose one of them
        taken_up |= {i: understood(i, guesses, topics) for i, _ in chosen.intents}
    kept = {intent: known for intent, known in turn.frame.understood.items() if intent not in taken_up}
    turn.frame.understood = dict([*kept.items(), *taken_up.items()][-REMEMBERED:])


def _once_more(turn: TurnContext, intent: str, guesses: Sequence[Guess]) -> Understanding:
    """How a request is understood; for what the customer said before that it is the matter, that still counts.

    Only where it is the matter that was settled last ("and now me to member please").
    """
    frame, library = turn.frame, turn.services.library
    now, before = understood(intent, guesses, library.topics), frame.understood.get(intent)
    settled = {library.get(matter.name).intent for matter in (frame.last, frame.acted) if matter is not None}
    chosen = intent in settled and before is not None and before.chosen
    return now.model_copy(update={"chosen": True}) if chosen else now


def features_of(turn: TurnContext, known: Understanding | None) -> Features:
    """What the confidence model is told of a call that belongs to a matter understood like this."""
    return Features(
        intent_probability=known.probability if known else 0.0,
        intent_margin=known.margin if known else 0.0,
        out_of_scope=known.out_of_scope if known else 1.0,
        chosen=float(known.chosen) if known else 0.0,
        grounded_arguments=1.0,
        relevance=turn.brief.relevance if turn.brief else 0.0,
        tool_errors=turn.tool_errors,
        failed_turns=turn.frame.failed_turns,
        declined_offers=turn.frame.declined_offers,
        repeats=max(turn.proposed.values(), default=1) - 1,
    )


async def asked_first(turn: TurnContext, chosen: Route, guesses: Sequence[Guess]) -> Route:
    """The question whether this is what the customer means, where that alone keeps a person from having to do it.

    Understood as it is, what the procedure does would be too risky; once the customer has said that it is the matter,
    it would not be. Nobody is asked twice, nor about what goes to people whatever they answer.
    """
    frame, services = turn.frame, turn.services
    if chosen.kind != "start" or len(chosen.intents) != 1 or frame.active or frame.clarifying or frame.failed_turns:
        return chosen
    intent, _ = chosen.intents[0]
    procedure = services.library.for_intent(intent)
    if procedure is None:
        return chosen
    now = features_of(turn, _once_more(turn, intent, guesses))
    then = replace(now, chosen=1.0, failed_turns=now.failed_turns + 1)
    helps = services.gate.a_question_helps(procedure.tools, intent, procedure.queue, turn.facts, now, then)
    if not helps or (await services.stage_of(intent))[0] not in ACTING:
        return chosen
    return Route("clarify", chosen.intents)
