"""Invoices, payments and refunds: what was billed, what was paid, and what goes back.

The subscription itself (plan, seats, cancellation) is in `subscription.py`.
"""

from typing import Any

from sqlmodel import col

from records.money import Money
from tools.errors import BackendRefused, NoSuchRecord
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.contracts import SlaMonth, get_sla
from tools.sandbox.subscription import subscription_tools
from tools.sandbox.tables import Answered, Change, Credit, MessageSent, Payment, PaymentMethod, Refund
from tools.sandbox.tables import Invoice as InvoiceRow
from tools.sandbox.wiring import NoArguments, account_resource, effect_tool, read_tool
from tools.tool import Arguments, Resource, Result, Tool
from tools.values import (
    AmountMinor,
    CardDigits,
    CreditId,
    CurrencyCode,
    EmailAddress,
    ForeignText,
    InvoiceId,
    InvoiceNumber,
    IsoDate,
    Link,
    Month,
    PaymentId,
    PaymentMethodId,
    PositiveAmount,
    RefundId,
    RefundReason,
)

ARRIVES_IN = "5 to 10 business days"


class Invoice(Result):
    """A bill. `refundable` is what can still go back; `payment_method` reads ``card 4242`` or is empty."""

    id: InvoiceId
    number: InvoiceNumber
    status: str
    amount_due: AmountMinor
    amount_paid: AmountMinor
    amount_refunded: AmountMinor
    refundable: AmountMinor
    currency: CurrencyCode
    issued_on: IsoDate
    due_on: IsoDate
    period: Month
    description: str
    memo: ForeignText
    payment_method: str


class Invoices(Result):
    """All bills, newest first."""

    invoices: list[Invoice]


class Duplicate(Result):
    """A payment that paid what was paid already."""

    payment_id: PaymentId
    invoice_id: InvoiceId
    number: InvoiceNumber
    amount: AmountMinor
    currency: CurrencyCode
    paid_on: IsoDate
    first_paid_on: IsoDate
    card_last4: CardDigits


class Duplicates(Result):
    """Payments too many that have not gone back yet."""

    duplicates: list[Duplicate]


class Card(Result):
    """A card on file."""

    id: PaymentMethodId
    brand: str
    last4: CardDigits
    expires: Month
    is_default: bool


class Cards(Result):
    """The cards on file."""

    methods: list[Card]


class WhichInvoice(Arguments):
    """Names one invoice."""

    invoice_id: InvoiceId


class RefundWanted(Arguments):
    """What shall go back, of which invoice; with `payment_id` of exactly that payment."""

    invoice_id: InvoiceId
    amount: PositiveAmount
    reason: RefundReason
    payment_id: PaymentId | None = None


class Refunded(Result):
    """Money on its way back."""

    refund_id: RefundId
    invoice_id: InvoiceId
    amount: AmountMinor
    currency: CurrencyCode
    state: str
    arrives_in: str


class InvoiceCopySent(Result):
    """An invoice that was sent to the address on record."""

    sent_to: EmailAddress
    number: InvoiceNumber
    link: Link


class PaymentUpdateLinkSent(Result):
    """A link for a new card that was sent to the address on record."""

    sent_to: EmailAddress
    link: Link


class CreditWanted(Arguments):
    """The month that fell short and the credit that is owed for it."""

    month: Month
    amount: PositiveAmount


class CreditApplied(Result):
    """Money that comes off the next invoice."""

    credit_id: CreditId
    month: Month
    amount: AmountMinor
    currency: CurrencyCode


class CreditReversed(Result):
    """A credit that was taken back."""

    credit_id: CreditId
    amount: AmountMinor
    currency: CurrencyCode


