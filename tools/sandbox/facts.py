"""What the sandbox company's records say about a customer: the facts that triage and the gate weigh."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tools.errors import ToolError
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.tables import Invoice, Subscription, User


def customer_facts(backend: SandboxBackend) -> Callable[[str], Awaitable[Mapping[str, Any]]]:
    """A look-up of one customer's facts: empty where there is no such customer or the records do not answer."""

    async def look_up(customer_id: str) -> Mapping[str, Any]:
        try:
            return await backend.ask("customer.facts", customer_id, _facts)
        except ToolError:
            return {}

    return look_up


async def _facts(account: Account) -> Mapping[str, Any]:
    customer = await account.customer()
    invoices = await account.all(Invoice)
    locked = await account.all(User, User.locked)
    subscriptions = await account.all(Subscription)
    return {
        "company": customer.company,
        "contact_name": customer.contact_name,
        "contact_email": customer.contact_email,
        "plan": customer.plan,
        "currency": customer.currency,
        "status": customer.status,
        "since": customer.since.isoformat(),
        "timezone": customer.timezone,
        "yearly_value_minor": customer.yearly_value_minor,
        "churn_risk": customer.churn_risk,
        "overdue_invoices": sum(invoice.status == "overdue" for invoice in invoices),
        "invoices_overpaid": sum(i.amount_paid - i.amount_refunded > i.amount_due for i in invoices),
        "free_seats": sum(subscription.seats - subscription.seats_used for subscription in subscriptions),
        "locked_users": len(locked),
    }
