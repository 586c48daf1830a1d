"""The effect ledger's executor: exactly once, or known not to have happened.

An effect is written as `intended` in the same transaction as the decision that allowed it. Then it is `sent` with its
idempotency key, then read back from the backend, then `verified`. Whatever interrupts this leaves an open row, and
`settle` asks the backend by key what became of it; nothing is ever repeated blindly. Once the turn is over a person has
the matter, perhaps does it by hand, so nothing is sent any more.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import structlog
from sqlmodel import col, select

from records import audit
from records.clock import Clock
from records.conversation import Conversation
from records.database import Database
from records.effect import EffectRecord, EffectState
from records.transcript import held_elsewhere
from records.turn import Turn
from tools.errors import BackendTimeout, BackendUnavailable, NotAsked, NotReversible, ToolError
from tools.registry import ToolRegistry
from tools.tool import Result, Tool

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Ledger:
    """Sends effects, proves them and settles what was left open."""

    database: Database
    registry: ToolRegistry
    clock: Clock

    async def execute(self, effect_id: str) -> EffectRecord:
        """Bring one intended effect to an end. Returns the row: verified, failed, or unknown."""
        row = await self._load(effect_id)
        if row.state == EffectState.INTENDED and row.attempts == 0:
            return await self._send(row)
        if EffectState(row.state).open:
            return await self.settle(row)
        return row

    async def settle(self, row: EffectRecord) -> EffectRecord:
        """Ask the backend what became of an open effect; send it again only if the backend has never seen it."""
        tool = self.registry.get(row.tool)
        try:
            found = await self._read_back(tool, row)
        except ToolError as error:
            return await self._note(row, EffectState.UNKNOWN, error=f"cannot be read back: {error}")
        if found is not None:
            return await self._note(row, EffectState.VERIFIED, result=found)
        if row.attempts >= MAX_ATTEMPTS:
            return await self._note(row, EffectState.FAILED, error=row.error or "the backend never took it")
        return await self._send(row)

    async def open_rows(self, conversation_id: str | None = None) -> list[EffectRecord]:
        """Effects whose end is not known yet, oldest first."""
        query = select(EffectRecord).where(col(EffectRecord.state).in_([s for s in EffectState if s.open]))
        if conversation_id is not None:
            query = query.where(EffectRecord.conversation_id == conversation_id)
        async with self.database.read() as session:
            return list(await session.scalars(query.order_by(col(EffectRecord.id))))

    async def compensate(self, effect_id: str, by: str, reason: str) -> EffectRecord:
        """Take a verified effect back. Returns the row: `compensated`, or `verified` where its end is not known yet.

        That it is wanted is written first, under a key of its own, so that an interrupted undoing is carried to its end
        by the sweep and happens once. Raises `NotReversible`, and `BackendRefused` where the backend says no.
        """
        row = await self._load(effect_id)
        effect = self.registry.get(row.tool).effect
        if row.state == EffectState.COMPENSATED:
            return row
        if row.state != EffectState.VERIFIED:
            raise NotReversible(f"it is {row.state}: only what was verified can be taken back")
        if effect is None or effect.undo is None:
            raise NotReversible(f"{row.tool} cannot be taken back")
        if row.undo_key is None:
            key = hashlib.sha256(f"undo {row.idempotency_key}".encode()).hexdigest()[:40]
            row = await self._mark(row, "undoing", {"by": by, "reason": reason}, undo_key=key, undone_by=by)
        return await self.finish_undoing(row)

    async def finish_undoing(self, row: EffectRecord) -> EffectRecord:
        """Carry an undoing that was begun to its end. The backend answers a key that it knows as the first time."""
        effect = self.registry.get(row.tool).effect
        assert effect is not None
        assert effect.undo is not None
        assert row.undo_key is not None
        for _ in range(2):
            try:
                undone = await effect.undo(row.customer_id, row.idempotency_key, row.undo_key)
            except (BackendTimeout, BackendUnavailable) as fault:
                log.warning("undoing_unsettled", effect=row.id, tool=row.tool, error=type(fault).__name__)
                continue
            except ToolError as error:
                await self._mark(row, "undoing refused", {"error": str(error)}, undo_key=None, undone_by=None)
                raise
            result = {**(row.result or {}), "undone": undone.model_dump(mode="json")}
            return await self._mark(row, EffectState.COMPENSATED, {}, state=EffectState.COMPENSATED, result=result)
        return row

    async def undoing_rows(self) -> list[EffectRecord]:
        """Effects that somebody began to take back."""
        query = select(EffectRecord).where(
            EffectRecord.state == EffectState.VERIFIED, col(EffectRecord.undo_key).is_not(None)
        )
        async with self.database.read() as session:
            return list(await session.scalars(query.order_by(col(EffectRecord.id))))

    async def _mark(self, row: EffectRecord, told: str, more: dict[str, Any], **columns: Any) -> EffectRecord:
        """Change columns of a verified row, with an audit event. One that was taken back meanwhile stays as it is."""
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, row.conversation_id, with_for_update=True)
            current = (await session.scalars(select(EffectRecord).where(EffectRecord.id == row.id))).one()
            if current.state != EffectState.VERIFIED:
                return current
            for name, value in columns.items():
                setattr(current, name, value)
            event = {"effect": row.id, "tool": row.tool, "state": str(told), **more}
            audit.append(session, conversation, [("effect", event)], self.clock())
        return current

    async def _send(self, row: EffectRecord) -> EffectRecord:
        tool = self.registry.get(row.tool)
        row, ours = await self._move(row, EffectState.SENT, sending=True)
        if not ours or row.state != EffectState.SENT:
            return row  # another process is at it, or the turn is over
        arguments = tool.arguments.model_validate(row.arguments)
        try:
            await tool.call(row.customer_id, arguments, row.idempotency_key)
        except NotAsked as error:
            first = row.attempts == 1  # an earlier attempt may have got through
            return await self._note(row, EffectState.FAILED if first else EffectState.UNKNOWN, error=str(error))
        except (BackendTimeout, BackendUnavailable) as error:
            return await self._look_again(row, error)
        except ToolError as error:
            return await self._refused(row, error)
        try:
            found = await self._read_back(tool, row)
        except ToolError as error:  # it was done, or so the backend said: not proven, but by no means a failure
            return await self._look_again(row, error)
        if found is None:
            return await self._note(row, EffectState.UNKNOWN, error="the backend does not show the effect")
        return await self._note(row, EffectState.VERIFIED, result=found)

    async def _refused(self, row: EffectRecord, refusal: ToolError) -> EffectRecord:
        """Failed, unless what the backend would not do again is this very effect, which a slower try made meanwhile."""
        try:
            found = await self._read_back(self.registry.get(row.tool), row)
        except (BackendTimeout, BackendUnavailable):
            return await self._note(row, EffectState.UNKNOWN, error=str(refusal))
        except ToolError:
            found = None
        if found is not None:
            return await self._note(row, EffectState.VERIFIED, result=found)
        return await self._note(row, EffectState.FAILED, error=str(refusal))

    async def _look_again(self, row: EffectRecord, fault: ToolError) -> EffectRecord:
        """One look right after a fault, so that most customers get a true answer in the same turn."""
        log.warning("effect_unsettled", effect=row.id, tool=row.tool, error=type(fault).__name__)
        row = await self._note(row, EffectState.UNKNOWN, error=str(fault))
        tool = self.registry.get(row.tool)
        try:
            found = await self._read_back(tool, row)
        except ToolError:
            return row
        if found is not None:
            return await self._note(row, EffectState.VERIFIED, result=found)
        if row.attempts >= MAX_ATTEMPTS:
            return await self._note(row, EffectState.FAILED, error=row.error)
        return await self._send(row)

    async def _read_back(self, tool: Tool, row: EffectRecord) -> Result | None:
        if tool.effect is None:
            raise ValueError(f"{tool.name} changes nothing and has no place in the ledger")
        return await tool.effect.read_back(row.customer_id, row.idempotency_key)

    async def _load(self, effect_id: str) -> EffectRecord:
        async with self.database.read() as session:
            return (await session.scalars(select(EffectRecord).where(EffectRecord.id == effect_id))).one()

    async def _note(
        self, row: EffectRecord, state: EffectState, *, result: Result | None = None, error: str = ""
    ) -> EffectRecord:
        """Write down what was found out. Returns the row as it stands, which another process may have settled."""
        current, _ = await self._move(row, state, result=result, error=error)
        return current

    async def _move(
        self,
        row: EffectRecord,
        state: EffectState,
        *,
        result: Result | None = None,
        error: str = "",
        sending: bool = False,
    ) -> tuple[EffectRecord, bool]:
        """(the row as it stands now, whether this call moved it there).

        Only the process that carries the conversation's turn on may send: another one's call may be under way.
        """
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, row.conversation_id, with_for_update=True)
            now = self.clock()
            current = (await session.scalars(select(EffectRecord).where(EffectRecord.id == row.id))).one()
            settled = not EffectState(current.state).open
            if settled and not (state is EffectState.VERIFIED and current.state == EffectState.FAILED):
                return current, False  # settled elsewhere; only proof that it happened after all counts for more
            if sending and (current.attempts != row.attempts or held_elsewhere(conversation, now)):
                return current, False
            if not sending and (current.state, current.error) == (state, error):
                return current, True  # a look that found nothing new
            if sending and (await session.get_one(Turn, current.turn_id)).state not in ("running", "awaiting_approval"):
                state, sending, error = EffectState.FAILED, False, "its turn ended before it was done"
            current.state = state
            current.error = error
            if sending:
                current.attempts += 1
                current.sent_at = now
            if result is not None:
                current.result = result.model_dump(mode="json")
            if not state.open:
                current.settled_at = now
            event = {"effect": row.id, "tool": row.tool, "state": state.value, "error": error}
            audit.append(session, conversation, [("effect", event)], now)
        return current, True
