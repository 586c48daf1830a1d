"""A subscription at Stripe with its one plan: what is held, by how many, until when."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from tools.errors import BackendRefused, NoSuchRecord
from tools.stripe_billing.backend import Account, Json, currency_of, day_of, metadata
from tools.stripe_billing.sides import Service

STATUS = {
    "active": "active",
    "trialing": "trialing",
    "past_due": "past_due",
    "incomplete": "past_due",
    "unpaid": "suspended",
    "paused": "suspended",
    "canceled": "cancelled",
    "incomplete_expired": "cancelled",
}


@dataclass(frozen=True)
class Held:
    """A subscription with its one item. Amounts are minor units for a month."""

    record: Json
    item: Json
    service: Service | None = None
    """How the service stands, which Stripe does not know."""

    @property
    def id(self) -> str:
        return self.record["id"]

    @property
    def plan(self) -> str:
        return plan_name(self.item["plan"])

    @property
    def seats(self) -> int:
        return self.item["quantity"]

    @property
    def seats_used(self) -> int:
        """The seats that people hold; all of them where nobody knows."""
        return self.seats if self.service is None else self.service.seats_used

    @property
    def price_per_seat(self) -> int:
        return self.item["plan"]["amount"]

    @property
    def currency(self) -> str:
        return currency_of(self.item["plan"])

    @property
    def status(self) -> str:
        billed = STATUS[self.record["status"]]
        return "suspended" if self.service and self.service.suspended and billed != "cancelled" else billed

    @property
    def discounted(self) -> bool:
        return bool(self.record.get("discount") or self.record.get("discounts"))

    @property
    def list_price(self) -> int:
        """What a month costs without a discount."""
        return self.price_per_seat * self.seats

    @property
    def monthly(self) -> int:
        """What a month costs. A discount in percent is counted; any other comes off on the invoice."""
        coupon = (self.record.get("discount") or {}).get("coupon") or {}
        return int(self.list_price * (100 - (coupon.get("percent_off") or 0)) // 100)

    @property
    def renews_on(self) -> str | None:
        if self.status == "cancelled":
            return None
        return day_of(self.record["current_period_end"]).isoformat()

    @property
    def cancel_at(self) -> str | None:
        if self.record.get("cancel_at"):
            return day_of(self.record["cancel_at"]).isoformat()
        if self.record.get("cancel_at_period_end"):
            return day_of(self.record["current_period_end"]).isoformat()
        return None

    def change_at(self, account: Account) -> int:
        """From when on a change is charged: the start of today or of the period, whichever is later."""
        midnight = datetime.combine(account.today, time(), UTC)
        return max(int(midnight.timestamp()), self.record["current_period_start"])

    def due_now(self, account: Account, monthly_then: int) -> int:
        """What the rest of the period costs more, rounded as Stripe does: what is given back and what is charged.

        Nothing while a trial lasts.
        """
        if self.record["status"] == "trialing":
            return 0
        begins, ends = self.record["current_period_start"], self.record["current_period_end"]
        left, whole = max(0, ends - self.change_at(account)), ends - begins

        def share(amount: int) -> int:
            return (2 * amount * left + whole) // (2 * whole)

        return max(0, share(monthly_then) - share(self.list_price))


async def held_by(account: Account) -> Held:
    """The customer's subscription: the living one, or else the last that ended.

    Raises `NoSuchRecord` without one, and `BackendRefused` for several, or one that is not a monthly price per seat.
    """
    found = sorted(await account.subscriptions(), key=lambda record: record["created"])
    living = [record for record in found if STATUS.get(record["status"]) != "cancelled"]
    if len(living) > 1:
        raise BackendRefused(f"this customer has {len(living)} subscriptions")
    if not found:
        raise NoSuchRecord("this customer has no subscription")
    record = (living or found)[-1]
    items = record["items"]["data"]
    if len(items) != 1:
        raise BackendRefused("the subscription has several plans at once")
    plan = items[0]["plan"]
    if (plan["interval"], plan["interval_count"], plan["billing_scheme"]) != ("month", 1, "per_unit"):
        raise BackendRefused("the subscription is not billed by seat and month")
    if not isinstance(plan["amount"], int):
        raise BackendRefused("the price of a seat is not a whole number of minor units")
    return Held(record, items[0])


def plan_name(plan: Json) -> str:
    """The name of a plan of the price list, else what Stripe calls it."""
    return metadata(plan).get("handrail_plan") or plan.get("nickname") or plan["id"]
