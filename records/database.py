"""The database: engine, transactions and migrations."""

import asyncio
import secrets
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"
ONE_MIGRATION_AT_A_TIME = 7_246_311_905
"""Postgres' advisory lock that a migrating replica holds."""
ONE_SET_UP_AT_A_TIME = ONE_MIGRATION_AT_A_TIME + 1
"""The one that `Database.alone` holds."""
IDLE_SECONDS = 10.0
"""How long Postgres waits for the next word of an open transaction. A replica that froze in the middle of one would
otherwise keep the rows it locked from everybody, for as long as its connection lives."""

_migrating = threading.Lock()  # Alembic keeps its context in module globals


class NewerDatabase(Exception):
    """The tables were made by a later version of Handrail; this one does not know them."""


class Database:
    """One database (SQLite or Postgres).

    `read()` is for queries, `snapshot()` for queries that must agree, `write()` is one transaction.
    On SQLite a writing transaction takes the write lock at its start, so that it waits for others rather than failing
    half way.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(handrail_write=True)
        # On Postgres each query of a reading session sees the latest commit, and a look-up is one statement without
        # BEGIN and ROLLBACK. On SQLite the first query fixes what the session sees.
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._still = engine if self.sqlite else engine.execution_options(isolation_level="REPEATABLE READ")
        # SQLite has one writer at a time: within this process they queue up here instead of polling for its lock.
        self._turn_to_write = asyncio.Lock() if self.sqlite else nullcontext()

    @classmethod
    async def open(cls, url: str, *, migrate: bool = True) -> "Database":
        """Connect and bring the tables up to date.

        Raises `sqlalchemy.exc.SQLAlchemyError` where that fails, and `NewerDatabase`.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError(f"{parsed.get_backend_name()} is neither sqlite nor postgresql")
        if parsed.get_backend_name() == "sqlite":
            parsed = parsed.set(drivername="sqlite+aiosqlite")
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_async_engine(parsed, connect_args={"timeout": 30})
            _tune_sqlite(engine.sync_engine)
        else:
            parsed = parsed.set(drivername="postgresql+psycopg")
            engine = create_async_engine(
                parsed, pool_size=10, max_overflow=10, pool_pre_ping=True, connect_args={"options": postgres_options()}
            )
            # Many rows in one statement. psycopg would pipeline them, and after a pipeline Postgres 15 forgets that the
            # transaction is idle.
            engine.dialect.use_insertmanyvalues_wo_returning = True
        if migrate:
            await asyncio.to_thread(_migrate, parsed)
        return cls(engine)

    @property
    def sqlite(self) -> bool:
        """Whether this is the embedded default."""
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for queries."""
        async with AsyncSession(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """A session whose queries all see the same moment, whatever is written meanwhile."""
        async with AsyncSession(self._still, expire_on_commit=False, autoflush=False) as session, session.begin():
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end of the block, rolled back by an exception."""
        async with (
            self._turn_to_write,
            AsyncSession(self._writer, expire_on_commit=False, autoflush=False) as session,
            session.begin(),
        ):
            yield session

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep other replicas out of the block, on Postgres; for set-up that other libraries do, outside of ours.

        No transaction stays open meanwhile, here or in a replica that waits: `CREATE INDEX CONCURRENTLY` waits for all
        of them.
        """
        if self.sqlite:
            yield
            return
        key = {"key": ONE_SET_UP_AT_A_TIME}
        async with self._reader.connect() as connection:
            while True:
                if await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), key):
                    break
                await asyncio.sleep(0.05)
            try:
                yield
            finally:
                await connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()


def postgres_options() -> str:
    """What every connection to Postgres asks for, in libpq's `options`."""
    return f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000:.0f}"


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


async def migrated_copy(template: Path, target: Path) -> None:
    """Make `target` a fresh, migrated SQLite file; `template` is made once and then copied (migrating takes longer)."""
    if not template.exists():
        building = template.with_suffix(f".{secrets.token_hex(4)}")  # several may build it at once
        database = await Database.open(sqlite_url(building))
        await database.close()
        building.replace(template)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, target)


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        writing = connection.get_execution_options().get("handrail_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _migrate(url: URL) -> None:
    """Bring the tables up to date; whoever comes second, in this process or another, waits and finds nothing to do."""
    sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(url.set(drivername="sqlite") if sqlite else url, poolclass=NullPool)
    if sqlite:
        _tune_sqlite(engine)
    try:
        with _migrating, engine.execution_options(handrail_write=True).begin() as connection:
            if not sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_MIGRATION_AT_A_TIME})
            _upgrade(connection)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerDatabase(f"the database was made by a later version of Handrail: {error}") from error
