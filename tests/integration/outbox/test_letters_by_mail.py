"""Letters leave by a real SMTP server, once, and leave no text behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Received
from replicas import free_port

from app.jobs.outbox import MAX_ATTEMPTS, MailServer, OutboxSender
from records.clock import system_clock
from records.database import Database, sqlite_url
from records.step_up import OutboxMessage


class Mailbox(Received):
    """Keeps what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[tuple[str, str, str]] = []

    def handle_message(self, message) -> None:  # type: ignore[no-untyped-def]
        self.letters.append((message["To"], message["Subject"], message.get_payload(decode=True).decode().strip()))

    def prepare_message(self, session, envelope):  # type: ignore[no-untyped-def]
        return message_from_bytes(envelope.original_content or envelope.content)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, Controller]]:
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    yield box, server
    server.stop()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(sqlite_url(tmp_path / "records.db"))
    yield opened
    await opened.close()


def sender(database: Database, port: int, again_after: timedelta = timedelta(minutes=1)) -> OutboxSender:
    server = MailServer.parse(f"smtp://127.0.0.1:{port}", "support@larkspur.example")
    return OutboxSender(database, system_clock, server, again_after)


async def put(database: Database, message_id: str, minutes: int = 10) -> None:
    now = system_clock()
    async with database.write() as session:
        session.add(
            OutboxMessage(
                id=message_id,
                customer_id="cus_001",
                kind="step_up_code",
                sent_to="ana@acme.example",
                subject="Your code",
                body="Your code is 448213.",
                created_at=now,
                next_at=now,
                expires_at=now + timedelta(minutes=minutes),
            )
        )


async def row(database: Database, message_id: str) -> OutboxMessage:
    async with database.read() as session:
        return await session.get_one(OutboxMessage, message_id)


async def test_a_letter_is_sent_once_and_loses_its_text(
    database: Database, mailbox: tuple[Mailbox, Controller]
) -> None:
    box, server = mailbox
    await put(database, "out_1")
    both = [sender(database, server.port), sender(database, server.port)]
    assert sorted(await asyncio.gather(*(one.send_waiting() for one in both))) == [0, 1]
    assert box.letters == [("ana@acme.example", "Your code", "Your code is 448213.")]
    sent = await row(database, "out_1")
    assert sent.sent_at is not None
    assert sent.body == ""


async def test_a_server_that_is_away_is_tried_again_but_not_for_ever(database: Database) -> None:
    await put(database, "out_2")
    away = sender(database, free_port(), again_after=timedelta())
    assert [await away.send_waiting() for _ in range(MAX_ATTEMPTS + 2)] == [0] * (MAX_ATTEMPTS + 2)
    left = await row(database, "out_2")
    assert (left.attempts, left.error) == (MAX_ATTEMPTS, "ConnectionRefusedError")
    assert left.body


async def test_nothing_crosses_the_network_in_the_clear(
    database: Database, mailbox: tuple[Mailbox, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    box, server = mailbox
    await put(database, "out_4")
    monkeypatch.setattr("app.jobs.outbox.LOOPBACK", ())  # as if it were another machine
    assert await sender(database, server.port).send_waiting() == 0
    assert (await row(database, "out_4")).error == "SMTPNotSupportedError"
    assert box.letters == []


async def test_a_code_that_has_run_out_is_not_sent(database: Database, mailbox: tuple[Mailbox, Controller]) -> None:
    box, server = mailbox
    await put(database, "out_3", minutes=-1)
    assert await sender(database, server.port).send_waiting() == 0
    assert box.letters == []


@pytest.mark.parametrize("url", ["mail.example:587", "http://mail.example", "smtp://"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://host:port"):
        MailServer.parse(url, "support@larkspur.example")
