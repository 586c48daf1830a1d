"""Copies a customer of the sandbox company into a Stripe stand-in: card, plans, subscription, invoices, payments.

Written for localstripe, where an invoice is made of a subscription, and which dates everything today: what the sandbox
says otherwise stands in metadata, as with records that were brought over from another system.
"""

import json
from datetime import UTC, date, datetime, time
from typing import Any

import stripe

from tools.sandbox.company import first_of_month

State = dict[str, list[dict[str, Any]]]


async def mirror(api: stripe.V1Services, state: State, customer_id: str) -> None:
    """Copy one customer of ``SandboxBackend.dump()``. Raises ValueError for one without a paid invoice."""
    customer = next(row for row in state["customers"] if row["id"] == customer_id)
    subscription, *_ = _owned(state, "subscriptions", customer_id)
    invoices = sorted(_owned(state, "invoices", customer_id), key=lambda row: row["number"])
    if not invoices or any(row["status"] != "paid" for row in invoices):
        raise ValueError(f"{customer_id} has invoices that are not paid, or none")
    copied = await api.customers.create_async(
        {
            "name": customer["company"],
            "email": customer["contact_email"],
            "metadata": {"handrail_customer": customer_id},
        }
    )
    for card in _owned(state, "payment_methods", customer_id):
        await _card(api, copied.id, card)
    await _plans(api, state, customer["currency"])
    held = ""
    for invoice in invoices:
        extra = invoice["amount_due"] - subscription["seats"] * subscription["price_per_seat"]
        if extra:
            currency = customer["currency"].lower()
            await api.invoice_items.create_async({"customer": copied.id, "amount": extra, "currency": currency})
        if not held:
            begun = await _subscribe(api, copied.id, subscription)
            held, made = begun.id, str(begun.latest_invoice)
        else:
            made = (await api.invoices.create_async({"customer": copied.id, "subscription": held})).id
            await api.invoices.pay_async(made)
        payments = [row for row in _owned(state, "payments", customer_id) if row["invoice_id"] == invoice["id"]]
        await _as_in_sandbox(api, copied.id, made, invoice, payments)


def _owned(state: State, table: str, customer_id: str) -> list[dict[str, Any]]:
    return [row for row in state[table] if row["customer_id"] == customer_id]


async def _card(api: stripe.V1Services, stripe_id: str, card: dict[str, Any]) -> None:
    year, month = card["expires"].split("-")
    number = f"424242424242{card['last4']}"
    made = await api.payment_methods.create_async(
        {"type": "card", "card": {"number": number, "exp_month": int(month), "exp_year": int(year), "cvc": "123"}}
    )
    await api.payment_methods.attach_async(made.id, {"customer": stripe_id})
    if card["is_default"]:
        await api.customers.update_async(stripe_id, {"invoice_settings": {"default_payment_method": made.id}})


def _plan_id(name: str, currency: str) -> str:
    return f"{name}-{currency.lower()}"


async def _plans(api: stripe.V1Services, state: State, currency: str) -> None:
    there = {plan.id for plan in (await api.plans.list_async({"limit": 100})).data}
    for plan in state["plans"]:
        plan_id = _plan_id(plan["name"], currency)
        if plan["currency"] != currency or plan_id in there:
            continue
        await api.plans.create_async(
            {
                "id": plan_id,
                "amount": plan["price_per_seat"],
                "currency": currency.lower(),
                "interval": "month",
                "product": {"name": plan["name"].capitalize()},
                "metadata": {
                    "handrail_plan": plan["name"],
                    "handrail_rank": str(plan["rank"]),
                    "handrail_max_seats": str(plan["max_seats"]),
                    "handrail_quota": json.dumps(plan["quota"]),
                },
            }
        )


async def _subscribe(api: stripe.V1Services, stripe_id: str, subscription: dict[str, Any]) -> stripe.Subscription:
    begins = first_of_month(date.fromisoformat(subscription["renews_on"]), -1)
    item: Any = {
        "plan": _plan_id(subscription["plan"], subscription["currency"]),
        "quantity": subscription["seats"],
    }
    begun = int(datetime.combine(begins, time(), UTC).timestamp())
    return await api.subscriptions.create_async({"customer": stripe_id, "items": [item], "backdate_start_date": begun})


async def _as_in_sandbox(
    api: stripe.V1Services, stripe_id: str, made: str, invoice: dict[str, Any], payments: list[dict[str, Any]]
) -> None:
    """Give a paid invoice the number and dates of the sandbox, and the payments beyond the first."""
    facts = {name: invoice[name] for name in ("number", "issued_on", "due_on", "period", "description")}
    changed = await api.invoices.update_async(
        made, {"metadata": {f"handrail_{name}": value for name, value in facts.items()}}
    )
    own = changed.to_dict()["charge"]
    for position, payment in enumerate(payments):
        facts = {"handrail_paid_on": payment["paid_on"], "handrail_invoice": made}
        if position == 0:
            charge = await api.charges.update_async(own["id"], {"metadata": facts})
        else:
            charge = await api.charges.create_async(
                {
                    "amount": payment["amount"],
                    "currency": payment["currency"].lower(),
                    "customer": stripe_id,
                    "metadata": facts,
                }
            )
        if payment["amount_refunded"]:
            await api.refunds.create_async({"charge": charge.id, "amount": payment["amount_refunded"]})
