"""The sandbox company's users in a SCIM service, so that recorded tickets run with ``PROVISIONING=scim``.

`scim_for_run` has a SCIM service for a run, `scim_for_world` an empty side of it for one world; `fill` puts the users
there, and `users_table` reads them back as the table `users` of ``SandboxBackend.dump()``.
"""

import asyncio
import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import httpx2
from pydantic import SecretStr
from scim2_client.engines.httpx2 import AsyncSCIMClient
from scim2_models import BulkRequest, Group, SearchRequest

from app.settings import Settings
from tools.scim_access.access import email_of, locked, name_of
from tools.scim_access.backend import Account, id_of, owner_of, speaking_scim
from tools.scim_access.roles import ROLES, Person, RolesIn

S = TypeVar("S", Person, Group)
State = dict[str, list[dict[str, Any]]]
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PAGE = 500
OURS = re.compile(r"usr_\d+")
"""The ids of the company's users."""
OUR_GROUP = "handrail-role-"
"""How the `externalId` of a group begins that `fill` made."""
SIDE = "{world}"
"""In the address of a service that has a side for each world: where its name goes."""
_sides = count(1)
"""Numbers of sides; with the process they are one process's own, since several play tickets at one service."""
_turns: dict[tuple[str, asyncio.AbstractEventLoop], asyncio.Lock] = {}


def _new_side() -> str:
    return f"world-{os.getpid()}-{next(_sides)}"


@dataclass(frozen=True)
class ScimService:
    """A running `scim2-server`. `url` holds a place for the name of a side; sides know nothing of one another."""

    url: str
    token: str

    def side(self) -> str:
        """The base of a new side, which is empty."""
        return self.url.replace(SIDE, _new_side())

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
    if settings.scim_url is not None:
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
    url, token, _ = address(settings)
    if SIDE in url:
        yield settings.model_copy(update={"scim_url": url.replace(SIDE, _new_side())})
        return
    async with _turns.setdefault((url, asyncio.get_running_loop()), asyncio.Lock()):
        try:
            yield settings
        finally:
            await _leave(url, token)


def address(settings: Settings) -> tuple[str, str, RolesIn]:
    """(base, token) of the SCIM service, and where it keeps roles. Raises ValueError where one is missing."""
    if settings.scim_url is None or settings.scim_token is None:
        raise ValueError("HANDRAIL_PROVISIONING=scim needs HANDRAIL_SCIM_URL and HANDRAIL_SCIM_TOKEN")
    return settings.scim_url, settings.scim_token.get_secret_value(), settings.scim_roles


async def fill(url: str, token: str, roles_in: RolesIn, state: State) -> None:
    """Put the users of a dump into an empty SCIM service. Raises ValueError where it is not empty or takes one not."""
    async with _client(url, token) as client:
        if await _all(client, Person):
            raise ValueError(f"{url} holds users already: the company needs an empty SCIM service")
        if roles_in == "groups" and await _all(client, Group):
            raise ValueError(f"{url} holds groups already: the company needs an empty SCIM service")
        created = [("Users", row["id"], _as_scim(row, roles_in)) for row in state["users"]]
        if roles_in == "groups":
            created += [("Groups", f"role-{role}", _group(role, state)) for role in ROLES]
        operations = [
            {"method": "POST", "path": f"/{kind}", "bulkId": name, "data": data} for kind, name, data in created
        ]
        request: Any = BulkRequest[Person | Group].model_validate({"operations": operations})
        answer: Any = await client.bulk(request)
        failed = [operation.bulk_id for operation in answer.operations if operation.status >= 400]
        if failed:
            raise ValueError(f"{url} did not take {', '.join(failed)}")


async def users_table(url: str, token: str, roles_in: RolesIn, state: State) -> list[dict[str, Any]]:
    """The table `users` as the SCIM service has it; `state` is a dump, for when somebody signed in last."""
    async with _client(url, token) as client:
        people = await _all(client, Person)
        roles = await Account(client, "", roles_in).roles_of(people)
    seen = {row["id"]: row["last_sign_in"] for row in state["users"]}
    rows = [
        {
            "id": id_of(person),
            "customer_id": owner_of(person),
            "name": name_of(person),
            "email": email_of(person),
            "role": role,
            "locked": locked(person),
            "last_sign_in": seen.get(id_of(person)),
        }
        for person, role in zip(people, roles, strict=True)
    ]
    return sorted(rows, key=lambda row: row["id"])


def _as_scim(row: dict[str, Any], roles_in: RolesIn) -> dict[str, Any]:
    """A user who signs in with their address; SCIM's `emails` would refuse those of the company with the odd name."""
    return {
        "userName": row["email"],
        "externalId": row["id"],
        "displayName": row["name"],
        "active": not row["locked"],
        ENTERPRISE: {"organization": row["customer_id"]},
        **({"roles": [{"value": row["role"]}]} if roles_in == "roles" else {}),
    }


def _group(role: str, state: State) -> dict[str, Any]:
    """The group of those who have a role."""
    members = [{"value": f"bulkId:{row['id']}"} for row in state["users"] if row["role"] == role]
    return {"displayName": role, "externalId": f"{OUR_GROUP}{role}", "members": members}


@asynccontextmanager
async def _client(url: str, token: str) -> AsyncIterator[AsyncSCIMClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
        yield speaking_scim(http)


async def _leave(url: str, token: str) -> None:
    """Take the users and groups away that `fill` put there."""
    async with _client(url, token) as client:
        for person in await _all(client, Person):
            if OURS.fullmatch(person.external_id or ""):
                await client.delete(person)
        for group in await _all(client, Group):
            if (group.external_id or "").startswith(OUR_GROUP):
                await client.delete(group)


async def _all(client: AsyncSCIMClient, kind: type[S]) -> list[S]:
    found: list[S] = []
    while True:
        asked = SearchRequest.model_validate({"startIndex": len(found) + 1, "count": PAGE})
        page: Any = await client.query(kind, query_parameters=asked)
        found += page.resources or []
        if not page.resources or len(found) >= page.total_results:
            return found
