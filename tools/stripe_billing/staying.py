"""The discount for staying: a coupon that a plan of the price list names, redeemed once per subscription.

A plan that may be offered one has metadata `handrail_retention_coupon`: the id of a repeating coupon in whole percent.
A subscription that has had it keeps the day in metadata `handrail_retention_accepted_on`.
"""

from dataclasses import dataclass
from typing import Any

from tools.errors import BackendRefused, NoSuchRecord
from tools.sandbox.changes import ChangeUndone
from tools.sandbox.subscription import OfferAccepted, RetentionOffer, WhichOffer
from tools.stripe_billing.backend import Account, metadata
from tools.stripe_billing.held import Held
from tools.stripe_billing.notes import name_from, note_under, with_note

ACCEPT = "billing.accept_retention_offer"
COUPON = "handrail_retention_coupon"
ACCEPTED = "handrail_retention_accepted_on"
ENDED = "handrail_retention_was_ending"
"""Metadata of a subscription that was set to end when the discount was accepted."""
UNDO = f"{ACCEPT}.undo"


@dataclass(frozen=True)
class Terms:
    """A discount in whole percent for a number of months."""

    coupon: str
    percent: int
    months: int


def offer_id(held: Held) -> str:
    """The offer's id; it follows from the subscription's."""
    return f"offer_{held.id.removeprefix('sub_')}"


async def terms_for(account: Account, held: Held) -> Terms | None:
    """The discount that this subscription may still have, or None."""
    coupon_id = metadata(held.item["plan"]).get(COUPON)
    if not coupon_id or held.status != "active" or ACCEPTED in metadata(held.record) or held.discounted:
        return None
    coupon = (await account.api.coupons.retrieve_async(coupon_id)).to_dict()
    percent, months = coupon.get("percent_off"), coupon.get("duration_in_months")
    if not coupon["valid"] or not months or not percent or percent != int(percent):
        return None
    return Terms(coupon_id, int(percent), months)


async def offered(account: Account, held: Held) -> RetentionOffer:
    """The offer as the agent sees it."""
    terms = await terms_for(account, held)
    if terms is None:
        return RetentionOffer(available=False, percent=0, months=0, offer_id="")
    return RetentionOffer(available=True, percent=terms.percent, months=terms.months, offer_id=offer_id(held))


async def described(account: Account, held: Held) -> dict[str, Any]:
    """What policies know of the offer; `saved` is the sum over all its months."""
    terms = await terms_for(account, held)
    percent, months = (terms.percent, terms.months) if terms else (0, 0)
    return {
        "retention_available": terms is not None,
        "retention_percent": percent,
        "retention_months": months,
    }


async def accept(account: Account, held: Held, arguments: WhichOffer) -> OfferAccepted:
    """Redeem the coupon and let the subscription go on, with the note, in one request. Raises `BackendRefused`."""
    terms = await terms_for(account, held)
    if terms is None or arguments.offer_id != offer_id(held):
        raise BackendRefused("this offer is not available")
    answer = OfferAccepted(
        change_id=name_from("chg", account.key),
        offer_id=arguments.offer_id,
        percent=terms.percent,
        months=terms.months,
        monthly_total=held.list_price * (100 - terms.percent) // 100,
        currency=held.currency,
    )
    noted = with_note(metadata(held.record), account.key, ACCEPT, account.request, answer)
    ending = "true" if held.cancel_at else ""
    wanted: Any = {
        "discounts": [{"coupon": terms.coupon}],
        "cancel_at_period_end": False,
        "metadata": {**noted, ACCEPTED: account.today.isoformat(), ENDED: ending},
    }
    await account.api.subscriptions.update_async(held.id, wanted, {"idempotency_key": account.key})
    return answer


async def take_offer_back(account: Account, held: Held, original_key: str) -> ChangeUndone:
    """Take the discount away again. Raises `NoSuchRecord`, and `BackendRefused` where it was done already."""
    note = note_under(metadata(held.record), original_key, ACCEPT)
    if note is None:
        raise NoSuchRecord("nothing was done under this key")
    if ACCEPTED not in metadata(held.record):
        raise BackendRefused("it has been changed again since, so it cannot be taken back")
    answer = ChangeUndone(change_id=name_from("chg", account.key), undoes=note.answer["change_id"])
    noted = with_note(metadata(held.record), account.key, UNDO, account.request, answer)
    wanted: Any = {
        "discounts": "",
        "cancel_at_period_end": ENDED in metadata(held.record),
        "metadata": {**noted, ACCEPTED: "", ENDED: ""},
    }
    await account.api.subscriptions.update_async(held.id, wanted, {"idempotency_key": account.key})
    return answer
