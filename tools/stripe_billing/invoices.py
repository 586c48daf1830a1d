"""Invoices, payments and refunds at Stripe.

A payment is a succeeded charge: the invoice's own, or another of the same customer whose metadata `handrail_invoice`
names the invoice (a second payment by a payment link or over the counter). Records that were brought over from another
system keep their number and dates in metadata: `handrail_number`, `handrail_issued_on`, `handrail_due_on`,
`handrail_period` and `handrail_description` of an invoice, `handrail_paid_on` of a charge.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from records.money import Money
from tools.errors import BackendRefused, NoSuchRecord
from tools.sandbox.billing import (
    ARRIVES_IN,
    Card,
    Cards,
    Duplicate,
    Duplicates,
    Invoice,
    InvoiceCopySent,
    Invoices,
    Refunded,
    RefundWanted,
    WhichInvoice,
)
from tools.stripe_billing.backend import Account, Json, StripeBackend, currency_of, day_of, identifier, metadata
from tools.stripe_billing.notes import note_under, with_note
from tools.tool import Resource

KEY = "handrail_key"
REQUEST = "handrail_request"
REASON = "handrail_reason"
INVOICE = "handrail_invoice"
NOT_SENT_BACK = frozenset({"failed", "canceled"})
"""States of a refund of which no money went."""


@dataclass(frozen=True)
class Payment:
    """A charge that went through. Amounts are in minor units; `refunds` are those of which money went."""

    id: str
    amount: int
    refunded: int
    paid_on: date
    card_last4: str
    refunds: tuple[Json, ...] = ()

    @property
    def left(self) -> int:
        """What can still go back."""
        return self.amount - self.refunded


@dataclass(frozen=True)
class Billed:
    """An invoice with its payments, oldest first."""

    record: Json
    payments: list[Payment]

    @property
    def facts(self) -> dict[str, str]:
        return metadata(self.record)

    @property
    def number(self) -> str:
        return self.facts.get("handrail_number") or self.record.get("number") or self.record["id"]

    @property
    def currency(self) -> str:
        return currency_of(self.record)

    @property
    def amount_due(self) -> int:
        """What the invoice asked for."""
        return self.record["amount_due"]

    @property
    def amount_paid(self) -> int:
        """Every payment, also one too many, and what was paid in other ways than by card."""
        own = identifier(self.record.get("charge"))
        return self.record["amount_paid"] + sum(payment.amount for payment in self.payments if payment.id != own)

    @property
    def amount_refunded(self) -> int:
        return sum(payment.refunded for payment in self.payments)

    @property
    def refundable(self) -> int:
        """What can still go back to a card."""
        return sum(payment.left for payment in self.payments) if self.record["status"] == "paid" else 0

    @property
    def issued_on(self) -> date:
        if "handrail_issued_on" in self.facts:
            return date.fromisoformat(self.facts["handrail_issued_on"])
        finalized = (self.record.get("status_transitions") or {}).get("finalized_at")
        return day_of(finalized or self.record["created"])

    @property
    def due_on(self) -> date:
        if "handrail_due_on" in self.facts:
            return date.fromisoformat(self.facts["handrail_due_on"])
        return day_of(self.record["due_date"]) if self.record.get("due_date") else self.issued_on

    @property
    def line(self) -> Json:
        """The first line; empty where there is none."""
        return next(iter(self.record["lines"]["data"]), {})

    @property
    def period(self) -> str:
        if "handrail_period" in self.facts:
            return self.facts["handrail_period"]
        begins = (self.line.get("period") or {}).get("start")
        return f"{day_of(begins) if begins else self.issued_on:%Y-%m}"

    def status(self, today: date) -> str:
        """open, paid, void or overdue."""
        status = self.record["status"]
        if status == "uncollectible" or (status == "open" and self.due_on < today):
            return "overdue"
        return status

    def too_many(self) -> list[Payment]:
        """The payments beyond what the invoice asked for that have not gone back."""
        found, covered = [], 0
        for payment in self.payments:
            if covered >= self.amount_due and payment.refunded == 0:
                found.append(payment)
            covered += payment.amount
        return found if self.record["status"] == "paid" else []

    def seen(self, today: date) -> Invoice:
        """The invoice as the agent sees it."""
        return Invoice(
            id=self.record["id"],
            number=self.number,
            status=self.status(today),
            amount_due=self.amount_due,
            amount_paid=self.amount_paid,
            amount_refunded=self.amount_refunded,
            refundable=self.refundable,
            currency=self.currency,
            issued_on=self.issued_on.isoformat(),
            due_on=self.due_on.isoformat(),
            period=self.period,
            description=self.facts.get("handrail_description") or self.line.get("description") or "",
            memo=self.record.get("description") or "",
            payment_method=f"card {self.payments[-1].card_last4}" if self.payments else "",
        )


async def list_invoices(account: Account, _arguments: Any) -> Invoices:
    """All invoices, newest first."""
    billed = sorted(await all_billed(account), key=lambda one: (one.issued_on, one.number), reverse=True)
    return Invoices(invoices=[one.seen(account.today) for one in billed])


async def get_invoice(account: Account, arguments: WhichInvoice) -> Invoice:
    """One invoice. Raises `NoSuchRecord`."""
    return (await _billed(account, arguments.invoice_id)).seen(account.today)


async def find_duplicates(account: Account, _arguments: Any) -> Duplicates:
    """Payments too many that have not gone back."""
    return Duplicates(
        duplicates=[
            Duplicate(
                payment_id=payment.id,
                invoice_id=billed.record["id"],
                number=billed.number,
                amount=payment.amount,
                currency=billed.currency,
                paid_on=payment.paid_on.isoformat(),
                first_paid_on=billed.payments[0].paid_on.isoformat(),
                card_last4=payment.card_last4,
            )
            for billed in await all_billed(account)
            for payment in billed.too_many()
        ]
    )


async def list_payment_methods(account: Account, _arguments: Any) -> Cards:
    """The cards on file."""
    default = identifier((account.record.get("invoice_settings") or {}).get("default_payment_method"))
    return Cards(
        methods=[
            Card(
                id=card["id"],
                brand=card["card"]["brand"],
                last4=card["card"]["last4"],
                expires=f"{card['card']['exp_year']:04d}-{card['card']['exp_month']:02d}",
                is_default=card["id"] == default,
            )
            for card in await account.cards()
        ]
    )


async def invoice_resource(backend: StripeBackend, account: Account, arguments: Any) -> Resource | None:
    """The invoice that a call names, whoever owns it, as the policies know it."""
    invoice = await account.anyones_invoice(arguments.invoice_id)
    if invoice is None:
        return None
    holder = identifier(invoice["customer"])
    owner = account.customer_id if holder == account.stripe_id else await backend.owner(holder)
    billed = _with_payments(invoice, *await _payments_seen(replace(account, record={"id": holder})))
    chosen = getattr(arguments, "payment_id", None)
    last = _chosen(billed, chosen)[-1:]
    if chosen is not None and not last:
        return None
    too_many = billed.too_many()
    return Resource(
        "Invoice",
        invoice["id"],
        owner,
        {
            "number": billed.number,
            "status": billed.status(account.today),
            "amount_due": billed.amount_due,
            "refundable": last[0].left if chosen and billed.refundable else billed.refundable,
            "currency": billed.currency,
            "duplicate": bool(too_many),
            "duplicate_amount": sum(payment.amount for payment in too_many),
            "paid_days_ago": (account.today - last[0].paid_on).days if last else 0,
            "card_last4": last[0].card_last4 if last else "",
        },
    )


async def refund(account: Account, arguments: RefundWanted) -> Refunded:
    """Send money back to the card that paid. One refund is of one payment.

    Raises `NoSuchRecord` and, for more than what one payment has left, `BackendRefused`.
    """
    billed = await _billed(account, arguments.invoice_id)
    status = billed.status(account.today)
    payments = _chosen(billed, arguments.payment_id)
    if arguments.payment_id is not None and not payments:
        raise NoSuchRecord(f"invoice {billed.number} has no payment {arguments.payment_id}")
    if status != "paid":
        raise BackendRefused(f"invoice {billed.number} is {status}; only a paid one can be refunded")
    available = sum(payment.left for payment in payments)
    if arguments.amount > available:
        raise BackendRefused(
            f"{Money(arguments.amount, billed.currency)} is more than the {Money(available, billed.currency)} "
            f"that can be refunded of invoice {billed.number}"
        )
    source = next((payment for payment in reversed(payments) if payment.left >= arguments.amount), None)
    if source is None:
        raise BackendRefused(
            f"no single payment of invoice {billed.number} has {Money(arguments.amount, billed.currency)} left; "
            "each payment has to be refunded on its own"
        )
    made = await account.api.refunds.create_async(
        {
            "charge": source.id,
            "amount": arguments.amount,
            "metadata": {
                KEY: account.key,
                REQUEST: account.request,
                INVOICE: arguments.invoice_id,
                REASON: arguments.reason,
            },
        },
        {"idempotency_key": account.key},
    )
    return _refunded(made.to_dict())


async def refund_found(account: Account) -> tuple[str, Refunded] | None:
    """The refund under the account's key."""
    for charge in await account.charges():
        for made in charge["refunds"]["data"]:
            facts = metadata(made)
            if facts.get(KEY) == account.key and made["status"] not in NOT_SENT_BACK:
                return facts[REQUEST], _refunded(made)
    return None


