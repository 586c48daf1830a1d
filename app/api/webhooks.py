"""What backends report of their own accord. Stripe's events settle effects, and tell of refunds that failed later.

An event is only a hint where to look: what counts is what Stripe then shows. So an event that comes twice, late or out
of order changes nothing, and none has to be remembered.
"""

from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, Request
from sqlmodel import select

from app.api.callers import Service
from app.api.problems import Problem
from app.runtime import Runtime
from records.effect import EffectRecord, EffectState
from tools.errors import ToolError

if TYPE_CHECKING:
    from tools.stripe_billing.events import FailedRefund

router = APIRouter(tags=["webhooks"])
log = structlog.get_logger(__name__)

REFUND = "billing.refund"
MAX_AGE_SECONDS = 300
"""How old a signed event may be; one that is played back later is refused."""


@router.post("/v1/webhooks/stripe")
async def stripe_reports(request: Request, runtime: Service) -> dict[str, int]:
    """Take an event that Stripe has signed. Answers how many effects it settled, or settled anew."""
    from tools.stripe_billing.events import failed_refund, keys_in

    secret = runtime.settings.stripe_webhook_secret
    if secret is None or runtime.settings.billing != "stripe":
        raise Problem(404, "Nothing is taken here", "Stripe's events need HANDRAIL_STRIPE_WEBHOOK_SECRET to be set.")
    signature = request.headers.get("Stripe-Signature", "")
    event = _signed(await request.body(), signature, secret.get_secret_value())
    settled = await _settle(runtime, keys_in(event["data"]))
    failed = failed_refund(event["data"])
    settled += await _follow(runtime, failed) if failed is not None else 0
    log.info("stripe_reported", reported=event["id"], kind=event["type"], settled=settled)
    return {"settled": settled}


def _signed(body: bytes, signature: str, secret: str) -> dict[str, Any]:
    """The event. Raises `Problem` (400) where it was not signed with our secret, or too long ago."""
    import stripe

    try:
        event = stripe.Webhook.construct_event(body, signature, secret, MAX_AGE_SECONDS).to_dict()
        if isinstance(event["id"], str) and isinstance(event["type"], str) and isinstance(event["data"], dict):
            return event
    except stripe.SignatureVerificationError:
        detail = "The signature is not ours, or it is older than five minutes."
        raise Problem(400, "The event is not signed as it has to be", detail) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise Problem(400, "Not an event", "The body is not an event of Stripe's.")


async def _settle(runtime: Runtime, keys: set[str]) -> int:
    """Settle the open effects under these keys that Stripe shows; the others are left to whoever is at them."""
    ledger, settled = runtime.services.ledger, 0
    for row in await ledger.open_rows():
        if row.idempotency_key not in keys:
            continue
        if await _shown(runtime, row):
            settled += not EffectState((await ledger.settle(row)).state).open
    return settled


async def _follow(runtime: Runtime, failed: "FailedRefund") -> int:
    """See to a refund that failed, where Stripe shows none in its place."""
    from app.jobs.failed_refunds import follow

    query = select(EffectRecord).where(EffectRecord.idempotency_key == failed.key, EffectRecord.tool == REFUND)
    async with runtime.services.database.read() as session:
        row = (await session.scalars(query)).first()
    if row is None or await _shown(runtime, row):
        return 0
    return await follow(runtime.services, row.id, failed)


async def _shown(runtime: Runtime, row: EffectRecord) -> bool:
    """Whether Stripe shows the effect. Raises `Problem` (503) where it cannot be asked now."""
    effect = runtime.services.registry.get(row.tool).effect
    try:
        return effect is not None and await effect.read_back(row.customer_id, row.idempotency_key) is not None
    except ToolError:
        raise Problem(503, "Not settled", "Stripe does not show the effect now; please send it again.") from None
