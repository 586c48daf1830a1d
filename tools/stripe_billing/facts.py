"""What Stripe says about a customer, over what the other records say: the facts that triage and the gate weigh."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tools.errors import NoSuchRecord, ToolError
from tools.guard import Guard
from tools.stripe_billing.backend import Account, StripeBackend
from tools.stripe_billing.invoices import list_invoices
from tools.stripe_billing.sides import Sides
from tools.stripe_billing.subscription import Subscriptions

Facts = Mapping[str, Any]
LookUp = Callable[[str], Awaitable[Facts]]
BILLED = frozenset({"plan", "currency", "status", "overdue_invoices", "invoices_overpaid", "free_seats"})
"""Facts that are Stripe's to say. Where it does not answer they are missing, whatever another system believes."""


def customer_facts(backend: StripeBackend, sides: Sides, others: LookUp, guard: Guard) -> LookUp:
    """A look-up of one customer's facts: Stripe's, and of `others` what Stripe does not know."""
    subscriptions = Subscriptions(sides)

    async def billed(customer_id: str) -> Facts:
        try:
            return await guard.ask(lambda: backend.ask(customer_id, lambda account: _facts(account, subscriptions)))
        except ToolError:
            return {}

    async def look_up(customer_id: str) -> Facts:
        known, at_stripe = await asyncio.gather(others(customer_id), billed(customer_id))
        return {**{name: value for name, value in known.items() if name not in BILLED}, **at_stripe}

    return look_up


async def _facts(account: Account, subscriptions: Subscriptions) -> Facts:
    bills, held = await asyncio.gather(list_invoices(account, None), _subscription(account, subscriptions))
    return {
        "overdue_invoices": sum(invoice.status == "overdue" for invoice in bills.invoices),
        "invoices_overpaid": sum(
            invoice.amount_paid - invoice.amount_refunded > invoice.amount_due for invoice in bills.invoices
        ),
        **held,
    }


async def _subscription(account: Account, subscriptions: Subscriptions) -> Facts:
    """What the subscription says; nothing where there is none."""
    try:
        held = await subscriptions.held(account)
    except NoSuchRecord:
        return {}
    return {
        "plan": held.plan,
        "currency": held.currency,
        "status": held.status,
        "free_seats": held.seats - held.seats_used,
    }
