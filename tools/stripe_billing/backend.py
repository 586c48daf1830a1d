"""The client of one Stripe account: finding the customer, the time limit, and what Stripe's errors mean to us.

The fields are those of Stripe's version `API_VERSION`, the last in which an invoice names its charge and a subscription
its period; every request asks for that version, so the account's own default does not matter.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

import httpx
import stripe

from records.clock import Clock, system_clock
from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable, NoSuchRecord, ToolError
from tools.stripe_billing.notes import request_digest
from tools.tool import Result

API_VERSION = "2025-02-24.acacia"
CUSTOMER = "handrail_customer"
"""Metadata of a Stripe customer: our customer's id."""
PAGE = 100
OTHER_UNITS = frozenset({"ISK", "UGX"})
"""Currencies that Stripe counts in hundredths although they have none."""

T = TypeVar("T")
R = TypeVar("R", bound=Result)
Json = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """One customer's side of the Stripe account. `record` is the Stripe customer."""

    api: stripe.V1Services
    customer_id: str
    record: Json
    now: datetime
    key: str = ""
    """Idempotency key of the effect; empty in a read."""
    request: str = ""
    """Digest of what was asked under the key."""

    @property
    def stripe_id(self) -> str:
        """The Stripe customer's id."""
        return self.record["id"]

    @property
    def today(self) -> date:
        return self.now.astimezone(UTC).date()

    async def invoice(self, invoice_id: str) -> Json:
        """This customer's invoice. Raises `NoSuchRecord`, also when it is somebody else's or still a draft."""
        invoice = await self.anyones_invoice(invoice_id)
        if invoice is None or identifier(invoice["customer"]) != self.stripe_id:
            raise NoSuchRecord(f"there is no invoice {invoice_id}")
        return invoice

    async def anyones_invoice(self, invoice_id: str) -> Json | None:
        """The invoice whoever owns it, for the gate: the policy compares the owner with the customer."""
        try:
            invoice = (await self.api.invoices.retrieve_async(invoice_id)).to_dict()
        except stripe.InvalidRequestError as error:
            if error.http_status == 404:
                return None
            raise
        return None if invoice["status"] == "draft" else invoice

    async def invoices(self) -> list[Json]:
        """Every invoice of this customer that was sent out, in Stripe's order."""
        page = await self.api.invoices.list_async({"customer": self.stripe_id, "limit": PAGE})
        return [invoice for invoice in await _all(page) if invoice["status"] != "draft"]

    async def charges(self) -> list[Json]:
        """Every charge of this customer, each with all its refunds under ``refunds.data``."""
        page = await self.api.charges.list_async(
            {"customer": self.stripe_id, "limit": PAGE, "expand": ["data.refunds"]}
        )
        charges = await _all(page)
        for charge in charges:
            if charge["refunds"]["has_more"]:
                refunds = await self.api.refunds.list_async({"charge": charge["id"], "limit": PAGE})
                charge["refunds"] = {"data": await _all(refunds), "has_more": False}
        return charges

    async def cards(self) -> list[Json]:
        """The cards on file."""
        page = await self.api.payment_methods.list_async({"customer": self.stripe_id, "type": "card", "limit": PAGE})
        return await _all(page)

    async def subscriptions(self) -> list[Json]:
        """Every subscription, also those that have ended."""
        page = await self.api.subscriptions.list_async({"customer": self.stripe_id, "status": "all", "limit": PAGE})
        return await _all(page)

    async def balance_transactions(self) -> list[Json]:
        """Every transaction on the customer's balance, newest first."""
        page = await self.api.customers.balance_transactions.list_async(self.stripe_id, {"limit": PAGE})
        return await _all(page)

    async def plans(self) -> list[Json]:
        """Every plan that is sold, in any currency."""
        return await _all(await self.api.plans.list_async({"active": True, "limit": PAGE}))


Act = Callable[[Account], Awaitable[R]]
Find = Callable[[Account], Awaitable[tuple[str, R] | None]]
"""What stands under the account's key: (digest of what was asked, what was answered), or None."""


