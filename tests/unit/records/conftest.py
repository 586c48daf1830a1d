"""A database of either kind, a clock that tests set, and the transcript over them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from records.database import Database, migrated_copy, sqlite_url
from records.transcript import Transcript


@dataclass
class SetClock:
    """Time as a test sets it."""

    now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still until it is advanced."""
    return SetClock()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one SQLite file lies that all others are copies of."""
    return tmp_path_factory.mktemp("template") / "handrail.db"


@pytest.fixture
async def database(tmp_path: Path, template: Path, database_url: str | None) -> AsyncIterator[Database]:
    """A migrated, empty database on SQLite and on PostgreSQL in turn."""
    if database_url is None:
        await migrated_copy(template, tmp_path / "handrail.db")
    opened = await Database.open(database_url or sqlite_url(tmp_path / "handrail.db"), migrate=False)
    yield opened
    await opened.close()


@pytest.fixture
def transcript(database: Database, clock: SetClock) -> Transcript:
    """The transcript's store."""
    return Transcript(database, clock)