SEND = "billing.send_invoice_copy"


async def send_invoice_copy(account: Account, arguments: WhichInvoice) -> InvoiceCopySent:
    """Have Stripe send an invoice to the customer's address on record. Raises `BackendRefused` without one.

    The note follows the message: until both are done, a repeat under the same key is one message to Stripe.
    """
    invoice = await account.invoice(arguments.invoice_id)
    address = account.record.get("email")
    if not address:
        raise BackendRefused("there is no address on record")
    sent = InvoiceCopySent(
        sent_to=address,
        number=Billed(invoice, []).number,
        link=invoice.get("hosted_invoice_url") or invoice.get("invoice_pdf") or "",
    )
    await account.api.invoices.send_invoice_async(invoice["id"], {}, {"idempotency_key": account.key})
    noted = with_note(metadata(invoice), account.key, SEND, account.request, sent)
    await account.api.invoices.update_async(
        invoice["id"], {"metadata": noted}, {"idempotency_key": f"{account.key}-note"}
    )
    return sent


async def invoice_copy_found(account: Account) -> tuple[str, InvoiceCopySent] | None:
    """The message under the account's key."""
    for invoice in await account.invoices():
        note = note_under(metadata(invoice), account.key, SEND)
        if note is not None:
            return note.told(InvoiceCopySent)
    return None


