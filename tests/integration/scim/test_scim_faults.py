"""An access change over SCIM happens exactly once, whatever is lost on the way and whoever races for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from tools.sandbox.access import RoleChanged, access_tools
from tools.sandbox.backend import SandboxBackend
from tools.scim_access.access import change_role
from tools.scim_access.backend import Account, ScimBackend
from tools.scim_access.roles import RolesIn
from tools.scim_access.toolset import scim_access_tools

pytestmark = pytest.mark.matrix

ROLE, UNLOCK, DEACTIVATE = "access.change_role", "access.unlock_user", "access.deactivate_user"
CHANGES = [
    (ROLE, {"user_id": "usr_0203", "role": "viewer"}),
    (UNLOCK, {"user_id": "usr_0204"}),
    (DEACTIVATE, {"user_id": "usr_0203"}),
]
every_change = pytest.mark.parametrize(("tool", "arguments"), CHANGES, ids=[case[0] for case in CHANGES])


MISHAPS = [mishap for mishap in Mishap if mishap not in (Mishap.PASSED, Mishap.ON_THE_WAY)]


def stands(tool: str, users: dict[str, dict[str, Any]]) -> bool:
    """Whether the change of `CHANGES` is there."""
    if tool == ROLE:
        return users["usr_0203"]["role"] == "viewer"
    return users["usr_0203"]["locked"] if tool == DEACTIVATE else not users["usr_0204"]["locked"]


def patience(mishap: Mishap) -> float:
    """Seconds that the client waits: few only where it waits in vain."""
    return 1.5 if mishap is Mishap.TOO_LATE else 10


@asynccontextmanager
async def a_process(books: AccessBooks) -> AsyncIterator[Ledger]:
    """A ledger with a SCIM client of its own, as another process has."""
    company = await SandboxBackend.open(Path(books.folder, "sandbox.db"), clock=lambda: NOW)
    backend = ScimBackend(books.base, token=books.token, seconds=10, roles_in=books.roles_in)
    described = {tool.name: tool for tool in access_tools(company)}
    try:
        registry = ToolRegistry(scim_access_tools(backend, described))
        yield Ledger(books.database, registry, lambda: NOW)
    finally:
        await backend.close()
        await company.close()


@every_change
@pytest.mark.parametrize("mishap", MISHAPS)
async def test_whatever_one_change_meets_the_ledger_agrees_with_the_service(
    scim_service: ScimService,
    tmp_path: Path,
    records_template: Path,
    roles_in: RolesIn,
    tool: str,
    arguments: dict,
    mishap: Mishap,
) -> None:
    places = (scim_service, tmp_path, records_template)
    async with AccessBooks.opened(*places, seconds=patience(mishap), roles_in=roles_in) as books:
        effect = await books.intend(tool, arguments)
        books.line.mishaps.append(("PATCH", mishap))
        row = await books.ledger.execute(effect)
        assert (row.state, stands(tool, await books.users())) == (EffectState.VERIFIED, True)
        assert books.line.changes == books.patches(tool)


@pytest.mark.parametrize("mishap", MISHAPS)
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
    async with a_process(books) as one, a_process(books) as other:
        calls = [
            ledger.registry.get(tool).call(
                "cus_002", one.registry.get(tool).arguments.model_validate(arguments), "key-1"
            )
            for ledger in (one, other, one, other)
        ]
        answers = await asyncio.gather(*calls)
    assert all(answer == answers[0] for answer in answers)
    assert books.line.changes == books.patches(tool)


async def test_a_change_that_another_process_makes_under_the_same_key_between_two_looks_is_answered_as_made(
    books: AccessBooks,
) -> None:
    async with a_process(books) as other:
        backend = ScimBackend(books.base, token=books.token, seconds=10, roles_in=books.roles_in)
        asked = other.registry.get(ROLE).arguments.model_validate({"user_id": "usr_0203", "role": "viewer"})

        async def overtaken(account: Account) -> RoleChanged:
            await other.registry.get(ROLE).call("cus_002", asked, "key-1")
            return await change_role(account, asked)

        answer = await backend.act(ROLE, "cus_002", "key-1", asked.model_dump(mode="json"), overtaken, RoleChanged)
        assert answer == await other.registry.get(ROLE).call("cus_002", asked, "key-1")
        await backend.close()
    assert books.line.changes == books.patches(ROLE)


async def test_two_requests_that_race_for_the_same_change_make_one_and_the_other_is_told(books: AccessBooks) -> None:
    async with a_process(books) as one, a_process(books) as other:
        asked = one.registry.get(ROLE).arguments.model_validate({"user_id": "usr_0203", "role": "viewer"})
        answers = await asyncio.gather(
            *(
                ledger.registry.get(ROLE).call("cus_002", asked, f"key-{number}")
                for number, ledger in enumerate((one, other))
            ),
            return_exceptions=True,
        )
    assert sorted(type(answer).__name__ for answer in answers) == ["BackendRefused", "RoleChanged"]
    assert books.line.changes == books.patches(ROLE)


@pytest.mark.parametrize("how", [(ROLE, ROLE), (ROLE, DEACTIVATE), (DEACTIVATE, DEACTIVATE)], ids=" and ".join)
async def test_of_two_administrators_who_go_at_the_same_moment_one_stays(
    books: AccessBooks, how: tuple[str, str]
) -> None:
    await books.give_role_behind_our_back("usr_0202", "admin")
    async with a_process(books) as one, a_process(books) as other:
        work = []
        for ledger, tool, user in ((one, how[0], "usr_0201"), (other, how[1], "usr_0202")):
            form, more = ledger.registry.get(tool).arguments, {"role": "member"} if tool == ROLE else {}
            work.append(
                ledger.registry.get(tool).call("cus_002", form.model_validate({"user_id": user, **more}), f"key-{user}")
            )
        answers = await asyncio.gather(*work, return_exceptions=True)
    users = await books.users()
    stayed = [user for user in ("usr_0201", "usr_0202") if users[user]["role"] == "admin" and not users[user]["locked"]]
    assert len(stayed) == 1
    for answer, tool, user in zip(answers, how, ("usr_0201", "usr_0202"), strict=True):
        assert isinstance(answer, BackendRefused) is (user in stayed)
        assert (await books.read_back(tool, "cus_002", f"key-{user}") is None) is (user in stayed)
    assert not await books.farewells()


@pytest.mark.parametrize("step", ["announcement", "decision"])
async def test_whoever_is_held_up_while_another_administrator_goes_stays(books: AccessBooks, step: str) -> None:
    await books.give_role_behind_our_back("usr_0202", "admin")
    asked = {"user_id": "usr_0202", "role": "member"}
    books.line.mishaps += [("PATCH", Mishap.PASSED)] * (step == "decision") + [("PATCH", Mishap.ON_THE_WAY)]
    held_up = asyncio.create_task(books.call(ROLE, "cus_002", "key-2", **asked))
    await asyncio.wait_for(books.line.under_way.wait(), 10)
    async with a_process(books) as other:
        tool = other.registry.get(DEACTIVATE)
        await tool.call("cus_002", tool.arguments.model_validate({"user_id": "usr_0201"}), "key-1")
    books.line.arrive.set()
    with pytest.raises(BackendRefused, match="only administrator"):
        await held_up
    users = await books.users()
    assert (users["usr_0202"]["role"], users["usr_0202"]["locked"]) == ("admin", False)
    assert users["usr_0201"]["locked"]
    assert not await books.farewells()


@pytest.mark.parametrize("roles_in", ["groups"], indirect=True)
@pytest.mark.parametrize(
    ("then", "held"),
    [
        ([], [("GET", Mishap.PASSED), ("GET", Mishap.ON_THE_WAY)]),
        ([("PATCH", Mishap.ON_THE_WAY)], []),
        ([("PATCH", Mishap.PASSED), ("PATCH", Mishap.ON_THE_WAY)], []),
        ([("PATCH", Mishap.PASSED)] * 2 + [("PATCH", Mishap.ON_THE_WAY)], []),
    ],
    ids=["looking at the groups", "joining one", "leaving the other", "closing the note"],
)
async def test_whoever_is_held_up_on_the_way_to_a_group_does_not_undo_what_came_after(
    books: AccessBooks, then: list[Any], held: list[Any]
) -> None:
    books.line.mishaps += [("PATCH", Mishap.PASSED), *then]
    books.line.after["PATCH"] = held
    held_up = asyncio.create_task(books.call(ROLE, "cus_002", "key-1", user_id="usr_0203", role="admin"))
    await asyncio.wait_for(books.line.under_way.wait(), 10)
    async with a_process(books) as other:
        tool = other.registry.get(ROLE)
        later = tool.arguments.model_validate({"user_id": "usr_0203", "role": "viewer"})
        done: Any = await tool.call("cus_002", later, "key-2")
        assert done.previous_role == "admin"
    assert await books.groups_of("usr_0203") == ["viewer"]
    before = books.line.changes
    books.line.arrive.set()
    assert (await held_up).role == "admin"
    assert await books.groups_of("usr_0203") == ["viewer"]
    assert (books.line.changes, before) == (9, 9)  # four for each, and the farewell
