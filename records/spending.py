"""What effects have moved so far: the sums that limits of policy are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from records.effect import EffectRecord, EffectState

ONE_SPENDER_AT_A_TIME = 7_246_311_907
"""Postgres' advisory lock of a transaction that intends to move money."""

_COUNTS = (
    col(EffectRecord.amount_minor).is_not(None),
    col(EffectRecord.state).not_in([EffectState.FAILED, EffectState.COMPENSATED]),
)


class SpentMeanwhile(Exception):
    """Money was moved between the verdict and the moment in which it was to be written: judge again."""


@dataclass(frozen=True)
class Spent:
    """Sums in minor units. Open effects count as done."""

    last_30_days: Mapping[str, int] = field(default_factory=dict)
    """Of one customer: tool -> sum."""
    today: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Since midnight UTC, of all customers: (tool, currency) -> sum."""

    def of(self, tool: str, currency: str) -> tuple[int, int]:
        """(the customer's last 30 days, everybody's day) for one tool."""
        return self.last_30_days.get(tool, 0), self.today.get((tool, currency), 0)

    def and_then(self, tool: str, minor: int, currency: str) -> "Spent":
        """The sums once this is moved too."""
        month, day = self.of(tool, currency)
        today = {**self.today, (tool, currency): day + minor}
        return Spent({**self.last_30_days, tool: month + minor}, today)


async def spent(session: AsyncSession, customer_id: str, now: datetime) -> Spent:
    """The sums as they stand."""
    return Spent(await _last_30_days(session, customer_id, now), await _today(session, now))


async def hold_spending(session: AsyncSession, known: Spent, effects: Sequence[EffectRecord], now: datetime) -> None:
    """Let nobody else intend to move money until the end of this writing transaction.

    Raises `SpentMeanwhile` where the sums behind the verdicts on `effects` (of one customer) are no longer `known`.
    """
    moving = [effect for effect in effects if effect.amount_minor is not None]
    if not moving:
        return
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writing transaction at a time anyway
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_SPENDER_AT_A_TIME})
    stands = await spent(session, moving[0].customer_id, now)
    for effect in moving:
        what = effect.tool, effect.currency or ""
        if stands.of(*what) != known.of(*what):
            raise SpentMeanwhile(effect.tool)


async def _last_30_days(session: AsyncSession, customer_id: str, now: datetime) -> dict[str, int]:
    query = (
        select(EffectRecord.tool, func.sum(EffectRecord.amount_minor))
        .where(
            *_COUNTS,
            EffectRecord.customer_id == customer_id,
            col(EffectRecord.intended_at) > now - timedelta(days=30),
        )
        .group_by(col(EffectRecord.tool))
    )
    return {tool: total or 0 for tool, total in (await session.execute(query)).all()}


async def _today(session: AsyncSession, now: datetime) -> dict[tuple[str, str], int]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    query = (
        select(EffectRecord.tool, EffectRecord.currency, func.sum(EffectRecord.amount_minor))
        .where(*_COUNTS, col(EffectRecord.intended_at) >= midnight)
        .group_by(col(EffectRecord.tool), col(EffectRecord.currency))
    )
    return {(tool, currency or ""): total or 0 for tool, currency, total in (await session.execute(query)).all()}
