"""Services that can be killed, and homes in which a conversation stands at a given point."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from replicas import Launcher, Replica, free_port
from served import KEY

from records.database import migrated_copy


@pytest.fixture(scope="session")
def launcher(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """The process that forks services."""
    started = Launcher(prepared_home, tmp_path_factory.mktemp("bytecode"))
    yield started
    started.close()


@pytest.fixture
async def make_replica(launcher: Launcher) -> AsyncIterator[Callable[..., Replica]]:
    """Makes services, not started yet; keywords are settings. All are killed at the end."""
    made: list[Replica] = []

    def make(home: Path, lease: float | None = None, **settings: Any) -> Replica:
        whole = {"home": str(home), "secret_key": KEY, "port": free_port(), **settings}
        made.append(Replica(launcher, whole, lease))
        return made[-1]

    yield make
    for replica in made:
        if replica.pid:
            replica.kill()
        for client in replica.served.clients:
            await client.aclose()


@pytest.fixture
async def fresh_home(tmp_path: Path, prepared_home: Path) -> Path:
    """A home without any conversation."""
    home = tmp_path / "fresh"
    home.mkdir()
    await migrated_copy(prepared_home / "template.db", home / "handrail.db")
    return home


@pytest.fixture(scope="session")
def _offers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    return {}


@pytest.fixture
def after_offer(
    tmp_path: Path,
    fresh_home: Path,
    make_replica: Callable[..., Replica],
    tmp_path_factory: pytest.TempPathFactory,
    _offers: dict[str, tuple[Path, str]],
) -> Callable[[str, str], Any]:
    """Brings a customer to where the refund was offered: (home, conversation). Played once, then copied."""

    async def bring(customer_id: str, words: str) -> tuple[Path, str]:
        if customer_id not in _offers:
            kept = tmp_path_factory.mktemp("offer") / "home"
            shutil.copytree(fresh_home, kept)
            replica = make_replica(kept).start().ready()
            customer = await replica.served.customer(customer_id).open()
            assert (await customer.say(words))["offers"]
            replica.kill()
            _offers[customer_id] = kept, customer.conversation_id
        kept, conversation_id = _offers[customer_id]
        home = tmp_path / "home"
        shutil.copytree(kept, home)
        return home, conversation_id

    return bring