class StripeBackend:
    """An asynchronous client of one Stripe account."""

    def __init__(
        self, api_key: str, *, base_url: str | None = None, seconds: float = 20.0, clock: Clock = system_clock
    ) -> None:
        """`seconds` limits one call of a tool, all its requests together; `base_url` is for test servers."""
        self.clock = clock
        self._seconds = seconds
        self._api_key = api_key
        self._http = stripe.HTTPXClient(timeout=seconds)
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url} if base_url else {},
            http_client=self._http,
            max_network_retries=0,  # an effect is looked up before it is sent again, never repeated blindly
            stripe_version=API_VERSION,
        )
        self._api = client.v1
        self._known: dict[str, str] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.close_async()

    async def ask(self, customer_id: str, question: Callable[[Account], Awaitable[T]]) -> T:
        """Read something about one customer. Raises `ToolError`s."""
        async with self._reached():
            return await question(await self._account(customer_id))

    async def act(
        self, operation: str, customer_id: str, key: str, arguments: Mapping[str, Any], act: Act[R], find: Find[R]
    ) -> R:
        """Do something once. The same key again is answered as the first time; with other arguments it is refused.

        Effects on one customer wait for each other within this process. Raises `ToolError`s.
        """
        request = request_digest(operation, customer_id, arguments)
        async with self._locks.setdefault(customer_id, asyncio.Lock()), self._reached():
            account = await self._account(customer_id, key, request)
            earlier = await find(account)
            if earlier is None:
                return await act(account)
        if earlier[0] != request:
            raise BackendRefused("this idempotency key was used for another request")
        return earlier[1]

    async def find(self, customer_id: str, key: str, find: Find[R]) -> R | None:
        """What stands under an idempotency key, or None where Stripe never took the request. Raises `ToolError`s."""
        async with self._reached():
            found = await find(await self._account(customer_id, key))
        return None if found is None else found[1]

    async def mode(self) -> Literal["live", "test"]:
        """Whether the key moves real money. Raises `ToolError`s where it cannot even read customers."""
        async with self._reached():
            await self._api.customers.list_async({"limit": 1})
        return "live" if "_live_" in self._api_key else "test"

    async def owner(self, stripe_id: str) -> str:
        """Our id of a Stripe customer; empty where it is none of ours."""
        record = (await self._api.customers.retrieve_async(stripe_id)).to_dict()
        return metadata(record).get(CUSTOMER, "")

    async def _account(self, customer_id: str, key: str = "", request: str = "") -> Account:
        """Raises `NoSuchRecord` for a customer whom Stripe does not know, `BackendRefused` for one it knows twice."""
        if customer_id in self._known:
            record = (await self._api.customers.retrieve_async(self._known[customer_id])).to_dict()
            if metadata(record).get(CUSTOMER) == customer_id and not record.get("deleted"):
                return Account(self._api, customer_id, record, self.clock(), key, request)
        records = [record for record in await self._candidates(customer_id) if not record.get("deleted")]
        matching = [record for record in records if metadata(record).get(CUSTOMER) == customer_id]
        if not matching:
            raise NoSuchRecord(f"there is no customer {customer_id}")
        if len(matching) > 1:
            raise BackendRefused(f"Stripe has {len(matching)} customers that are marked as {customer_id}")
        self._known[customer_id] = matching[0]["id"]
        return Account(self._api, customer_id, matching[0], self.clock(), key, request)

    async def _candidates(self, customer_id: str) -> list[Json]:
        """The Stripe customers among whom ours is: found by search or, where a server has none, all of them."""
        quoted = customer_id.replace("\\", "\\\\").replace("'", "\\'")
        try:
            found = await self._api.customers.search_async({"query": f"metadata['{CUSTOMER}']:'{quoted}'"})
        except stripe.InvalidRequestError as error:
            if error.http_status != 404:
                raise
            return await _all(await self._api.customers.list_async({"limit": PAGE}))
        return [customer.to_dict() for customer in found.data]

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError:
            raise BackendTimeout(f"Stripe gave no answer within {self._seconds:g} seconds") from None
        except stripe.StripeError as error:
            raise meaning(error) from error


def meaning(error: stripe.StripeError) -> ToolError:
    """What an error of the SDK says about whether anything was done."""
    if isinstance(error, stripe.APIConnectionError):
        if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
            return BackendUnavailable("Stripe cannot be reached")
        return BackendTimeout("the connection to Stripe was lost before it answered")
    if isinstance(error, stripe.RateLimitError) or error.http_status == 429:
        return BackendUnavailable("Stripe takes no more requests for the moment")
    if isinstance(error, stripe.IdempotencyError) or error.http_status == 409:
        return BackendTimeout("an earlier request under this key has not been settled")
    if error.http_status is None or error.http_status >= 500:
        return BackendTimeout("Stripe failed, and may have acted before that")
    if isinstance(error, stripe.APIError):
        return BackendTimeout("Stripe's answer cannot be read, and it may have acted")
    if error.http_status == 404 and isinstance(error, stripe.InvalidRequestError):
        return NoSuchRecord(f"Stripe has no such record: {error.user_message or 'not found'}")
    return BackendRefused(f"Stripe refused: {error.user_message or type(error).__name__}")


def identifier(reference: Any) -> str:
    """The id of an object that Stripe names or includes whole; empty where there is none."""
    if isinstance(reference, Mapping):
        return reference["id"]
    return reference or ""


def metadata(record: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of a record, without the entries that were emptied."""
    return {name: value for name, value in (record.get("metadata") or {}).items() if value != ""}


def currency_of(record: Mapping[str, Any]) -> str:
    """The currency in capitals. Raises `BackendRefused` where Stripe's minor unit is not ours."""
    code = record["currency"].upper()
    if code in OTHER_UNITS:
        raise BackendRefused(f"amounts in {code} are counted differently by Stripe")
    return code


def day_of(timestamp: int) -> date:
    """The day in UTC of a Stripe timestamp."""
    return datetime.fromtimestamp(timestamp, UTC).date()


async def _all(page: "stripe.ListObject[Any]") -> list[Json]:
    return [record.to_dict() async for record in page.auto_paging_iter()]
