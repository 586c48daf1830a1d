"""A world: a fresh home with its own databases, sharing what is expensive to load and never changes."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agents.knowledge.documents import read_documents
from app.runtime import Runtime, Shared, running
from app.settings import ROOT, Settings
from records.clock import Clock, system_clock
from records.database import migrated_copy

ARTICLES = ROOT / "tools" / "sandbox" / "knowledge"


def clock_from(start: datetime) -> Clock:
    """A clock that began at `start` when it was made and runs on from there."""
    begun = system_clock()
    return lambda: start + (system_clock() - begun)


def just_after(start: datetime) -> Clock:
    """A clock for replays: each look is a millisecond later, so two runs see the same times."""
    looks = 0

    def look() -> datetime:
        nonlocal looks
        looks += 1
        return start + timedelta(milliseconds=looks)

    return look


@asynccontextmanager
async def fresh_world(shared: Shared, settings: Settings, opened_at: datetime) -> AsyncIterator[Runtime]:
    """A running service in a home of its own, as of `opened_at`."""
    with tempfile.TemporaryDirectory(prefix="handrail-world-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        template = settings.home / "template.db"
        await migrated_copy(template, home / "handrail.db")
        own = settings.model_copy(update={"home": home, "database_url": None})
        async with running(own, clock=clock_from(opened_at), shared=shared, background=False) as runtime:
            yield runtime


async def prepared(settings: Settings) -> Shared:
    """What all worlds share, with the sample company's articles ingested. Made once in HOME, then found there."""
    async with running(settings, background=False) as runtime:
        await asyncio.to_thread(ingest_articles, runtime.shared.knowledge)
        return runtime.shared


def ingest_articles(knowledge: Any) -> None:
    """Put the sandbox company's help centre into the index; what is there already costs nothing."""
    knowledge.ingest(read_documents([ARTICLES]))
