"""An access change over SCIM happens exactly once, whatever is lost on the way and wherever the service stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from access_books import NOW, AccessBooks
from faulty_line import Mishap

from evals.scim_world import ScimService
from records.effect import EffectState
from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable
from tools.ledger import Ledger
from tools.registry import ToolRegistry
from tools.sandbox.access import access_tools
from tools.sandbox.backend import SandboxBackend
from tools.scim_access.backend import ScimBackend
from tools.scim_access.toolset import scim_access_tools

pytestmark = pytest.mark.matrix

ROLE, UNLOCK, DEACTIVATE = "access.change_role", "access.unlock_user", "access.deactivate_user"
CHANGES = [
    (ROLE, {"user_id": "usr_0203", "role": "viewer"}),
    (UNLOCK, {"user_id": "usr_0204"}),
    (DEACTIVATE, {"user_id": "usr_0203"}),
]
every_change = pytest.mark.parametrize(("tool", "arguments"), CHANGES, ids=[case[0] for case in CHANGES])


def stands(tool: str, users: dict[str, dict[str, Any]]) -> bool:
    """Whether the change of `CHANGES` is there."""
    if tool == ROLE:
        return users["usr_0203"]["role"] == "viewer"
    return users["usr_0203"]["locked"] if tool == DEACTIVATE else not users["usr_0204"]["locked"]


def patience(mishap: Mishap) -> float:
    """Seconds that the client waits: few only where it waits in vain."""
    return 1.5 if mishap is Mishap.TOO_LATE else 10


class Stopped(BaseException):
    """The process ends here, as by a kill: nothing catches it."""


@dataclass
class Fuse:
    """Stops at the point with the number `at`, counted from 0; points that are passed are counted."""

    at: int
    passed: int = 0

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.at + 1:
            raise Stopped


@dataclass(frozen=True)
class FusedLedger(Ledger):
    """A ledger that may stop before and after each of its writes."""

    fuse: Fuse = field(default_factory=lambda: Fuse(-1))

    async def _move(self, *given: Any, **more: Any) -> Any:
        self.fuse.point()
        moved = await super()._move(*given, **more)
        self.fuse.point()
        return moved


@asynccontextmanager
async def a_process(books: AccessBooks, fuse: Fuse) -> AsyncIterator[Ledger]:
    """A ledger with a SCIM client of its own; both stop where the fuse says, before or after a write or a request."""

    async def point(_: Any) -> None:
        fuse.point()

    company = await SandboxBackend.open(Path(books.folder, "sandbox.db"), clock=lambda: NOW)
    backend = ScimBackend(books.base, token=books.token, seconds=5)
    backend._http.event_hooks = {"request": [point], "response": [point]}
    described = {tool.name: tool for tool in access_tools(company)}
    try:
        registry = ToolRegistry(scim_access_tools(backend, described))
        yield FusedLedger(books.database, registry, lambda: NOW, fuse)
    finally:
        await backend.close()
        await company.close()


@every_change
async def test_stopped_anywhere_a_change_is_settled_after_a_restart_and_made_once(
    scim_service: ScimService, tmp_path: Path, records_template: Path, tool: str, arguments: dict
) -> None:
    points, stopped_at = 1, -1
    while stopped_at < points:
        folder = tmp_path / f"stopped-{stopped_at}"
        folder.mkdir()
        async with AccessBooks.opened(scim_service, folder, records_template) as books:
            effect = await books.intend(tool, arguments)
            fuse = Fuse(stopped_at)
            async with a_process(books, fuse) as ledger:
                try:
                    await ledger.execute(effect)
                    assert stopped_at in (-1, points)
                except Stopped:
                    pass
            points = max(points, fuse.passed)
            async with a_process(books, Fuse(-1)) as ledger:
                for row in await ledger.open_rows():
                    await ledger.settle(row)
            row = await books.row(effect)
            assert (row.state, stands(tool, await books.users())) == (EffectState.VERIFIED, True), stopped_at
            assert books.line.changes == 1, stopped_at
        stopped_at += 1
    assert points >= 14  # three writes, and at least four requests, each with a point before and after


@every_change
@pytest.mark.parametrize("mishap", list(Mishap))
async def test_whatever_one_change_meets_the_ledger_agrees_with_the_service(
    scim_service: ScimService, tmp_path: Path, records_template: Path, tool: str, arguments: dict, mishap: Mishap
) -> None:
    async with AccessBooks.opened(scim_service, tmp_path, records_template, seconds=patience(mishap)) as books:
        effect = await books.intend(tool, arguments)
        books.line.mishaps.append(("PATCH", mishap))
        row = await books.ledger.execute(effect)
        assert (row.state, stands(tool, await books.users())) == (EffectState.VERIFIED, True)
        assert books.line.changes == 1


@pytest.mark.parametrize("mishap", list(Mishap))
async def test_a_change_that_cannot_be_read_back_is_unknown_until_it_can(
    scim_service: ScimService, tmp_path: Path, records_template: Path, mishap: Mishap
) -> None:
    async with AccessBooks.opened(scim_service, tmp_path, records_template, seconds=patience(mishap)) as books:
        effect = await books.intend(UNLOCK, {"user_id": "usr_0204"})
        books.line.mishaps.append(("PATCH", Mishap.LOSE_ANSWER))
        books.line.after["PATCH"] = [("GET", mishap)]
        row = await books.ledger.execute(effect)
        assert row.state == EffectState.UNKNOWN
        await books.recover()
        assert (await books.row(effect)).state == EffectState.VERIFIED
        assert books.line.changes == 1


async def test_what_the_service_refuses_has_failed(books: AccessBooks) -> None:
    effect = await books.intend(UNLOCK, {"user_id": "usr_0203"})
    row = await books.ledger.execute(effect)
    assert (row.state, row.error) == (EffectState.FAILED, "this user is not locked")
    assert books.line.changes == 0


@pytest.mark.parametrize(
    ("mishap", "error"),
    [
        (Mishap.LOSE_ANSWER, BackendTimeout),
        (Mishap.SERVER_ERROR, BackendTimeout),
        (Mishap.WRONG_BODY, BackendTimeout),
        (Mishap.TOO_MANY, BackendUnavailable),
    ],
)
async def test_an_error_says_whether_anything_may_have_been_done(books: AccessBooks, mishap, error) -> None:
    books.line.mishaps.append(("PATCH", mishap))
    with pytest.raises(error):
        await books.call(UNLOCK, "cus_002", user_id="usr_0204")


async def test_a_service_that_cannot_be_reached_has_not_acted() -> None:
    backend = ScimBackend("http://127.0.0.1:1/v2", token="any", seconds=2)
    with pytest.raises(BackendUnavailable):
        await backend.check()
    await backend.close()


async def test_a_token_that_the_service_does_not_take_is_a_refusal(books: AccessBooks) -> None:
    backend = ScimBackend(books.base, token="wrong", seconds=5)
    with pytest.raises(BackendRefused):
        await backend.check()
    await backend.close()


@every_change
async def test_two_processes_that_race_for_one_change_make_one(books: AccessBooks, tool: str, arguments: dict) -> None:
    async with a_process(books, Fuse(-1)) as one, a_process(books, Fuse(-1)) as other:
        calls = [
            ledger.registry.get(tool).call(
                "cus_002", one.registry.get(tool).arguments.model_validate(arguments), "key-1"
            )
            for ledger in (one, other, one, other)
        ]
        answers = await asyncio.gather(*calls)
    assert all(answer == answers[0] for answer in answers)
    assert books.line.changes == 1


async def test_two_requests_that_race_for_the_same_change_make_one_and_the_other_is_told(books: AccessBooks) -> None:
    async with a_process(books, Fuse(-1)) as one, a_process(books, Fuse(-1)) as other:
        asked = one.registry.get(ROLE).arguments.model_validate({"user_id": "usr_0203", "role": "viewer"})
        answers = await asyncio.gather(
            *(
                ledger.registry.get(ROLE).call("cus_002", asked, f"key-{number}")
                for number, ledger in enumerate((one, other))
            ),
            return_exceptions=True,
        )
    assert sorted(type(answer).__name__ for answer in answers) == ["BackendRefused", "RoleChanged"]
    assert books.line.changes == 1


async def test_two_administrators_who_go_at_the_same_moment_do_not_both_go(books: AccessBooks) -> None:
    await books.change_behind_our_back("usr_0202", roles=[{"value": "admin"}])
    async with a_process(books, Fuse(-1)) as one, a_process(books, Fuse(-1)) as other:
        work = []
        for ledger, user in ((one, "usr_0201"), (other, "usr_0202")):
            asked = ledger.registry.get(ROLE).arguments.model_validate({"user_id": user, "role": "member"})
            work.append(ledger.registry.get(ROLE).call("cus_002", asked, f"key-{user}"))
        answers = await asyncio.gather(*work, return_exceptions=True)
    administrators = [user for user in (await books.users()).values() if user["role"] == "admin"]
    assert [user for user in administrators if user["customer_id"] == "cus_002"]
    for answer, user in zip(answers, ("usr_0201", "usr_0202"), strict=True):
        kept = isinstance(answer, BackendRefused)
        assert ((await books.users())[user]["role"] == "admin") is kept
        assert (await books.read_back(ROLE, "cus_002", f"key-{user}") is None) is kept
