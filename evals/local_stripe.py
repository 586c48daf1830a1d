"""Runs localstripe, a stateful stand-in for Stripe, as a process of its own: prints its port, then serves.

It listens on the loopback alone and keeps nothing on disk. Each API key has an account of its own, empty at first.

What localstripe does not know is added here after Stripe's reference, as little as the connector needs: the balance of
a customer, the login page of the portal, sending, finalizing and showing an invoice, schedules, and in the update of a
subscription discounts, metadata and the end of a trial; and, for tests, refunds that fail later. Its slips are mended:
a trial has the status `trialing` and the trial's end as the end of its period, a failed renewal makes a subscription
`past_due`, a voided invoice ends none that is active, and a card whose number begins with 5 is a Mastercard.
"""

import socket
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any

from aiohttp import web
from localstripe import resources, server
from localstripe.errors import UserError

ACCOUNT: ContextVar[str] = ContextVar("account", default="")


class Accounts(MutableMapping[str, Any]):
    """localstripe's store, one for each API key."""

    def __init__(self) -> None:
        self._stores: dict[str, dict[str, Any]] = {}

    @property
    def _store(self) -> dict[str, Any]:
        return self._stores.setdefault(ACCOUNT.get(), {})

    def __getitem__(self, key: str) -> Any:
        return self._store[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._store[key] = value

    def __delitem__(self, key: str) -> None:
        del self._store[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)

    def dump_to_disk(self) -> None:
        """localstripe calls this after each request."""


@web.middleware
async def own_account(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
    """Serve a request from the account of its key."""
    ACCOUNT.set(request.headers.get("Authorization", ""))
    return await handler(request)


class CustomerBalanceTransaction(resources.StripeObject):
    """A change of a customer's balance; a negative amount comes off the next invoice."""

    object = "customer_balance_transaction"
    _id_prefix = "cbtxn_"

    def __init__(self, id: str, amount: Any, currency: str, description: Any = None, metadata: Any = None) -> None:
        customer = resources.Customer._api_retrieve(id)
        super().__init__()
        self.customer, self.amount, self.currency = id, int(amount), currency
        self.description, self.metadata, self.type = description, metadata or {}, "adjustment"
        customer.account_balance -= self.amount
        self.ending_balance = -customer.account_balance

    @classmethod
    def _api_listed(cls, id: str, limit: Any = None, starting_after: Any = None) -> Any:
        """The transactions of one customer, newest first."""
        found = super()._api_list_all(f"/v1/customers/{id}/balance_transactions", limit, starting_after)
        found._list = [made for made in reversed(found._list) if made.customer == id]
        return found


class PortalConfiguration(resources.StripeObject):
    """The customer portal's settings: the default ones, with the login page switched on."""

    object = "billing_portal.configuration"
    _id_prefix = "bpc_"

    def __init__(self) -> None:
        super().__init__()
        self.is_default = self.active = True
        self.login_page = {"enabled": True, "url": "https://billing.stripe.example/p/login/test"}

    @classmethod
    def _api_listed(cls, **_filters: Any) -> Any:
        """The one that there is."""
        found = super()._api_list_all("/v1/billing_portal/configurations")
        found._list = found._list or [cls()]
        return found


class SubscriptionSchedule(resources.StripeObject):
    """What a subscription will be. Time does not pass here, so only the first phase ever comes."""

    object = "subscription_schedule"
    _id_prefix = "sub_sched_"

    def __init__(self, from_subscription: str) -> None:
        subscription = resources.Subscription._api_retrieve(from_subscription)
        if subscription.schedule:
            raise UserError(400, "This subscription is attached to a schedule already")
        super().__init__()
        self.subscription, self.status, self.metadata = subscription.id, "active", {}
        self.end_behavior, self.proration_behavior = "release", "create_prorations"
        begins, ends = subscription.current_period_start, subscription.current_period_end
        items = [{"price": subscription.plan.id, "quantity": subscription.quantity}]
        self.phases = [{"items": items, "start_date": begins, "end_date": ends}]
        subscription.schedule = self.id

    @classmethod
    def _api_release(cls, id: str) -> Any:
        """The schedule let go; the subscription stays as it is."""
        schedule = cls._api_retrieve(id)
        schedule.status = "released"
        resources.Subscription._api_retrieve(schedule.subscription).schedule = None
        return schedule

    @classmethod
    def _api_changed(cls, id: str, **changes: Any) -> Any:
        """The schedule with what follows."""
        for phase in changes.get("phases", []):
            phase |= {name: int(phase[name]) for name in ("start_date", "end_date", "iterations") if name in phase}
        return cls._api_update(id, **changes)


def failed_later(id: str, failure_reason: str = "expired_or_canceled_card") -> Any:
    """A refund that succeeded, as it is once the bank has sent the money back. At Stripe no request does this."""
    refund = resources.Refund._api_retrieve(id)
    refund.status, refund.failure_reason = "failed", failure_reason
    return refund


def given_back(charge: Any) -> int:
    """What went back of a charge: all refunds but those that failed."""
    refunds = resources.Refund._api_list_all(None, charge=charge.id, limit=100)._list
    return sum(refund.amount for refund in refunds if refund.status != "failed")


def finalized(id: str) -> Any:
    """The draft of an invoice made an open invoice."""
    invoice = resources.Invoice._api_retrieve(id)
    if invoice.status != "draft":
        raise UserError(400, "This invoice is already finalized")
    invoice._finalize()
    return invoice


def updated(update: Callable[..., None]) -> Callable[..., None]:
    """The update of a subscription with what localstripe does not know of it."""

    def whole(
        self: Any,
        proration_behavior: str = "",
        payment_behavior: str = "",
        discounts: Any = None,
        metadata: Any = None,
        trial_end: Any = None,
        **known: Any,
    ) -> None:
        redeemed = [resources.Coupon._api_retrieve(one["coupon"]) for one in discounts or []]
        update(self, **known)
        if discounts is not None:
            self.discount = {"object": "discount", "coupon": redeemed[0]._export()} if redeemed else None
        merged = {**self.metadata, **(metadata or {})}
        self.metadata = {name: value for name, value in merged.items() if value != ""}
        if trial_end == "now":
            self.status, self.trial_end, self.start_date = "active", None, int(time.time())
            self._create_invoice()

    return whole


def begun(begin: Callable[..., None]) -> Callable[..., None]:
    """The beginning of a subscription, which may be a trial."""

    def whole(self: Any, **given: Any) -> None:
        self.schedule = None
        begin(self, **given)
        if self.trial_end:
            self.status = "trialing"

    return whole


def numbered(make: Callable[..., None]) -> Callable[..., None]:
    """An invoice with its number in this account."""

    def whole(self: Any, **given: Any) -> None:
        make(self, **given)
        self.number = f"LOCAL-{sum(key.startswith('invoice:') for key in resources.store):04d}"

    return whole


def kept(keep: Callable[..., None]) -> Callable[..., None]:
    """A card with its brand."""

    def whole(self: Any, **given: Any) -> None:
        keep(self, **given)
        if self.type == "card" and self._card_number.startswith("5"):
            self.card["brand"] = "mastercard"

    return whole


def confirmed(confirm: Callable[..., None]) -> Callable[..., None]:
    """A payment of which an active subscription hears when it fails."""

    def whole(self: Any, on_failure_now: Any) -> None:
        confirm(self, on_failure_now)
        invoice = resources.Invoice._api_retrieve(self.invoice) if self.invoice else None
        failed = self.latest_charge is not None and self.latest_charge.status == "failed"
        if failed and invoice is not None and invoice.subscription:
            subscription = resources.Subscription._api_retrieve(invoice.subscription)
            if subscription.status == "active":
                subscription._on_recurring_payment_failure(invoice)

    return whole


def complete() -> None:
    """Teach localstripe what it does not know."""
    accounts = Accounts()
    resources.store = server.store = accounts
    server.app.middlewares.insert(0, own_account)
    subscription: Any = resources.Subscription
    payment: Any = resources.PaymentIntent
    subscription.__init__ = begun(subscription.__init__)
    subscription._update = updated(subscription._update)
    ends, voided = subscription.current_period_end.fget, subscription._on_initial_payment_voided
    subscription.current_period_end = property(lambda it: it.trial_end if it.status == "trialing" else ends(it))
    subscription._on_initial_payment_voided = lambda it, invoice: (
        voided(it, invoice) if it.status == "incomplete" else None
    )
    resources.PaymentMethod.__init__ = kept(resources.PaymentMethod.__init__)
    invoice: Any = resources.Invoice
    invoice.__init__ = numbered(invoice.__init__)
    invoice.hosted_invoice_url = property(lambda it: f"https://invoice.stripe.example/i/{it.id}")
    payment._confirm = confirmed(payment._confirm)
    charge: Any = resources.Charge
    charge.amount_refunded = property(given_back)
    cancel = payment._api_cancel
    payment._api_cancel = classmethod(lambda _cls, id: cancel(id) if id else None)
    for method, route, answer in (
        ("POST", "/v1/invoices/{id}/send", resources.Invoice._api_retrieve),
        ("POST", "/v1/invoices/{id}/finalize", finalized),
        ("POST", "/v1/customers/{id}/balance_transactions", CustomerBalanceTransaction),
        ("GET", "/v1/customers/{id}/balance_transactions", CustomerBalanceTransaction._api_listed),
        ("POST", "/v1/subscription_schedules", SubscriptionSchedule),
        ("GET", "/v1/subscription_schedules/{id}", SubscriptionSchedule._api_retrieve),
        ("POST", "/v1/subscription_schedules/{id}", SubscriptionSchedule._api_changed),
        ("POST", "/v1/subscription_schedules/{id}/release", SubscriptionSchedule._api_release),
        ("GET", "/v1/billing_portal/configurations", PortalConfiguration._api_listed),
        ("POST", "/v1/test_helpers/refunds/{id}/fail", failed_later),
    ):
        server.app.router.add_route(method, route, server.api_extra(answer, route))


def main() -> None:
    """Serve until the process is ended."""
    complete()
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    web.run_app(server.app, sock=listening, print=None, access_log=None)


if __name__ == "__main__":
    main()
