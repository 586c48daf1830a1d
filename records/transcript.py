"""The transcript's store: conversations, messages and turns, each change in one transaction with its audit events.

One turn at a time per conversation, over all replicas: a turn holds a lease on its conversation. A turn whose owner
died is taken up again, under the same id, by whoever finds it. The clock is read once the conversation is held for
writing, so that times stand in the order in which things were written.
"""

import hashlib
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col, select

from records import audit
from records.clock import Clock
from records.conversation import Conversation, Disposition, Episode, Message, Role, tell
from records.database import Database
from records.effect import EffectRecord
from records.handoff import Handoff
from records.identifiers import new_id
from records.offer import Approval, Offer
from records.parked import end_parked, left_to
from records.spending import Spent, hold_spending
from records.turn import Turn, TurnStep

WINDOW = 24
"""How many of the latest messages a turn looks at."""
LEASE = timedelta(seconds=20)
RETURN_AFTER = timedelta(minutes=30)
"""A customer who writes this long after a resolution starts a new episode."""


class UnknownConversation(LookupError):
    """There is no such conversation, or it is not this customer's."""


class TurnTaken(Exception):
    """The turn is over, or another process has taken it up: what this one found out no longer counts."""


@dataclass
class TurnStart:
    """What a turn begins with."""

    conversation: Conversation
    turn: Turn
    messages: list[Message]
    """The latest messages, oldest first, the waiting ones included."""
    waiting: list[Message]
    offers: list[Offer]
    effects: list[EffectRecord]
    steps: list[TurnStep]
    """Tool results of earlier turns of the episode."""
    handoff: Handoff | None


@dataclass
class TurnEnd:
    """What a turn leaves behind."""

    turn_id: str
    attempt: int
    conversation_id: str
    disposition: Disposition
    reply: str
    frame: dict[str, Any] | None
    citations: list[dict[str, Any]] = field(default_factory=list)
    state: str = "finished"
    figures: dict[str, Any] = field(default_factory=dict)
    """Columns of the turn: triage, stages_ms, model, model_calls, tokens, cost, intent."""
    steps: list[dict[str, Any]] = field(default_factory=list)
    rows: list[SQLModel] = field(default_factory=list)
    """New rows: decisions, offers, handoffs."""
    offers: list[Offer] = field(default_factory=list)
    """Offers that this turn found accepted, declined or withdrawn."""
    audit: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    handled_by: str | None = None
    messages_seen: int = 0
    """How many messages the conversation had when the turn began."""


_BORN = secrets.token_hex(4)  # tells this process from an earlier one that had the same number


def process_name() -> str:
    """Who holds a lease: host, process and a mark of this very run of it."""
    return f"{socket.gethostname()}:{os.getpid()}:{_BORN}"


