"""What the records say about a customer, as the templates of documents see it: this customer's rows and no others."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col

from tools.sandbox.backend import Account
from tools.sandbox.bills import Bill, Bills
from tools.sandbox.tables import Change, Customer, Resource, SignIn, Subscription, User
from tools.sandbox.vat import VatRule, rule_for, split

LOG_DAYS = 90


async def document_values(account: Account, bills: Bills) -> dict[str, Any]:
    """Everything that a template may name. Money is in minor units. Raises `NoSuchRecord`."""
    customer = await account.customer()
    users = await account.all(User)
    vat = rule_for(_country(customer), customer.vat_id)
    taxed = [_taxed(bill, vat) for bill in bills.invoices if bill.status != "void"]
    log_from = account.today - timedelta(days=LOG_DAYS)
    since = datetime.combine(log_from, datetime.min.time(), account.now.tzinfo)
    return {
        "customer": customer.model_dump(),
        "subscription": (await account.only(Subscription)).model_dump(),
        "users": [user.model_dump() for user in users],
        "resources": [r.model_dump() for r in await account.all(Resource) if r.status != "deleted"],
        "vat": vat._asdict(),
        "taxed": taxed,
        "tax_sums": _sums(taxed),
        "invoices": [asdict(bill) for bill in bills.invoices],
        "credits": [asdict(credit) for credit in bills.credits],
        "today": account.today,
        "log_from": log_from,
        "sign_ins": await _sign_ins(account, users, since),
        "access_changes": await _access_changes(account, users, since),
    }


def _country(customer: Customer) -> str:
    return customer.locale.partition("_")[2]


def _taxed(bill: Bill, vat: VatRule) -> dict[str, Any]:
    """An invoice with its tax. Money that was paid on top of it and went back is no refund of the invoice."""
    rate, (net, tax) = vat.rate, split(bill.total, vat.rate)
    if bill.tax is not None:
        net, tax = bill.total - bill.tax, bill.tax
        rate = _rate(net, tax)
    paid_on_top = max(0, bill.amount_paid - bill.amount_due)
    returned = max(0, bill.amount_refunded - paid_on_top)
    return asdict(bill) | {"rate": rate, "net": net, "vat": tax, "gross": bill.total, "returned": returned}


def _rate(net: int, tax: int) -> int:
    """Basis points, to the tenth of a percent that rates have; the cents of a tax are rounded."""
    return round(1000 * tax / net) * 10 if net else 0


def _sums(taxed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each year, currency and rate: what was invoiced, what of it was refunded, and what is left."""
    sums: list[dict[str, Any]] = []
    for year, currency, rate in sorted({(i["issued_on"].year, i["currency"], i["rate"]) for i in taxed}):
        group = [i for i in taxed if (i["issued_on"].year, i["currency"], i["rate"]) == (year, currency, rate)]
        invoiced = [(i["net"], i["vat"]) for i in group]
        refunded = [tuple(-part for part in split(i["returned"], rate)) for i in group]
        for what, parts in (("Invoiced", invoiced), ("Refunded", refunded), ("Balance", invoiced + refunded)):
            net, vat = sum(part[0] for part in parts), sum(part[1] for part in parts)
            line = {"year": year, "currency": currency, "rate": rate, "what": what}
            sums.append(line | {"net": net, "vat": vat, "gross": net + vat})
    return sums


async def _sign_ins(account: Account, users: list[User], since: datetime) -> list[dict[str, Any]]:
    known = {user.id: user for user in users}
    attempts = await account.all(SignIn, col(SignIn.at) >= since)
    return [
        {"at": a.at, "name": known[a.user_id].name, "email": known[a.user_id].email}
        | {"address": a.address, "outcome": a.outcome}
        for a in sorted(attempts, key=lambda attempt: (attempt.at, attempt.id), reverse=True)
        if a.user_id in known
    ]


async def _access_changes(account: Account, users: list[User], since: datetime) -> list[dict[str, Any]]:
    names = {user.id: user.name for user in users}
    changes = await account.all(Change, col(Change.created_at) >= since, col(Change.kind).like("user.%"))
    return [
        {"at": change.created_at, "name": names.get(change.about, change.about), "what": field}
        | {"before": _shown(change.before.get(field)), "after": _shown(value)}
        for change in sorted(changes, key=lambda change: (change.created_at, change.id), reverse=True)
        for field, value in change.after.items()
    ]


def _shown(value: Any) -> str:
    return {True: "yes", False: "no", None: ""}.get(value, str(value)) if not isinstance(value, str) else value
