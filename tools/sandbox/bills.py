"""What was billed to a customer, as documents show it, whoever bills: invoices, what moved for them, credits."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

from tools.sandbox.backend import Account
from tools.sandbox.tables import Credit, Invoice, Payment, Refund


@dataclass(frozen=True)
class Movement:
    """Money that came for an invoice, or (a negative amount) went back."""

    day: date
    what: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Bill:
    """An invoice that was sent out. Amounts are in minor units; `amount_paid` counts every payment."""

    number: str
    status: str
    """open, paid, void, overdue."""
    total: int
    """With tax, before anything was set off against it."""
    amount_due: int
    amount_paid: int
    amount_refunded: int
    currency: str
    issued_on: date
    due_on: date
    period: str
    description: str
    memo: str
    movements: tuple[Movement, ...]
    """Oldest first."""
    tax: int | None = None
    """The tax in the total, where the billing system says it."""


@dataclass(frozen=True)
class GivenCredit:
    """Money taken off the next invoice. State: applied or reversed."""

    month: str
    state: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Bills:
    """All of a customer's, in the order of their numbers."""

    invoices: tuple[Bill, ...]
    credits: tuple[GivenCredit, ...]


BillsOf = Callable[[str], Awaitable[Bills]]
"""``customer id -> what was billed``. Raises `ToolError`s."""


async def sandbox_bills(account: Account) -> Bills:
    """What the sandbox company has billed."""
    moved = await _movements(account)
    credits = await account.all(Credit)
    return Bills(
        tuple(
            Bill(
                number=invoice.number,
                status=invoice.status,
                total=invoice.amount_due,
                amount_due=invoice.amount_due,
                amount_paid=invoice.amount_paid,
                amount_refunded=invoice.amount_refunded,
                currency=invoice.currency,
                issued_on=invoice.issued_on,
                due_on=invoice.due_on,
                period=invoice.period,
                description=invoice.description,
                memo=invoice.memo,
                movements=in_order(moved.get(invoice.id, [])),
            )
            for invoice in await account.all(Invoice)
        ),
        tuple(GivenCredit(credit.month, credit.state, credit.amount, credit.currency) for credit in credits),
    )


def in_order(movements: list[Movement]) -> tuple[Movement, ...]:
    """Oldest first; those of one day as they were found."""
    return tuple(sorted(movements, key=lambda movement: movement.day))


def paid_by_card(last4: str) -> str:
    """How a document tells of a payment."""
    return f"Payment with the card that ends in {last4}"


def sent_back(reason: str, state: str) -> str:
    """How a document tells of a refund."""
    return f"Refund: {reason} ({state})"


async def _movements(account: Account) -> dict[str, list[Movement]]:
    """By invoice."""
    moved: dict[str, list[Movement]] = {}
    for payment in await account.all(Payment):
        what = paid_by_card(payment.card_last4) + ("" if payment.status == "succeeded" else f" ({payment.status})")
        line = Movement(payment.paid_on, what, payment.amount, payment.currency)
        moved.setdefault(payment.invoice_id, []).append(line)
    for refund in await account.all(Refund):
        what = sent_back(refund.reason, refund.state)
        line = Movement(refund.created_at.date(), what, -refund.amount, refund.currency)
        moved.setdefault(refund.invoice_id, []).append(line)
    return moved
