"""What becomes a labelled example: the words of customers whose matter people had a say in, redacted.

Nothing is learnt here. Examples are kept for review; `handrail learn propose` trains on them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from agents.models.redaction import Redaction
from agents.services import Services
from agents.triage.route import START
from app.api.problems import Problem
from app.champion import OUT_OF_SCOPE_INTENT, Base
from records.conversation import Conversation, Disposition, Feedback, Message, Role
from records.database import Database
from records.handoff import Handoff, Suggestion
from records.learning import LabelledExample, Source, champion, example_id, gather
from records.turn import Turn

MAX_TEXT = 2000
"""Characters of an example that are kept."""
SAYS_SOMETHING = 3
"""Words from which a message can tell what a matter is about."""
POOR_RATING = 2
"""A rating up to this says that it did not help."""
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_NAME = 48

_LONG_NUMBER = re.compile(r"(?<!\w)\d{5,}(?!\w)")


# What may be learnt.


def name_problem(intent: str) -> str | None:
    """Why this cannot be the name of an intent; None where it can."""
    if NAME.fullmatch(intent) and len(intent) <= MAX_NAME:
        return None
    return f"{intent!r} is no name of an intent: small letters, digits and underscores, such as tax_exemption."


def checked(intent: str | None) -> str | None:
    """The intent that staff gave. Raises a 422."""
    if intent is not None and (problem := name_problem(intent)) is not None:
        raise Problem(422, "Not a name of an intent", problem)
    return intent


async def known_intents(database: Database, base: Base) -> dict[str, str]:
    """Every intent that has a name here -> how it is served: procedure, people, learned or nobody."""
    async with database.read() as session:
        serving = await champion(session)
        named = select(LabelledExample.intent).where(
            col(LabelledExample.intent).is_not(None), LabelledExample.state != "rejected"
        )
        taught = [name for name in await session.scalars(named.distinct()) if name]
    known = {name: "procedure" if name in base.served else "people" for name in base.known}
    known |= {OUT_OF_SCOPE_INTENT: "nobody"}
    learned = base.matters(serving.matters) if serving else {}
    return known | {name: "learned" if name in learned else "proposed" for name in taught if name not in known}


# Where examples come from.


async def of_handoff(
    session: AsyncSession, services: Services, row: Handoff, intent: str | None, by: str, at: datetime
) -> None:
    """People solved it. Without an intent it waits to be named."""
    matter = await _matter(session, services, row.conversation_id, row.episode_id, row.turn_id)
    if matter is None:
        return
    edge = "Handrail had called it resolved, and the customer came back" if matter.reopened else ""
    if intent is None:
        edge = edge or "nobody said what it was about"
    await gather(
        session,
        LabelledExample(
            id=example_id(),
            text=redacted(matter.text, row.packet.get("customer", {})),
            intent=intent,
            queue=row.queue,
            source="reopened" if matter.reopened and intent is None else "handoff",
            source_id=row.id,
            conversation_id=row.conversation_id,
            episode_id=row.episode_id,
            hint=_with_edge(matter.hint, edge),
            state="accepted" if intent else "new",
            by=by if intent else None,
            at=at,
        ),
    )


async def of_suggestion(
    session: AsyncSession,
    services: Services,
    row: Suggestion,
    intent: str | None,
    by: str,
    at: datetime,
    facts: Mapping[str, Any],
) -> None:
    """A suggestion that was used stands for its intent; a rejected one is worth a look."""
    text = row.words
    if row.conversation_id is not None:
        matter = await _matter(session, services, row.conversation_id, row.episode_id, None)
        text = redacted(matter.text, facts) if matter else ""
    used = row.verdict in ("accepted", "edited")
    if used and intent is None and (row.intent is None or text != row.words):
        return  # it answered something said later: that says little about the matter
    guess = intent or (row.intent if used else None)
    if len(text.split()) < SAYS_SOMETHING or guess in services.library.topics.small_talk:
        return
    await gather(
        session,
        LabelledExample(
            id=example_id(),
            text=text,
            intent=guess,
            source="suggestion",
            source_id=row.id,
            conversation_id=row.conversation_id,
            episode_id=row.episode_id,
            queue=_queue_of(services, guess),
            hint=_with_edge(_hint(row.intent, row.probability), "" if guess else "the suggestion was rejected"),
            state="accepted" if intent else "new",
            by=by if intent else None,
            at=at,
        ),
    )


async def of_feedback(
    session: AsyncSession, services: Services, conversation: Conversation, feedback: Feedback, facts: Mapping[str, Any]
) -> None:
    """Handrail called it resolved, and the customer says that it did not help."""
    poor = feedback.solved is False or (feedback.rating is not None and feedback.rating <= POOR_RATING)
    if not poor or conversation.disposition != Disposition.RESOLVED or conversation.handoff_closed:
        return
    await _of_episode(
        session,
        services,
        conversation,
        facts,
        source="feedback",
        source_id=feedback.id,
        hint={"edge": "Handrail called it resolved, and the customer said that it did not help"},
        at=feedback.created_at,
    )


async def of_correction(
    session: AsyncSession,
    services: Services,
    conversation: Conversation,
    intent: str,
    by: str,
    at: datetime,
    facts: Mapping[str, Any],
) -> bool:
    """Staff say what the latest matter of a conversation was about. Returns whether there were words to learn from."""
    return await _of_episode(
        session,
        services,
        conversation,
        facts,
        source="correction",
        source_id=conversation.episode_id or conversation.id,
        intent=intent,
        queue=_queue_of(services, intent),
        state="accepted",
        by=by,
        at=at,
    )


async def _of_episode(
    session: AsyncSession,
    services: Services,
    conversation: Conversation,
    facts: Mapping[str, Any],
    *,
    source: Source,
    hint: Mapping[str, Any] | None = None,
    **columns: Any,
) -> bool:
    matter = await _matter(session, services, conversation.id, conversation.episode_id, None)
    if matter is None:
        return False
    found = LabelledExample(
        id=example_id(),
        text=redacted(matter.text, facts),
        source=source,
        conversation_id=conversation.id,
        episode_id=conversation.episode_id,
        hint={**matter.hint, **(hint or {})},
        **columns,
    )
    await gather(session, found)
    return True


def redacted(text: str, facts: Mapping[str, Any]) -> str:
    """The text without what tells who wrote it: what leaves for no endpoint, names on record, long numbers."""
    for name in (facts.get("contact_name"), facts.get("company")):
        if name and len(str(name)) > 3:
            text = re.sub(rf"(?<!\w){re.escape(str(name))}(?!\w)", "<name>", text, flags=re.IGNORECASE)
    return _LONG_NUMBER.sub("<number>", Redaction().hide(text)).strip()[:MAX_TEXT]


# The words that led there.


@dataclass(frozen=True)
class _Matter:
    text: str
    hint: dict[str, Any]
    reopened: bool = False


@dataclass(frozen=True)
class _Said:
    """What the customer wrote in one turn, and what triage made of it."""

    turn: Turn
    text: str

    @property
    def best(self) -> tuple[str, float]:
        ranking = self.turn.triage.get("ranking") or [["", 0.0]]
        return ranking[0][0], ranking[0][1]

    def opens_a_matter(self, before: str | None) -> bool:
        """Whether triage took it for something new, not for more words on what was under way."""
        triage, (intent, probability) = self.turn.triage, self.best
        if probability < START:
            return False
        return triage.get("route") == "start" or (("trigger" in triage or "matter" in triage) and intent != before)

    def says_something(self, empty: frozenset[str]) -> bool:
        """Whether it can tell what the matter is about: not small talk, not only a wish for a person."""
        intent, probability = self.best
        return len(self.text.split()) >= SAYS_SOMETHING and not (intent in empty and probability >= START)


async def _matter(
    session: AsyncSession, services: Services, conversation_id: str, episode_id: str | None, turn_id: str | None
) -> _Matter | None:
    """The message that a matter began with; None where the customer never said what it is about."""
    said = await _said(session, conversation_id)
    place = next((n for n, one in enumerate(said) if one.turn.id == turn_id), None)
    if place is None:
        read = [n for n, one in enumerate(said) if one.turn.episode_id == episode_id and one.turn.triage]
        place = read[-1] if read else None
    if place is None:
        return _first(said, episode_id)
    topics = services.library.topics
    empty = topics.small_talk | {"person_request"}
    deciding = said[place]
    if turn_id is not None and (settled := _settled_before(said[:place], deciding, empty | {topics.answering})):
        return _Matter(settled.text, _hint(*settled.best), reopened=True)
    before = said[place - 1].turn.intent if place else None
    if deciding.opens_a_matter(before) and deciding.says_something(empty):
        return _Matter(deciding.text, _hint(*deciding.best))
    since = [one for one in _since_settled(said[:place]) if one.turn.episode_id == episode_id]
    later = [one for one in said[place + 1 :] if one.turn.episode_id == episode_id]
    for one in (*since, deciding, *later):
        if one.says_something(empty):
            return _Matter(one.text, _hint(*one.best))
    settled = _last_settled(said[:place], empty)  # answered, and then only a wish for a person
    return _Matter(settled.text, _hint(*settled.best), reopened=True) if settled else None


async def _said(session: AsyncSession, conversation_id: str) -> list[_Said]:
    rows = await session.execute(
        select(Turn, Message.text)
        .join(Message, col(Message.turn_id) == col(Turn.id))
        .where(Message.conversation_id == conversation_id, Message.role == Role.CUSTOMER)
        .order_by(col(Message.number))
    )
    said: dict[str, _Said] = {}
    for turn, text in rows:
        before = said.get(turn.id)
        said[turn.id] = _Said(turn, f"{before.text}\n{text}" if before else text)
    return list(said.values())


def _first(said: Sequence[_Said], episode_id: str | None) -> _Matter | None:
    """For a matter that triage never read."""
    of_episode = [one for one in said if one.turn.episode_id == episode_id and one.says_something(frozenset())]
    return _Matter(of_episode[0].text, {}) if of_episode else None


def _settled_before(earlier: Sequence[_Said], deciding: _Said, empty: frozenset[str]) -> _Said | None:
    """The beginning of the same matter, where Handrail had called it resolved already."""
    settled = [one for one in earlier if one.turn.disposition == Disposition.RESOLVED and one.turn.intent not in empty]
    if not deciding.turn.intent or not settled or settled[-1].turn.intent != deciding.turn.intent:
        return None
    return _last_settled(earlier, empty)


def _last_settled(earlier: Sequence[_Said], empty: frozenset[str]) -> _Said | None:
    """The beginning of the last matter that Handrail called resolved."""
    settled = [n for n, one in enumerate(earlier) if one.turn.disposition == Disposition.RESOLVED]
    settled = [n for n in settled if earlier[n].turn.intent not in empty]
    if not settled:
        return None
    of_matter = [*_since_settled(earlier[: settled[-1]]), earlier[settled[-1]]]
    return next((one for one in of_matter if one.says_something(empty)), None)


def _since_settled(said: Sequence[_Said]) -> list[_Said]:
    """What was said since the last matter was settled."""
    settled = [n for n, one in enumerate(said) if one.turn.disposition == Disposition.RESOLVED]
    return list(said[settled[-1] + 1 :] if settled else said)


def _hint(intent: str | None, probability: float | None) -> dict[str, Any]:
    return {"intent": intent, "probability": probability} if intent else {}


def _with_edge(hint: dict[str, Any], edge: str) -> dict[str, Any]:
    return {**hint, "edge": edge} if edge else hint


def _queue_of(services: Services, intent: str | None) -> str | None:
    procedure = services.library.for_intent(intent) if intent else None
    return procedure.queue if procedure else None
