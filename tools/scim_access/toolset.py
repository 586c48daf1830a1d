"""The access tools over a SCIM service, under the names and with the arguments of the sandbox's.

What a tool is called, takes, answers, costs and offers is the sandbox's own description, so procedures and policies
work unchanged. A link for a new password is not among them: SCIM sends nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from tools.sandbox.access import RoleChanged, UserUnlocked, WhichUser
from tools.sandbox.changes import ChangeUndone
from tools.scim_access import access
from tools.scim_access.backend import Account, ScimBackend
from tools.tool import Effect, IdentityLevel, Resource, Result, Tool

R = TypeVar("R", bound=Result)
Do = Callable[[Account, Any], Awaitable[R]]


def scim_access_tools(backend: ScimBackend, described: dict[str, Tool]) -> list[Tool]:
    """The tools that the SCIM service serves; `described` are the sandbox's by name, for what they say.

    `access.list_users` keeps the sandbox's look-up of the customer's account, which is no matter of SCIM.
    """

    async def listed(customer_id: str, given: Any, _key: str) -> Result:
        return await backend.ask(customer_id, lambda account: access.list_users(account, given))

    return [
        replace(described["access.list_users"], call=listed),
        _effect(backend, described[access.CHANGE_ROLE], access.change_role, RoleChanged),
        _effect(backend, described[access.UNLOCK], access.unlock_user, UserUnlocked),
        _effect(backend, _deactivation(), access.deactivate_user, access.UserDeactivated),
    ]


def _effect(backend: ScimBackend, tool: Tool, do: Do[R], result: type[R]) -> Tool:
    """A described effect over the SCIM service, with its read-back and its undoing."""
    name, effect = tool.name, tool.effect
    assert effect is not None

    async def call(customer_id: str, given: Any, key: str) -> Result:
        asked = given.model_dump(mode="json")
        return await backend.act(name, customer_id, key, asked, lambda account: do(account, given), result)

    async def read_back(customer_id: str, key: str) -> Result | None:
        return await backend.find(name, customer_id, key, result)

    async def undo(customer_id: str, key: str, undo_key: str) -> Result:
        operation, asked = f"{name}{access.UNDO}", {"undoes": key}
        taken: Callable[[Account], Awaitable[ChangeUndone]] = lambda account: access.take_back(account, name, key)  # noqa: E731
        return await backend.act(operation, customer_id, undo_key, asked, taken, ChangeUndone)

    async def resource(customer_id: str, given: Any) -> Resource | None:
        return await backend.ask(customer_id, lambda account: access.user_resource(account, given))

    return replace(
        tool, call=call, resource=resource, effect=replace(effect, read_back=read_back, reversible=True, undo=undo)
    )


async def _nowhere(*_: Any) -> Any:
    raise NotImplementedError("a description stands over no backend")


def _deactivation() -> Tool:
    """What the sandbox has no tool for."""
    return Tool(
        name=access.DEACTIVATE,
        summary="Let a user no longer sign in, as when they have left the company.",
        status="Deactivating the user",
        scope="access:write",
        arguments=WhichUser,
        result=access.UserDeactivated,
        call=_nowhere,
        resource=_nowhere,
        level=IdentityLevel.VERIFIED,
        steering=frozenset({"user_id"}),
        effect=Effect(
            kind="access",
            read_back=_nowhere,
            offer="deactivate {{resource.attributes.name}} ({{resource.attributes.email}}) so that they can no longer "
            "sign in",
            fixed_loss_minor=10_000,
        ),
    )
