"""The link with which customers change their card: the login page of Stripe's customer portal.

Stripe makes the page but sends nobody a link to it; the post does. The page asks for the address on record and Stripe
sends a code there, so that the link alone opens nothing. A portal session needs no code, but it ends within minutes.
"""

from urllib.parse import urlencode

from tools.errors import BackendRefused
from tools.stripe_billing.backend import Account


async def card_link(account: Account) -> str:
    """The login page, with the address on record filled in. Raises `BackendRefused` where it is switched off."""
    found = await account.api.billing_portal.configurations.list_async({"active": True, "is_default": True})
    pages = [configuration.to_dict()["login_page"] for configuration in found.data]
    link = next((page["url"] for page in pages if page["enabled"]), None)
    if not link:
        raise BackendRefused("the login page of the customer portal is switched off at Stripe")
    address = account.record.get("email")
    return f"{link}?{urlencode({'prefilled_email': address})}" if address else link
