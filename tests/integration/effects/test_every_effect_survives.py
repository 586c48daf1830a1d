"""Every effect of the sandbox company, cut off at every step and met by every fault: once, or known not to be."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlmodel import select

from app.settings import ROOT
from records import audit
from records.database import Database, migrated_copy, sqlite_url
from records.decision import DecisionRecord
from records.effect import EffectRecord, EffectState
from records.transcript import Transcript
from tools.errors import NotReversible
from tools.ledger import Ledger
from tools.registry import ToolRegistry
from tools.sandbox.backend import Fault, SandboxBackend
from tools.sandbox.toolset import sandbox_tools
from tools.tool import Tool

pytestmark = pytest.mark.matrix

KEY = "key-1"
TICKETS = [
    json.loads(line)
    for name in ("development", "development_more", "development_third")
    for line in (ROOT / "evals" / "tickets" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
]
STEPS = [f"{when} {step}" for step in ("sent", "call", "read back", "verified") for when in ("before", "after")]
FAULTS = [
    *(("", [fault]) for fault in Fault),
    ("", [Fault.TIMEOUT_AFTER, Fault.UNAVAILABLE]),
    ("", [Fault.UNAVAILABLE] * 5),
    (".read_back", [Fault.UNAVAILABLE]),
    (".read_back", [Fault.REFUSED, Fault.REFUSED]),
]


class CutOff(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Wish:
    """An effect that a recorded ticket ends in."""

    tool: str
    arguments: dict[str, Any]
    customer: str
    at: datetime


COMPANY = {tool.name: tool for tool in sandbox_tools(None) if tool.effect}  # type: ignore[arg-type]
"""The tools' descriptions, over no backend."""


def wishes() -> dict[str, Wish]:
    """One for each tool, from tickets that end in nothing else and name all that the tool needs."""
    found: dict[str, Wish] = {}
    for ticket in TICKETS:
        effects = ticket["expected"].get("effects", [])
        if len(effects) == 1 and ticket["expected"]["disposition"] == "resolved":
            at, effect = datetime.fromisoformat(ticket["opened_at"]), effects[0]
            try:
                COMPANY[effect["tool"]].arguments.model_validate(effect["arguments"])
            except ValidationError:
                continue
            found.setdefault(effect["tool"], Wish(effect["tool"], effect["arguments"], ticket["customer"], at))
    return found


WISHES = wishes()


@dataclass
class Books:
    """Handrail's records and the backend's, over their files; each opening is another process."""

    folder: Path
    wish: Wish

    @asynccontextmanager
    async def opened(self, cut: str = "") -> AsyncIterator[tuple[Ledger, SandboxBackend]]:
        """The ledger over the backend. `cut` is the step at which the process ends."""
        database = await Database.open(sqlite_url(self.folder / "handrail.db"), migrate=False)
        backend = await SandboxBackend.open(self.folder / "sandbox.db", clock=lambda: self.wish.at)
        tools = [cutting(tool, cut) if tool.effect else tool for tool in sandbox_tools(backend)]
        ledger = CutLedger(database, ToolRegistry(tools), lambda: self.wish.at)
        object.__setattr__(ledger, "cut", cut)
        try:
            yield ledger, backend
        finally:
            await backend.close()
            await database.close()

    async def intend(self, database: Database) -> str:
        """Write the effect down in a turn that runs, as the gate does."""
        transcript = Transcript(database, lambda: self.wish.at)
        conversation = await transcript.open(self.wish.customer, "verified", "chat")
        _, _, start = await transcript.receive_and_begin(conversation.id, "please", None)
        assert start is not None
        shared = {"conversation_id": conversation.id, "turn_id": start.turn.id}
        decision = DecisionRecord(id="dec_1", kind="call", verdict="permitted", at=self.wish.at, **shared)
        effect = EffectRecord(
            id="eff_1",
            decision_id=decision.id,
            customer_id=self.wish.customer,
            tool=self.wish.tool,
            kind="account",
            arguments=self.wish.arguments,
            idempotency_key=KEY,
            intended_at=self.wish.at,
            **shared,
        )
        await transcript.record(conversation.id, [decision, effect], [])
        return effect.id


class CutLedger(Ledger):
    """A ledger whose process may end before or after it writes a state."""

    cut: str

    async def _move(self, row: EffectRecord, state: EffectState, **named: Any) -> tuple[EffectRecord, bool]:
        if self.cut == f"before {state}":
            raise CutOff
        moved = await super()._move(row, state, **named)
        if self.cut == f"after {state}":
            raise CutOff
        return moved


