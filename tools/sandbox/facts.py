"""What the sandbox company's records say about a customer: the facts that triage and the gate weigh."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from tools.errors import NoSuchRecord, ToolError
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.tables import Customer, Invoice, Owned, Subscription, User


def customer_facts(backend: SandboxBackend) -> Callable[[str], Awaitable[Mapping[str, Any]]]:
    """A look-up of one customer's facts: empty where there is no such customer or the records do not answer."""

    async def look_up(customer_id: str) -> Mapping[str, Any]:
        try:
            return await backend.ask("customer.facts", customer_id, _facts)
        except ToolError:
            return {}

    return look_up


async def _facts(account: Account) -> Mapping[str, Any]:
    """All in one query: every turn begins with it."""
    overpaid = col(Invoice.amount_paid) - col(Invoice.amount_refunded) > col(Invoice.amount_due)
    query = select(
        Customer,
        _of(account, Invoice, func.count(), col(Invoice.status) == "overdue"),
        _of(account, Invoice, func.count(), overpaid),
        _of(account, Subscription, func.sum(col(Subscription.seats) - col(Subscription.seats_used))),
        _of(account, User, func.count(), col(User.locked).is_(True)),
    ).where(col(Customer.id) == account.customer_id)
    row = (await account.session.execute(query)).one_or_none()
    if row is None:
        raise NoSuchRecord(f"there is no customer {account.customer_id}")
    customer, overdue, overpaid_invoices, free_seats, locked = row
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
        "overdue_invoices": overdue,
        "invoices_overpaid": overpaid_invoices,
        "locked_users": locked,
        **({} if free_seats is None else {"free_seats": free_seats}),
    }


def _of(account: Account, table: type[Owned], figure: ColumnElement[int], *conditions: ColumnElement[bool]) -> Any:
    """A figure over this customer's rows of a table."""
    return (
        select(figure)
        .select_from(table)
        .where(col(table.customer_id) == account.customer_id, *conditions)
        .scalar_subquery()
    )
