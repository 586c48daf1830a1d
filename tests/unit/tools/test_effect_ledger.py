"""The ledger: an effect happens exactly once, or is known not to have happened, whatever goes wrong on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from records import audit
from records.conversation import Conversation
from records.database import Database, migrated_copy, sqlite_url
from records.decision import DecisionRecord
from records.effect import EffectRecord, EffectState
from records.transcript import Transcript
from records.turn import Turn
from tools.errors import BackendRefused, BackendTimeout
from tools.guard import Guard, Limits, guarded
from tools.ledger import MAX_ATTEMPTS, Ledger
from tools.registry import ToolRegistry
from tools.sandbox.backend import Fault, SandboxBackend
from tools.sandbox.toolset import sandbox_tools

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
REFUND = {"invoice_id": "in_0042", "amount": 2900, "reason": "duplicate", "payment_id": None}
ANY_FAULT = st.lists(st.sampled_from(Fault), max_size=6)


@dataclass
class Books:
    """Handrail's records and the backend's, side by side."""

    database: Database
    backend: SandboxBackend
    ledger: Ledger
    turn_id: str
    conversation_id: str

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, template: Path, url: str | None = None) -> AsyncIterator["Books"]:
        """A turn that may intend effects for cus_001."""
        if url is None:
            await migrated_copy(template, folder / "handrail.db")
        database = await Database.open(url or sqlite_url(folder / "handrail.db"), migrate=False)
        backend = await SandboxBackend.open(folder / "sandbox.db", clock=lambda: NOW)
        ledger = Ledger(database, ToolRegistry(sandbox_tools(backend)), lambda: NOW)
        transcript = Transcript(database, lambda: NOW)
        conversation = await transcript.open("cus_001", "verified", "chat")
        _, _, start = await transcript.receive_and_begin(conversation.id, "twice!", None)
        assert start is not None
        yield cls(database, backend, ledger, start.turn.id, conversation.id)
        await backend.close()
        await database.close()

    async def intend(self, effect_id: str = "eff_1", key: str = "key-1", **changes: object) -> str:
        """Write an effect down, as the gate does."""
        decision = DecisionRecord(
            id=f"dec_{effect_id}",
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            kind="call",
            verdict="permitted",
            at=NOW,
        )
        effect = EffectRecord(
            id=effect_id,
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            decision_id=decision.id,
            customer_id="cus_001",
            tool="billing.refund",
            kind="money",
            arguments={**REFUND, **changes},
            idempotency_key=key,
            intended_at=NOW,
        )
        await Transcript(self.database, lambda: NOW).record(self.conversation_id, [decision, effect], [])
        return effect_id

    async def row(self, effect_id: str = "eff_1") -> EffectRecord:
        """The effect as it stands."""
        async with self.database.read() as session:
            return (await session.scalars(select(EffectRecord).where(EffectRecord.id == effect_id))).one()

    async def refunds(self) -> int:
        """How many refunds the backend made to this customer."""
        return sum(row["customer_id"] == "cus_001" for row in (await self.backend.dump())["refunds"])

    async def recover(self) -> None:
        """What a restart or the sweeper does."""
        for row in await self.ledger.open_rows():
            await self.ledger.settle(row)

    async def told(self) -> list[str]:
        """The states that the audit chain names, in order; the chain must hold."""
        async with self.database.snapshot() as session:
            assert (await audit.verify(session)).problems == []
            events = await session.scalars(select(audit.AuditEvent).order_by(col(audit.AuditEvent.number)))
            return [event.payload["state"] for event in events if event.kind == "effect"]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file that all others are copies of."""
    return tmp_path_factory.mktemp("ledger-template") / "handrail.db"


@pytest.fixture
async def books(tmp_path: Path, template: Path) -> AsyncIterator[Books]:
    """Fresh books."""
    async with Books.opened(tmp_path, template) as opened:
        yield opened


async def test_an_effect_is_sent_once_read_back_and_verified_with_its_proof(books: Books) -> None:
    row = await books.ledger.execute(await books.intend())
    assert row.state == EffectState.VERIFIED
    assert row.result is not None
    assert row.result["amount"] == 2900
    assert (row.attempts, row.sent_at, row.settled_at) == (1, NOW, NOW)
    assert await books.refunds() == 1
    assert await books.told() == ["sent", "verified"]


