"""The sandbox company's billing at a stand-in for Stripe, so that recorded tickets run with BILLING=stripe.

`mirror` copies customers into an empty account: cards, price list, subscription, invoices, payments, refunds, credits.
It is written for localstripe, where an invoice is made of a subscription and carries today's date: what the sandbox
says otherwise stands in metadata, as with records that were brought over from another system.

Stripe gives its own ids. `Names` leads from them to those that recorded tickets use, and back.
"""

import asyncio
import importlib.util
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.settings import BrokenSettings, Settings
from tools.sandbox.company import first_of_month

if TYPE_CHECKING:
    import stripe

    from tools.stripe_billing.backend import Account, StripeBackend
    from tools.stripe_billing.sides import Sides

State = dict[str, list[dict[str, Any]]]
Row = dict[str, Any]
DECLINED = "4000000000000341"
"""A card that can be kept on file and never charged."""
PROGRAM = Path(__file__).with_name("local_stripe.py")


@asynccontextmanager
async def stand_in() -> AsyncIterator[str]:
    """The URL of a running localstripe. Each API key has an account of its own in it.

    Raises ModuleNotFoundError where localstripe is not installed.
    """
    if importlib.util.find_spec("localstripe") is None:
        raise ModuleNotFoundError("localstripe is not installed, and without it there is no stand-in for Stripe")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TZ": "UTC"},
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def at_stripe(settings: Settings, opened_at: datetime, customers: Iterable[str] | None) -> AsyncIterator["Books"]:
    """The company of this home at Stripe, as of `opened_at`; `customers` alone where not all are needed.

    The account that the settings' key opens has to be empty. Raises `BrokenSettings` where it would be Stripe's own.
    """
    import stripe

    from tools.sandbox.backend import SandboxBackend
    from tools.stripe_billing.backend import StripeBackend
    from tools.stripe_billing.sides import sandbox_sides

    if settings.stripe_base_url is None or settings.stripe_api_key is None:
        raise BrokenSettings(
            "setting HANDRAIL_STRIPE_BASE_URL: it must name a stand-in, since the account is written to"
        )
    key = settings.stripe_api_key.get_secret_value()
    sandbox = await SandboxBackend.open(
        settings.sandbox_path, clock=lambda: opened_at, seed=settings.seed, today=opened_at.date()
    )
    http = stripe.HTTPXClient(timeout=settings.stripe_seconds)
    bases: Any = {"api": settings.stripe_base_url}
    api = stripe.StripeClient(key, base_addresses=bases, http_client=http, max_network_retries=0).v1
    backend = StripeBackend(key, base_url=settings.stripe_base_url, clock=lambda: opened_at)
    try:
        state = await sandbox.dump()
        known = [row["id"] for row in state["customers"]]
        wanted = [customer for customer in known if customers is None or customer in customers]
        yield Books(backend, sandbox_sides(sandbox), await mirror_company(api, state, wanted), wanted)
    finally:
        await backend.close()
        await http.close_async()
        await sandbox.close()


@dataclass
class Names:
    """Two names of one record: Stripe's and that of the recorded tickets."""

    recorded: dict[str, str] = field(default_factory=dict)
    """By Stripe's id."""

    def add(self, at_stripe: str, recorded: str) -> None:
        """Two ids of one record."""
        self.recorded[at_stripe] = recorded

    def as_recorded(self, value: Any) -> Any:
        """A value with the recorded tickets' ids."""
        return _renamed(value, self.recorded)

    def as_here(self, value: Any) -> Any:
        """A value with Stripe's ids."""
        return _renamed(value, {recorded: at_stripe for at_stripe, recorded in self.recorded.items()})


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, Mapping):
        return {name: _renamed(part, names) for name, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, names) for part in value]
    if isinstance(value, str):
        return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), value)
    return value


