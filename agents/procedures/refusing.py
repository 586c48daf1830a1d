"""Whether an answer that is neither a yes nor another value declines what a procedure offers, or puts it off."""

import re
from datetime import date

from agents.brief import Brief
from agents.consent import agrees_and_orders, leans_to_yes, orders_it, requests
from agents.frame import ActiveProcedure
from agents.procedures.asides import without_negated
from agents.procedures.candidates import Found
from agents.procedures.dates import MONTH
from agents.procedures.procedure import Procedure
from agents.procedures.slots import agrees_by_choice, candidates_of, find, revisions
from agents.triage.answers import AGREES
from agents.withdrawal import turns_down

NAMED_AGAIN = ("choice", "user", "invoice", "resource")
"""Kinds of values that confirm an offer when they are named once more; a number may stand in any refusal."""


_EXPLAINS = re.compile(
    r"\W*(?:the reason\b|why\?|to explain\b|(?:it'?s )?because\b|it'?s (?:simply|just) that\b)", re.I
)
"""How a message begins that gives a reason for what is wished for."""


def refuses(brief: Brief, procedure: Procedure, active: ActiveProcedure, today: date) -> bool:
    """Whether the message declines: by its words, or else by what people's answers have taught.

    Who orders what is offered, agreed to it before, or names its values once more does not decline.
    """
    text, answers = brief.text, brief.answers
    if orders_it(text, brief.offers) or agrees_and_orders(text) or _agreed_before(procedure, active, text):
        return False
    if turns_down(text):
        return answers.of("accepts") < AGREES
    if _EXPLAINS.match(text) or requests(text) or confirms(procedure, active, text, today):
        return False
    return answers.refuses(text, begins_with_yes=leans_to_yes(text))


def only_turned_round(procedure: Procedure, active: ActiveProcedure, text: str, today: date) -> bool:
    """Whether all that a message seems to change is the way ("then we would buy the same nine again")."""
    changed = revisions(procedure, active, text, today)
    return bool(changed) and all(procedure.slots[name].type == "direction" for name in changed)


def _agreed_before(procedure: Procedure, active: ActiveProcedure, text: str) -> bool:
    """Whether a message names once more the yes that led to the offer ("then we stay with you")."""
    return any(
        active.slots.get(name) is True and agrees_by_choice(slot, text) for name, slot in procedure.slots.items()
    )


def confirms(procedure: Procedure, active: ActiveProcedure, text: str, today: date) -> bool:
    """Whether a message names once more a value that is offered, or another one as what is all right."""
    if re.search(MONTH, text, re.I) and not re.search(MONTH, without_negated(text), re.I):
        return True  # "may's fine, keep that one"
    for name, slot in procedure.slots.items():
        value, candidates = active.slots.get(name), candidates_of(slot, active)
        told = value is not None and slot.type in NAMED_AGAIN and not slot.optional and slot.default is None
        if told and (slot.source is None or candidates):
            found = find(slot, text, candidates, asked=False, today=today)
            if isinstance(found, Found) and found.value == value:
                return True
    return False
