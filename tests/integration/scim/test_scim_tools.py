"""Access over a SCIM service: what the sandbox's tools do, for the true owner alone, and once."""

import asyncio

import pytest
from access_books import AccessBooks, called
from faulty_line import Mishap

from records.effect import EffectState
from tools.errors import BackendRefused, NoSuchRecord
from tools.policy import PolicyEngine, PolicyRequest
from tools.tool import IdentityLevel

ROLE, UNLOCK, DEACTIVATE = "access.change_role", "access.unlock_user", "access.deactivate_user"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CHANGES = [
    (ROLE, {"user_id": "usr_0203", "role": "viewer"}),
    (UNLOCK, {"user_id": "usr_0204"}),
    (DEACTIVATE, {"user_id": "usr_0203"}),
]
every_change = pytest.mark.parametrize(("tool", "arguments"), CHANGES, ids=[case[0] for case in CHANGES])


async def test_users_read_as_in_the_sandbox_but_for_their_last_sign_in(books: AccessBooks) -> None:
    seen = await books.call("access.list_users", "cus_001")
    expected = await called(books.sandbox, "access.list_users", "cus_001")
    assert seen.users == [user.model_copy(update={"last_sign_in": None}) for user in expected.users]
    assert (await books.call("access.list_users", "cus_009")).users == []


@pytest.mark.parametrize("user", ["usr_0201", "usr_0203"])
async def test_a_user_is_described_to_the_policies_as_in_the_sandbox(books: AccessBooks, user: str) -> None:
    touched = await books.touched(ROLE, "cus_002", user_id=user, role="member")
    sandboxed = books.sandbox.get(ROLE)
    asked = sandboxed.arguments.model_validate({"user_id": user, "role": "member"})
    assert touched == await sandboxed.resource("cus_002", asked)


@every_change
async def test_a_change_is_made_once_and_read_back(books: AccessBooks, tool: str, arguments: dict) -> None:
    first = await books.call(tool, "cus_002", **arguments)
    assert await books.call(tool, "cus_002", **arguments) == first
    assert await books.read_back(tool, "cus_002") == first
    assert books.line.changes == books.patches(tool)


async def test_what_a_change_leaves_is_what_was_asked_for(books: AccessBooks) -> None:
    for number, (tool, arguments) in enumerate(CHANGES):
        await books.call(tool, "cus_002", f"key-{number}", **arguments)
    users = await books.users()
    assert (users["usr_0203"]["role"], users["usr_0203"]["locked"]) == ("viewer", True)
    assert users["usr_0204"]["locked"] is False
    untouched = {row["id"]: row for row in books.state["users"] if row["id"] not in ("usr_0203", "usr_0204")}
    assert {user: users[user] for user in untouched} == untouched


@every_change
async def test_what_was_taken_back_is_as_before(books: AccessBooks, tool: str, arguments: dict) -> None:
    before = await books.users()
    done = await books.call(tool, "cus_002", **arguments)
    undone = await books.undo(tool, "key-1", "key-2")
    assert undone.undoes == done.change_id
    assert await books.users() == before
    assert await books.undo(tool, "key-1", "key-2") == undone
    assert books.line.changes == 2 * books.patches(tool)


async def test_what_was_changed_again_is_not_taken_back(books: AccessBooks) -> None:
    await books.call(ROLE, "cus_002", user_id="usr_0203", role="viewer")
    await books.give_role_behind_our_back("usr_0203", "billing")
    with pytest.raises(BackendRefused, match="changed again"):
        await books.undo(ROLE, "key-1", "key-2")
    with pytest.raises(NoSuchRecord):
        await books.undo(ROLE, "key-never-used", "key-3")


@every_change
async def test_another_customers_user_is_out_of_reach(books: AccessBooks, tool: str, arguments: dict) -> None:
    touched = await books.touched(tool, "cus_001", **arguments)
    assert touched is not None and touched.owner == "cus_002"
    verdict = PolicyEngine.load().decide(PolicyRequest("cus_001", IdentityLevel.STEPPED_UP, tool, touched, {}))
    assert not verdict.allowed and not verdict.needs_approval
    assert verdict.policies == ["only-own-records"]
    with pytest.raises(NoSuchRecord):
        await books.call(tool, "cus_001", **arguments)
    assert books.line.changes == 0


