"""Sends what waits in the outbox by SMTP. A letter that was sent loses its text."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import structlog
from sqlalchemy import update
from sqlmodel import col, select

from records.clock import Clock
from records.database import Database
from records.step_up import OutboxMessage

log = structlog.get_logger(__name__)

EVERY = 1.0
MAX_ATTEMPTS = 5
SECONDS = 15.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed in. `tls`: from the first byte; otherwise by STARTTLS, on this machine also without."""

    host: str
    port: int
    user: str
    password: str
    tls: bool
    sender: str

    @classmethod
    def parse(cls, url: str, sender: str) -> "MailServer":
        """From ``smtp://user:password@host:port`` or ``smtps://``. Raises ValueError with what is wrong."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("it must be smtp://host:port or smtps://host:port, with user:password@ where needed")
        tls = parts.scheme == "smtps"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, parts.port or (465 if tls else 587), user, password, tls, sender)

    def send(self, sent_to: str, subject: str, body: str) -> None:
        """Hand one letter in. Raises OSError (of which `smtplib.SMTPException` is one)."""
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = self.sender, sent_to, subject
        letter.set_content(body)
        trust = ssl.create_default_context()
        opened = (
            smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=trust)
            if self.tls
            else smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        )
        with opened as server:
            server.ehlo_or_helo_if_needed()
            if not self.tls and server.has_extn("starttls"):
                server.starttls(context=trust)
            elif not self.tls and self.host not in LOOPBACK:
                raise smtplib.SMTPNotSupportedError("the server offers no STARTTLS: nothing is sent in the clear")
            if self.user:
                server.login(self.user, self.password)
            server.send_message(letter)


@dataclass(frozen=True)
class OutboxSender:
    """Hands waiting letters in, each by one process at a time; one that fails is tried again a few times."""

    database: Database
    clock: Clock
    server: MailServer
    again_after: timedelta = timedelta(seconds=30)
    """Longer than one try takes."""

    async def keep_sending(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.send_waiting()
            except Exception:
                log.exception("outbox_failed")
            await asyncio.sleep(EVERY)

    async def send_waiting(self) -> int:
        """Send all that waits. Returns how many were sent."""
        query = select(OutboxMessage).where(
            col(OutboxMessage.sent_at).is_(None),
            OutboxMessage.attempts < MAX_ATTEMPTS,
            OutboxMessage.next_at <= self.clock(),
        )
        async with self.database.read() as session:
            waiting = list(await session.scalars(query.order_by(col(OutboxMessage.id))))
        return sum([await self._send(message) for message in waiting if not self._too_late(message)])

    def _too_late(self, message: OutboxMessage) -> bool:
        return message.expires_at is not None and message.expires_at < self.clock()

    async def _send(self, message: OutboxMessage) -> bool:
        mine = (col(OutboxMessage.id) == message.id, col(OutboxMessage.attempts) == message.attempts)
        async with self.database.write() as session:
            again = {"attempts": message.attempts + 1, "next_at": self.clock() + self.again_after}
            taken = await session.execute(update(OutboxMessage).where(*mine).values(**again))
        if taken.rowcount == 0:  # type: ignore[attr-defined]
            return False  # another process has it
        error = ""
        try:
            await asyncio.to_thread(self.server.send, message.sent_to, message.subject, message.body)
        except OSError as fault:
            error = type(fault).__name__
            log.warning("letter_not_sent", message=message.id, kind=message.kind, error=error)
        async with self.database.write() as session:
            row = await session.get_one(OutboxMessage, message.id)
            row.error = error
            if not error:
                row.sent_at, row.body = self.clock(), ""
        return not error
