"""Credits for missed uptime, as transactions on the Stripe customer's balance: they come off the next invoice.

A credit names its month in metadata (`handrail_month`). One that is taken back stays, and a second transaction over the
same amount names it (`handrail_undoes`: the key of the first).
"""

from records.money import Money
from tools.errors import BackendRefused, NoSuchRecord
from tools.sandbox.billing import CreditApplied, CreditReversed, CreditWanted
from tools.sandbox.bills import GivenCredit
from tools.sandbox.contracts import Sla, SlaMonth
from tools.stripe_billing.backend import Account, Json, currency_of, metadata
from tools.stripe_billing.invoices import KEY, REQUEST
from tools.tool import Resource

CREDIT = "billing.apply_sla_credit"
MONTH = "handrail_month"
UNDOES = "handrail_undoes"


async def with_credits(account: Account, sla: Sla) -> Sla:
    """The promise, in which the months that Stripe has credited count as credited."""
    credited = {metadata(made)[MONTH] for made in _standing(await account.balance_transactions())}
    months = [month.model_copy(update={"credited": month.month in credited}) for month in sla.months]
    return sla.model_copy(update={"months": months})


async def given(account: Account) -> tuple[GivenCredit, ...]:
    """Every credit, also those that were taken back, oldest first."""
    booked = await account.balance_transactions()
    standing = {made["id"] for made in _standing(booked)}
    return tuple(
        GivenCredit(
            month=metadata(made)[MONTH],
            state="applied" if made["id"] in standing else "reversed",
            amount=-made["amount"],
            currency=currency_of(made),
        )
        for made in reversed(booked)
        if MONTH in metadata(made)
    )


async def month_resource(account: Account, sla: Sla, arguments: CreditWanted) -> Resource | None:
    """The month that a credit is for, as the policies know it."""
    month = _month(await with_credits(account, sla), arguments.month)
    if month is None:
        return None
    return Resource(
        "SlaMonth",
        f"{account.customer_id}/{month.month}",
        account.customer_id,
        {"credit_due": month.credit_due, "credited": month.credited, "currency": month.currency, "month": month.month},
    )


async def apply_credit(account: Account, sla: Sla, arguments: CreditWanted) -> CreditApplied:
    """Credit what is owed for a month, once. Raises `NoSuchRecord` and `BackendRefused`."""
    month = _month(await with_credits(account, sla), arguments.month)
    if month is None:
        raise NoSuchRecord(f"no uptime was promised and measured for {arguments.month}")
    if month.credited:
        raise BackendRefused(f"the credit for {month.month} has been given already")
    if arguments.amount != month.credit_due:
        raise BackendRefused(f"the credit owed for {month.month} is {Money(month.credit_due, month.currency)}")
    facts = {KEY: account.key, REQUEST: account.request, MONTH: month.month}
    return _applied(await _book(account, -arguments.amount, month.currency, f"Uptime of {month.month}", facts))


async def credit_found(account: Account) -> tuple[str, CreditApplied] | None:
    """The credit under the account's key."""
    made = await _under(account, account.key)
    return (metadata(made)[REQUEST], _applied(made)) if made and MONTH in metadata(made) else None


async def take_credit_back(account: Account, original_key: str) -> CreditReversed:
    """Book a credit off again. Raises `NoSuchRecord`, and `BackendRefused` where that was done already."""
    made = await _under(account, original_key)
    if made is None or MONTH not in metadata(made):
        raise NoSuchRecord("nothing was done under this key")
    if made["id"] not in {one["id"] for one in _standing(await account.balance_transactions())}:
        raise BackendRefused("this credit was taken back already")
    facts = {KEY: account.key, REQUEST: account.request, UNDOES: original_key}
    month = metadata(made)[MONTH]
    back = await _book(account, -made["amount"], currency_of(made), f"Uptime of {month}, taken back", facts)
    return CreditReversed(credit_id=made["id"], amount=back["amount"], currency=currency_of(back))


async def credit_back_found(account: Account) -> tuple[str, CreditReversed] | None:
    """The taking back under the account's key."""
    back = await _under(account, account.key)
    if back is None or UNDOES not in metadata(back):
        return None
    made = await _under(account, metadata(back)[UNDOES])
    reversed_id = made["id"] if made else back["id"]
    return metadata(back)[REQUEST], CreditReversed(
        credit_id=reversed_id, amount=back["amount"], currency=currency_of(back)
    )


async def _book(account: Account, amount: int, currency: str, description: str, facts: dict[str, str]) -> Json:
    """One transaction; a negative amount is in the customer's favour."""
    made = await account.api.customers.balance_transactions.create_async(
        account.stripe_id,
        {"amount": amount, "currency": currency.lower(), "description": description, "metadata": facts},
        {"idempotency_key": account.key},
    )
    return made.to_dict()


async def _under(account: Account, key: str) -> Json | None:
    return next((made for made in await account.balance_transactions() if metadata(made).get(KEY) == key), None)


def _standing(booked: list[Json]) -> list[Json]:
    """The credits that were not taken back."""
    undone = {metadata(made).get(UNDOES) for made in booked}
    return [made for made in booked if MONTH in metadata(made) and metadata(made).get(KEY) not in undone - {None}]


def _applied(made: Json) -> CreditApplied:
    return CreditApplied(
        credit_id=made["id"], month=metadata(made)[MONTH], amount=-made["amount"], currency=currency_of(made)
    )


def _month(sla: Sla, month: str) -> SlaMonth | None:
    return next((seen for seen in sla.months if seen.month == month), None)