def owner_is_gone(owner: str) -> bool:
    """Whether the owner was a process of this host that no longer runs."""
    host, _, rest = owner.partition(":")
    pid, _, born = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return born != _BORN
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def text_digest(text: str) -> str:
    """SHA-256 of a text: the chain proves what was said without holding it."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Transcript:
    """Reads and writes conversations."""

    database: Database
    clock: Clock

    async def open(self, customer_id: str, level: str, channel: str) -> Conversation:
        """Start a conversation."""
        now = self.clock()
        conversation = Conversation(
            id=new_id("conv"), customer_id=customer_id, level=level, channel=channel, created_at=now, updated_at=now
        )
        async with self.database.write() as session:
            session.add(conversation)
            await session.flush()
            audit.append(session, conversation, [("opened", {"customer": customer_id, "level": level})], now)
        return conversation

    async def get(self, conversation_id: str, customer_id: str | None = None) -> Conversation:
        """A conversation; with `customer_id` only if it is theirs. Raises `UnknownConversation`."""
        async with self.database.read() as session:
            found = await session.get(Conversation, conversation_id)
        if found is None or (customer_id is not None and found.customer_id != customer_id):
            raise UnknownConversation(conversation_id)
        return found

    async def receive(
        self, conversation_id: str, text: str, client_message_id: str | None, level: str | None = None
    ) -> tuple[Message, bool]:
        """Store a customer's message: (message, whether it is new). The same `client_message_id` twice is one."""
        message, new, _ = await self._receive(conversation_id, text, client_message_id, level, begin=False)
        return message, new

    async def receive_and_begin(
        self, conversation_id: str, text: str, client_message_id: str | None, level: str | None = None
    ) -> tuple[Message, bool, TurnStart | None]:
        """`receive` and `begin_turn` in one transaction, for a conversation on which no turn runs here."""
        return await self._receive(conversation_id, text, client_message_id, level, begin=True)

    async def _receive(
        self, conversation_id: str, text: str, client_message_id: str | None, level: str | None, *, begin: bool
    ) -> tuple[Message, bool, TurnStart | None]:
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, conversation_id, with_for_update=True)
            now = self.clock()
            if client_message_id is not None:
                same = select(Message).where(
                    Message.conversation_id == conversation_id, Message.client_message_id == client_message_id
                )
                if (known := (await session.scalars(same)).first()) is not None:
                    return known, False, None
            if level is not None:
                conversation.level = level
            earlier = await _window(session, conversation_id) if begin else []
            message = add_message(session, conversation, Role.CUSTOMER, text, now, client_message_id=client_message_id)
            event = {"message": message.id, "role": Role.CUSTOMER.value, "sha256": text_digest(text)}
            audit.append(session, conversation, [("message", event)], now)
            start = await self._begin(session, conversation, [*earlier, message], now) if begin else None
        return message, True, start

    async def add_person_message(
        self, conversation_id: str, text: str, author: str, turn_id: str | None = None
    ) -> Message:
        """Store what a representative wrote."""
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, conversation_id, with_for_update=True)
            now = self.clock()
            message = add_message(session, conversation, Role.REPRESENTATIVE, text, now, author=author)
            message.turn_id = turn_id
            event = {"message": message.id, "role": "representative", "author": author, "sha256": text_digest(text)}
            audit.append(session, conversation, [("message", event)], now)
        return message

    async def begin_turn(self, conversation_id: str) -> TurnStart | None:
        """Take the lease and begin, or take up, a turn. None where another turn runs or nothing waits."""
        async with self.database.write() as session:
            conversation = await session.get(Conversation, conversation_id, with_for_update=True)
            if conversation is None:
                return None
            return await self._begin(session, conversation, await _window(session, conversation_id), self.clock())

    async def _begin(
        self, session: AsyncSession, conversation: Conversation, messages: list[Message], now: datetime
    ) -> TurnStart | None:
        if not _lease_is_free(conversation, now):
            return None
        interrupted = await session.get(Turn, conversation.turn_id) if conversation.turn_id else None
        waiting = [m for m in messages if m.role == Role.CUSTOMER and m.turn_id is None]
        if interrupted is None and not waiting:
            return None
        conversation.lease_owner, conversation.lease_until = process_name(), now + LEASE
        if interrupted is None:
            quiet_since = max((m.created_at for m in messages if m not in waiting), default=now)
            _enter_episode(session, conversation, now, quiet_since)
            turn = self._new_turn(session, conversation, waiting, now)
        else:
            turn = interrupted
            turn.attempt += 1
            waiting = await _messages_of(session, turn.id)
            messages = [m for m in messages if m.role != Role.CUSTOMER or m.turn_id is not None]  # later ones wait
            audit.append(session, conversation, [("turn", {"turn": turn.id, "attempt": turn.attempt})], now)
        await session.flush()
        return await _load(session, conversation, turn, messages, waiting)

    def _new_turn(
        self, session: AsyncSession, conversation: Conversation, waiting: list[Message], now: datetime
    ) -> Turn:
        turn = Turn(
            id=new_id("turn"), conversation_id=conversation.id, episode_id=conversation.episode_id, started_at=now
        )
        session.add(turn)
        conversation.turn_id = turn.id
        for message in waiting:
            message.turn_id, message.episode_id = turn.id, turn.episode_id
        started = {"turn": turn.id, "attempt": 1, "messages": [message.id for message in waiting]}
        audit.append(session, conversation, [("turn", started)], now)
        return turn

    async def take_up_parked(self, turn_id: str) -> TurnStart | None:
        """Take the lease for a parked turn whose approval was decided. None where another turn runs.

        Raises `TurnTaken` where the turn is not parked any more.
        """
        async with self.database.write() as session:
            turn = await session.get_one(Turn, turn_id)
            conversation = await session.get_one(Conversation, turn.conversation_id, with_for_update=True)
            now = self.clock()
            await session.refresh(turn)
            if turn.state != "awaiting_approval":
                raise TurnTaken(turn_id)
            if not _lease_is_free(conversation, now):
                return None
            conversation.lease_owner, conversation.lease_until = process_name(), now + LEASE
            waiting = await _messages_of(session, turn_id)
            return await _load(session, conversation, turn, await _window(session, conversation.id), waiting)

    async def take_over(self, conversation_id: str, handoff: Handoff) -> None:
        """Give a conversation to a person: a turn that runs ends without effect or word, and no new one begins.

        Raises `UnknownConversation`, and `TurnTaken` where a person has it already.
        """
        now = self.clock()
        async with self.database.write() as session:
            conversation = await session.get(Conversation, conversation_id, with_for_update=True)
            if conversation is None:
                raise UnknownConversation(conversation_id)
            if conversation.handled_by == "person":
                raise TurnTaken(conversation_id)
            await give_to_person(session, conversation, handoff, now)
            seen = {"handoff_id": handoff.id, "state": handoff.state, "queue": handoff.queue}
            session.add(tell(conversation, "handoff", seen, now))
            event = {"handoff": handoff.id, "action": "take_over", "by": handoff.claimed_by, "queue": handoff.queue}
            audit.append(session, conversation, [("handoff", event)], now)

    async def tool_steps(self, episode_id: str | None) -> list[TurnStep]:
        """What was looked up and done in the earlier turns of an episode, oldest first."""
        async with self.database.read() as session:
            return await _tool_steps(session, episode_id)

    async def renew_lease(self, turn: Turn) -> bool:
        """Keep the lease. False where it was lost (a person took over, or another replica took the turn up)."""
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, turn.conversation_id, with_for_update=True)
            ours = await session.scalars(select(Turn.id).where(*_still_ours(turn.id, turn.attempt)))
            if conversation.lease_owner != process_name() or ours.first() is None:
                return False
            conversation.lease_until = self.clock() + LEASE
            return True

    async def record(
        self,
        conversation_id: str,
        rows: Sequence[SQLModel],
        events: Sequence[tuple[str, dict[str, Any]]],
        offers: Sequence[Offer] = (),
        turn: Turn | None = None,
        spent: Spent | None = None,
    ) -> None:
        """Write new rows (decisions, intended effects, approvals), what became of offers, and their audit events.

        `turn` is the turn that writes, `spent` what its verdicts went by. Raises, having written nothing, `TurnTaken`
        where it is no longer that turn's, and `SpentMeanwhile` where more money was moved since.
        """
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, conversation_id, with_for_update=True)
            if turn is not None:
                mine = select(Turn.id).where(*_still_ours(turn.id, turn.attempt))
                if (await session.scalars(mine)).first() is None:
                    raise TurnTaken(turn.id)
            effects = [row for row in rows if isinstance(row, EffectRecord)]
            if spent is not None:
                await hold_spending(session, spent, effects, self.clock())
            session.add_all(rows)
            if effects:
                conversation.has_effects = True
            await _update_offers(session, offers)
            audit.append(session, conversation, events, self.clock())

    async def finish_turn(self, end: TurnEnd) -> bool:
        """Write all that a turn leaves behind and give the lease back, in one transaction.

        Returns whether more messages wait for a turn. Raises `TurnTaken`, having written nothing, where the turn was
        ended or taken up by somebody else meanwhile.
        """
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, end.conversation_id, with_for_update=True)
            now = self.clock()
            more_waits = conversation.messages > end.messages_seen
            figures = {**end.figures, "state": end.state, "disposition": end.disposition, "finished_at": now}
            mine = _still_ours(end.turn_id, end.attempt)
            written = await session.execute(update(Turn).where(*mine).values(**figures))
            if written.rowcount == 0:  # type: ignore[attr-defined]
                raise TurnTaken(end.turn_id)
            await _update_offers(session, end.offers)
            if end.handled_by == "person":
                approvals = await end_parked(session, conversation, now, but=end.turn_id)
                for row in end.rows:
                    if isinstance(row, Handoff):
                        left_to(row, approvals)
            session.add_all(end.rows)
            session.add_all(
                TurnStep(
                    id=new_id("step"),
                    conversation_id=end.conversation_id,
                    turn_id=end.turn_id,
                    number=position,
                    kind=step["kind"],
                    payload=step["payload"],
                    at=now,
                )
                for position, step in enumerate(end.steps, 1)
            )
            if end.reply:
                message = add_message(
                    session, conversation, Role.AGENT, end.reply, now, turn_id=end.turn_id, citations=end.citations
                )
                end.audit.append(
                    ("message", {"message": message.id, "role": "agent", "sha256": text_digest(end.reply)})
                )
            if end.frame is not None:
                conversation.frame = end.frame
            if end.handled_by is not None:
                conversation.handled_by = end.handled_by
            if conversation.turn_id == end.turn_id:
                conversation.turn_id = None
            with_person = conversation.handled_by == "person"
            standing = Disposition.ESCALATED if with_person else end.disposition
            changed = standing != conversation.disposition or end.figures.get("intent")
            if conversation.episode_id is not None and changed:
                ended = standing in (Disposition.RESOLVED, Disposition.ESCALATED)
                values: dict[str, Any] = {"disposition": standing, "ended_at": now if ended else None}
                if end.figures.get("intent"):
                    values["intent"] = end.figures["intent"]
                await session.execute(
                    update(Episode).where(col(Episode.id) == conversation.episode_id).values(**values)
                )
            conversation.disposition = standing
            if conversation.lease_owner == process_name():
                conversation.lease_owner = conversation.lease_until = None
            conversation.updated_at = now
            events = [*end.events, ("disposition", {"disposition": end.disposition.value, "turn_id": end.turn_id})]
            session.add_all(tell(conversation, kind, payload, now) for kind, payload in events)
            end.audit.append(("turn", {"turn": end.turn_id, "state": end.state, "disposition": end.disposition.value}))
            audit.append(session, conversation, end.audit, now)
            return more_waits

    async def decided_turns(self) -> list[str]:
        """Parked turns whose approval was given, refused or has run out, oldest first."""
        now = self.clock()
        decided = (col(Approval.state) != "pending") | (col(Approval.expires_at) < now)
        parked = (
            select(Turn.id)
            .join(Approval, col(Approval.turn_id) == col(Turn.id))
            .where(Turn.state == "awaiting_approval", decided)
        )
        async with self.database.read() as session:
            return list(dict.fromkeys(await session.scalars(parked.order_by(col(Turn.id)))))

    async def said_since(self, conversation_id: str, number: int) -> list[str]:
        """What the customer wrote after the message of this number, oldest first."""
        later = select(Message.text).where(
            Message.conversation_id == conversation_id, Message.role == Role.CUSTOMER, Message.number > number
        )
        async with self.database.read() as session:
            return list(await session.scalars(later.order_by(col(Message.number))))

    async def waiting_approvals(self, conversation_id: str) -> list[Approval]:
        """What waits for a decision in a conversation, oldest first."""
        pending = select(Approval).where(Approval.conversation_id == conversation_id, Approval.state == "pending")
        async with self.database.read() as session:
            return list(await session.scalars(pending.order_by(col(Approval.id))))

    async def withdraw_parked(self, conversation_id: str) -> list[Approval]:
        """End the turns that wait for approvals; the customer takes back what they are about."""
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, conversation_id, with_for_update=True)
            return await end_parked(session, conversation, self.clock())

    async def approval_of(self, turn_id: str) -> Approval:
        """The latest approval that a turn asked for; one that nobody decided in time becomes `expired` here."""
        async with self.database.write() as session:
            turn = await session.get_one(Turn, turn_id)
            conversation = await session.get_one(Conversation, turn.conversation_id, with_for_update=True)
            now = self.clock()
            query = select(Approval).where(Approval.turn_id == turn_id).order_by(col(Approval.id).desc())
            approval = (await session.scalars(query.limit(1).with_for_update())).one()
            if approval.state == "pending" and approval.expires_at < now:
                approval.state, approval.decided_at = "expired", now
                event = {"approval": approval.id, "state": approval.state, "by": "", "tool": approval.tool}
                audit.append(session, conversation, [("approval", event)], now)
        return approval

    async def unfinished(self) -> list[str]:
        """Conversations with a waiting message or a turn that nobody carries on, oldest first."""
        now = self.clock()
        async with self.database.read() as session:
            waiting = await session.scalars(
                select(Message.conversation_id)
                .where(Message.role == Role.CUSTOMER, col(Message.turn_id).is_(None))
                .order_by(col(Message.id))
            )
            running = await session.scalars(
                select(Turn.conversation_id).where(Turn.state == "running").order_by(col(Turn.id))
            )
            ids = list(dict.fromkeys([*running, *waiting]))
            rows = await session.scalars(select(Conversation).where(col(Conversation.id).in_(ids)))
            free = {row.id for row in rows if _lease_is_free(row, now)}
        return [conversation_id for conversation_id in ids if conversation_id in free]