def billing_tools(backend: SandboxBackend) -> list[Tool]:
    """Everything under ``billing.``."""
    return [
        read_tool(
            backend,
            "billing.list_invoices",
            Invoices,
            _list_invoices,
            summary="The customer's invoices, newest first.",
            status="Looking at your invoices",
        ),
        read_tool(
            backend,
            "billing.get_invoice",
            Invoice,
            _get_invoice,
            arguments=WhichInvoice,
            resource=_invoice_resource,
            summary="One invoice with what was paid and what can still be refunded.",
            status="Looking at the invoice",
        ),
        read_tool(
            backend,
            "billing.find_duplicates",
            Duplicates,
            _find_duplicates,
            summary="Payments made twice for one invoice that have not been refunded.",
            status="Checking for double payments",
        ),
        read_tool(
            backend,
            "billing.list_payment_methods",
            Cards,
            _list_payment_methods,
            summary="The cards on file: brand, last four digits, expiry.",
            status="Looking at your payment methods",
        ),
        effect_tool(
            backend,
            "billing.refund",
            Refunded,
            _refund,
            arguments=RefundWanted,
            resource=_invoice_resource,
            steering=frozenset({"invoice_id", "amount", "payment_id"}),
            summary="Send money of a paid invoice back to the card that paid it.",
            status="Sending the refund",
            kind="money",
            offer="refund {{args.amount|money(resource.attributes.currency)}} of invoice "
            "{{resource.attributes.number}} to the card ending in {{resource.attributes.card_last4}} "
            "(it takes 5 to 10 business days to show)",
            fixed_loss_minor=200,
            amount=lambda arguments, resource: (arguments.amount, resource.attributes["currency"]),
        ),
        effect_tool(
            backend,
            "billing.send_invoice_copy",
            InvoiceCopySent,
            _send_invoice_copy,
            arguments=WhichInvoice,
            resource=_invoice_resource,
            steering=frozenset({"invoice_id"}),
            summary="Send an invoice to the address on record.",
            status="Sending the invoice",
            kind="information",
            offer="send invoice {{resource.attributes.number}} to your address on record",
            consent=False,
            sends=True,
            fixed_loss_minor=100,
        ),
        effect_tool(
            backend,
            "billing.send_payment_update_link",
            PaymentUpdateLinkSent,
            _send_payment_update_link,
            resource=account_resource,
            summary="Send a link for a new card to the address on record.",
            status="Sending the link",
            kind="information",
            offer="send a link to change the card that pays for your subscription to {{customer.contact_email}}",
            sends=True,
            fixed_loss_minor=100,
        ),
        effect_tool(
            backend,
            "billing.apply_sla_credit",
            CreditApplied,
            _apply_sla_credit,
            arguments=CreditWanted,
            resource=_sla_month_resource,
            steering=frozenset({"month", "amount"}),
            summary="Credit what the contract owes for a month under the promised uptime.",
            status="Applying the credit",
            kind="money",
            offer="credit {{args.amount|money(resource.attributes.currency)}} for {{args.month}} on your next invoice",
            fixed_loss_minor=0,
            amount=lambda arguments, resource: (arguments.amount, resource.attributes["currency"]),
            undo=(CreditReversed, _reverse_credit),
        ),
        *subscription_tools(backend),
    ]


async def _payments(account: Account, invoice: InvoiceRow) -> list[Payment]:
    """The payments that went through, oldest first."""
    return await account.all(Payment, col(Payment.invoice_id) == invoice.id, col(Payment.status) == "succeeded")


def _left(payment: Payment) -> int:
    return payment.amount - payment.amount_refunded


def _refundable(invoice: InvoiceRow) -> int:
    return invoice.amount_paid - invoice.amount_refunded if invoice.status == "paid" else 0


async def _invoice_seen(account: Account, invoice: InvoiceRow) -> Invoice:
    payments = await _payments(account, invoice)
    return Invoice(
        id=invoice.id,
        number=invoice.number,
        status=invoice.status,
        amount_due=invoice.amount_due,
        amount_paid=invoice.amount_paid,
        amount_refunded=invoice.amount_refunded,
        refundable=_refundable(invoice),
        currency=invoice.currency,
        issued_on=invoice.issued_on.isoformat(),
        due_on=invoice.due_on.isoformat(),
        period=invoice.period,
        description=invoice.description,
        memo=invoice.memo,
        payment_method=f"card {payments[-1].card_last4}" if payments else "",
    )


