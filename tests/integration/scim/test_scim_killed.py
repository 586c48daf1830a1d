"""A process that is killed over an access change, before or after any write or request, leaves it to the next one.

Another process then settles what was left: nothing is lost, nothing is done twice, and ledger and service agree.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from access_books import AccessBooks
from faulty_line import Mishap

from evals.scim_world import ScimService
from records.database import sqlite_url
from records.effect import EffectState
from tools.scim_access.roles import RolesIn

pytestmark = pytest.mark.matrix

ROLE, UNLOCK, DEACTIVATE = "access.change_role", "access.unlock_user", "access.deactivate_user"
SECOND = "usr_0202"
"""Whom the tests make the second administrator beside usr_0201."""
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "a role": (ROLE, {"user_id": "usr_0203", "role": "viewer"}),
    "an administrator's role": (ROLE, {"user_id": SECOND, "role": "viewer"}),
    "a lock": (UNLOCK, {"user_id": "usr_0204"}),
    "an access": (DEACTIVATE, {"user_id": "usr_0203"}),
    "an administrator's access": (DEACTIVATE, {"user_id": SECOND}),
}
every_change = pytest.mark.parametrize(("tool", "arguments"), list(CHANGES.values()), ids=list(CHANGES))


class Processes:
    """Processes of our service, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, books: AccessBooks, what: str, effect: str, *, at: int = -1) -> int:
        """Let a process do something; returns how many points it passed, or -1 where it was killed at `at`."""
        passed = books.folder / "passed"
        order = {
            "what": what,
            "effect": effect,
            "at": at,
            "passed": str(passed),
            "database": sqlite_url(books.folder / "handrail.db"),
            "sandbox": str(books.folder / "sandbox.db"),
            "url": books.base,
            "token": books.token,
            "roles_in": books.roles_in,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        ended = int(await asyncio.wait_for(self._process.stdout.readline(), 60))
        if ended == signal.SIGKILL:
            return -1
        assert ended == 0
        return int(passed.read_text(encoding="utf-8"))


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    program = str(Path(__file__).with_name("scim_worker.py"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, program, stdin=pipe, stdout=pipe)
    yield Processes(process)
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


async def administrators(books: AccessBooks) -> list[str]:
    """Who of cus_002 can act as one."""
    return [
        user["id"]
        for user in (await books.users()).values()
        if (user["customer_id"], user["role"], user["locked"]) == ("cus_002", "admin", False)
    ]


def stands(tool: str, arguments: dict[str, Any], users: dict[str, dict[str, Any]]) -> bool:
    """Whether a change is there."""
    user = users[arguments["user_id"]]
    return user["role"] == arguments["role"] if tool == ROLE else user["locked"] is (tool == DEACTIVATE)


async def settled_once(books: AccessBooks, effect: str, tool: str, arguments: dict[str, Any], at: int) -> None:
    """The change is there once, the row says so with what the service shows, and nobody else was touched."""
    row, users = await books.row(effect), await books.users()
    assert row.state == EffectState.VERIFIED, at
    assert stands(tool, arguments, users), at
    shown = await books.read_back(tool, "cus_002")
    assert row.result == shown.model_dump(mode="json"), at
    if tool == ROLE and books.roles_in == "groups":
        assert await books.groups_of(arguments["user_id"]) == [arguments["role"]], at
    assert books.line.changes == doings(books, tool, arguments), at
    assert not await books.farewells(), at


def doings(books: AccessBooks, tool: str, arguments: dict[str, Any]) -> int:
    """How many PATCH requests a change is, when each counts once."""
    farewell = 1 if arguments["user_id"] == SECOND else 0
    return farewell + books.patches(tool)


async def opened(books: AccessBooks) -> None:
    """Two administrators, and nothing counted yet."""
    await books.give_role_behind_our_back(SECOND, "admin")
    assert books.line.changes == 0


@every_change
async def test_killed_at_any_point_it_is_done_once(
    scim_service: ScimService,
    tmp_path: Path,
    records_template: Path,
    roles_in: RolesIn,
    processes: Processes,
    tool: str,
    arguments: dict,
) -> None:
    points, at = 1, -1
    while at < points:
        folder = tmp_path / f"at-{at}"
        folder.mkdir()
        async with AccessBooks.opened(scim_service, folder, records_template, roles_in=roles_in) as books:
            await opened(books)
            effect = await books.intend(tool, arguments)
            passed = await processes.run(books, "execute", effect, at=at)
            assert (passed == -1) == (0 <= at < points)
            points = max(points, passed)
            await processes.run(books, "recover", effect)
            await settled_once(books, effect, tool, arguments, at)
            assert await processes.run(books, "recover", effect) == 0
        at += 1
    assert points >= 14  # two writes and at least five requests, each with a point before and after


@every_change
async def test_undoing_that_is_killed_at_any_point_is_done_once(
    scim_service: ScimService,
    tmp_path: Path,
    records_template: Path,
    roles_in: RolesIn,
    processes: Processes,
    tool: str,
    arguments: dict,
) -> None:
    points, at = 1, -1
    while at < points:
        folder = tmp_path / f"at-{at}"
        folder.mkdir()
        async with AccessBooks.opened(scim_service, folder, records_template, roles_in=roles_in) as books:
            await opened(books)
            before = await books.users()
            effect = await books.intend(tool, arguments)
            await books.ledger.execute(effect)
            done = books.line.changes
            passed = await processes.run(books, "undo", effect, at=at)
            assert (passed == -1) == (0 <= at < points)
            points = max(points, passed)
            begun = (await books.row(effect)).undo_key is not None
            assert begun or at == 0  # killed before the wish was written: whoever wanted it asks again
            await processes.run(books, "recover" if begun else "undo", effect)
            assert (await books.row(effect)).state == EffectState.COMPENSATED, at
            assert await books.users() == before, at
            assert books.line.changes - done == (4 if tool == ROLE and roles_in == "groups" else 1), at
        at += 1
    assert points >= 10


async def test_one_of_two_administrators_stays_wherever_the_process_that_takes_one_away_is_killed(
    scim_service: ScimService, tmp_path: Path, records_template: Path, roles_in: RolesIn, processes: Processes
) -> None:
    points, at = 1, -1
    while at < points:
        folder = tmp_path / f"at-{at}"
        folder.mkdir()
        async with AccessBooks.opened(scim_service, folder, records_template, roles_in=roles_in) as books:
            await opened(books)
            first = await books.intend(ROLE, {"user_id": SECOND, "role": "member"}, "key-1")
            other = await books.intend(DEACTIVATE, {"user_id": "usr_0201"}, "key-2")
            points = max(points, await processes.run(books, "execute", first, at=at))
            await books.ledger.execute(other)
            assert await administrators(books), at
            await processes.run(books, "recover", first)
            states = sorted([(await books.row(first)).state, (await books.row(other)).state])
            assert (len(await administrators(books)), states) == (1, [EffectState.FAILED, EffectState.VERIFIED]), at
            assert not await books.farewells(), at
        at += 1
    assert points >= 14


@every_change
async def test_a_process_that_is_held_up_until_another_has_settled_its_change_does_not_repeat_it(
    books: AccessBooks, processes: Processes, tool: str, arguments: dict
) -> None:
    await opened(books)
    effect = await books.intend(tool, arguments)
    books.line.mishaps.append(("PATCH", Mishap.ON_THE_WAY))
    ending = asyncio.create_task(processes.run(books, "execute", effect))
    await asyncio.wait_for(books.line.under_way.wait(), 30)
    await books.recover()
    await settled_once(books, effect, tool, arguments, -1)
    after = await books.users()
    books.line.arrive.set()
    await ending
    assert await books.users() == after
    await settled_once(books, effect, tool, arguments, -1)