def _still_ours(turn_id: str, attempt: int) -> tuple[Any, ...]:
    """The turn is open, and nobody has taken it up since this attempt began."""
    return (
        col(Turn.id) == turn_id,
        col(Turn.attempt) == attempt,
        col(Turn.state).in_(["running", "awaiting_approval"]),
    )


async def _update_offers(session: AsyncSession, offers: Sequence[Offer]) -> None:
    for offer in offers:
        values = {"state": offer.state, "answered_at": offer.answered_at, "answer_message_id": offer.answer_message_id}
        await session.execute(update(Offer).where(col(Offer.id) == offer.id).values(**values))


async def give_to_person(session: AsyncSession, conversation: Conversation, handoff: Handoff, now: datetime) -> None:
    """Make a conversation that is held for writing a person's: a turn that runs ends without word, and none begins."""
    running = (col(Turn.conversation_id) == conversation.id, col(Turn.state) == "running")
    await session.execute(update(Turn).where(*running).values(state="superseded", finished_at=now))
    conversation.turn_id = conversation.lease_owner = conversation.lease_until = None
    conversation.handled_by, conversation.disposition = "person", Disposition.ESCALATED
    conversation.frame = {}
    left_to(handoff, await end_parked(session, conversation, now))
    session.add(handoff)


