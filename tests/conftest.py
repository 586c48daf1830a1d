"""What tests share: one prepared home, from which every test gets a fresh one; and a service over real HTTP."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from postgres_server import PostgresServer
from served import KEY, Served, serve

from app.logs import configure
from app.runtime import Runtime, Shared, running
from app.settings import Settings
from evals.world import prepared
from records.database import migrated_copy

hypothesis_settings.register_profile("untimed", deadline=None)  # how busy the machine is proves nothing
hypothesis_settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With MATRIX_SHARE=N every N-th test of the matrices is run: what a change has to pass within its time."""
    share = int(os.environ.get("MATRIX_SHARE", "1"))
    matrix = [item for item in items if item.get_closest_marker("matrix")]
    left_out = {id(item) for number, item in enumerate(matrix) if number % share}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
        items[:] = [item for item in items if id(item) not in left_out]


@pytest.fixture(autouse=True, scope="session")
def _only_our_settings() -> None:
    """A developer's own settings must not leak into a test."""
    for name in list(os.environ):
        if name.startswith(("HANDRAIL_", "OPENAI_")):
            del os.environ[name]
    os.environ["COLUMNS"] = "160"  # tables are as wide as the terminal, and a worker's has 80 columns


@pytest.fixture(autouse=True, scope="session")
def _logs_as_in_service() -> None:
    """Log lines as `handrail serve` writes them: a trace with every local variable takes seconds."""
    configure()


@pytest.fixture(scope="session")
def prepared_home(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose embeddings, classifier and knowledge index are made; never written to by a test.

    Made once for a state of the code, by whichever worker of whichever run comes first: each has a copy.
    """
    import asyncio

    kept = pytestconfig.rootpath / ".pytest_cache" / "prepared"
    kept.mkdir(parents=True, exist_ok=True)
    made = kept / _state_of_the_code(pytestconfig.rootpath)
    home = tmp_path_factory.mktemp("prepared")
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for other in kept.glob("*/"):
                shutil.rmtree(other)
            half = kept / "half"
            asyncio.run(prepared(Settings(home=half, secret_key=KEY)))
            half.rename(made)
        shutil.copytree(made, home, dirs_exist_ok=True)
    return home


def _state_of_the_code(root: Path) -> str:
    """A digest of all that a prepared home may follow from."""
    digest = hashlib.sha256((root / "requirements.lock").read_bytes())
    for package in ("agents", "app", "evals", "prompts", "records", "tools"):
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@pytest.fixture(scope="session")
def shared(prepared_home: Path) -> Shared:
    """The loaded parts of the prepared home, for services within the tests' process."""
    import asyncio

    async def load() -> Shared:
        async with running(Settings(home=prepared_home, secret_key=KEY), background=False) as runtime:
            return runtime.shared

    return asyncio.run(load())


@pytest.fixture
async def home(tmp_path: Path, prepared_home: Path) -> Path:
    """A fresh home with an empty, migrated database."""
    await migrated_copy(prepared_home / "template.db", tmp_path / "home" / "handrail.db")
    return tmp_path / "home"


@pytest.fixture
def whole_home(tmp_path: Path, prepared_home: Path) -> Path:
    """A fresh home with everything in it, for services in processes of their own."""
    home = tmp_path / "whole"
    home.mkdir()
    for name in ("artefacts", "chroma"):
        shutil.copytree(prepared_home / name, home / name)
    for path in prepared_home.glob("embeddings.db*"):
        shutil.copy(path, home / path.name)
    return home


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this machine, with a migrated template; skips where there is none."""
    server = PostgresServer.found()
    if server is None:
        pytest.skip("no PostgreSQL server on 127.0.0.1:5432 takes user root or postgres without a password")
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh, migrated database on PostgreSQL."""
    with postgres.scratch() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A database without tables on PostgreSQL."""
    with postgres.empty() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Either database in turn: None for the home's own SQLite file, or a fresh one on PostgreSQL."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings of a fresh home."""
    return Settings(home=home, secret_key=KEY)


@pytest.fixture
async def runtime(settings: Settings, shared: Shared) -> AsyncIterator[Runtime]:
    """A running Handrail without HTTP and without its sweeper."""
    async with running(settings, shared=shared, background=False) as started:
        yield started


@pytest.fixture
async def start_service(settings: Settings, shared: Shared) -> AsyncIterator[Callable[..., Awaitable[Served]]]:
    """Starts services over real HTTP; keywords change settings. All are stopped at the end."""
    async with AsyncExitStack() as stack:

        async def start(**changes: object) -> Served:
            own = settings.model_copy(update=changes)
            return await stack.enter_async_context(serve(own, shared))

        yield start


@pytest.fixture
async def service(start_service: Callable[..., Awaitable[Served]]) -> Served:
    """A service over real HTTP with the embedded model."""
    return await start_service()
