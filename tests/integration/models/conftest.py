"""A scripted endpoint, and services whose model it is. All of a module's tests run in one event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from scripted_endpoint import ScriptedEndpoint
from served import Served, listening, serve

from app.runtime import Shared
from app.settings import Settings
from records.database import migrated_copy

StartService = Callable[..., Awaitable[Served]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listening_endpoint() -> AsyncIterator[ScriptedEndpoint]:
    """The endpoint of a module."""
    scripted = ScriptedEndpoint()
    async with listening(scripted) as url:
        scripted.url = f"{url}/v1"
        yield scripted


@pytest.fixture
def endpoint(listening_endpoint: ScriptedEndpoint) -> ScriptedEndpoint:
    """The endpoint, with neither script nor history."""
    listening_endpoint.forget()
    return listening_endpoint


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    listening_endpoint: ScriptedEndpoint, prepared_home: Path, shared: Shared, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """One service for all tests of a module that change nothing in the backends."""
    settings = await _settings(tmp_path_factory.mktemp("module"), prepared_home, listening_endpoint)
    async with serve(settings.model_copy(update={"model_breaker_failures": 1000}), shared) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def start_service(
    endpoint: ScriptedEndpoint, prepared_home: Path, shared: Shared, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[StartService]:
    """Starts services in homes of their own; keywords change settings. All are stopped at the end of the test."""
    async with AsyncExitStack() as stack:

        async def start(**changes: object) -> Served:
            settings = await _settings(tmp_path_factory.mktemp("own"), prepared_home, endpoint)
            return await stack.enter_async_context(serve(settings.model_copy(update=changes), shared))

        yield start


async def _settings(home: Path, prepared_home: Path, endpoint: ScriptedEndpoint) -> Settings:
    await migrated_copy(prepared_home / "template.db", home / "handrail.db")
    plugged_in: dict[str, Any] = {
        "model": "openai:scripted",
        "openai_base_url": endpoint.url,
        "openai_api_key": SecretStr("sk-test-0123456789abcdef0123"),
        "model_price_in": 2.5,
        "model_price_out": 10.0,
    }
    return Settings(home=home).model_copy(update=plugged_in)
