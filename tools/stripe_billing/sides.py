"""What Stripe does not know of a customer and another system does: the service, the contract, the post.

A tool that needs a side which is missing is not offered.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tools.errors import NoSuchRecord
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.billing import PaymentUpdateLinkSent
from tools.sandbox.contracts import Sla, get_sla
from tools.sandbox.subscription import why_not_with_what_runs
from tools.sandbox.tables import MessageSent, Plan, Subscription

SEND_LINK = "billing.send_payment_update_link"


@dataclass(frozen=True)
class Service:
    """How the service stands: `seats_used` counts the people who hold a seat."""

    seats_used: int
    suspended: bool = False


@dataclass(frozen=True)
class Post:
    """Sends links to the address on record, once a key."""

    send: Callable[[str, str, str], Awaitable[PaymentUpdateLinkSent]]
    """``(customer_id, link, key) -> what was sent``."""
    find: Callable[[str, str], Awaitable[PaymentUpdateLinkSent | None]]
    """``(customer_id, key) -> what was sent under the key``, or None."""


@dataclass(frozen=True)
class Sides:
    """The other systems, by customer id. Without `service`, every seat counts as in use and nothing as suspended."""

    service: Callable[[str], Awaitable[Service | None]] | None = None
    sla: Callable[[str], Awaitable[Sla]] | None = None
    """The promise and what was measured. Which months are credited is Stripe's to say."""
    post: Post | None = None
    obstacle: Callable[[str, str], Awaitable[str]] | None = None
    """``(customer_id, plan) -> why what runs now does not fit the plan``; empty where it does."""


def sandbox_sides(sandbox: SandboxBackend) -> Sides:
    """The sandbox company's service, contracts and outbox; its invoices, cards and credits are left aside."""

    async def service(customer_id: str) -> Service | None:
        try:
            return await sandbox.ask("service", customer_id, _service)
        except NoSuchRecord:
            return None

    async def sla(customer_id: str) -> Sla:
        return await sandbox.ask("contracts.get_sla", customer_id, lambda account: get_sla(account, None))

    async def send(customer_id: str, link: str, key: str) -> PaymentUpdateLinkSent:
        async def act(account: Account) -> tuple[MessageSent, PaymentUpdateLinkSent]:
            message = MessageSent(
                id=account.new_id("msg"),
                customer_id=customer_id,
                created_at=account.now,
                kind="payment_update_link",
                sent_to=(await account.customer()).contact_email,
                about=customer_id,
                link=link,
            )
            return message, PaymentUpdateLinkSent(sent_to=message.sent_to, link=link)

        return await sandbox.act(SEND_LINK, customer_id, key, {}, act, PaymentUpdateLinkSent)

    async def find(customer_id: str, key: str) -> PaymentUpdateLinkSent | None:
        return await sandbox.find(SEND_LINK, customer_id, key, PaymentUpdateLinkSent)

    async def obstacle(customer_id: str, plan: str) -> str:
        return await sandbox.ask("resources", customer_id, lambda account: _obstacle(account, plan))

    return Sides(service, sla, Post(send, find), obstacle)


async def _service(account: Account) -> Service:
    row = await account.only(Subscription)
    return Service(row.seats_used, row.status == "suspended")


async def _obstacle(account: Account, plan: str) -> str:
    wanted = await account.session.get(Plan, (plan, (await account.customer()).currency))
    return "" if wanted is None else await why_not_with_what_runs(account, wanted)