@dataclass
class Books:
    """What Stripe holds of the mirrored customers, in the tables of the sandbox's dump."""

    backend: "StripeBackend"
    sides: "Sides"
    names: Names
    customers: list[str]

    async def tables(self) -> State:
        """Subscriptions, cards, invoices, payments, refunds, credits, and the notes that effects leave."""
        state: State = {name: [] for name in BILLING}
        for customer_id in self.customers:
            for table, rows in (await self.backend.ask(customer_id, self._tables)).items():
                state[table] += rows
        return self.names.as_recorded(state)

    async def _tables(self, account: "Account") -> State:
        from tools.stripe_billing.backend import identifier, metadata
        from tools.stripe_billing.invoices import INVOICE, REASON, list_invoices, list_payment_methods
        from tools.stripe_billing.later import schedule_of
        from tools.stripe_billing.notes import notes_in
        from tools.stripe_billing.subscription import Subscriptions

        charges = await account.charges()
        subscriptions = Subscriptions(self.sides)
        held = await subscriptions.held(account)
        seen = await subscriptions.get(account, None)
        schedule = await schedule_of(account, held)
        noted = [(invoice["id"], invoice) for invoice in await account.invoices()]
        noted += [(held.id, record) for record in (held.record, held.item, schedule or {})]
        tables: State = {
            "subscriptions": [
                {
                    "id": seen.subscription_id,
                    **seen.model_dump(exclude={"subscription_id"}),
                    "phases": [
                        item["price"] for phase in (schedule or {"phases": []})["phases"] for item in phase["items"]
                    ],
                }
            ],
            "payment_methods": [card.model_dump() for card in (await list_payment_methods(account, None)).methods],
            "invoices": [invoice.model_dump() for invoice in (await list_invoices(account, None)).invoices],
            "payments": [
                {
                    "id": charge["id"],
                    "invoice_id": metadata(charge).get(INVOICE, ""),
                    **{name: charge[name] for name in ("amount", "amount_refunded", "currency", "status")},
                }
                for charge in charges
            ],
            "refunds": [
                {
                    "id": refund["id"],
                    "invoice_id": metadata(refund).get(INVOICE, ""),
                    "payment_id": identifier(refund["charge"]),
                    "reason": metadata(refund).get(REASON, ""),
                    **{name: refund[name] for name in ("amount", "currency")},
                }
                for charge in charges
                for refund in charge["refunds"]["data"]
            ],
            "credits": [
                {"id": made["id"], "amount": -made["amount"], "currency": made["currency"], "facts": _facts(made)}
                for made in await account.balance_transactions()
            ],
            "notes": [
                {"id": note.key, "about": about, "tool": note.tool}
                for about, record in noted
                for note in notes_in(metadata(record))
            ],
        }
        return {table: [{"customer_id": account.customer_id, **row} for row in rows] for table, rows in tables.items()}


BILLING = ("subscriptions", "payment_methods", "invoices", "payments", "refunds", "credits", "notes")
"""Tables of the dump that are Stripe's with BILLING=stripe."""


def _facts(made: Row) -> dict[str, str]:
    return {name: value for name, value in made["metadata"].items() if name == "handrail_month"}


async def mirror_company(api: "stripe.V1Services", state: State, customers: Iterable[str]) -> Names:
    """Copy customers of ``SandboxBackend.dump()`` into an empty account."""
    names, currencies = Names(), set[str]()
    for customer_id in customers:
        customer = next(row for row in state["customers"] if row["id"] == customer_id)
        if customer["currency"] not in currencies:
            await _price_list(api, state, customer["currency"])
            currencies.add(customer["currency"])
        await _Copy(api, state, customer, names).make()
    return names


