"""Real MCP servers: one over streamable HTTP for all tests, and commands over stdio."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from orders_world import HttpShop, Shop


@pytest.fixture(scope="session")
def http_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpShop]:
    """A server that may have been stopped by the test before: `shop` starts it again."""
    server = HttpShop(tmp_path_factory.mktemp("shop"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def pins() -> dict[str, str]:
    """The digests of the server's schemas, once they were looked at."""
    return {}


@pytest.fixture
async def shop(http_shop: HttpShop, tmp_path: Path, pins: dict[str, str]) -> Shop:
    """The mapped shop over streamable HTTP, as new."""
    made = Shop(tmp_path, http_shop.state, {"url": http_shop.url, "seconds": 10}).reset()
    http_shop.start()
    if not pins:
        await made.pin()
        pins |= made.schemas
    made.schemas = dict(pins)
    return made
