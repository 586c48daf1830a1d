"""Who may enter the customer's console, and as what."""

from typing import Annotated, Any, Literal

from tools.errors import BackendRefused
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.changes import ChangeUndone, change, undo_change
from tools.sandbox.tables import Change, MessageSent, User
from tools.sandbox.wiring import effect_tool, read_tool
from tools.tool import Arguments, Resource, Result, Tool
from tools.values import ChangeId, EmailAddress, IsoTime, Kind, PersonName, RoleName, UserId

Role = Annotated[Literal["member", "admin", "billing", "viewer"], Kind("role")]
LOSS_OF_ROLE = {"viewer": 1_000, "member": 3_000, "billing": 10_000, "admin": 20_000}
"""What it costs that the wrong user gets a role, in minor units: what the role opens, until somebody takes it back."""


class UserSeen(Result):
    """One person with access."""

    id: UserId
    name: PersonName
    email: EmailAddress
    role: RoleName
    locked: bool
    last_sign_in: IsoTime | None


class Users(Result):
    """Everybody with access."""

    users: list[UserSeen]


class WhichUser(Arguments):
    """Names one user."""

    user_id: UserId


class RoleChange(Arguments):
    """Names a user and the role that they shall have."""

    user_id: UserId
    role: Role


class RoleChanged(Result):
    """A role that was changed."""

    change_id: ChangeId
    user_id: UserId
    name: PersonName
    previous_role: RoleName
    role: RoleName


class PasswordResetSent(Result):
    """A link for a new password, sent to the user's own address on record."""

    user_id: UserId
    name: PersonName
    sent_to: EmailAddress


class UserUnlocked(Result):
    """A user who may sign in again."""

    change_id: ChangeId
    user_id: UserId
    name: PersonName
    locked: bool


def access_tools(backend: SandboxBackend) -> list[Tool]:
    """Reads and changes of users, roles and locks."""
    return [
        read_tool(
            backend,
            "access.list_users",
            Users,
            _list_users,
            summary="Everybody with access to the console, with role and whether they are locked out.",
            status="Looking at your users",
        ),
        effect_tool(
            backend,
            "access.change_role",
            RoleChanged,
            _change_role,
            arguments=RoleChange,
            resource=_user_resource,
            steering=frozenset({"user_id", "role"}),
            summary="Give a user another role: member, admin, billing or viewer.",
            status="Changing the role",
            kind="access",
            offer="change the role of {{resource.attributes.name}} ({{resource.attributes.email}}) from "
            "{{resource.attributes.role}} to {{args.role}}",
            fixed_loss_minor=max(LOSS_OF_ROLE.values()),
            lesser_loss=lambda change, user: LOSS_OF_ROLE[change.role],
            undo=(ChangeUndone, undo_change),
        ),
        effect_tool(
            backend,
            "access.send_password_reset",
            PasswordResetSent,
            _send_password_reset,
            arguments=WhichUser,
            resource=_user_resource,
            steering=frozenset({"user_id"}),
            summary="Send a user a link for a new password, to their address on record.",
            status="Sending the link",
            kind="access",
            offer="send {{resource.attributes.name}} a link for a new password to {{resource.attributes.email}}",
            sends=True,
            fixed_loss_minor=500,
        ),
        effect_tool(
            backend,
            "access.unlock_user",
            UserUnlocked,
            _unlock_user,
            arguments=WhichUser,
            resource=_user_resource,
            steering=frozenset({"user_id"}),
            summary="Let a locked user sign in again.",
            status="Unlocking the user",
            kind="access",
            offer="unlock {{resource.attributes.name}} ({{resource.attributes.email}}) so that they can sign in again",
            fixed_loss_minor=3_000,
            undo=(ChangeUndone, undo_change),
        ),
    ]


async def _user_resource(account: Account, arguments: Any) -> Resource | None:
    user = await account.anyones(User, arguments.user_id)
    if user is None:
        return None
    attributes: dict[str, Any] = {
        "role": user.role,
        "locked": user.locked,
        "is_last_admin": user.role == "admin" and await _is_only_admin(account, user),
        "name": user.name,
        "email": user.email,
    }
    if isinstance(arguments, RoleChange):
        attributes["requested_role"] = arguments.role
    return Resource("User", user.id, user.customer_id, attributes)


async def _is_only_admin(account: Account, user: User) -> bool:
    others = Account(account.session, user.customer_id, account.now)
    return not any(other.role == "admin" and other.id != user.id for other in await others.all(User))


async def _list_users(account: Account, _arguments: Any) -> Users:
    return Users(
        users=[
            UserSeen(
                id=user.id,
                name=user.name,
                email=user.email,
                role=user.role,
                locked=user.locked,
                last_sign_in=user.last_sign_in.isoformat() if user.last_sign_in else None,
            )
            for user in await account.all(User)
        ]
    )


async def _change_role(account: Account, arguments: RoleChange) -> tuple[Change, RoleChanged]:
    user = await account.get(User, arguments.user_id)
    previous = user.role
    if previous == arguments.role:
        raise BackendRefused(f"this user already has the role {previous}")
    if previous == "admin" and await _is_only_admin(account, user):
        raise BackendRefused("this is the only administrator; somebody else must become one first")
    made = await change(account, "user.role", user, role=arguments.role)
    return made, RoleChanged(
        change_id=made.id, user_id=user.id, name=user.name, previous_role=previous, role=arguments.role
    )


async def _send_password_reset(account: Account, arguments: WhichUser) -> tuple[MessageSent, PasswordResetSent]:
    user = await account.get(User, arguments.user_id)
    message = MessageSent(
        id=account.new_id("msg"),
        customer_id=account.customer_id,
        created_at=account.now,
        kind="password_reset",
        sent_to=user.email,
        about=user.id,
        link=f"https://console.larkspur.example/reset/{account.new_id('rst')}",
    )
    return message, PasswordResetSent(user_id=user.id, name=user.name, sent_to=user.email)


async def _unlock_user(account: Account, arguments: WhichUser) -> tuple[Change, UserUnlocked]:
    user = await account.get(User, arguments.user_id)
    if not user.locked:
        raise BackendRefused("this user is not locked")
    made = await change(account, "user.locked", user, locked=False)
    return made, UserUnlocked(change_id=made.id, user_id=user.id, name=user.name, locked=user.locked)
