"""What is read and changed at the SCIM service: users, their role, and whether they may sign in.

A role is the one of our four that stands among the user's `roles`, or in whose group they are; roles of other systems
beside it are left alone. SCIM knows no lock: whoever is not `active` counts as locked.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from scim2_models import PatchOperation, PreconditionFailedException

from tools.errors import BackendRefused, BackendUnavailable, NoSuchRecord
from tools.sandbox.access import RoleChange, RoleChanged, Users, UserSeen, UserUnlocked
from tools.sandbox.changes import ChangeUndone
from tools.scim_access.backend import Account, id_of, owner_of
from tools.scim_access.notes import (
    Note,
    entitlements_with,
    farewell_of,
    replacing,
    with_farewell,
    without_farewell,
)
from tools.scim_access.roles import ADMIN, ROLES, Person, with_role
from tools.stripe_billing.notes import name_from
from tools.tool import Resource, Result
from tools.values import ChangeId, EmailAddress, PersonName, UserId

CHANGE_ROLE = "access.change_role"
UNLOCK = "access.unlock_user"
DEACTIVATE = "access.deactivate_user"
UNDO = ".undo"
ONLY_ADMINISTRATOR = "this is the only administrator; somebody else must become one first"
LOOKS = 5
"""How often it is looked whether another administrator stays."""
COURTESY = 0.5
"""Seconds that another change which wants to take an administrator away is given to end."""


@dataclass(frozen=True)
class Wish:
    """What a user shall be: a role or whether they may sign in."""

    role: str | None = None
    active: bool | None = None

    @property
    def takes_admin_away(self) -> bool:
        """Whether an administrator to whom this happens can act as one no longer."""
        return self.active is False or self.role not in (None, ADMIN)


class UserDeactivated(Result):
    """A user who can no longer sign in."""

    change_id: ChangeId
    user_id: UserId
    name: PersonName
    email: EmailAddress


async def list_users(account: Account, _arguments: Any) -> Users:
    """Everybody with access."""
    people = await account.users()
    return Users(
        users=[
            UserSeen(
                id=id_of(person),
                name=name_of(person),
                email=email_of(person),
                role=role,
                locked=locked(person),
                last_sign_in=None,  # SCIM does not tell
            )
            for person, role in zip(people, await account.roles_of(people), strict=True)
        ]
    )


async def user_resource(account: Account, arguments: Any) -> Resource | None:
    """The user that a call touches, with their true owner."""
    person = await account.anyones_user(arguments.user_id)
    if person is None:
        return None
    [role] = await account.roles_of([person])
    attributes: dict[str, Any] = {
        "role": role,
        "locked": locked(person),
        "is_last_admin": role == ADMIN and not await account.admins_beside(person),
        "name": name_of(person),
        "email": email_of(person),
    }
    if isinstance(arguments, RoleChange):
        attributes["requested_role"] = arguments.role
    return Resource("User", id_of(person), owner_of(person), attributes)


async def change_role(account: Account, arguments: RoleChange) -> RoleChanged:
    """Give a user another role."""
    person = await account.finish(await account.user(arguments.user_id))
    [previous] = await account.roles_of([person])
    if previous == arguments.role:
        raise BackendRefused(f"this user already has the role {previous}")
    done = RoleChanged(
        change_id=name_from("chg", account.key),
        user_id=id_of(person),
        name=name_of(person),
        previous_role=previous,
        role=arguments.role,
    )
    await _carry_out(account, person, CHANGE_ROLE, Wish(role=arguments.role), done)
    return done


async def unlock_user(account: Account, arguments: Any) -> UserUnlocked:
    """Let a locked user sign in again."""
    person = await account.finish(await account.user(arguments.user_id))
    if not locked(person):
        raise BackendRefused("this user is not locked")
    done = UserUnlocked(
        change_id=name_from("chg", account.key), user_id=id_of(person), name=name_of(person), locked=False
    )
    await _carry_out(account, person, UNLOCK, Wish(active=True), done)
    return done


async def deactivate_user(account: Account, arguments: Any) -> UserDeactivated:
    """Let a user no longer sign in."""
    person = await account.finish(await account.user(arguments.user_id))
    if locked(person):
        raise BackendRefused("this user cannot sign in as it is")
    done = UserDeactivated(
        change_id=name_from("chg", account.key), user_id=id_of(person), name=name_of(person), email=email_of(person)
    )
    await _carry_out(account, person, DEACTIVATE, Wish(active=False), done)
    return done


async def take_back(account: Account, tool: str, key: str) -> ChangeUndone:
    """Put back what stood before a change. Raises `BackendRefused` where the user has been changed again since."""
    found = await account.noted(key)
    if found is None or found[1].tool != tool:
        raise NoSuchRecord("nothing was done under this key")
    person, note = await account.finish(found[0]), found[1]
    before = _before(person, note, *await account.roles_of([person]))
    if before is None:
        raise BackendRefused("it has been changed again since, so it cannot be taken back")
    done = ChangeUndone(change_id=name_from("chg", account.key), undoes=note.answer["change_id"])
    await _carry_out(account, person, f"{tool}{UNDO}", before, done)
    return done


def locked(person: Person) -> bool:
    """Whether the user cannot sign in. A service that does not say lets them."""
    return person.active is False


def name_of(person: Person) -> str:
    """What the user is called."""
    whole = person.name.formatted if person.name is not None else None
    return person.display_name or whole or person.user_name or ""


def email_of(person: Person) -> str:
    """The user's first address: the primary one, else any, else the name by which they sign in."""
    addresses = sorted(person.emails or [], key=lambda address: not address.primary)
    return next((address.value for address in addresses if address.value), person.user_name or "")


