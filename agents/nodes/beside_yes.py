"""A yes and something else in one message: "yes please, and the same for Kate", "go ahead. Also send the invoice"."""

from dataclasses import dataclass, field
from typing import Any

from agents.brief import Route
from agents.consent import THE_SAME, after_yes
from agents.frame import Frame
from agents.procedures.slots import revisions
from agents.triage.route import ACT, Reading, Topics, route
from agents.turn import TurnContext
from records.offer import Offer

NOTHING_NEW = Route("continue")


@dataclass(frozen=True)
class BesideYes:
    """What a message wants beside what it agrees to."""

    route: Route = NOTHING_NEW
    reading: Reading | None = None
    """Of the words after the yes, where they ask for another matter."""
    again: dict[str, Any] = field(default_factory=dict)
    """Slot -> the other record for which the same is wanted."""


async def beside_yes(turn: TurnContext, odds: dict[str, float]) -> BesideYes | None:
    """What is wanted beside a plain yes to the only offer; None where the message is no such yes.

    Whatever could limit the yes (a but, a not, a question, another value) makes it none, and so does whatever is not
    understood of the rest: triage and what it has learnt of answers can take such a yes away, and never give one.
    """
    mine = {message.id for message in turn.start.waiting}
    offers = [offer for offer in turn.start.offers if _waits(offer, mine)]
    active = turn.frame.active
    if len(offers) != 1 or active is None or not (rest := after_yes(turn.text, offers[0].text)):
        return None
    if (await turn.kind_of_answer()).doubts_yes:
        return None
    library = turn.services.library
    procedure = library.get(active.name)
    reading = await Reading.of(rest, turn.services.classify, odds)
    chosen = route(reading, Frame(), library.topics)
    wanted = {intent for intent, _ in chosen.intents} - library.topics.small_talk if chosen.kind == "start" else set()
    here = {intent for intent in wanted if _ends_alike(intent, procedure.intent, library.topics)}
    changed = revisions(procedure, active, rest, turn.services.clock().date())
    other_records = all(procedure.slots[name].source is not None for name in changed)
    again = BesideYes(again=changed) if changed and other_records and THE_SAME.search(rest) else None
    if wanted and not here and (again is None or reading.whole.best[1] >= ACT):
        return BesideYes(chosen, reading)
    return again


def _ends_alike(one: str, other: str, topics: Topics) -> bool:
    return one == other or frozenset((one, other)) in topics.kin


def _waits(offer: Offer, mine: set[str]) -> bool:
    """Whether the message may answer the offer, or answered it before this turn was interrupted."""
    return offer.state == "offered" or (offer.state in ("accepted", "used") and offer.answer_message_id in mine)