def _refunded(made: Json) -> Refunded:
    return Refunded(
        refund_id=made["id"],
        invoice_id=metadata(made)[INVOICE],
        amount=made["amount"],
        currency=currency_of(made),
        state=made["status"],
        arrives_in=ARRIVES_IN,
    )


def _chosen(billed: Billed, payment_id: str | None) -> list[Payment]:
    """The payments that a call is about: one, or all."""
    return [payment for payment in billed.payments if payment_id in (None, payment.id)]


async def _billed(account: Account, invoice_id: str) -> Billed:
    invoice = await account.invoice(invoice_id)
    return _with_payments(invoice, *await _payments_seen(account))


async def all_billed(account: Account) -> list[Billed]:
    """Every invoice that was sent out, with its payments."""
    charges, cards = await _payments_seen(account)
    return [_with_payments(invoice, charges, cards) for invoice in await account.invoices()]


async def _payments_seen(account: Account) -> tuple[list[Json], dict[str, str]]:
    """(the customer's charges, the last four digits of each card on file)."""
    return await account.charges(), {card["id"]: card["card"]["last4"] for card in await account.cards()}


def _with_payments(invoice: Json, charges: list[Json], cards: dict[str, str]) -> Billed:
    own = identifier(invoice.get("charge"))
    paying = [
        charge
        for charge in charges
        if charge["status"] == "succeeded"
        and (charge["id"] == own or metadata(charge).get(INVOICE) == invoice["id"])
        and charge["currency"] == invoice["currency"]
    ]
    paying.sort(key=lambda charge: (_paid_on(charge), charge["created"], charge["id"] != own))
    return Billed(invoice, [_payment(charge, cards) for charge in paying])


def _payment(charge: Json, cards: dict[str, str]) -> Payment:
    refunds = tuple(made for made in charge["refunds"]["data"] if made["status"] not in NOT_SENT_BACK)
    return Payment(
        id=charge["id"],
        amount=charge["amount"],
        refunded=sum(made["amount"] for made in refunds),
        paid_on=_paid_on(charge),
        card_last4=_last4(charge, cards),
        refunds=refunds,
    )


def _paid_on(charge: Json) -> date:
    paid_on = metadata(charge).get("handrail_paid_on")
    return date.fromisoformat(paid_on) if paid_on else day_of(charge["created"])


def _last4(charge: Json, cards: dict[str, str]) -> str:
    details = (charge.get("payment_method_details") or {}).get("card") or {}
    return details.get("last4") or cards.get(identifier(charge.get("payment_method")), "")
