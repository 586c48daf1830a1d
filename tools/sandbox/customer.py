"""Who the customer is, as the customer may hear it; what else the records say is in `facts.py`."""

from typing import Any

from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.wiring import read_tool
from tools.tool import Result, Tool
from tools.values import CompanyName, CurrencyCode, EmailAddress, IsoDate, PersonName, PlanName


class Profile(Result):
    """The customer's master data."""

    company: CompanyName
    contact_name: PersonName
    contact_email: EmailAddress
    plan: PlanName
    currency: CurrencyCode
    timezone: str
    status: str
    since: IsoDate


def customer_tools(backend: SandboxBackend) -> list[Tool]:
    """Reads of the customer's master data."""
    return [
        read_tool(
            backend,
            "customer.get_profile",
            Profile,
            _profile,
            summary="The customer's company, contact, plan, currency and status.",
            status="Looking at your account",
        )
    ]


async def _profile(account: Account, _arguments: Any) -> Profile:
    customer = await account.customer()
    return Profile(
        company=customer.company,
        contact_name=customer.contact_name,
        contact_email=customer.contact_email,
        plan=customer.plan,
        currency=customer.currency,
        timezone=customer.timezone,
        status=customer.status,
        since=customer.since.isoformat(),
    )