async def _price_list(api: "stripe.V1Services", state: State, currency: str) -> None:
    """The plans in one currency, and the discount for staying on those that have it."""
    offers = {row["plan"]: row for row in state["subscriptions"] if row["retention_percent"]}
    for plan in state["plans"]:
        if plan["currency"] != currency:
            continue
        facts = {
            "handrail_plan": plan["name"],
            "handrail_rank": str(plan["rank"]),
            "handrail_max_seats": str(plan["max_seats"]),
            "handrail_quota": json.dumps(plan["quota"]),
        }
        if offer := offers.get(plan["name"]):
            facts["handrail_retention_coupon"] = await _coupon(api, offer)
        await api.plans.create_async(
            {
                "id": _plan_id(plan["name"], currency),
                "amount": plan["price_per_seat"],
                "currency": currency.lower(),
                "interval": "month",
                "product": {"name": plan["name"].capitalize()},
                "metadata": facts,
            }
        )


async def _coupon(api: "stripe.V1Services", offer: Row) -> str:
    """The coupon of an offer, made once."""
    percent, months = offer["retention_percent"], offer["retention_months"]
    name = f"stay-{percent}-for-{months}"
    if name not in {coupon.id for coupon in (await api.coupons.list_async({"limit": 100})).data}:
        await api.coupons.create_async(
            {"id": name, "percent_off": percent, "duration": "repeating", "duration_in_months": months}
        )
    return name


def _plan_id(name: str, currency: str) -> str:
    return f"{name}-{currency.lower()}"


