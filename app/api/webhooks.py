"""What backends report of their own accord. Stripe's events settle effects whose end is not known yet.

An event is only a hint where to look: what counts is what Stripe then shows. So an event that comes twice, late or out
of order changes nothing, and none has to be remembered.
"""

from typing import Any

import structlog
from fastapi import APIRouter, Request

from app.api.callers import Service
from app.api.problems import Problem
from app.runtime import Runtime
from records.effect import EffectState
from tools.errors import ToolError

router = APIRouter(tags=["webhooks"])
log = structlog.get_logger(__name__)

MAX_AGE_SECONDS = 300
"""How old a signed event may be; one that is played back later is refused."""


@router.post("/v1/webhooks/stripe")
async def stripe_reports(request: Request, runtime: Service) -> dict[str, int]:
    """Take an event that Stripe has signed. Answers how many open effects it settled."""
    from tools.stripe_billing.events import keys_in

    secret = runtime.settings.stripe_webhook_secret
    if secret is None or runtime.settings.billing != "stripe":
        raise Problem(404, "Nothing is taken here", "Stripe's events need HANDRAIL_STRIPE_WEBHOOK_SECRET to be set.")
    signature = request.headers.get("Stripe-Signature", "")
    event = _signed(await request.body(), signature, secret.get_secret_value())
    settled = await _settle(runtime, keys_in(event["data"]))
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
        effect = ledger.registry.get(row.tool).effect
        try:
            shown = effect is not None and await effect.read_back(row.customer_id, row.idempotency_key) is not None
        except ToolError:
            raise Problem(503, "Not settled", "Stripe does not show the effect now; please send it again.") from None
        if shown:
            settled += not EffectState((await ledger.settle(row)).state).open
    return settled