@pytest.mark.parametrize(
    ("call", "read_back", "state", "refunds"),
    [
        ([Fault.TIMEOUT_AFTER], [], EffectState.VERIFIED, 1),
        ([Fault.TIMEOUT_BEFORE], [], EffectState.VERIFIED, 1),
        ([Fault.UNAVAILABLE], [], EffectState.VERIFIED, 1),
        ([Fault.REFUSED], [], EffectState.FAILED, 0),
        ([Fault.TIMEOUT_BEFORE] * 3, [], EffectState.FAILED, 0),
        ([Fault.UNAVAILABLE] * 3, [], EffectState.FAILED, 0),
        ([Fault.TIMEOUT_BEFORE, Fault.REFUSED], [], EffectState.FAILED, 0),
        ([Fault.TIMEOUT_AFTER], [Fault.UNAVAILABLE], EffectState.UNKNOWN, 1),
        ([Fault.TIMEOUT_BEFORE], [Fault.TIMEOUT_BEFORE], EffectState.UNKNOWN, 0),
        ([], [Fault.UNAVAILABLE], EffectState.VERIFIED, 1),
        ([], [Fault.REFUSED], EffectState.VERIFIED, 1),
        ([], [Fault.REFUSED, Fault.REFUSED], EffectState.UNKNOWN, 1),
        ([], [Fault.TIMEOUT_AFTER], EffectState.VERIFIED, 1),
    ],
)
async def test_each_fault_ends_in_the_state_that_is_true(
    books: Books, call: list[Fault], read_back: list[Fault], state: EffectState, refunds: int
) -> None:
    books.backend.faults.add("billing.refund", *call)
    books.backend.faults.add("billing.refund.read_back", *read_back)
    row = await books.ledger.execute(await books.intend())
    assert (row.state, await books.refunds()) == (state, refunds)
    assert bool(row.error) == (state != EffectState.VERIFIED)
    await books.recover()
    settled = await books.row()
    assert not EffectState(settled.state).open
    assert (settled.state == EffectState.VERIFIED) == (await books.refunds() == 1)


async def test_what_the_backend_refuses_has_failed_with_its_words(books: Books) -> None:
    row = await books.ledger.execute(await books.intend(amount=999_999_00))
    assert row.state == EffectState.FAILED
    assert "can be refunded" in row.error
    assert await books.refunds() == 0
    again = await books.ledger.execute(row.id)
    assert (again.state, again.attempts) == (EffectState.FAILED, 1)


async def test_a_settled_effect_is_not_touched_again(books: Books) -> None:
    effect_id = await books.intend()
    await books.ledger.execute(effect_id)
    books.backend.faults.add("billing.refund", Fault.REFUSED)
    for _ in range(2):
        assert (await books.ledger.execute(effect_id)).state == EffectState.VERIFIED
    assert await books.ledger.open_rows() == []
    assert await books.told() == ["sent", "verified"]


@given(call=ANY_FAULT, read_back=ANY_FAULT, recoveries=st.lists(ANY_FAULT, max_size=2))
@settings(max_examples=25, deadline=None)
def test_whatever_fails_in_whatever_order_money_goes_back_at_most_once_and_the_books_agree_in_the_end(
    template: Path, call: list[Fault], read_back: list[Fault], recoveries: list[list[Fault]]
) -> None:
    async def play() -> None:
        with TemporaryDirectory() as folder:
            async with Books.opened(Path(folder), template) as books:
                books.backend.faults.add("billing.refund", *call)
                books.backend.faults.add("billing.refund.read_back", *read_back)
                await books.ledger.execute(await books.intend())
                for more in recoveries:
                    await _agree(books)
                    books.backend.faults.add("billing.refund.read_back", *more)
                    await books.recover()
                books.backend.faults.queues.clear()
                await books.recover()
                settled = await _agree(books)
                assert not EffectState(settled.state).open
                assert settled.attempts <= MAX_ATTEMPTS

    asyncio.run(play())


