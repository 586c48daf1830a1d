"""The client of Larkspur Cloud's backend: its own database file, with latency and faults that tests can set.

Everything a tool does happens in one backend transaction, through `ask` (reads), `act` (effects) or `find` (what stands
under an idempotency key). No transaction spans this backend and Handrail's own records, as with any other system.
"""

import asyncio
import hashlib
import os
import sqlite3
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import create_engine, event, insert, select, union_all
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlmodel import col

from records.clock import Clock, system_clock
from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable, NoSuchRecord
from tools.sandbox.company import seed_company
from tools.sandbox.tables import ANSWERED, Answered, Customer, IssuedDocument, Owned, SandboxTable
from tools.tool import Result

T = TypeVar("T")
R = TypeVar("R", bound=Result)
O = TypeVar("O", bound=Owned)  # noqa: E741
A = TypeVar("A", bound=Answered)


class Fault(StrEnum):
    """What may go wrong with one call."""

    TIMEOUT_BEFORE = "timeout_before"
    """No answer, and the backend did nothing."""
    TIMEOUT_AFTER = "timeout_after"
    """The backend acted, and its answer was lost."""
    UNAVAILABLE = "unavailable"
    """The backend cannot be reached, and did nothing."""
    REFUSED = "refused"
    """The backend said no."""


@dataclass
class Faults:
    """What the next calls will meet. Each fault of a queue is met once; an empty queue means all is well."""

    latency_seconds: float = 0.0
    queues: dict[str, deque[Fault]] = field(default_factory=dict)
    """By operation: a tool's name, or that with ``.read_back`` or ``.resource`` after it."""

    def add(self, operation: str, *faults: Fault) -> None:
        """Queue faults for an operation."""
        self.queues.setdefault(operation, deque()).extend(faults)

    def next(self, operation: str) -> Fault | None:
        """Take the next fault of an operation."""
        queue = self.queues.get(operation)
        return queue.popleft() if queue else None


@dataclass(frozen=True)
class Account:
    """One customer's side of the backend inside one transaction: it finds that customer's rows and no others."""

    session: AsyncSession
    customer_id: str
    now: datetime
    key: str = ""
    """Idempotency key of the effect; empty in a read."""

    @property
    def today(self) -> date:
        return self.now.date()

    async def customer(self) -> Customer:
        """Raises `NoSuchRecord`."""
        customer = await self.session.get(Customer, self.customer_id)
        if customer is None:
            raise NoSuchRecord(f"there is no customer {self.customer_id}")
        return customer

    async def get(self, table: type[O], row_id: str) -> O:
        """This customer's row. Raises `NoSuchRecord`, also when the row is somebody else's."""
        row = await self.session.get(table, row_id)
        if row is None or row.customer_id != self.customer_id:
            raise NoSuchRecord(f"there is no {table.__name__.lower()} {row_id}")
        return row

    async def anyones(self, table: type[O], row_id: str) -> O | None:
        """The row whoever owns it, for the gate: the policy compares the owner with the customer."""
        return await self.session.get(table, row_id)

    async def written_under(self, table: type[A], key: str) -> A:
        """The row that an earlier effect of this customer wrote. Raises `NoSuchRecord`."""
        rows = await self.all(table, col(table.idempotency_key) == key)
        if not rows:
            raise NoSuchRecord("nothing was done under this key")
        return rows[0]

    def new_id(self, prefix: str) -> str:
        """The identifier of the row that this effect writes; it follows from the key."""
        return f"{prefix}_{hashlib.sha256(self.key.encode()).hexdigest()[:10]}"

    async def all(self, table: type[O], *conditions: Any) -> list[O]:
        """This customer's rows, ordered by id."""
        query = select(table).where(col(table.customer_id) == self.customer_id, *conditions).order_by(col(table.id))
        return list(await self.session.scalars(query))

    async def only(self, table: type[O]) -> O:
        """The one row that a customer has of this table. Raises `NoSuchRecord`."""
        rows = await self.all(table)
        if not rows:
            raise NoSuchRecord(f"this customer has no {table.__name__.lower()}")
        return rows[0]


Act = Callable[[Account], Awaitable[tuple[Answered, R]]]
"""How an effect is done: the row that it writes (the key goes into it) and what the caller is told."""


