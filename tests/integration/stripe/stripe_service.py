"""Books on both sides: Handrail's ledger and a Stripe account, with a turn in which effects may be intended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlmodel import select
from stripe_world import NOW, StripeWorld

from records import audit
from records.audit import AuditEvent
from records.conversation import Conversation
from records.database import Database, migrated_copy, sqlite_url
from records.decision import DecisionRecord
from records.effect import EffectRecord, EffectState
from records.transcript import Transcript
from tools.ledger import Ledger
from tools.registry import ToolRegistry
from tools.stripe_billing.backend import StripeBackend
from tools.stripe_billing.toolset import tools_over


@dataclass
class Books:
    """A ledger over the tools of a Stripe world."""

    database: Database
    ledger: Ledger
    world: StripeWorld
    turn_id: str
    conversation_id: str
    customer: str

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, template: Path, world: StripeWorld, customer: str) -> AsyncIterator["Books"]:
        """A fresh ledger, and a turn of this customer's that runs."""
        await migrated_copy(template, folder / "handrail.db")
        database = await Database.open(sqlite_url(folder / "handrail.db"), migrate=False)
        transcript = Transcript(database, lambda: NOW)
        conversation = await transcript.open(customer, "verified", "chat")
        _, _, start = await transcript.receive_and_begin(conversation.id, "please", None)
        assert start is not None
        ledger = Ledger(database, world.registry, lambda: NOW)
        yield cls(database, ledger, world, start.turn.id, conversation.id, customer)
        await database.close()

    async def intend(self, tool: str, arguments: dict[str, Any], key: str = "key-1") -> EffectRecord:
        """Write an effect down, as the gate does."""
        decision = DecisionRecord(
            id=f"dec_{key}",
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            kind="call",
            verdict="permitted",
            at=NOW,
        )
        effect = EffectRecord(
            id=f"eff_{key}",
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            decision_id=decision.id,
            customer_id=self.customer,
            tool=tool,
            kind="money",
            arguments=self.registry.get(tool).arguments.model_validate(arguments).model_dump(mode="json"),
            idempotency_key=key,
            intended_at=NOW,
        )
        await Transcript(self.database, lambda: NOW).record(self.conversation_id, [decision, effect], [])
        return await self.row(effect.id)

    def over(self, backend: StripeBackend) -> "Books":
        """The same books with tools over another client of the account."""
        registry = ToolRegistry(tools_over(backend, self.world.sides))
        return replace(self, ledger=Ledger(self.database, registry, lambda: NOW))

    @property
    def registry(self) -> ToolRegistry:
        return self.ledger.registry

    async def row(self, effect_id: str = "eff_key-1") -> EffectRecord:
        """An effect as it stands."""
        async with self.database.read() as session:
            return (await session.scalars(select(EffectRecord).where(EffectRecord.id == effect_id))).one()

    async def recover(self) -> EffectRecord:
        """What a restarted process does: a ledger of its own over the same records."""
        fresh = Ledger(Database(self.database.engine), self.registry, lambda: NOW)
        for row in await fresh.open_rows():
            await fresh.settle(row)
        for row in await fresh.undoing_rows():
            await fresh.finish_undoing(row)
        return await self.row()

    async def let_go(self) -> None:
        """Give the turn's lease back, so that another process may carry the effect out."""
        async with self.database.write() as session:
            conversation = await session.get_one(Conversation, self.conversation_id)
            conversation.lease_owner = conversation.lease_until = None

    async def told(self) -> list[str]:
        """The states of the effect that the audit chain tells of, which must hold."""
        async with self.database.snapshot() as session:
            assert (await audit.verify(session)).problems == []
            rows = await session.scalars(select(AuditEvent).where(AuditEvent.kind == "effect"))
            return [row.payload["state"] for row in rows]

    async def settled(self) -> EffectRecord:
        """The effect, which must be at an end that agrees with what Stripe shows; the audit chain must hold."""
        row = await self.row()
        assert not EffectState(row.state).open
        effect = self.registry.get(row.tool).effect
        assert effect is not None
        shown = await effect.read_back(self.customer, row.idempotency_key)
        assert (row.state == EffectState.VERIFIED) == (shown is not None)
        assert row.result == (shown.model_dump(mode="json") if shown else None)
        async with self.database.snapshot() as session:
            assert (await audit.verify(session)).problems == []
        return row