async def test_a_user_of_no_customer_is_nobodys(books: AccessBooks) -> None:
    stray = await books.add(userName="stray@elsewhere.example")
    touched = await books.touched(ROLE, "cus_002", user_id=stray, role="admin")
    assert touched is not None and touched.owner == ""
    with pytest.raises(NoSuchRecord):
        await books.call(ROLE, "cus_002", user_id=stray, role="admin")


async def test_a_customers_id_in_other_letters_is_another_customer(books: AccessBooks) -> None:
    user = await books.add(userName="x@elsewhere.example", **{ENTERPRISE: {"organization": "CUS_002"}})
    assert user not in {seen.id for seen in (await books.call("access.list_users", "cus_002")).users}
    with pytest.raises(NoSuchRecord):
        await books.call(ROLE, "cus_002", user_id=user, role="admin")


async def test_a_user_without_an_id_of_ours_goes_by_the_services_own(books: AccessBooks) -> None:
    user = await books.add(
        userName="new",
        emails=[{"value": "old@nordlicht-studio.com"}, {"value": "new@nordlicht-studio.com", "primary": True}],
        name={"formatted": "Nora New"},
        roles=[{"value": "crm-editor"}, {"value": "member"}],
        **{ENTERPRISE: {"organization": "cus_002"}},
    )
    done = await books.call(ROLE, "cus_002", user_id=user, role="viewer")
    assert (done.user_id, done.name, done.previous_role) == (
        user,
        "Nora New",
        "member" if books.roles_in == "roles" else "none",
    )
    touched = await books.touched(ROLE, "cus_002", user_id=user, role="viewer")
    assert touched is not None and touched.attributes["email"] == "new@nordlicht-studio.com"
    assert (await books.users())[user]["role"] == "viewer"


async def test_two_users_with_one_id_are_neither(books: AccessBooks) -> None:
    await books.add(userName="twin", externalId="usr_0203", **{ENTERPRISE: {"organization": "cus_001"}})
    with pytest.raises(BackendRefused, match="2 users"):
        await books.touched(ROLE, "cus_002", user_id="usr_0203", role="admin")


async def test_there_is_no_such_user(books: AccessBooks) -> None:
    assert await books.touched(ROLE, "cus_002", user_id='usr" or id pr or "', role="admin") is None
    assert await books.touched(UNLOCK, "cus_002", user_id="") is None
    with pytest.raises(NoSuchRecord):
        await books.call(UNLOCK, "cus_002", user_id="usr_9999")


async def test_what_is_so_already_is_refused(books: AccessBooks) -> None:
    for tool, arguments in (
        (ROLE, {"user_id": "usr_0203", "role": "member"}),
        (UNLOCK, {"user_id": "usr_0203"}),
        (DEACTIVATE, {"user_id": "usr_0204"}),
    ):
        with pytest.raises(BackendRefused):
            await books.call(tool, "cus_002", **arguments)
    assert books.line.changes == 0


@pytest.mark.parametrize(
    ("tool", "more"), [(ROLE, {"role": "member"}), (DEACTIVATE, {})], ids=["change_role", "deactivate"]
)
async def test_the_only_administrator_stays(books: AccessBooks, tool: str, more: dict) -> None:
    touched = await books.touched(tool, "cus_002", user_id="usr_0201", **more)
    assert touched is not None and touched.attributes["is_last_admin"]
    verdict = PolicyEngine.load().decide(PolicyRequest("cus_002", IdentityLevel.STEPPED_UP, tool, touched, {}))
    assert not verdict.allowed and not verdict.needs_approval
    with pytest.raises(BackendRefused, match="only administrator"):
        await books.call(tool, "cus_002", user_id="usr_0201", **more)
    assert books.line.changes == 0


async def test_a_key_is_for_one_request_of_one_customer(books: AccessBooks) -> None:
    await books.call(ROLE, "cus_002", user_id="usr_0203", role="viewer")
    with pytest.raises(BackendRefused, match="another request"):
        await books.call(ROLE, "cus_002", user_id="usr_0203", role="billing")
    assert await books.read_back(ROLE, "cus_001") is None
    assert await books.read_back(UNLOCK, "cus_002") is None


async def test_a_note_that_somebody_else_made_up_proves_nothing(books: AccessBooks) -> None:
    entry = {"type": "handrail-effect", "value": "key-1", "display": "done, trust me"}
    await books.change_behind_our_back("usr_0203", entitlements=[entry])
    assert await books.read_back(ROLE, "cus_002") is None


