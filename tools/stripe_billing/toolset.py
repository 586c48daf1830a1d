"""The billing tools over a Stripe account, under the names and with the arguments of the sandbox's.

What a tool is called, takes, answers, costs and offers is the sandbox's own description, so procedures and policies
work unchanged; only where it looks and what it does is Stripe's.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar, cast

from records.clock import Clock, system_clock
from tools.errors import NoSuchRecord
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.billing import billing_tools
from tools.stripe_billing import invoices
from tools.stripe_billing import subscription as subscriptions
from tools.stripe_billing.backend import Account, Act, Find, StripeBackend
from tools.stripe_billing.subscription import (
    SeatsUsed,
    Subscriptions,
    cancellation_found,
    held_by,
    plan_changed_found,
    seats_added_found,
    seats_removed_found,
)
from tools.tool import Resource, Result, Tool

R = TypeVar("R", bound=Result)
FindResource = Callable[[Account, Any], Awaitable[Resource | None]]
Answer = Callable[[Account, Any], Awaitable[R]]


def stripe_billing_tools(
    api_key: str,
    *,
    base_url: str | None = None,
    seconds: float = 20.0,
    clock: Clock = system_clock,
    seats_used: SeatsUsed | None = None,
) -> list[Tool]:
    """The tools that Stripe serves, ready for a `ToolRegistry`.

    `seconds` limits one call of a tool; `base_url` is for test servers. `seats_used` tells how many seats of a customer
    people hold; without it every seat counts as in use, and none can be removed.
    """
    return tools_over(StripeBackend(api_key, base_url=base_url, seconds=seconds, clock=clock), seats_used)


def tools_over(backend: StripeBackend, seats_used: SeatsUsed | None = None) -> list[Tool]:
    """The same over a backend that the caller closes."""
    held = Subscriptions(seats_used)

    async def invoice(account: Account, arguments: Any) -> Resource | None:
        return await invoices.invoice_resource(backend, account, arguments)

    return [
        _read(backend, "billing.list_invoices", invoices.list_invoices),
        _read(backend, "billing.get_invoice", invoices.get_invoice, invoice),
        _read(backend, "billing.find_duplicates", invoices.find_duplicates),
        _read(backend, "billing.list_payment_methods", invoices.list_payment_methods),
        _read(backend, "billing.get_subscription", held.get),
        _read(backend, "billing.list_plans", held.list_plans),
        _read(backend, "billing.preview_plan_change", held.preview_plan),
        _read(backend, "billing.preview_seats", held.preview_seats),
        _effect(backend, "billing.refund", invoices.refund, invoices.refund_found, invoice),
        _effect(backend, invoices.SEND, invoices.send_invoice_copy, invoices.invoice_copy_found, invoice),
        _change(backend, held, subscriptions.CHANGE_PLAN, held.change_plan, plan_changed_found, held.plan_resource),
        _change(backend, held, subscriptions.ADD_SEATS, held.add_seats, seats_added_found, held.more_seats_resource),
        _change(
            backend, held, subscriptions.REMOVE_SEATS, held.remove_seats, seats_removed_found, held.fewer_seats_resource
        ),
        _change(backend, held, subscriptions.CANCEL, held.cancel, cancellation_found, held.resource),
    ]


@cache
def described() -> dict[str, Tool]:
    """The sandbox's billing tools by name, for what they say; they stand over no backend and are never called."""
    return {tool.name: tool for tool in billing_tools(cast(SandboxBackend, None))}


async def _account_resource(account: Account, _arguments: Any) -> Resource:
    """The customer's account as a whole, for reads."""
    try:
        held = await held_by(account)
        attributes = {"plan": held.plan, "status": held.status}
    except NoSuchRecord:
        attributes = {"plan": "", "status": "cancelled"}
    return Resource("Account", account.customer_id, account.customer_id, attributes)


def _read(backend: StripeBackend, name: str, answer: Answer[R], resource: FindResource = _account_resource) -> Tool:
    async def call(customer_id: str, given: Any, _key: str) -> Result:
        return await backend.ask(customer_id, lambda account: answer(account, given))

    return replace(described()[name], call=call, resource=_lookup(backend, resource))


def _effect(backend: StripeBackend, name: str, do: Answer[R], find: Find[R], resource: FindResource) -> Tool:
    """An effect with its read-back, which cannot be taken back."""
    tool = described()[name]
    assert tool.effect is not None

    async def call(customer_id: str, given: Any, key: str) -> Result:
        act: Act[R] = lambda account: do(account, given)  # noqa: E731
        return await backend.act(name, customer_id, key, given.model_dump(mode="json"), act, find)

    async def read_back(customer_id: str, key: str) -> Result | None:
        return await backend.find(customer_id, key, find)

    effect = replace(tool.effect, read_back=read_back, reversible=False, undo=None)
    return replace(tool, call=call, resource=_lookup(backend, resource), effect=effect)


def _change(
    backend: StripeBackend, held: Subscriptions, name: str, do: Answer[R], find: Find[R], resource: FindResource
) -> Tool:
    """A change of the subscription, which can be taken back."""
    tool = _effect(backend, name, do, find, resource)
    assert tool.effect is not None

    async def undo(customer_id: str, key: str, undo_key: str) -> Result:
        operation, asked = f"{name}{subscriptions.UNDO}", {"undoes": key}
        return await backend.act(
            operation,
            customer_id,
            undo_key,
            asked,
            lambda account: held.take_back(account, name, key),
            subscriptions.undone_found(name),
        )

    return replace(tool, effect=replace(tool.effect, reversible=True, undo=undo))


def _lookup(backend: StripeBackend, resource: FindResource) -> Callable[[str, Any], Awaitable[Resource | None]]:
    async def lookup(customer_id: str, given: Any) -> Resource | None:
        return await backend.ask(customer_id, lambda account: resource(account, given))

    return lookup