async def _list_invoices(account: Account, _arguments: Any) -> Invoices:
    invoices = sorted(
        await account.all(InvoiceRow), key=lambda invoice: (invoice.issued_on, invoice.number), reverse=True
    )
    return Invoices(invoices=[await _invoice_seen(account, invoice) for invoice in invoices])


async def _get_invoice(account: Account, arguments: WhichInvoice) -> Invoice:
    return await _invoice_seen(account, await account.get(InvoiceRow, arguments.invoice_id))


async def _duplicates_of(account: Account, invoice: InvoiceRow) -> list[tuple[Payment, Payment]]:
    """(first payment, payment too many) for each payment beyond what the invoice asked for."""
    pairs, covered = [], 0
    payments = await _payments(account, invoice)
    for payment in payments:
        if covered >= invoice.amount_due and _left(payment) == payment.amount:
            pairs.append((payments[0], payment))
        covered += payment.amount
    return pairs


async def _find_duplicates(account: Account, _arguments: Any) -> Duplicates:
    return Duplicates(
        duplicates=[
            Duplicate(
                payment_id=payment.id,
                invoice_id=invoice.id,
                number=invoice.number,
                amount=payment.amount,
                currency=payment.currency,
                paid_on=payment.paid_on.isoformat(),
                first_paid_on=first.paid_on.isoformat(),
                card_last4=payment.card_last4,
            )
            for invoice in await account.all(InvoiceRow, col(InvoiceRow.status) == "paid")
            for first, payment in await _duplicates_of(account, invoice)
        ]
    )


async def _list_payment_methods(account: Account, _arguments: Any) -> Cards:
    return Cards(
        methods=[
            Card(id=card.id, brand=card.brand, last4=card.last4, expires=card.expires, is_default=card.is_default)
            for card in await account.all(PaymentMethod)
        ]
    )


async def _invoice_resource(account: Account, arguments: Any) -> Resource | None:
    invoice = await account.anyones(InvoiceRow, arguments.invoice_id)
    if invoice is None:
        return None
    owner = Account(account.session, invoice.customer_id, account.now)
    payments = await _payments(owner, invoice)
    chosen = getattr(arguments, "payment_id", None)
    if chosen is not None and chosen not in {payment.id for payment in payments}:
        return None
    last = next((payment for payment in payments if payment.id == chosen), payments[-1] if payments else None)
    duplicates = await _duplicates_of(owner, invoice)
    return Resource(
        "Invoice",
        invoice.id,
        invoice.customer_id,
        {
            "number": invoice.number,
            "status": invoice.status,
            "amount_due": invoice.amount_due,
            "refundable": min(_refundable(invoice), _left(last)) if chosen and last else _refundable(invoice),
            "currency": invoice.currency,
            "duplicate": bool(duplicates),
            "duplicate_amount": sum(payment.amount for _, payment in duplicates),
            "paid_days_ago": (account.today - last.paid_on).days if last else 0,
            "card_last4": last.card_last4 if last else "",
        },
    )


async def _refund(account: Account, arguments: RefundWanted) -> tuple[Refund, Refunded]:
    invoice = await account.get(InvoiceRow, arguments.invoice_id)
    payments = await _payments(account, invoice)
    if arguments.payment_id is not None:
        payments = [payment for payment in payments if payment.id == arguments.payment_id]
        if not payments:
            raise NoSuchRecord(f"invoice {invoice.number} has no payment {arguments.payment_id}")
    if invoice.status != "paid":
        raise BackendRefused(f"invoice {invoice.number} is {invoice.status}; only a paid one can be refunded")
    available = min(_refundable(invoice), sum(_left(payment) for payment in payments))
    if arguments.amount > available:
        raise BackendRefused(
            f"{Money(arguments.amount, invoice.currency)} is more than the {Money(available, invoice.currency)} "
            f"that can be refunded of invoice {invoice.number}"
        )
    remaining = arguments.amount
    for payment in reversed(payments):
        part = min(remaining, _left(payment))
        payment.amount_refunded += part
        remaining -= part
    invoice.amount_refunded += arguments.amount
    refund = Refund(
        id=account.new_id("re"),
        customer_id=account.customer_id,
        created_at=account.now,
        invoice_id=invoice.id,
        payment_id=payments[-1].id,
        amount=arguments.amount,
        currency=invoice.currency,
        reason=arguments.reason,
    )
    return refund, Refunded(
        refund_id=refund.id,
        invoice_id=invoice.id,
        amount=refund.amount,
        currency=refund.currency,
        state=refund.state,
        arrives_in=ARRIVES_IN,
    )


