"""Worlds over SCIM: each has the company's users to itself, and what it leaves can be graded."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from app.connectors import connected
from app.settings import BrokenSettings, Settings
from evals.scim_world import address, fill, scim_for_run, scim_for_world, users_table
from records.clock import system_clock
from tools.sandbox.backend import SandboxBackend
from tools.scim_access.roles import RolesIn


def over_scim(**more: object) -> Settings:
    return Settings.model_validate({"provisioning": "scim", **more})


async def test_a_world_holds_the_companys_users_and_shows_what_became_of_them(
    tmp_path: Path, roles_in: RolesIn
) -> None:
    async with AsyncExitStack() as stack:
        run = stack.enter_context(scim_for_run(over_scim(scim_roles=roles_in)))
        world = await stack.enter_async_context(scim_for_world(run))
        other = await stack.enter_async_context(scim_for_world(run))
        sandbox = await SandboxBackend.open(tmp_path / "sandbox.db")
        stack.push_async_callback(sandbox.close)
        state = await sandbox.dump()
        for settings in (world, other):
            await fill(*address(settings), state)
        assert await users_table(*address(world), state) == state["users"]
        tools, _ = await connected(world, sandbox, system_clock, stack)
        role = tools.get("access.change_role")
        await role.call("cus_002", role.arguments.model_validate({"user_id": "usr_0203", "role": "viewer"}), "key-1")
        reset = tools.get("access.send_password_reset")
        await reset.call("cus_002", reset.arguments.model_validate({"user_id": "usr_0203"}), "key-2")
        changed = [row for row in await users_table(*address(world), state) if row not in state["users"]]
        assert [(row["id"], row["role"]) for row in changed] == [("usr_0203", "viewer")]
        assert await users_table(*address(other), state) == state["users"]
        assert (await sandbox.dump())["users"] == state["users"]


@pytest.fixture
def plain_service() -> Iterator[str]:
    """The base of a SCIM service without sides, which takes the token "token"."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "scim2_server.testserver.cli", "--port", str(port), "--bearer-token", "token"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline()
        yield f"http://127.0.0.1:{port}/v2"
    finally:
        process.terminate()
        process.wait(timeout=10)


async def test_worlds_on_a_service_that_has_no_sides_take_turns_and_leave_it_empty(
    plain_service: str, tmp_path: Path, roles_in: RolesIn
) -> None:
    settings = over_scim(scim_url=plain_service, scim_token=SecretStr("token"), scim_roles=roles_in)
    sandbox = await SandboxBackend.open(tmp_path / "sandbox.db")
    state = await sandbox.dump()
    await sandbox.close()

    async def play() -> None:
        with scim_for_run(settings) as run:
            async with scim_for_world(run) as world:
                await fill(*address(world), state)
                assert await users_table(*address(world), state) == state["users"]

    await asyncio.gather(play(), play())
    async with httpx2.AsyncClient(headers={"Authorization": "Bearer token"}) as http:
        for kind in ("Users", "Groups"):
            assert (await http.get(f"{plain_service}/{kind}")).json()["totalResults"] == 0
    await fill(*address(settings), state)
    with pytest.raises(ValueError, match="holds users already"):
        await fill(*address(settings), state)


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "HANDRAIL_SCIM_URL"), ({"scim_url": "http://127.0.0.1:1/v2"}, "HANDRAIL_SCIM_TOKEN")],
)
async def test_a_setting_that_is_missing_is_named(tmp_path: Path, given: dict[str, str], missing: str) -> None:
    sandbox = await SandboxBackend.open(tmp_path / "sandbox.db")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(sandbox.close)
        with pytest.raises(BrokenSettings, match=f"setting {missing}: it is missing"):
            await connected(over_scim(**given), sandbox, system_clock, stack)
