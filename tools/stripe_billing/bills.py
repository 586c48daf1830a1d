"""What Stripe has billed, as documents show it. Drafts are no invoices, and a refund of which no money went is none."""

from tools.sandbox.bills import Bill, Bills, BillsOf, Movement, in_order, paid_by_card, sent_back
from tools.stripe_billing import credits
from tools.stripe_billing.backend import Account, StripeBackend, currency_of, day_of, metadata
from tools.stripe_billing.invoices import REASON, Billed, all_billed


def bills_at(backend: StripeBackend) -> BillsOf:
    """What was billed to a customer, asked of Stripe each time."""

    async def bills_of(customer_id: str) -> Bills:
        return await backend.ask(customer_id, _bills)

    return bills_of


async def _bills(account: Account) -> Bills:
    billed = sorted(await all_billed(account), key=lambda one: (one.issued_on, one.number))
    return Bills(tuple(_bill(account, one) for one in billed), await credits.given(account))


def _bill(account: Account, billed: Billed) -> Bill:
    seen, stated = billed.seen(account.today), billed.record.get("total_tax_amounts")
    return Bill(
        number=billed.number,
        status=seen.status,
        total=billed.record["total"],
        amount_due=billed.amount_due,
        amount_paid=billed.amount_paid,
        amount_refunded=billed.amount_refunded,
        currency=billed.currency,
        issued_on=billed.issued_on,
        due_on=billed.due_on,
        period=billed.period,
        description=seen.description,
        memo=seen.memo,
        movements=in_order(_movements(billed)),
        tax=sum(part["amount"] for part in stated) if stated else None,
    )


def _movements(billed: Billed) -> list[Movement]:
    currency = billed.currency
    moved = [Movement(made.paid_on, paid_by_card(made.card_last4), made.amount, currency) for made in billed.payments]
    otherwise = billed.amount_paid - sum(payment.amount for payment in billed.payments)
    if otherwise > 0:
        paid_at = (billed.record.get("status_transitions") or {}).get("paid_at")
        day = day_of(paid_at) if paid_at else billed.issued_on
        moved.append(Movement(day, "Payment in another way", otherwise, currency))
    for payment in billed.payments:
        for made in payment.refunds:
            what = sent_back(metadata(made).get(REASON) or made.get("reason") or "no reason given", made["status"])
            moved.append(Movement(day_of(made["created"]), what, -made["amount"], currency_of(made)))
    return moved