@dataclass
class _Copy:
    """One customer being copied."""

    api: "stripe.V1Services"
    state: State
    customer: Row
    names: Names
    id: str = ""
    subscription: str = ""

    async def make(self) -> None:
        made = await self.api.customers.create_async(
            {
                "name": self.customer["company"],
                "email": self.customer["contact_email"],
                "metadata": {"handrail_customer": self.customer["id"]},
            }
        )
        self.id = made.id
        card = await self._cards()
        held, *_ = self._owned("subscriptions")
        invoices = sorted(self._owned("invoices"), key=lambda row: (row["status"] != "paid", row["number"]))
        if not invoices:
            await self._subscribe(held)
        for invoice in invoices:
            await self._invoice(invoice, held, card)
        for credit in self._owned("credits"):
            booked = await self.api.customers.balance_transactions.create_async(
                self.id,
                {
                    "amount": -credit["amount"],
                    "currency": credit["currency"].lower(),
                    "metadata": {"handrail_month": credit["month"]},
                },
            )
            self.names.add(booked.id, credit["id"])
        await self._as_it_stands(held)

    def _owned(self, table: str) -> list[Row]:
        return [row for row in self.state[table] if row["customer_id"] == self.customer["id"]]

    async def _cards(self) -> str:
        """The cards on file. Returns the one that pays."""
        default = ""
        for card in self._owned("payment_methods"):
            begins = {"visa": "424242424242", "mastercard": "555555555555"}[card["brand"]]
            made = await self._card(f"{begins}{card['last4']}", card["expires"])
            self.names.add(made, card["id"])
            default = made if card["is_default"] else default
        await self._pays_with(default)
        return default

    async def _card(self, number: str, expires: str) -> str:
        year, month = map(int, expires.split("-"))
        card: Any = {"number": number, "exp_month": month, "exp_year": year, "cvc": "123"}
        made = await self.api.payment_methods.create_async({"type": "card", "card": card})
        await self.api.payment_methods.attach_async(made.id, {"customer": self.id})
        return made.id

    async def _pays_with(self, card: str) -> None:
        await self.api.customers.update_async(self.id, {"invoice_settings": {"default_payment_method": card}})

    async def _subscribe(self, held: Row) -> str:
        """Begin the subscription. Returns its first invoice; a trial has none."""
        item: Any = {"plan": _plan_id(held["plan"], held["currency"]), "quantity": held["seats"]}
        renews_on = held["renews_on"] or held["cancel_at"]
        begins = first_of_month(date.fromisoformat(renews_on), -1 if held["renews_on"] else 0)
        wanted: Any = {"customer": self.id, "items": [item], "backdate_start_date": _midnight(begins)}
        if held["status"] == "trialing":
            wanted["trial_end"] = _midnight(date.fromisoformat(renews_on))
        made = await self.api.subscriptions.create_async(wanted)
        self.subscription = made.id
        self.names.add(made.id, held["id"])
        number = held["id"].removeprefix("sub_")
        self.names.add(f"offer_{made.id.removeprefix('sub_')}", f"offer_{number}")
        return str(made.latest_invoice or "")

    async def _invoice(self, invoice: Row, held: Row, card: str) -> None:
        extra = invoice["amount_due"] - held["seats"] * held["price_per_seat"]
        if extra:
            currency = held["currency"].lower()
            await self.api.invoice_items.create_async({"customer": self.id, "amount": extra, "currency": currency})
        payments = [row for row in self._owned("payments") if row["invoice_id"] == invoice["id"]]
        if not self.subscription:
            made = await self._subscribe(held)
        else:
            made = (await self.api.invoices.create_async({"customer": self.id, "subscription": self.subscription})).id
            await self._settle(made, invoice["status"], payments, card)
        self.names.add(made, invoice["id"])
        facts = {f"handrail_{name}": invoice[name] for name in ("number", "issued_on", "due_on", "period")}
        facts["handrail_description"] = invoice["description"]
        changed = await self.api.invoices.update_async(made, {"metadata": facts, "description": invoice["memo"]})
        for position, payment in enumerate(payments):
            await self._payment(payment, made, changed.to_dict()["charge"] if position == 0 else None)

    async def _settle(self, made: str, status: str, payments: list[Row], card: str) -> None:
        """Bring a draft to where the invoice is: paid, declined, open or void."""
        declined = [payment for payment in payments if payment["status"] == "failed"]
        if status == "paid":
            await self.api.invoices.pay_async(made)
        elif declined:
            other = await self._card(DECLINED, "2040-01")
            await self._pays_with(other)
            await self.api.invoices.pay_async(made)
            await self._pays_with(card)
            await self.api.payment_methods.detach_async(other)
        else:
            await self.api.invoices.finalize_invoice_async(made)
            if status == "void":
                await self.api.invoices.void_invoice_async(made)

    async def _payment(self, payment: Row, made: str, own: Row | None) -> None:
        """The invoice's own charge, or one more for the same invoice, with what went back of it."""
        facts = {"handrail_paid_on": payment["paid_on"], "handrail_invoice": made}
        if own is not None:
            charge = await self.api.charges.update_async(own["id"], {"metadata": facts})
        else:
            charge = await self.api.charges.create_async(
                {
                    "amount": payment["amount"],
                    "currency": payment["currency"].lower(),
                    "customer": self.id,
                    "metadata": facts,
                }
            )
        self.names.add(charge.id, payment["id"])
        for refund in self._owned("refunds"):
            if refund["payment_id"] == payment["id"]:
                back = await self.api.refunds.create_async(
                    {
                        "charge": charge.id,
                        "amount": refund["amount"],
                        "metadata": {"handrail_invoice": made, "handrail_reason": refund["reason"]},
                    }
                )
                self.names.add(back.id, refund["id"])

    async def _as_it_stands(self, held: Row) -> None:
        """A discount that was taken, and an end that is arranged or has come."""
        wanted: Any = {}
        if held["retention_accepted_on"]:
            wanted["discounts"] = [{"coupon": await _coupon(self.api, held)}]
            wanted["metadata"] = {"handrail_retention_accepted_on": held["retention_accepted_on"]}
        if held["status"] == "cancelled":
            wanted["cancel_at"] = _midnight(date.fromisoformat(held["cancel_at"]))
        elif held["cancel_at"]:
            wanted["cancel_at_period_end"] = True
        if wanted:
            await self.api.subscriptions.update_async(self.subscription, wanted)
        if held["status"] == "cancelled":
            await self.api.subscriptions.cancel_async(self.subscription)


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