def held_elsewhere(conversation: Conversation, now: datetime) -> bool:
    """Whether another living process carries on a turn of this conversation."""
    return conversation.lease_owner != process_name() and not _lease_is_free(conversation, now)


def _lease_is_free(conversation: Conversation, now: datetime) -> bool:
    if conversation.lease_owner is None or conversation.lease_until is None or conversation.lease_until < now:
        return True
    return owner_is_gone(conversation.lease_owner)


def add_message(
    session: AsyncSession,
    conversation: Conversation,
    role: Role,
    text: str,
    now: datetime,
    *,
    turn_id: str | None = None,
    client_message_id: str | None = None,
    author: str | None = None,
    citations: list[dict[str, Any]] | None = None,
) -> Message:
    conversation.messages += 1
    conversation.updated_at = now
    message = Message(
        id=new_id("msg"),
        conversation_id=conversation.id,
        episode_id=conversation.episode_id,
        turn_id=turn_id,
        number=conversation.messages,
        role=role,
        text=text,
        author=author,
        client_message_id=client_message_id,
        citations=citations or [],
        created_at=now,
    )
    session.add(message)
    payload = {
        "message_id": message.id,
        "role": role.value,
        "text": text,
        "author": author,
        "citations": citations or [],
    }
    session.add(tell(conversation, "message", payload, now))
    return message


