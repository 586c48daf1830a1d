"""What the escalation rules are told of a message, and what is kept of it for whoever reads the turn's record."""

from collections.abc import Sequence
from typing import Any

from agents.procedures.slots import answers, candidates_of
from agents.triage.route import ACT, OUT_OF_SCOPE, SECOND, Guess
from agents.triage.tone import felt_words, sentiment, urgency, urgent_signs
from agents.turn import TurnContext
from records.conversation import Role

FOR_PEOPLE = 0.5
"""Probability from which a message is about something that people see to, whichever of these matters it is."""
HINTED = 0.1
"""What the whole message must give a matter for people that one of its sentences states clearly."""
BESIDE = 0.25
"""The same, as a share of what the whole message means most."""
VALUED = ("plan", "yearly_value_minor", "churn_risk", "overdue_invoices", "open_handoffs")
"""What the records say of the customer's worth and history, as decisions tell it."""


def trigger_names(turn: TurnContext, guess: Guess, parts: Sequence[Guess], *, answering: bool) -> dict[str, Any]:
    """The names of which `escalation.yaml` speaks, with their values.

    `guess` is of the whole message, `parts` of its sentences. `answering`: it holds what the customer was asked for.
    """
    people = turn.services.escalation.intents
    known = {p.intent for p in turn.services.library.procedures.values()} | set(people)
    probabilities = dict.fromkeys(known, 0.0) | dict(guess.ranking)
    for_people = sum(p for intent, p in guess.ranking if intent in people)
    if (
        turn.frame.active is None
        and guess.out_of_scope < OUT_OF_SCOPE
        and for_people >= FOR_PEOPLE
        and (likeliest := max(people, key=lambda intent: probabilities[intent]))
    ):
        probabilities[likeliest] = for_people
    unclear = guess.best[1] < ACT  # then one clear sentence is enough
    for intent, p in (part.best for part in parts if unclear and part.out_of_scope < OUT_OF_SCOPE):
        if intent in people and p >= SECOND and probabilities[intent] >= max(HINTED, BESIDE * guess.best[1]):
            probabilities[intent] = max(probabilities[intent], p)
    customer = {
        "plan": "",
        "yearly_value_minor": 0,
        "churn_risk": 0,
        "overdue_invoices": 0,
        "open_handoffs": 0,
        **turn.facts,
    }
    return {
        "intents": probabilities,
        "signals": turn.services.escalation.signals_in(" ".join((*not_understood(turn), turn.text))),
        "customer": customer,
        "conversation": {
            "failed_turns": turn.frame.failed_turns,
            "customer_messages": sum(m.role == "customer" for m in turn.start.messages),
            "declined_offers": turn.frame.declined_offers,
            "answering": answering,
            "offered": turn.frame.active is not None and turn.frame.active.offering,
            "replying": _replies(turn),
            "matter": _matter(turn),
        },
        "sentiment": sentiment(turn.text),
        "urgency": urgency(turn.text),
        "out_of_scope": guess.out_of_scope,
    }


def _matter(turn: TurnContext) -> str:
    """The intent that is under way, or was settled last; empty where there is none."""
    at_hand = turn.frame.active or turn.frame.last
    return turn.services.library.get(at_hand.name).intent if at_hand is not None else ""


def _replies(turn: TurnContext) -> bool:
    """Whether the message does nothing but answer the offer that waits, or put off an answer to what was asked."""
    active = turn.frame.active
    if active is None or not turn.answers.replies:
        return False
    return active.offering or (active.waiting_for is not None and turn.answers.puts_off(turn.text))


def record(turn: TurnContext, guess: Guess, names: dict[str, Any], odds: dict[str, float]) -> dict[str, Any]:
    """What the turn's record tells of triage: the ranking, the tone, the customer's worth, and why it is urgent."""
    raised = turn.services.escalation.raised(names)
    return {
        "ranking": [[intent, round(p, 4)] for intent, p in guess.ranking[:5]],
        "situation": [intent for intent, factor in odds.items() if factor > 1],
        "out_of_scope": round(guess.out_of_scope, 4),
        "model": guess.version.name,
        "sentiment": round(names["sentiment"], 3),
        "felt_words": felt_words(turn.text, names["sentiment"]),
        "urgency": round(names["urgency"], 3),
        "urgent_signs": urgent_signs(turn.text),
        "priority": raised[0][0] if raised else "normal",
        "priority_reasons": [reason for _, reason in raised],
        "signals": [name for name, found in names["signals"].items() if found],
        "customer": {name: names["customer"][name] for name in VALUED},
    }


def answers_question(turn: TurnContext) -> bool:
    """Whether the message holds what the customer was just asked for."""
    active = turn.frame.active
    if active is None or active.waiting_for is None:
        return False
    slot = turn.services.library.get(active.name).slots[active.waiting_for]
    return answers(slot, turn.text, candidates_of(slot, active), today=turn.services.clock().date())


def not_understood(turn: TurnContext) -> list[str]:
    """What the customer wrote before this, in a list, where it was not understood; else an empty one."""
    if not turn.frame.failed_turns or turn.frame.active is not None:
        return []
    waiting = {message.id for message in turn.start.waiting}
    return [m.text for m in turn.start.messages if m.role == Role.CUSTOMER and m.id not in waiting][-1:]
