"""What is read and changed at the SCIM service: users, their role, and whether they may sign in.

A user's role is the one of our four that stands among their `roles`; roles of other systems beside it are left alone.
SCIM knows no lock: whoever is not `active` counts as locked.
"""

from typing import Any, TypeVar

from scim2_models import PatchOperation, Role

from tools.errors import BackendRefused, NoSuchRecord
from tools.sandbox.access import RoleChange, RoleChanged, Users, UserSeen, UserUnlocked
from tools.sandbox.changes import ChangeUndone
from tools.scim_access.backend import Account, Person, id_of, owner_of
from tools.scim_access.notes import Note, entitlements_with, entitlements_without, replacing
from tools.stripe_billing.notes import name_from
from tools.tool import Resource, Result
from tools.values import ChangeId, EmailAddress, PersonName, UserId

CHANGE_ROLE = "access.change_role"
UNLOCK = "access.unlock_user"
DEACTIVATE = "access.deactivate_user"
UNDO = ".undo"
ROLES = ("admin", "billing", "member", "viewer")
"""Our roles, most powerful first: who has several counts as the first."""
NO_ROLE = "none"
ONLY_ADMINISTRATOR = "this is the only administrator; somebody else must become one first"

R = TypeVar("R", bound=Result)


class UserDeactivated(Result):
    """A user who can no longer sign in."""

    change_id: ChangeId
    user_id: UserId
    name: PersonName
    email: EmailAddress


async def list_users(account: Account, _arguments: Any) -> Users:
    """Everybody with access."""
    return Users(
        users=[
            UserSeen(
                id=id_of(person),
                name=name_of(person),
                email=email_of(person),
                role=role_of(person),
                locked=locked(person),
                last_sign_in=None,  # SCIM does not tell
            )
            for person in await account.users()
        ]
    )


async def user_resource(account: Account, arguments: Any) -> Resource | None:
    """The user that a call touches, with their true owner."""
    person = await account.anyones_user(arguments.user_id)
    if person is None:
        return None
    attributes: dict[str, Any] = {
        "role": role_of(person),
        "locked": locked(person),
        "is_last_admin": role_of(person) == "admin" and not await _other_admins(account, person),
        "name": name_of(person),
        "email": email_of(person),
    }
    if isinstance(arguments, RoleChange):
        attributes["requested_role"] = arguments.role
    return Resource("User", id_of(person), owner_of(person), attributes)


async def change_role(account: Account, arguments: RoleChange) -> RoleChanged:
    """Give a user another role."""
    person = await account.user(arguments.user_id)
    previous = role_of(person)
    if previous == arguments.role:
        raise BackendRefused(f"this user already has the role {previous}")
    done = RoleChanged(
        change_id=name_from("chg", account.key),
        user_id=id_of(person),
        name=name_of(person),
        previous_role=previous,
        role=arguments.role,
    )
    await _keeping_an_admin(account, person, CHANGE_ROLE, _roles(person, arguments.role), done)
    return done


async def unlock_user(account: Account, arguments: Any) -> UserUnlocked:
    """Let a locked user sign in again."""
    person = await account.user(arguments.user_id)
    if not locked(person):
        raise BackendRefused("this user is not locked")
    done = UserUnlocked(
        change_id=name_from("chg", account.key), user_id=id_of(person), name=name_of(person), locked=False
    )
    await account.change(person, [_active(True), _note(account, person, UNLOCK, done)])
    return done


async def deactivate_user(account: Account, arguments: Any) -> UserDeactivated:
    """Let a user no longer sign in."""
    person = await account.user(arguments.user_id)
    if locked(person):
        raise BackendRefused("this user cannot sign in as it is")
    done = UserDeactivated(
        change_id=name_from("chg", account.key), user_id=id_of(person), name=name_of(person), email=email_of(person)
    )
    await _keeping_an_admin(account, person, DEACTIVATE, _active(False), done)
    return done


async def take_back(account: Account, tool: str, key: str) -> ChangeUndone:
    """Put back what stood before a change. Raises `BackendRefused` where the user has been changed again since."""
    found = await account.noted(key)
    if found is None or found[1].tool != tool:
        raise NoSuchRecord("nothing was done under this key")
    person, note = found
    before = _before(person, note)
    if before is None:
        raise BackendRefused("it has been changed again since, so it cannot be taken back")
    done = ChangeUndone(change_id=name_from("chg", account.key), undoes=note.answer["change_id"])
    await _keeping_an_admin(account, person, f"{tool}{UNDO}", before, done)
    return done


def role_of(person: Person) -> str:
    """The user's role with us; "none" where they have none of ours."""
    held = {role.value for role in person.roles or []}
    return next((role for role in ROLES if role in held), NO_ROLE)


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


def _before(person: Person, note: Note) -> PatchOperation[Any] | None:
    """The operation that puts back what stood before a change; None where the change does not stand any more."""
    if note.tool == CHANGE_ROLE:
        stands, before = note.answer["role"], note.answer["previous_role"]
        return _roles(person, before) if role_of(person) == stands else None
    wanted = note.tool == DEACTIVATE
    return _active(wanted) if locked(person) is wanted else None


async def _keeping_an_admin(
    account: Account, person: Person, tool: str, operation: PatchOperation[Any], done: Result
) -> None:
    """Change a user unless that leaves the customer without an administrator. Raises `BackendRefused` then.

    Versions are of one user. So that two administrators who are changed at the same moment in two processes do not both
    go, it is looked again afterwards, and what left nobody is put back.
    """
    was_admin = role_of(person) == "admin"
    if was_admin and not await _other_admins(account, person):
        raise BackendRefused(ONLY_ADMINISTRATOR)
    await account.change(person, [operation, _note(account, person, tool, done)])
    if was_admin and not await _other_admins(account, person):
        changed = await account.user(id_of(person))
        if role_of(changed) == "admin" and not locked(changed):
            return
        await account.change(
            changed,
            [_roles(changed, "admin"), _active(not locked(person)), entitlements_without(changed, account.key)],
        )
        raise BackendRefused(ONLY_ADMINISTRATOR)


async def _other_admins(account: Account, person: Person) -> list[Person]:
    """The other administrators of the customer whose user this is."""
    people = await account.users(owner_of(person))
    return [other for other in people if role_of(other) == "admin" and id_of(other) != id_of(person)]


def _roles(person: Person, role: str) -> PatchOperation[Any]:
    others = [held for held in person.roles or [] if held.value not in ROLES]
    ours = [] if role == NO_ROLE else [Role(value=role)]
    return replacing("roles", [*others, *ours])


def _active(active: bool) -> PatchOperation[Any]:
    return replacing("active", active)


def _note(account: Account, person: Person, tool: str, done: Result) -> PatchOperation[Any]:
    return entitlements_with(person, account.key, tool, account.request, done.model_dump(mode="json"))
