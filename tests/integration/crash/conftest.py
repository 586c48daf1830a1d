"""Services that can be killed, and homes in which a conversation stands at a given point."""

import http.client
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from replicas import START_SECONDS, Launcher, Replica, free_port
from served import KEY, Served

from records.database import migrated_copy

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here speaks TLS, and a client that loads the usual certificates takes 20 ms to make."""


class ServedPlainly(Served):
    """A service whose callers are quickly made."""

    def client(self, token: str = "") -> httpx.AsyncClient:
        """A caller with this token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, verify=NO_CERTIFICATES)
        self.clients.append(made)
        return made


class NearReplica(Replica):
    """A service process of this machine, to which its callers speak plain HTTP."""

    def __post_init__(self) -> None:
        self.served = ServedPlainly(f"http://127.0.0.1:{self.settings['port']}", self.settings["secret_key"])

    def ready(self) -> "NearReplica":
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self.settings["port"], timeout=5)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return self
            except OSError:
                time.sleep(0.005)
            finally:
                connection.close()
        raise TimeoutError(f"the service in {self.settings['home']} did not start: see log.txt there")


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Launcher]:
    """The process that forks services. It imports what they need while the home is prepared.

    Its compiled modules are kept for the next run, where pytest keeps anything.
    """
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    bytecode = cache.mkdir("bytecode") if cache else tmp_path_factory.mktemp("bytecode")
    awaited = tmp_path_factory.mktemp("launcher") / "prepared"
    with ThreadPoolExecutor(1) as elsewhere:
        starting = elsewhere.submit(Launcher, awaited, bytecode)
        try:
            awaited.symlink_to(request.getfixturevalue("prepared_home"))
        except BaseException:
            awaited.touch()  # no home will come: the launcher fails over this file rather than wait
            raise
        started = starting.result()
    yield started
    started.close()


@pytest.fixture
async def make_replica(launcher: Launcher) -> AsyncIterator[Callable[..., Replica]]:
    """Makes services, not started yet; keywords are settings. All are killed at the end."""
    made: list[Replica] = []

    def make(home: Path, lease: float | None = None, **settings: Any) -> Replica:
        whole = {"home": str(home), "secret_key": KEY, "port": free_port(), **settings}
        made.append(NearReplica(launcher, whole, lease))
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
