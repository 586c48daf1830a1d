"""What a message says to the offers that wait for an answer."""

from typing import Literal

from agents.consent import (
    orders_at_last,
    orders_it,
    read_answer,
    refuses_at_last,
    remarks_on_yes,
    restates,
    says_more,
    takes_value,
)
from agents.gate.call import fingerprint
from agents.procedures.refusing import confirms
from agents.procedures.slots import revisions
from agents.turn import TurnContext

REPLIED = 0.6
"""Probability from which a message does nothing but answer the offer that waits."""
RATHER = 0.5
"""Probability of a yes that words beside a yes must leave ("yes we still use it" leaves less)."""
SURELY = 0.8
"""The same where it is the remark beside it that keeps the words alone from being a yes."""


async def answer_to_offers(turn: TurnContext, *, agreed: bool) -> Literal["yes", "no", "other"] | None:
    """What the customer's message says to the open offers. Their state is written with the decision or at the end.

    `agreed`: it is a yes, and asks for something beside.
    """
    open_offers = [offer for offer in turn.start.offers if offer.state == "offered"]
    mine = {message.id for message in turn.start.waiting}
    taken = [o for o in turn.start.offers if o.state in ("accepted", "used") and o.answer_message_id in mine]
    if taken:  # an interrupted turn is done again
        turn.accepted = {fingerprint(offer.tool, offer.arguments): offer for offer in taken}
        return "yes"
    if not open_offers:
        return None
    answer = read_answer(turn.text, " ".join(offer.text for offer in open_offers))
    revises = _revises_offer(turn)
    if answer == "no" and (revises or (len(open_offers) == 1 and orders_it(turn.text, open_offers[0].text))):
        answer = "other"  # "no, just cancel": what is ordered is offered once more
    if answer == "other" and len(open_offers) == 1 and restates(turn.text, open_offers[0].text):
        answer = "other" if revises else "yes"
    if (
        answer == "other"
        and len(open_offers) == 1
        and not revises
        and await _agrees_with_a_remark(turn, open_offers[0].text)
    ):
        answer = "yes"
    ordered = len(open_offers) == 1 and orders_at_last(turn.text, open_offers[0].text) and not revises
    if answer != "no" and (agreed or ordered):
        answer = "yes"
    elif answer == "yes" and says_more(turn.text, " ".join(offer.text for offer in open_offers)):
        read = await turn.kind_of_answer()
        answer = "other" if read.no_yes or read.of("accepts") < RATHER else "yes"
    now = turn.services.clock()
    for offer in open_offers:
        offer.state = {"yes": "accepted", "no": "declined", "other": "withdrawn"}[answer]
        offer.answered_at, offer.answer_message_id = now, turn.start.waiting[-1].id if turn.start.waiting else None
    if answer == "yes":
        turn.accepted = {fingerprint(offer.tool, offer.arguments): offer for offer in open_offers}
    return answer


async def _agrees_with_a_remark(turn: TurnContext, offer: str) -> bool:
    """Whether a message is a yes with a remark, in its words and by what people's answers have taught."""
    if not (remarks_on_yes(turn.text, offer) or _takes_what_is_offered(turn, offer)):
        return False
    return (await turn.kind_of_answer()).of("accepts") >= SURELY


def _takes_what_is_offered(turn: TurnContext, offer: str) -> bool:
    """Whether a message takes a value, and it is the one that is offered ("then take Frankfurt, go")."""
    active = turn.frame.active
    if active is None or not takes_value(turn.text, offer):
        return False
    procedure, today = turn.services.library.get(active.name), turn.services.clock().date()
    return confirms(procedure, active, turn.text, today)


def _revises_offer(turn: TurnContext) -> bool:
    """Whether a no names another value ("no wait, business is enough"): then it asks for another offer.

    What stands before a plain no at the end ("two will do. So no, add none") is why nothing is wanted.
    """
    active = turn.frame.active
    if active is None:
        return False
    procedure, today = turn.services.library.get(active.name), turn.services.clock().date()
    after = refuses_at_last(turn.text)
    return bool(revisions(procedure, active, turn.text if after is None else after, today))


def not_agreed_to(turn: TurnContext) -> str:
    """What the message answers otherwise than with a yes or a no."""
    mine = {message.id for message in turn.start.waiting}
    return " ".join(o.text for o in turn.start.offers if o.state == "withdrawn" and o.answer_message_id in mine)


def about_the_offer(turn: TurnContext) -> bool:
    """Whether a message agrees, hesitates or puts off, so that what it mentions beside is no request of its own."""
    return turn.answers.replies and turn.answers.of("accepts", "postpones", "unclear") >= REPLIED
