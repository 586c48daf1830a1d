"""The database: migrations, transactions, and tables that only grow."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlmodel import SQLModel, select

import records.tables  # noqa: F401
from records import audit
from records.conversation import Conversation
from records.database import Database, migrated_copy, sqlite_url
from records.transcript import Transcript


async def test_the_migrations_make_every_table_with_every_column_of_the_models(database: Database) -> None:
    async with database.engine.connect() as connection:
        made = await connection.run_sync(
            lambda sync: {
                table: {column["name"]: column["nullable"] for column in inspect(sync).get_columns(table)}
                for table in inspect(sync).get_table_names()
            }
        )
    for table in SQLModel.metadata.sorted_tables:
        assert made[table.name] == {column.name: column.nullable for column in table.columns}, table.name


async def test_several_that_migrate_one_new_file_at_once_all_open_it(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "handrail.db")
    opened = await asyncio.gather(*(Database.open(url) for _ in range(4)))
    for database in opened:
        async with database.read() as session:
            assert list(await session.scalars(select(Conversation))) == []
        await database.close()


@pytest.mark.postgres
async def test_several_that_migrate_one_new_postgres_database_at_once_all_open_it(empty_postgres_url: str) -> None:
    opened = await asyncio.gather(*(Database.open(empty_postgres_url) for _ in range(4)))
    for database in opened:
        async with database.read() as session:
            assert list(await session.scalars(select(Conversation))) == []
        await database.close()


async def test_a_copy_of_the_template_is_a_migrated_database_of_its_own(tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    await asyncio.gather(*(migrated_copy(template, tmp_path / name / "handrail.db") for name in "abc"))
    first = await Database.open(sqlite_url(tmp_path / "a" / "handrail.db"), migrate=False)
    await Transcript(first, lambda: datetime.now(UTC)).open("cus_001", "verified", "chat")
    await first.close()
    for name, expected in (("a", 1), ("b", 0)):
        with sqlite3.connect(tmp_path / name / "handrail.db") as connection:
            assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (expected,)


async def test_what_fails_half_way_is_not_written_at_all(database: Database, transcript: Transcript) -> None:
    conversation = await transcript.open("cus_001", "verified", "chat")

    async def half_way() -> None:
        async with database.write() as session:
            row = await session.get_one(Conversation, conversation.id, with_for_update=True)
            row.channel = "phone"
            audit.append(session, row, [("half", {})], transcript.clock())
            await session.flush()
            raise RuntimeError("the lights went out")

    with pytest.raises(RuntimeError):
        await half_way()
    assert (await transcript.get(conversation.id)).channel == "chat"
    async with database.snapshot() as session:
        assert (await audit.verify(session)).events == 1


async def test_writers_of_one_conversation_queue_up_and_none_of_their_work_is_lost(
    database: Database, transcript: Transcript
) -> None:
    conversation = await transcript.open("cus_001", "verified", "chat")
    other = Database(database.engine)  # as another process: it shares no lock with the first

    async def count_up(through: Database) -> None:
        async with through.write() as session:
            row = await session.get_one(Conversation, conversation.id, with_for_update=True)
            seen = row.messages
            await asyncio.sleep(0.001)
            row.messages = seen + 1

    await asyncio.gather(*(count_up(through) for through in (database, other) * 10))
    assert (await transcript.get(conversation.id)).messages == 20


async def test_a_snapshot_sees_one_moment_whatever_is_written_meanwhile(
    database: Database, transcript: Transcript
) -> None:
    conversation = await transcript.open("cus_001", "verified", "chat")
    async with database.snapshot() as session:
        before = list(await session.scalars(select(Conversation.messages)))
        await transcript.receive(conversation.id, "hello", None)
        assert list(await session.scalars(select(Conversation.messages))) == before == [0]
        assert (await audit.verify(session)).problems == []
    async with database.read() as session:
        assert list(await session.scalars(select(Conversation.messages))) == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET kind = 'other'",
        "UPDATE audit_events SET hash = '' WHERE number = 1",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE number = 1",
        "TRUNCATE audit_events",
    ],
)
async def test_the_database_itself_refuses_to_change_or_remove_an_audit_event(
    database: Database, transcript: Transcript, statement: str
) -> None:
    if database.sqlite and statement.startswith("TRUNCATE"):
        pytest.skip("SQLite has no TRUNCATE: its DELETE is refused")
    await transcript.open("cus_001", "verified", "chat")
    with pytest.raises(DBAPIError, match="audit_events is append-only"):
        await _run(database, statement)
    async with database.snapshot() as session:
        report = await audit.verify(session)
    assert (report.events, report.problems) == (1, [])


async def _run(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


async def test_a_moment_comes_back_as_the_same_moment_in_utc(database: Database, transcript: Transcript) -> None:
    there = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=9)))
    transcript = Transcript(database, lambda: there)
    conversation = await transcript.open("cus_001", "verified", "chat")
    kept = (await transcript.get(conversation.id)).created_at
    assert kept == there
    assert kept.utcoffset() == timedelta(0)


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    naive = Transcript(database, lambda: datetime(2026, 7, 1, 12, 30))
    with pytest.raises((StatementError, ValueError), match="needs a zone"):
        await naive.open("cus_001", "verified", "chat")


async def test_a_database_that_cannot_be_opened_says_so_as_an_sqlalchemy_error(tmp_path: Path) -> None:
    (tmp_path / "handrail.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(SQLAlchemyError):
        await Database.open(sqlite_url(tmp_path / "handrail.db"))
    with pytest.raises(SQLAlchemyError):
        await Database.open("postgresql+psycopg://nobody@127.0.0.1:1/none")


@pytest.mark.postgres
async def test_set_up_by_others_is_done_by_one_replica_at_a_time(postgres_url: str) -> None:
    replicas = [await Database.open(postgres_url, migrate=False) for _ in range(3)]
    inside: list[int] = []

    async def set_up(replica: Database) -> None:
        async with replica.alone():
            inside.append(1)
            assert sum(inside) == 1
            await asyncio.sleep(0.02)
            inside.pop()

    await asyncio.gather(*(set_up(replica) for replica in replicas))
    for replica in replicas:
        await replica.close()
