"""A real SCIM server in a process of its own, with a fresh side for every test."""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from access_books import AccessBooks

from evals.scim_world import ScimService
from tools.scim_access.roles import RolesIn


@pytest.fixture(scope="session")
def scim_service() -> Iterator[ScimService]:
    """A running scim2-server."""
    if importlib.util.find_spec("scim2_server") is None:
        pytest.skip("scim2-server is not installed")
    with ScimService.running() as service:
        yield service


@pytest.fixture(scope="session")
def records_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file that all others are copies of."""
    return tmp_path_factory.mktemp("scim-records") / "handrail.db"


@pytest.fixture(params=["roles", "groups"])
def roles_in(request: pytest.FixtureRequest) -> RolesIn:
    """Where the service keeps roles."""
    return request.param


@pytest.fixture
async def books(
    scim_service: ScimService, tmp_path: Path, records_template: Path, roles_in: RolesIn
) -> AsyncIterator[AccessBooks]:
    """Customers cus_001 and cus_002 with their users as in the sandbox."""
    async with AccessBooks.opened(scim_service, tmp_path, records_template, roles_in=roles_in) as opened:
        yield opened
