"""The sandbox company and its mirror at Stripe, with the tools over both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import stripe
from lossy_line import LossyLine

from evals.stripe_world import Names, mirror_company
from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.toolset import sandbox_tools
from tools.stripe_billing.backend import StripeBackend
from tools.stripe_billing.sides import Sides, sandbox_sides
from tools.stripe_billing.toolset import tools_over
from tools.tool import Resource

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)


@dataclass
class StripeWorld:
    """Tools over Stripe (`registry`) and over the sandbox (`sandbox`); `api` looks at Stripe without them."""

    registry: ToolRegistry
    sandbox: ToolRegistry
    company: SandboxBackend
    api: stripe.V1Services
    line: LossyLine
    secret: str
    """The key of an account of this world's own."""
    names: Names
    sides: Sides
    backend: StripeBackend

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int, path: Path, *customers: str) -> AsyncIterator["StripeWorld"]:
        company = await SandboxBackend.open(path, clock=lambda: NOW)
        secret, http = f"sk_test_{uuid4().hex}", stripe.HTTPXClient(timeout=10)
        bases: Any = {"api": f"http://127.0.0.1:{port}"}
        api = stripe.StripeClient(secret, base_addresses=bases, http_client=http, max_network_retries=0).v1
        names = await mirror_company(api, await company.dump(), customers)
        async with LossyLine(port).open() as line:
            sides = sandbox_sides(company)
            backend = StripeBackend(secret, base_url=line.url, seconds=5, clock=lambda: NOW)
            at_stripe, sandbox = ToolRegistry(tools_over(backend, sides)), ToolRegistry(sandbox_tools(company))
            yield cls(at_stripe, sandbox, company, api, line, secret, names, sides, backend)
            await backend.close()
        await http.close_async()
        await company.close()

    async def call(self, tool: str, customer: str, key: str = "key-1", **arguments: Any) -> Any:
        return await called(self.registry, tool, customer, key, **arguments)

    async def touched(self, tool: str, customer: str, **arguments: Any) -> Resource | None:
        found = self.registry.get(tool)
        return await found.resource(customer, found.arguments.model_validate(arguments))

    async def read_back(self, tool: str, customer: str, key: str = "key-1") -> Any:
        effect = self.registry.get(tool).effect
        assert effect
        return await effect.read_back(customer, key)

    async def invoice_id(self, number: str, customer: str = "cus_001") -> str:
        """Stripe's id of the invoice with this number."""
        listed = await self.call("billing.list_invoices", customer)
        return next(invoice.id for invoice in listed.invoices if invoice.number == number)

    async def booked(self, customer: str) -> list[Any]:
        """The transactions on a customer's balance, newest first."""
        at_stripe = await self.customer(customer)
        return (await self.api.customers.balance_transactions.list_async(at_stripe, {"limit": 100})).data

    async def subscriptions(self, customer: str) -> Any:
        """A customer's subscriptions."""
        return await self.api.subscriptions.list_async({"customer": await self.customer(customer), "status": "all"})

    async def customer(self, customer: str) -> str:
        """Stripe's id of a customer."""
        everyone = (await self.api.customers.list_async({"limit": 100})).data
        return next(record.id for record in everyone if record.metadata["handrail_customer"] == customer)

    async def fail(self, refund_id: str) -> None:
        """Let a refund fail, as days later."""
        await fail_refund(self.line.url, self.secret, refund_id)

    async def refunds(self) -> list[Any]:
        """Every refund there is."""
        return (await self.api.refunds.list_async({"limit": 100})).data


async def fail_refund(url: str, secret: str, refund_id: str) -> dict[str, Any]:
    """Let a refund fail at the stand-in, as the bank does days later. Returns it."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as caller:
        answer = await caller.post(f"/v1/test_helpers/refunds/{refund_id}/fail")
    return answer.raise_for_status().json()


async def called(registry: ToolRegistry, tool: str, customer: str, key: str = "key-1", **arguments: Any) -> Any:
    """A tool's answer."""
    found = registry.get(tool)
    return await found.call(customer, found.arguments.model_validate(arguments), key)