def _enter_episode(session: AsyncSession, conversation: Conversation, now: datetime, quiet_since: datetime) -> None:
    """Go on with the episode, or start the next one for a customer who returns after a person or a while."""
    after_person = conversation.disposition == Disposition.ESCALATED and conversation.handled_by == "handrail"
    closed_by_person = conversation.handoff_closed
    stale = conversation.disposition == Disposition.RESOLVED and now - quiet_since > RETURN_AFTER
    if conversation.episode_id is not None and not (after_person or closed_by_person or stale):
        return
    if conversation.episode_id is not None:
        conversation.frame = {}
    conversation.handoff_closed = False
    conversation.episode_number += 1
    conversation.episode_id = new_id("epi")
    session.add(
        Episode(
            id=conversation.episode_id,
            conversation_id=conversation.id,
            number=conversation.episode_number,
            started_at=now,
        )
    )


async def _messages_of(session: AsyncSession, turn_id: str) -> list[Message]:
    """The customer's messages that a turn answers."""
    query = select(Message).where(Message.turn_id == turn_id, Message.role == Role.CUSTOMER)
    return list(await session.scalars(query.order_by(col(Message.number))))


async def _window(session: AsyncSession, conversation_id: str) -> list[Message]:
    """The latest messages, oldest first."""
    query = select(Message).where(Message.conversation_id == conversation_id).order_by(col(Message.number).desc())
    messages = list(await session.scalars(query.limit(WINDOW)))[::-1]
    if len(messages) == WINDOW and messages[0].turn_id is None and messages[0].role == Role.CUSTOMER:
        return list(await session.scalars(query))[::-1]  # so much waits that the window does not hold it
    return messages


