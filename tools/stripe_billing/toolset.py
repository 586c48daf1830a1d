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
from tools.sandbox.contracts import Sla, contracts_tools
from tools.stripe_billing import credits, invoices, portal, staying
from tools.stripe_billing import subscription as subscriptions
from tools.stripe_billing.backend import Account, Act, Find, StripeBackend
from tools.stripe_billing.held import held_by
from tools.stripe_billing.sides import SEND_LINK, Post, Sides
from tools.stripe_billing.subscription import (
    Subscriptions,
    cancellation_found,
    offer_found,
    offer_undone_found,
    plan_changed_found,
    seats_added_found,
    seats_removed_found,
)
from tools.tool import Resource, Result, Tool

R = TypeVar("R", bound=Result)
FindResource = Callable[[Account, Any], Awaitable[Resource | None]]
Answer = Callable[[Account, Any], Awaitable[R]]
Undo = Callable[[Account, str], Awaitable[R]]
"""``(account with the key of the undoing, original key) -> result``."""


def stripe_billing_tools(
    api_key: str,
    *,
    base_url: str | None = None,
    seconds: float = 20.0,
    clock: Clock = system_clock,
    sides: Sides | None = None,
) -> list[Tool]:
    """The tools that Stripe serves, ready for a `ToolRegistry`.

    `seconds` limits one call of a tool; `base_url` is for test servers. `sides` are the systems that know what Stripe
    does not; without them no seat can be removed, no uptime credited and no link sent.
    """
    return tools_over(StripeBackend(api_key, base_url=base_url, seconds=seconds, clock=clock), sides or Sides())


def tools_over(backend: StripeBackend, sides: Sides) -> list[Tool]:
    """The same over a backend that the caller closes."""
    tools = [*_invoice_tools(backend), *_subscription_tools(backend, Subscriptions(sides))]
    if sides.sla is not None:
        tools += _credit_tools(backend, sides.sla)
    if sides.post is not None:
        tools.append(_link_tool(backend, sides.post))
    return tools


def restoring(backend: StripeBackend, tool: Tool) -> Tool:
    """`provisioning.restore_service` of another system, judged by what is overdue at Stripe."""

    async def resource(customer_id: str, given: Any) -> Resource | None:
        found = await tool.resource(customer_id, given)
        if found is None:
            return None
        bills = await backend.ask(customer_id, lambda account: invoices.list_invoices(account, None))
        overdue = sum(invoice.status == "overdue" for invoice in bills.invoices)
        return replace(found, attributes={**found.attributes, "overdue_invoices": overdue})

    return replace(tool, resource=resource)


@cache
def described() -> dict[str, Tool]:
    """The sandbox's tools by name, for what they say; they stand over no backend and are never called."""
    nowhere = cast(SandboxBackend, None)
    return {tool.name: tool for tool in [*billing_tools(nowhere), *contracts_tools(nowhere)]}


def _invoice_tools(backend: StripeBackend) -> list[Tool]:
    async def invoice(account: Account, arguments: Any) -> Resource | None:
        return await invoices.invoice_resource(backend, account, arguments)

    return [
        _read(backend, "billing.list_invoices", invoices.list_invoices),
        _read(backend, "billing.get_invoice", invoices.get_invoice, invoice),
        _read(backend, "billing.find_duplicates", invoices.find_duplicates),
        _read(backend, "billing.list_payment_methods", invoices.list_payment_methods),
        _effect(backend, "billing.refund", invoices.refund, invoices.refund_found, invoice),
        _effect(backend, invoices.SEND, invoices.send_invoice_copy, invoices.invoice_copy_found, invoice),
    ]


def _subscription_tools(backend: StripeBackend, held: Subscriptions) -> list[Tool]:
    def change(name: str, do: Answer[R], find: Find[R], resource: FindResource) -> Tool:
        async def undo(account: Account, original_key: str) -> Result:
            return await held.take_back(account, name, original_key)

        tool = _effect(backend, name, do, find, resource)
        return _reversible(backend, tool, undo, subscriptions.undone_found(name))

    accept = _effect(backend, staying.ACCEPT, held.accept_offer, offer_found, held.offer_resource)
    return [
        _read(backend, "billing.get_subscription", held.get),
        _read(backend, "billing.list_plans", held.list_plans),
        _read(backend, "billing.preview_plan_change", held.preview_plan),
        _read(backend, "billing.preview_seats", held.preview_seats),
        _read(backend, "billing.get_retention_offer", held.offered),
        change(subscriptions.CHANGE_PLAN, held.change_plan, plan_changed_found, held.plan_resource),
        change(subscriptions.ADD_SEATS, held.add_seats, seats_added_found, held.more_seats_resource),
        change(subscriptions.REMOVE_SEATS, held.remove_seats, seats_removed_found, held.fewer_seats_resource),
        change(subscriptions.CANCEL, held.cancel, cancellation_found, held.resource),
        _reversible(backend, accept, held.take_offer_back, offer_undone_found),
    ]


def _credit_tools(backend: StripeBackend, sla_of: Callable[[str], Awaitable[Sla]]) -> list[Tool]:
    async def sla(account: Account, _arguments: Any) -> Sla:
        return await credits.with_credits(account, await sla_of(account.customer_id))

    async def apply(account: Account, arguments: Any) -> Result:
        return await credits.apply_credit(account, await sla_of(account.customer_id), arguments)

    async def resource(account: Account, arguments: Any) -> Resource | None:
        return await credits.month_resource(account, await sla_of(account.customer_id), arguments)

    credit = _effect(backend, credits.CREDIT, apply, credits.credit_found, resource)
    return [
        _read(backend, "contracts.get_sla", sla),
        _reversible(backend, credit, credits.take_credit_back, credits.credit_back_found),
    ]


def _link_tool(backend: StripeBackend, post: Post) -> Tool:
    """Stripe makes the link; the post sends it, and knows whether it was sent."""
    tool = described()[SEND_LINK]
    assert tool.effect is not None

    async def call(customer_id: str, _given: Any, key: str) -> Result:
        earlier = await post.find(customer_id, key)
        return earlier or await post.send(customer_id, await backend.ask(customer_id, portal.card_link), key)

    effect = replace(tool.effect, read_back=post.find)
    return replace(tool, call=call, resource=_lookup(backend, _account_resource), effect=effect)


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


def _reversible(backend: StripeBackend, tool: Tool, undo: Undo[R], find: Find[R]) -> Tool:
    """The same effect, which can be taken back; `find` finds the taking back under its own key."""
    assert tool.effect is not None

    async def take_back(customer_id: str, key: str, undo_key: str) -> Result:
        act: Act[R] = lambda account: undo(account, key)  # noqa: E731
        operation = f"{tool.name}{subscriptions.UNDO}"
        return await backend.act(operation, customer_id, undo_key, {"undoes": key}, act, find)

    return replace(tool, effect=replace(tool.effect, reversible=True, undo=take_back))


def _lookup(backend: StripeBackend, resource: FindResource) -> Callable[[str, Any], Awaitable[Resource | None]]:
    async def lookup(customer_id: str, given: Any) -> Resource | None:
        return await backend.ask(customer_id, lambda account: resource(account, given))

    return lookup
