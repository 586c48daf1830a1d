"""Turns plain functions over an `Account` into tools: what every tool of the sandbox has in common."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.tables import Answered
from tools.tool import Arguments, Effect, EffectKind, IdentityLevel, Resource, Result, Tool

R = TypeVar("R", bound=Result)
FindResource = Callable[[Account, Any], Awaitable[Resource | None]]
Amount = Callable[[Any, Resource], tuple[int, str] | None]
Undo = Callable[[Account, str], Awaitable[tuple[Answered, R]]]


class NoArguments(Arguments):
    """A tool that needs to be told nothing: it is about the customer who writes."""


async def account_resource(account: Account, _arguments: Any) -> Resource:
    """The customer's account as a whole, for reads."""
    customer = await account.customer()
    return Resource("Account", customer.id, customer.id, {"plan": customer.plan, "status": customer.status})


def read_tool(
    backend: SandboxBackend,
    name: str,
    result: type[R],
    answer: Callable[[Account, Any], Awaitable[R]],
    *,
    summary: str,
    status: str,
    arguments: type[Arguments] = NoArguments,
    resource: FindResource = account_resource,
    level: IdentityLevel = IdentityLevel.VERIFIED,
) -> Tool:
    """A tool that looks something up."""

    async def call(customer_id: str, given: Any, _key: str) -> Result:
        return await backend.ask(name, customer_id, lambda account: answer(account, given))

    return Tool(
        name=name,
        summary=summary,
        status=status,
        scope=f"{name.partition('.')[0]}:read",
        arguments=arguments,
        result=result,
        call=call,
        resource=_lookup(backend, name, resource),
        level=level,
    )


def effect_tool(
    backend: SandboxBackend,
    name: str,
    result: type[R],
    act: Callable[[Account, Any], Awaitable[tuple[Answered, R]]],
    *,
    summary: str,
    status: str,
    resource: FindResource,
    kind: EffectKind,
    offer: str,
    fixed_loss_minor: int,
    arguments: type[Arguments] = NoArguments,
    steering: frozenset[str] = frozenset(),
    consent: bool = True,
    sends: bool = False,
    amount: Amount = lambda arguments, resource: None,
    undo: tuple[type[Result], Undo[Any]] | None = None,
    lesser_loss: Callable[[Any, Resource], int] | None = None,
) -> Tool:
    """A tool that changes something; `undo` gives the result of the undoing and how it is done."""

    async def call(customer_id: str, given: Any, key: str) -> Result:
        asked = given.model_dump(mode="json")
        return await backend.act(name, customer_id, key, asked, lambda account: act(account, given), result)

    async def read_back(customer_id: str, key: str) -> Result | None:
        return await backend.find(name, customer_id, key, result)

    async def take_back(customer_id: str, key: str, undo_key: str) -> Result:
        assert undo is not None
        undone, how = undo
        operation, asked = f"{name}.undo", {"undoes": key}
        return await backend.act(operation, customer_id, undo_key, asked, lambda account: how(account, key), undone)

    return Tool(
        name=name,
        summary=summary,
        status=status,
        scope=f"{name.partition('.')[0]}:write",
        arguments=arguments,
        result=result,
        call=call,
        resource=_lookup(backend, name, resource),
        steering=steering,
        effect=Effect(
            kind=kind,
            read_back=read_back,
            offer=offer,
            consent=consent,
            sends=sends,
            reversible=undo is not None,
            undo=take_back if undo else None,
            amount=amount,
            fixed_loss_minor=fixed_loss_minor,
            lesser_loss=lesser_loss,
        ),
    )


def _lookup(
    backend: SandboxBackend, name: str, resource: FindResource
) -> Callable[[str, Any], Awaitable[Resource | None]]:
    async def lookup(customer_id: str, given: Any) -> Resource | None:
        return await backend.ask(f"{name}.resource", customer_id, lambda account: resource(account, given))

    return lookup
