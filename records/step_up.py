"""One-time codes that step a conversation up, and the outbox in which they wait to be sent.

A code is bound to one conversation and to the offers that asked for it. Only a keyed digest of it is kept here; its
text stands in the outbox until it is sent. It is right once, for a few minutes and a few tries, and a customer gets
only so many codes, and so many tries, in an hour over all conversations.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col, func, select

from records import audit
from records.clock import Clock
from records.columns import Row, document, moment
from records.conversation import Conversation
from records.database import Database
from records.identifiers import new_id

DIGITS = 6
LIVES = timedelta(minutes=10)
TRIES = 3
LASTS = timedelta(minutes=15)
"""How long a right code counts."""
PER_HOUR = 5
"""Codes that one customer gets in an hour."""
WRONG_PER_HOUR = 10
"""Wrong tries of one customer in an hour, after which no code counts."""
HOUR = timedelta(hours=1)
CODE = re.compile(rf"(?<![\w.,])\d{{3}}[ -]?\d{{{DIGITS - 3}}}(?![\w]|[.,]\d)")


class StepUpCode(Row, table=True):
    """A code that was sent. State: sent, used, expired or spent (too many wrong tries). Only the latest one counts."""

    __tablename__ = "step_up_codes"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    customer_id: str = Field(index=True)
    digest: str
    sent_to: str
    offers: list[str] = document(default_factory=list)
    """The offers that asked for it."""
    state: str = "sent"
    tries: int = 0
    created_at: datetime = moment()
    expires_at: datetime = moment()


class OutboxMessage(Row, table=True):
    """A message to an address on record. `body` is taken out once it is sent."""

    __tablename__ = "outbox"

    id: str = Field(primary_key=True)
    customer_id: str = Field(index=True)
    kind: str
    sent_to: str
    subject: str
    body: str
    created_at: datetime = moment()
    expires_at: datetime | None = moment(default=None)
    """After this it is not sent any more."""
    sent_at: datetime | None = moment(default=None)
    next_at: datetime = moment()
    """Before this nobody tries (again): somebody is at it, or it failed a moment ago."""
    attempts: int = 0
    error: str = ""


class Entry(StrEnum):
    """What became of a code that a customer typed."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"
    SPENT = "spent"


@dataclass(frozen=True)
class Entered:
    """The end of one try. `offers` are those that asked for the code; `tries_left` counts after a wrong one."""

    entry: Entry
    offers: tuple[str, ...] = ()
    tries_left: int = 0