def _before(person: Person, note: Note, role: str) -> Wish | None:
    """What the user was before a change; None where the change does not stand any more."""
    if note.tool == CHANGE_ROLE:
        return Wish(role=note.answer["previous_role"]) if role == note.answer["role"] else None
    deactivated = note.tool == DEACTIVATE
    return Wish(active=deactivated) if locked(person) is deactivated else None


async def _carry_out(account: Account, person: Person, tool: str, wish: Wish, done: Result) -> None:
    """Make a user what is wished, and leave the note of it. Raises `BackendRefused` where nobody administers then.

    One PATCH decides. Where roles are groups, these are changed after it, by this process or whoever finds the note.
    """
    in_groups = account.roles_in == "groups" and wish.role is not None
    if in_groups and wish.role in ROLES and wish.role not in await account.role_groups():
        raise BackendRefused(f"the SCIM service has no group {wish.role}")
    if wish.takes_admin_away and await account.roles_of([person]) == [ADMIN]:
        person = await _bidding_farewell(account, person)
    operations: list[PatchOperation[Any]] = [
        entitlements_with(
            person,
            account.key,
            tool,
            account.request,
            done.model_dump(mode="json"),
            moving_to=wish.role if in_groups else None,
        )
    ]
    if wish.role is not None and not in_groups:
        operations.append(with_role(person, wish.role))
    if wish.active is not None:
        operations.append(replacing("active", wish.active))
    await account.change(person, operations)
    if in_groups:
        await account.finish(await account.again(person))


async def _bidding_farewell(account: Account, person: Person) -> Person:
    """The user in a version in which they may stop being an administrator, since another one stays.

    Versions are of one user, so two administrators who go at the same moment could each see the other. Hence whoever is
    to go is announced first, then it is looked who stays, and only the version with the announcement is changed. Who is
    announced themselves does not count as one who stays. Of any two, one was announced before the other looked; so they
    never both go, however late either is and wherever a process ends.

    Taking an announcement away holds its change up and never lets one through, so those that were left behind are
    harmless. Raises `BackendRefused` where nobody else stays.
    """
    if farewell_of(person) != account.key:  # else a process that is gone has announced it
        if not await account.admins_beside(person):
            raise BackendRefused(ONLY_ADMINISTRATOR)
        await account.change(person, [with_farewell(person, account.key)])
        person = await account.again(person)
    others: list[Person] = []
    for look in range(LOOKS):
        if farewell_of(person) != account.key:
            raise PreconditionFailedException  # another change took the announcement away: begin anew
        others = await account.admins_beside(person)
        if any(farewell_of(other) is None for other in others):
            return person
        if not others:
            break
        if look == 0 and min(farewell_of(other) or "" for other in others) < account.key:
            await asyncio.sleep(COURTESY)
            continue
        for other in others:
            await account.change(other, [without_farewell(other)])
    await account.change(person, [without_farewell(person)])
    if others:
        raise BackendUnavailable("other administrators are being taken away at the same moment")
    raise BackendRefused(ONLY_ADMINISTRATOR)