async def _load(
    session: AsyncSession, conversation: Conversation, turn: Turn, messages: list[Message], waiting: list[Message]
) -> TurnStart:
    under_way = bool(conversation.frame.get("stack")) or turn.attempt > 1 or turn.state == "awaiting_approval"
    offers: list[Offer] = []
    if under_way or conversation.disposition == Disposition.AWAITING_CUSTOMER:
        query = select(Offer).where(
            Offer.conversation_id == conversation.id, col(Offer.state).in_(["offered", "accepted", "used"])
        )
        offers = list(await session.scalars(query))
    effects: list[EffectRecord] = []
    if conversation.has_effects:
        query = select(EffectRecord).where(EffectRecord.conversation_id == conversation.id)
        effects = list(await session.scalars(query.order_by(col(EffectRecord.id).desc()).limit(WINDOW)))
    steps: list[TurnStep] = []
    if under_way:
        steps = await _tool_steps(session, turn.episode_id)
    handoff = None
    if conversation.handled_by == "person":
        query = select(Handoff).where(
            Handoff.conversation_id == conversation.id, col(Handoff.state).in_(["open", "claimed"])
        )
        handoff = (await session.scalars(query.order_by(col(Handoff.id).desc()))).first()
    return TurnStart(conversation, turn, messages, waiting, offers, effects, steps, handoff)


async def _tool_steps(session: AsyncSession, episode_id: str | None) -> list[TurnStep]:
    query = (
        select(TurnStep)
        .join(Turn, col(TurnStep.turn_id) == col(Turn.id))
        .where(Turn.episode_id == episode_id, TurnStep.kind == "tool")
        .order_by(col(TurnStep.id).desc())
        .limit(WINDOW)
    )
    return list(await session.scalars(query))[::-1]


__all__ = [
    "Approval",
    "Transcript",
    "TurnEnd",
    "TurnStart",
    "TurnTaken",
    "UnknownConversation",
    "add_message",
    "give_to_person",
    "held_elsewhere",
]
