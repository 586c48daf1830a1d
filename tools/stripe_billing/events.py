"""What Stripe reports of its own accord: under which of our keys something was done, and which refund failed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from records.money import Money
from tools.stripe_billing.backend import currency_of, metadata
from tools.stripe_billing.invoices import KEY, NOT_SENT_BACK
from tools.stripe_billing.notes import notes_in


@dataclass(frozen=True)
class FailedRefund:
    """A refund of ours of which, as it turned out, no money went."""

    key: str
    """Our idempotency key."""
    refund_id: str
    amount: Money
    why: str
    """In Stripe's words: ``expired or canceled card``."""


def failed_refund(reported: Any) -> FailedRefund | None:
    """The refund that an event's data tell of, if it is one of ours and has failed or was cancelled.

    Stripe tells it in `refund.failed`, `refund.updated` and `charge.refund.updated`, in any order, also days after the
    refund was taken. A refund that has failed stays so.
    """
    refund = reported.get("object") if isinstance(reported, Mapping) else None
    if not isinstance(refund, Mapping) or refund.get("object") != "refund" or refund.get("status") not in NOT_SENT_BACK:
        return None
    key = metadata(refund).get(KEY)
    if not key:
        return None
    why = str(refund.get("failure_reason") or ("cancelled" if refund["status"] == "canceled" else "no reason given"))
    amount = Money(int(refund["amount"]), currency_of(refund))
    return FailedRefund(key, str(refund["id"]), amount, why.replace("_", " "))


def keys_in(reported: Any) -> set[str]:
    """The idempotency keys that stand in the metadata of a reported object or of anything inside it."""
    return {key for facts in _metadata(reported) for key in _keys(facts)}


def _metadata(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if isinstance(facts := value.get("metadata"), Mapping):
            yield facts
        for part in value.values():
            yield from _metadata(part)
    elif isinstance(value, list):
        for part in value:
            yield from _metadata(part)


def _keys(facts: Mapping[str, Any]) -> Iterator[str]:
    if key := facts.get(KEY):
        yield str(key)
    for note in notes_in({name: str(value) for name, value in facts.items()}):
        yield note.key