class SandboxBackend:
    """An asynchronous client of one `sandbox.db`."""

    def __init__(self, engine: AsyncEngine, path: Path, clock: Clock, faults: Faults) -> None:
        self._engine = engine
        self.path = path
        self.clock = clock
        self.faults = faults

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        clock: Clock = system_clock,
        faults: Faults | None = None,
        seed: int = 0,
        today: date | None = None,
    ) -> Self:
        """Open the backend at `path`; where there is no file yet, found the company in it first.

        `seed` and `today` (default: the clock's) shape a new company and are ignored for one that exists.
        """
        path = Path(path)
        older = path.exists()
        if not older:
            _write_new(path, _founded(seed, today or clock().date()))
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        if older:
            await _add_new_tables(engine)
        return cls(engine, path, clock, faults or Faults())

    async def close(self) -> None:
        """Let the file go."""
        await self._engine.dispose()

    async def ask(self, operation: str, customer_id: str, question: Callable[[Account], Awaitable[T]]) -> T:
        """Read something about one customer."""
        await self._meet(self.faults.next(operation), operation)
        async with _reachable(operation), AsyncSession(self._engine, expire_on_commit=False) as session:
            return await question(Account(session, customer_id, self.clock()))

    async def act(
        self, operation: str, customer_id: str, key: str, arguments: Mapping[str, Any], act: Act[R], result: type[R]
    ) -> R:
        """Do something once. The same key again is answered as the first time; with other arguments it is refused.

        Raises `ToolError`s. `act` runs in one transaction with the row that it returns.
        """
        fault = self.faults.next(operation)
        await self._meet(fault, operation)
        request = {"operation": operation, "customer_id": customer_id, "arguments": dict(arguments)}
        writing = self._engine.execution_options(writes=True)
        async with _reachable(operation), AsyncSession(writing, expire_on_commit=False) as session, session.begin():
            earlier = await _answered(session, key)
            if earlier is not None:
                if earlier[1] != request:
                    raise BackendRefused("this idempotency key was used for another request")
                answer = result.model_validate(earlier[2])
            else:
                row, answer = await act(Account(session, customer_id, self.clock(), key))
                row.idempotency_key = key
                row.request = request
                row.answer = answer.model_dump(mode="json")
                session.add(row)
        if fault is Fault.TIMEOUT_AFTER:
            raise BackendTimeout(f"{operation}: no answer in time")
        return answer

    async def find(self, operation: str, customer_id: str, key: str, result: type[R]) -> R | None:
        """What stands under an idempotency key, or None where the backend never took the request."""
        reading = f"{operation}.read_back"
        await self._meet(self.faults.next(reading), reading)
        async with _reachable(reading), AsyncSession(self._engine) as session:
            found = await _answered(session, key)
        if found is None or found[0] != customer_id or found[1]["operation"] != operation:
            return None
        return result.model_validate(found[2])

    async def issued_document(self, document_id: str) -> IssuedDocument | None:
        """A document that was written for a customer, whoever that is: the caller compares the owner."""
        async with _reachable("documents.download"), AsyncSession(self._engine) as session:
            return await session.get(IssuedDocument, document_id)

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """The backend's whole state, ``{table: [rows]}``, JSON-ready and ordered. A file is shown by its hash."""
        state: dict[str, list[dict[str, Any]]] = {}
        async with self._engine.connect() as connection:
            for table in sorted(SandboxTable.metadata.tables.values(), key=lambda table: table.name):
                rows = await connection.execute(select(table).order_by(*table.primary_key.columns))
                state[table.name] = [{name: _plain(value) for name, value in row.items()} for row in rows.mappings()]
        return state

    async def _meet(self, fault: Fault | None, operation: str) -> None:
        if self.faults.latency_seconds:
            await asyncio.sleep(self.faults.latency_seconds)
        if fault is Fault.TIMEOUT_BEFORE:
            raise BackendTimeout(f"{operation}: no answer in time")
        if fault is Fault.UNAVAILABLE:
            raise BackendUnavailable(f"{operation}: the backend cannot be reached")
        if fault is Fault.REFUSED:
            raise BackendRefused(f"{operation}: the backend refused")


@asynccontextmanager
async def _reachable(operation: str) -> AsyncIterator[None]:
    """A database that cannot be used has not acted: its transaction is rolled back."""
    try:
        yield
    except OperationalError as error:
        raise BackendUnavailable(f"{operation}: {error.orig}") from error


async def _answered(session: AsyncSession, key: str) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    """(customer, request, answer) of the request that was made under this key."""
    query = union_all(
        *(
            select(col(table.customer_id), col(table.request), col(table.answer)).where(
                col(table.idempotency_key) == key
            )
            for table in ANSWERED
        )
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1] or {}, row[2] or {})


async def _add_new_tables(engine: AsyncEngine) -> None:
    """A company that was founded by an earlier version lacks the tables that came since."""
    writing = engine.execution_options(writes=True)
    async with writing.begin() as connection:
        await connection.run_sync(SandboxTable.metadata.create_all)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    return value.isoformat() if isinstance(value, date) else value


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Writers take the lock at once: two requests under one key then queue up instead of meeting in the middle."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@lru_cache(maxsize=8)
def _founded(seed: int, today: date) -> bytes:
    """The database file of a new company: built once, then copied, because evals open hundreds of fresh worlds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "company.db")
        engine = create_engine(f"sqlite:///{path}")
        SandboxTable.metadata.create_all(engine)
        rows: dict[type[SandboxTable], list[dict[str, Any]]] = {}
        for row in seed_company(seed, today):
            rows.setdefault(type(row), []).append(row.model_dump())
        with engine.begin() as connection:
            for table, values in rows.items():
                connection.execute(insert(table), values)
        engine.dispose()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        return path.read_bytes()


def _write_new(path: Path, content: bytes) -> None:
    """Put the file in place whole; where another process was first, its file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    try:
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(name)