@dataclass(frozen=True)
class StepUp:
    """Makes and checks codes. `key` is the service's secret."""

    database: Database
    clock: Clock
    key: str

    async def may_send(self, customer_id: str) -> bool:
        """Whether this customer may get another code now."""
        async with self.database.read() as session:
            return await self._within_limits(session, customer_id)

    async def last(self, conversation_id: str) -> StepUpCode | None:
        """The latest code of a conversation."""
        async with self.database.read() as session:
            return await _last(session, conversation_id)

    def make(
        self, conversation_id: str, customer_id: str, sent_to: str, offers: list[str], subject: str, body: str
    ) -> tuple[StepUpCode, OutboxMessage]:
        """A code and the message that carries it, to be written together. `body` has ``{code}`` where the code goes."""
        now, code = self.clock(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        row = StepUpCode(
            id=new_id("cod"),
            conversation_id=conversation_id,
            customer_id=customer_id,
            digest="",
            sent_to=sent_to,
            offers=offers,
            created_at=now,
            expires_at=now + LIVES,
        )
        row.digest = self._digest(row.id, code)
        message = OutboxMessage(
            id=new_id("out"),
            customer_id=customer_id,
            kind="step_up_code",
            sent_to=sent_to,
            subject=subject,
            body=body.replace("{code}", code),
            created_at=now,
            next_at=now,
            expires_at=row.expires_at,
        )
        return row, message

    async def enter(self, conversation_id: str, typed: str, message_id: str) -> Entered | None:
        """Try a code. None where this conversation waits for none. A right one steps the conversation up for a while.

        The same message tried again (its turn was interrupted) counts once.
        """
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, conversation_id, with_for_update=True)
            now = self.clock()
            row = await _last(session, conversation_id)
            if row is None or (row.state == "used" and conversation.code_message_id != message_id):
                return None
            if row.state == "used":
                return Entered(Entry.RIGHT, tuple(row.offers))
            entered = await self._judge(session, row, typed, now)
            if entered.entry is Entry.RIGHT:
                conversation.stepped_up_until, conversation.code_message_id = now + LASTS, message_id
            event = {"code": row.id, "entry": entered.entry.value, "message": message_id}
            audit.append(session, conversation, [("step_up", event)], now)
            return entered

    async def _judge(self, session: AsyncSession, row: StepUpCode, typed: str, now: datetime) -> Entered:
        if row.state == "sent" and now >= row.expires_at:
            row.state = "expired"
        if row.state == "sent" and await self._wrong_tries(session, row.customer_id) >= WRONG_PER_HOUR:
            row.state = "spent"
        if row.state != "sent":
            return Entered(Entry.EXPIRED if row.state == "expired" else Entry.SPENT, tuple(row.offers))
        if hmac.compare_digest(self._digest(row.id, re.sub(r"\D", "", typed)), row.digest):
            row.state = "used"
            return Entered(Entry.RIGHT, tuple(row.offers))
        row.tries += 1
        if row.tries >= TRIES:
            row.state = "spent"
            return Entered(Entry.SPENT, tuple(row.offers))
        return Entered(Entry.WRONG, tuple(row.offers), TRIES - row.tries)

    async def _within_limits(self, session: AsyncSession, customer_id: str) -> bool:
        recent = (StepUpCode.customer_id == customer_id, col(StepUpCode.created_at) > self.clock() - HOUR)
        sent = (await session.scalars(select(func.count()).select_from(StepUpCode).where(*recent))).one()
        return sent < PER_HOUR and await self._wrong_tries(session, customer_id) < WRONG_PER_HOUR

    async def _wrong_tries(self, session: AsyncSession, customer_id: str) -> int:
        recent = (StepUpCode.customer_id == customer_id, col(StepUpCode.created_at) > self.clock() - HOUR)
        return (await session.scalars(select(func.coalesce(func.sum(StepUpCode.tries), 0)).where(*recent))).one()

    def _digest(self, code_id: str, code: str) -> str:
        return hmac.new(self.key.encode(), f"{code_id} {code}".encode(), hashlib.sha256).hexdigest()


async def _last(session: AsyncSession, conversation_id: str) -> StepUpCode | None:
    query = select(StepUpCode).where(StepUpCode.conversation_id == conversation_id)
    return (await session.scalars(query.order_by(col(StepUpCode.id).desc()).limit(1))).first()


def masked(address: str) -> str:
    """An address as it may be shown to somebody who perhaps does not own it: ``a***@acme.example``."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}***@{domain}"


def wants_code(text: str) -> bool:
    """Whether the customer asks for a code, or says that none came."""
    asked = r"\b(new|another|resend|again|send|get)\b.{0,30}\bcode\b|\bcode\b.{0,30}\b(again|expired|run out|lost)\b"
    came = r"(?:get|got|gotten|receive|received|arrived?|come|came|here|there)"
    no = r"(?:no|not|never|didn't|haven't|hasn't|isn't)"
    missed = rf"\b{no}\b.{{0,20}}\b{came}\b.{{0,20}}\bcode\b|\bcode\b.{{0,30}}\b{no}\b.{{0,12}}\b{came}\b|\bno code\b"
    words = text.lower().replace("’", "'")
    return len(words.split()) <= 14 and re.search(f"{asked}|{missed}", words) is not None


def code_in(text: str) -> str | None:
    """The code that a message holds, if it holds one and little else or speaks of a code."""
    found = CODE.findall(text)
    little = len(text.split()) <= 8
    return found[0] if len(found) == 1 and (little or re.search(r"\bcode\b", text, re.IGNORECASE)) else None


def without_code(text: str) -> str:
    """What else a message says: its code, and the words that introduce it, taken out."""
    introduced = rf"(?:(?:here(?:'s| is) )?(?:my|the|your)?\s*code\s*(?:is|was|:|=)?\s*)?{CODE.pattern}"
    return re.sub(r"\s+", " ", re.sub(introduced, " ", text, flags=re.IGNORECASE)).strip(" .,;:-!")


__all__ = [
    "Entered",
    "Entry",
    "OutboxMessage",
    "StepUp",
    "StepUpCode",
    "code_in",
    "masked",
    "wants_code",
    "without_code",
]
