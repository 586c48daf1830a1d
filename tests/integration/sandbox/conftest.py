"""A fresh company for each test."""

from collections.abc import AsyncIterator

import pytest
from sandbox_world import World


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "sandbox.db")
    yield opened
    await opened.backend.close()