async def _message(account: Account, kind: str, about: str, link: str) -> MessageSent:
    customer = await account.customer()
    return MessageSent(
        id=account.new_id("msg"),
        customer_id=customer.id,
        created_at=account.now,
        kind=kind,
        sent_to=customer.contact_email,
        about=about,
        link=link,
    )


async def _send_invoice_copy(account: Account, arguments: WhichInvoice) -> tuple[MessageSent, InvoiceCopySent]:
    invoice = await account.get(InvoiceRow, arguments.invoice_id)
    link = f"https://console.larkspur.example/invoices/{invoice.id}.pdf"
    message = await _message(account, "invoice_copy", invoice.id, link)
    return message, InvoiceCopySent(sent_to=message.sent_to, number=invoice.number, link=link)


async def _send_payment_update_link(
    account: Account, _arguments: NoArguments
) -> tuple[MessageSent, PaymentUpdateLinkSent]:
    link = f"https://console.larkspur.example/payment/{account.new_id('upd')}"
    message = await _message(account, "payment_update_link", account.customer_id, link)
    return message, PaymentUpdateLinkSent(sent_to=message.sent_to, link=link)


async def _sla_month(account: Account, month: str) -> SlaMonth | None:
    sla = await get_sla(account, None)
    return next((seen for seen in sla.months if seen.month == month), None)


async def _sla_month_resource(account: Account, arguments: CreditWanted) -> Resource | None:
    seen = await _sla_month(account, arguments.month)
    if seen is None:
        return None
    return Resource(
        "SlaMonth",
        f"{account.customer_id}/{seen.month}",
        account.customer_id,
        {"credit_due": seen.credit_due, "credited": seen.credited, "currency": seen.currency, "month": seen.month},
    )


async def _apply_sla_credit(account: Account, arguments: CreditWanted) -> tuple[Credit, CreditApplied]:
    seen = await _sla_month(account, arguments.month)
    if seen is None:
        raise NoSuchRecord(f"no uptime was promised and measured for {arguments.month}")
    if seen.credited:
        raise BackendRefused(f"the credit for {seen.month} has been given already")
    if arguments.amount != seen.credit_due:
        raise BackendRefused(f"the credit owed for {seen.month} is {Money(seen.credit_due, seen.currency)}")
    credit = Credit(
        id=account.new_id("cr"),
        customer_id=account.customer_id,
        created_at=account.now,
        month=seen.month,
        amount=arguments.amount,
        currency=seen.currency,
        reason="sla",
    )
    return credit, CreditApplied(
        credit_id=credit.id, month=credit.month, amount=credit.amount, currency=credit.currency
    )


async def _reverse_credit(account: Account, key: str) -> tuple[Answered, CreditReversed]:
    credit = await account.written_under(Credit, key)
    if credit.state != "applied":
        raise BackendRefused("this credit was taken back already")
    credit.state = "reversed"
    log = Change(
        id=account.new_id("chg"),
        customer_id=account.customer_id,
        created_at=account.now,
        kind="credit.state",
        about=credit.id,
        before={"state": "applied"},
        after={"state": "reversed"},
        undoes=key,
    )
    return log, CreditReversed(credit_id=credit.id, amount=credit.amount, currency=credit.currency)