def cutting(tool: Tool, cut: str) -> Tool:
    """The tool in a process that may end before or after it asks the backend."""
    assert tool.effect is not None

    def wrapped(original: Callable[..., Awaitable[Any]], step: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any) -> Any:
            if cut == f"before {step}":
                raise CutOff
            answer = await original(*arguments)
            if cut == f"after {step}":
                raise CutOff
            return answer

        return call

    effect = replace(tool.effect, read_back=wrapped(tool.effect.read_back, "read back"))
    return replace(tool, call=wrapped(tool.call, "call"), effect=effect)


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the migrated file and one company a day are kept."""
    return tmp_path_factory.mktemp("books")


async def books(folder: Path, templates: Path, tool: str) -> Books:
    """New books in `folder`."""
    wish, folder = WISHES[tool], folder / "books"
    folder.mkdir()
    company = templates / f"{wish.at.date()}.db"
    if not company.exists():
        await (await SandboxBackend.open(company, today=wish.at.date())).close()
    (folder / "sandbox.db").write_bytes(company.read_bytes())
    await migrated_copy(templates / "handrail.db", folder / "handrail.db")
    return Books(folder, wish)


async def recovered(made: Books) -> tuple[EffectRecord, int]:
    """The effect after another process has settled what was open, twice; and how often the backend has it."""
    async with made.opened() as (ledger, backend):
        for _ in range(2):
            for row in await ledger.open_rows():
                await ledger.settle(row)
        async with ledger.database.snapshot() as session:
            (row,) = await session.scalars(select(EffectRecord))
            assert (await audit.verify(session)).problems == []
        tables = (await backend.dump()).values()
        return row, sum(entry.get("idempotency_key") == KEY for rows in tables for entry in rows)


def test_there_is_a_wish_for_every_effect() -> None:
    assert set(WISHES) == set(COMPANY)


@pytest.mark.parametrize("tool", sorted(WISHES))
async def test_an_effect_that_is_cut_off_anywhere_is_done_once(tool: str, tmp_path: Path, templates: Path) -> None:
    for number, cut in enumerate(STEPS):
        (tmp_path / str(number)).mkdir()
        made = await books(tmp_path / str(number), templates, tool)
        async with made.opened(cut) as (ledger, _):
            effect = await made.intend(ledger.database)
            with pytest.raises(CutOff):
                await ledger.execute(effect)
        row, times = await recovered(made)
        assert (cut, row.state, times) == (cut, "verified", 1)


@pytest.mark.parametrize("tool", sorted(WISHES))
async def test_whatever_the_backend_does_the_ledger_agrees_with_it(tool: str, tmp_path: Path, templates: Path) -> None:
    for number, (place, faults) in enumerate(FAULTS):
        (tmp_path / str(number)).mkdir()
        made = await books(tmp_path / str(number), templates, tool)
        async with made.opened() as (ledger, backend):
            effect = await made.intend(ledger.database)
            backend.faults.add(f"{tool}{place}", *faults)
            await ledger.execute(effect)
        row, times = await recovered(made)
        expected = {"verified": 1, "failed": 0}
        assert (place, faults, times) == (place, faults, expected[row.state])


@pytest.mark.parametrize("tool", sorted(name for name in WISHES if name != "billing.refund"))
async def test_what_can_be_undone_is_undone_once(tool: str, tmp_path: Path, templates: Path) -> None:
    made = await books(tmp_path, templates, tool)
    async with made.opened() as (ledger, backend):
        before = await backend.dump()
        await ledger.execute(await made.intend(ledger.database))
        if not COMPANY[tool].effect.reversible:  # type: ignore[union-attr]
            with pytest.raises(NotReversible):
                await ledger.compensate("eff_1", "lead@example.com", "a mistake")
            return
        backend.faults.add(f"{tool}.undo", Fault.TIMEOUT_AFTER, Fault.UNAVAILABLE)
        unknown = await ledger.compensate("eff_1", "lead@example.com", "a mistake")
        assert unknown.state == EffectState.VERIFIED
    async with made.opened() as (ledger, backend):
        (row,) = await ledger.undoing_rows()
        assert (await ledger.finish_undoing(row)).state == EffectState.COMPENSATED
        assert (await ledger.compensate("eff_1", "lead@example.com", "again")).state == EffectState.COMPENSATED
        after = await backend.dump()
        for table in ("customers", "subscriptions", "users", "resources"):
            held = [row for row in after[table] if row.get("status") != "deleted" or row in before[table]]
            assert held == before[table], table
        async with ledger.database.snapshot() as session:
            assert (await audit.verify(session)).problems == []