async def _agree(books: Books) -> EffectRecord:
    row, refunds = await books.row(), await books.refunds()
    assert refunds <= 1
    if row.state == EffectState.VERIFIED:
        assert refunds == 1
    if row.state == EffectState.FAILED:
        assert refunds == 0
    told = await books.told()
    assert told[-1] == row.state
    settled = [state for state in told if not EffectState(state).open]
    assert len(settled) <= 1, "an end is an end"
    return row


async def test_processes_that_are_at_one_effect_at_the_same_time_do_it_once_and_agree(
    tmp_path: Path, template: Path, database_url: str | None
) -> None:
    async with Books.opened(tmp_path, template, database_url) as books:
        calls = 0
        act = books.backend.act

        async def counted(*args: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            return await act(*args, **named)  # type: ignore[arg-type]

        books.backend.act = counted  # type: ignore[method-assign, assignment]
        effect_id = await books.intend()
        others = [Ledger(Database(books.database.engine), books.ledger.registry, lambda: NOW) for _ in range(5)]
        stale = await books.row()
        ended = await asyncio.gather(*(ledger._send(stale) for ledger in others))
        assert calls == 1
        assert await books.refunds() == 1
        assert {row.state for row in ended} <= {EffectState.SENT, EffectState.VERIFIED}
        assert (await books.ledger.execute(effect_id)).state == EffectState.VERIFIED


@pytest.mark.parametrize("late", ["unknown", "failed", "sent"])
@pytest.mark.parametrize("first", ["verified", "failed"])
async def test_a_process_that_comes_late_does_not_unsettle_what_another_settled(
    books: Books, first: str, late: str
) -> None:
    await books.intend()
    row = await books.row()
    await books.ledger._note(row, EffectState(first), error="" if first == "verified" else "refused")
    await books.ledger._move(row, EffectState(late), error="late", sending=late == "sent")
    assert (await books.row()).state == first
    assert await books.told() == [first]


async def test_proof_that_it_happened_outweighs_the_belief_that_it_did_not(books: Books) -> None:
    await books.intend()
    row = await books.row()
    await books.ledger._note(row, EffectState.FAILED, error="the backend never took it")
    refund = books.ledger.registry.get("billing.refund")
    result = await refund.call("cus_001", refund.arguments.model_validate(REFUND), "key-1")
    await books.ledger._note(row, EffectState.VERIFIED, result=result)
    assert (await books.row()).state == EffectState.VERIFIED


@pytest.mark.parametrize("sent_before", [False, True])
@pytest.mark.parametrize("state", ["finished", "superseded"])
async def test_nothing_is_sent_any_more_once_the_turn_is_over(books: Books, state: str, sent_before: bool) -> None:
    await books.intend()
    if sent_before:
        await books.ledger._move(await books.row(), EffectState.SENT, sending=True)
    async with books.database.write() as session:
        (await session.get_one(Turn, books.turn_id)).state = state
    await books.recover()
    row = await books.row()
    assert (row.state, row.error) == (EffectState.FAILED, "its turn ended before it was done")
    assert await books.refunds() == 0


async def test_what_was_done_before_the_turn_was_over_is_still_proven(books: Books) -> None:
    await books.intend()
    await books.ledger._move(await books.row(), EffectState.SENT, sending=True)
    refund = books.ledger.registry.get("billing.refund")
    await refund.call("cus_001", refund.arguments.model_validate(REFUND), "key-1")
    async with books.database.write() as session:
        (await session.get_one(Turn, books.turn_id)).state = "superseded"
    await books.recover()
    assert (await books.row()).state == EffectState.VERIFIED


async def test_a_backend_that_is_not_asked_has_done_nothing_and_the_effect_has_failed_at_once(books: Books) -> None:
    await books.intend()
    guard = Guard("billing", Limits(failures=1))
    with pytest.raises(BackendTimeout):
        await guard.ask(_silence)
    ledger = Ledger(books.database, ToolRegistry(guarded(sandbox_tools(books.backend), guard)), lambda: NOW)
    row = await ledger.execute("eff_1")
    assert (row.state, row.attempts) == ("failed", 1)
    assert "left alone for a while" in row.error
    assert await books.refunds() == 0


async def test_a_refusal_of_what_a_slower_try_made_meanwhile_is_no_failure(books: Books) -> None:
    await books.intend()
    tools = {tool.name: tool for tool in sandbox_tools(books.backend)}
    refund = tools["billing.refund"]

    async def overtaken(customer_id: str, arguments: Any, key: str) -> Any:
        await refund.call(customer_id, arguments, key)
        raise BackendRefused("this invoice has been refunded")

    tools["billing.refund"] = replace(refund, call=overtaken)
    row = await Ledger(books.database, ToolRegistry(list(tools.values())), lambda: NOW).execute("eff_1")
    assert (row.state, row.error) == ("verified", "")
    assert await books.refunds() == 1


async def test_a_refusal_is_not_believed_while_nobody_can_look(books: Books) -> None:
    await books.intend()
    tools = {tool.name: tool for tool in sandbox_tools(books.backend)}
    refund = tools["billing.refund"]
    assert refund.effect is not None

    async def refused(customer_id: str, arguments: Any, key: str) -> Any:
        raise BackendRefused("no")

    async def silent(customer_id: str, key: str) -> Any:
        raise BackendTimeout("silence")

    tools["billing.refund"] = replace(refund, call=refused, effect=replace(refund.effect, read_back=silent))
    ledger = Ledger(books.database, ToolRegistry(list(tools.values())), lambda: NOW)
    assert (await ledger.execute("eff_1")).state == "unknown"
    tools["billing.refund"] = replace(refund, call=refused)
    ledger = Ledger(books.database, ToolRegistry(list(tools.values())), lambda: NOW)
    (row,) = await ledger.open_rows()
    assert (await ledger.settle(row)).state == "failed"
    assert await books.refunds() == 0


async def test_what_was_sent_once_stays_unknown_while_the_backend_is_left_alone(books: Books) -> None:
    await books.intend()
    books.backend.faults.add("billing.refund", Fault.TIMEOUT_AFTER)
    guard = Guard("billing", Limits(failures=1, rest=2.0))
    ledger = Ledger(books.database, ToolRegistry(guarded(sandbox_tools(books.backend), guard)), lambda: NOW)
    assert (await ledger.execute("eff_1")).state == "unknown"
    told = await books.told()
    for _ in range(3):  # looks that find nothing out leave no trace
        (row,) = await ledger.open_rows()
        assert (await ledger.settle(row)).state == "unknown"
    assert len(await books.told()) == len(told) + 1
    await asyncio.sleep(2.1)
    (row,) = await ledger.open_rows()
    assert (await ledger.settle(row)).state == "verified"
    assert await books.refunds() == 1


async def _silence() -> None:
    raise BackendTimeout("silence")


async def test_nobody_sends_for_a_turn_that_another_process_carries_on(books: Books) -> None:
    await books.intend()
    async with books.database.write() as session:
        conversation = await session.get_one(Conversation, books.conversation_id)
        conversation.lease_owner, conversation.lease_until = "another-host:1:ab", NOW + timedelta(seconds=5)
    row = await books.ledger.settle(await books.row())
    assert (row.state, row.attempts) == ("intended", 0)
    assert await books.refunds() == 0
    async with books.database.write() as session:
        conversation = await session.get_one(Conversation, books.conversation_id)
        conversation.lease_until = NOW - timedelta(seconds=5)  # it died
    assert (await books.ledger.settle(row)).state == "verified"
    assert await books.refunds() == 1


async def test_two_effects_under_one_key_cannot_be_intended(books: Books) -> None:
    await books.intend("eff_1", "key-1")
    with pytest.raises(IntegrityError):
        await books.intend("eff_2", "key-1")


async def test_a_look_up_has_no_place_in_the_ledger(books: Books) -> None:
    await books.intend()
    async with books.database.write() as session:
        (await session.get_one(EffectRecord, "eff_1")).tool = "billing.list_invoices"
    with pytest.raises(ValueError, match="changes nothing"):
        await books.ledger.settle(await books.row())