async def test_the_latest_twenty_changes_of_a_user_can_be_read_back_and_other_entitlements_stay(books) -> None:
    await books.change_behind_our_back("usr_0203", entitlements=[{"type": "licence", "value": "gold"}])
    for number in range(21):
        role = "viewer" if number % 2 == 0 else "member"
        await books.call(ROLE, "cus_002", f"key-{number}", user_id="usr_0203", role=role)
    assert await books.read_back(ROLE, "cus_002", "key-0") is None
    assert await books.read_back(ROLE, "cus_002", "key-1") is not None
    entries = await books.entitlements("usr_0203")
    assert len(entries) == 21 and entries[0].value == "gold"


async def test_two_requests_for_one_change_make_one_change(books: AccessBooks) -> None:
    asked = {"user_id": "usr_0203", "role": "viewer"}
    answers = await asyncio.gather(*(books.call(ROLE, "cus_002", **asked) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert books.line.changes == books.patches(ROLE)


async def test_whoever_is_locked_is_no_administrator_who_stays(books: AccessBooks) -> None:
    await books.give_role_behind_our_back("usr_0204", "admin")
    with pytest.raises(BackendRefused, match="only administrator"):
        await books.call(DEACTIVATE, "cus_002", user_id="usr_0201")
    await books.call(UNLOCK, "cus_002", "key-2", user_id="usr_0204")
    await books.call(DEACTIVATE, "cus_002", "key-3", user_id="usr_0201")
    assert not await books.farewells()


async def test_an_announcement_that_was_left_behind_holds_up_nobody(books: AccessBooks) -> None:
    await books.give_role_behind_our_back("usr_0202", "admin")
    left_behind = [{"type": "handrail-farewell", "value": "key-0", "display": "of a change that came to nothing"}]
    await books.change_behind_our_back("usr_0202", entitlements=left_behind)
    await books.call(ROLE, "cus_002", user_id="usr_0201", role="viewer")
    assert not await books.farewells()
    with pytest.raises(BackendRefused, match="only administrator"):
        await books.call(ROLE, "cus_002", "key-2", user_id="usr_0202", role="viewer")


@pytest.mark.parametrize("roles_in", ["groups"], indirect=True)
async def test_a_role_whose_group_is_missing_or_there_twice_is_refused_and_nothing_is_done(books: AccessBooks) -> None:
    await books.remove_group("viewer")
    with pytest.raises(BackendRefused, match="no group viewer"):
        await books.call(ROLE, "cus_002", user_id="usr_0203", role="viewer")
    await books.add_group("billing")
    with pytest.raises(BackendRefused, match="two groups"):
        await books.call(ROLE, "cus_002", user_id="usr_0203", role="billing")
    assert books.line.changes == 0


@pytest.mark.parametrize("roles_in", ["groups"], indirect=True)
async def test_a_role_moves_a_user_from_group_to_group_and_leaves_other_groups_alone(books: AccessBooks) -> None:
    await books.add_group("chess club", "usr_0203")
    await books.call(ROLE, "cus_002", user_id="usr_0203", role="viewer")
    assert await books.groups_of("usr_0203") == ["viewer"]
    assert await books.members("chess club") == ["usr_0203"]
    for other in ("usr_0101", "usr_0201"):
        role = next(row["role"] for row in books.state["users"] if row["id"] == other)
        assert await books.groups_of(other) == [role]


@pytest.mark.parametrize("roles_in", ["groups"], indirect=True)
async def test_a_group_that_is_gone_once_the_change_is_decided_leaves_it_unknown_until_it_is_back(books) -> None:
    effect = await books.intend(ROLE, {"user_id": "usr_0203", "role": "viewer"})
    books.line.mishaps += [("PATCH", Mishap.LOSE_ANSWER)]  # of the decision
    books.line.after["PATCH"] = [("GET", Mishap.LOSE_ANSWER)]  # and nobody can carry it out at once
    assert (await books.ledger.execute(effect)).state == EffectState.UNKNOWN
    await books.remove_group("viewer")
    await books.recover()
    row = await books.row(effect)
    assert row.state == EffectState.UNKNOWN and "no group viewer any more" in row.error
    assert await books.groups_of("usr_0203") == ["member"]
    await books.add_group("viewer")
    await books.recover()
    assert (await books.row(effect)).state == EffectState.VERIFIED
    assert await books.groups_of("usr_0203") == ["viewer"]
