"""A world: a fresh home with its own databases, sharing what is expensive to load and never changes."""

import asyncio
import hashlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from agents.knowledge.documents import read_documents
from app.runtime import Runtime, Shared, running
from app.settings import ROOT, Settings
from evals.stripe_world import Names, at_stripe, stand_in
from records.clock import Clock, system_clock
from records.database import migrated_copy

ARTICLES = ROOT / "tools" / "sandbox" / "knowledge"
BOOKS = "books"
"""In a runtime's extras: what another billing backend holds."""


def clock_from(start: datetime) -> Clock:
    """A clock that began at `start` when it was made and runs on from there."""
    begun = system_clock()
    return lambda: start + (system_clock() - begun)


class StandingClock:
    """A clock for replays: it stands until it is moved on, so two runs see the same times."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def move_on(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by


def replayed_identifiers(name: str, start: datetime) -> Callable[[], str]:
    """A source of UUIDv7s that follow from `name` and sort in the order in which they were given out."""
    milliseconds, given = int(start.timestamp() * 1000), itertools.count()

    def give() -> str:
        number = next(given)
        later, place = divmod(number, 1 << 12)
        drawn = int.from_bytes(hashlib.sha256(f"{name} {number}".encode()).digest()[:8], "big") >> 2
        value = (milliseconds + later) << 80 | 7 << 76 | place << 64 | 2 << 62 | drawn
        return f"{value:032x}"

    return give


@asynccontextmanager
async def fresh_world(
    shared: Shared,
    settings: Settings,
    opened_at: datetime,
    customers: Collection[str] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Runtime]:
    """A running service in a home of its own, as of `opened_at`; `clock` stands in for one that runs on from there.

    With BILLING=stripe an account of its own as well, in which `customers` (default: all) are as in the sandbox.
    """
    with tempfile.TemporaryDirectory(prefix="handrail-world-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        template = settings.home / "template.db"
        await migrated_copy(template, home / "handrail.db")
        own = settings.model_copy(update={"home": home, "database_url": None})
        async with AsyncExitStack() as stack:
            books = None
            if settings.billing == "stripe":
                own = own.model_copy(update={"stripe_api_key": SecretStr(f"sk_test_{home.name}")})
                books = await stack.enter_async_context(at_stripe(own, opened_at, customers))
            if own.provisioning == "scim":
                from evals.scim_world import scim_for_world

                own = await stack.enter_async_context(scim_for_world(own))
            world = running(own, clock=clock or clock_from(opened_at), shared=shared, background=False)
            runtime = await stack.enter_async_context(world)
            if own.provisioning == "scim":
                from evals.scim_world import address, fill

                await fill(*address(own), await runtime.sandbox.dump())
            if books is not None:
                runtime.extras[BOOKS] = books
            yield runtime


@asynccontextmanager
async def backends(settings: Settings) -> AsyncIterator[Settings]:
    """The settings for a run's worlds: backends that they connect without an address run as long as the block."""
    own = settings
    async with AsyncExitStack() as stack:
        if own.provisioning == "scim":
            from evals.scim_world import scim_for_run

            own = stack.enter_context(scim_for_run(own))
        if own.billing == "stripe" and own.stripe_base_url is None:
            url = await stack.enter_async_context(stand_in())
            own = own.model_copy(update={"stripe_base_url": url, "stripe_api_key": SecretStr("sk_test_of_the_run")})
        yield own


async def end_state(runtime: Runtime) -> dict[str, list[dict[str, Any]]]:
    """What the backends of a world hold: the sandbox's tables, and those of Stripe and SCIM in their place."""
    state = await runtime.sandbox.dump()
    if runtime.settings.provisioning == "scim":
        from evals.scim_world import address, users_table

        state["users"] = await users_table(*address(runtime.settings), state)
    books = runtime.extras.get(BOOKS)
    if books is None:
        return state
    return {**state, **await books.tables(), "customers": [_unbilled(row) for row in state["customers"]]}


def names_of(runtime: Runtime) -> Names:
    """Which ids of this world the recorded tickets call by other names."""
    books = runtime.extras.get(BOOKS)
    return books.names if books is not None else Names()


def _unbilled(customer: dict[str, Any]) -> dict[str, Any]:
    """A customer without what the sandbox's own billing says."""
    return {name: value for name, value in customer.items() if name not in ("plan", "status")}


async def prepared(settings: Settings) -> Shared:
    """What all worlds share, with the sample company's articles ingested. Made once in HOME, then found there."""
    async with running(settings, background=False) as runtime:
        await asyncio.to_thread(ingest_articles, runtime.shared.knowledge)
        return runtime.shared


def ingest_articles(knowledge: Any) -> None:
    """Put the sandbox company's help centre into the index; what is there already costs nothing."""
    knowledge.ingest(read_documents([ARTICLES]))
