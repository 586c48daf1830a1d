"""The sandbox company's users in a SCIM service, so that recorded tickets run with ``PROVISIONING=scim``.

`scim_for_run` has a SCIM service for a run, `scim_for_world` an empty side of it for one world; `fill` puts the users
there, and `users_table` reads them back as the table `users` of ``SandboxBackend.dump()``.
"""

import asyncio
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2
from pydantic import SecretStr
from scim2_client.engines.httpx2 import AsyncSCIMClient
from scim2_models import BulkRequest, SearchRequest

from app.settings import Settings
from tools.scim_access.access import email_of, locked, name_of, role_of
from tools.scim_access.backend import Person, id_of, owner_of, speaking_scim

State = dict[str, list[dict[str, Any]]]
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PAGE = 500
OURS = re.compile(r"usr_\d+")
"""The ids of the company's users."""
SIDE = "{world}"
"""In the address of a service that has a side for each world: where its name goes."""
_sides = count(1)
_turns: dict[tuple[str, asyncio.AbstractEventLoop], asyncio.Lock] = {}


@dataclass(frozen=True)
class ScimService:
    """A running `scim2-server`. `url` holds a place for the name of a side; sides know nothing of one another."""

    url: str
    token: str

    def side(self) -> str:
        """The base of a new side, which is empty."""
        return self.url.replace(SIDE, f"world-{next(_sides)}")

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["ScimService"]:
        """A service on a free port of the loopback, until the end of the block. Raises RuntimeError if none starts."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        token = secrets.token_hex(24)
        command = [sys.executable, "-m", "scim2_server.testserver.cli"]
        options = ["--port", str(port), "--bearer-token", token, "--dynamic-tenants"]
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError("scim2-server did not start: is it installed?")
            yield cls(f"http://127.0.0.1:{port}/{SIDE}/v2/", token)
        finally:
            process.terminate()
            process.wait(timeout=10)


@contextmanager
def scim_for_run(settings: Settings) -> Iterator[Settings]:
    """The settings for a run's worlds: over a SCIM service of its own where they name none."""
    if settings.provisioning != "scim" or settings.scim_url is not None:
        yield settings
        return
    with ScimService.running() as service:
        yield settings.model_copy(update={"scim_url": service.url, "scim_token": SecretStr(service.token)})


@asynccontextmanager
async def scim_for_world(settings: Settings) -> AsyncIterator[Settings]:
    """The settings of one world, over a SCIM service or a side of one that holds nobody yet.

    A service whose address has no place for a side (`SIDE`) is one for all: worlds then take turns, and each takes the
    company's users away when it is done. Raises ValueError where the address or the token is missing.
    """
    if settings.provisioning != "scim":
        yield settings
        return
    url, token = address(settings)
    if SIDE in url:
        yield settings.model_copy(update={"scim_url": url.replace(SIDE, f"world-{next(_sides)}")})
        return
    async with _turns.setdefault((url, asyncio.get_running_loop()), asyncio.Lock()):
        try:
            yield settings
        finally:
            await _leave(url, token)


def address(settings: Settings) -> tuple[str, str]:
    """(base, token) of the SCIM service. Raises ValueError where one is missing."""
    if settings.scim_url is None or settings.scim_token is None:
        raise ValueError("HANDRAIL_PROVISIONING=scim needs HANDRAIL_SCIM_URL and HANDRAIL_SCIM_TOKEN")
    return settings.scim_url, settings.scim_token.get_secret_value()


async def fill(url: str, token: str, state: State) -> None:
    """Put the users of a dump into an empty SCIM service. Raises ValueError where it is not empty or takes one not."""
    async with _client(url, token) as client:
        if await _people(client):
            raise ValueError(f"{url} holds users already: the company needs an empty SCIM service")
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": row["id"], "data": _as_scim(row)} for row in state["users"]
        ]
        request: Any = BulkRequest[Person].model_validate({"operations": operations})
        answer: Any = await client.bulk(request)
        failed = [operation.bulk_id for operation in answer.operations if operation.status >= 400]
        if failed:
            raise ValueError(f"{url} did not take {', '.join(failed)}")


async def users_table(url: str, token: str, state: State) -> list[dict[str, Any]]:
    """The table `users` as the SCIM service has it; `state` is a dump, for when somebody signed in last."""
    async with _client(url, token) as client:
        people = await _people(client)
    seen = {row["id"]: row["last_sign_in"] for row in state["users"]}
    rows = [
        {
            "id": id_of(person),
            "customer_id": owner_of(person),
            "name": name_of(person),
            "email": email_of(person),
            "role": role_of(person),
            "locked": locked(person),
            "last_sign_in": seen.get(id_of(person)),
        }
        for person in people
    ]
    return sorted(rows, key=lambda row: row["id"])


def _as_scim(row: dict[str, Any]) -> dict[str, Any]:
    """A user who signs in with their address; SCIM's `emails` would refuse those of the company with the odd name."""
    return {
        "userName": row["email"],
        "externalId": row["id"],
        "displayName": row["name"],
        "roles": [{"value": row["role"]}],
        "active": not row["locked"],
        ENTERPRISE: {"organization": row["customer_id"]},
    }


@asynccontextmanager
async def _client(url: str, token: str) -> AsyncIterator[AsyncSCIMClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
        yield speaking_scim(http)


async def _leave(url: str, token: str) -> None:
    """Take the users away that `fill` put there."""
    async with _client(url, token) as client:
        for person in await _people(client):
            if OURS.fullmatch(person.external_id or ""):
                await client.delete(person)


async def _people(client: AsyncSCIMClient) -> list[Person]:
    people: list[Person] = []
    while True:
        asked = SearchRequest.model_validate({"startIndex": len(people) + 1, "count": PAGE})
        page: Any = await client.query(Person, query_parameters=asked)
        people += page.resources or []
        if not page.resources or len(people) >= page.total_results:
            return people
