"""The sandbox company and its mirror at Stripe, with the tools over both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import stripe
from lossy_line import LossyLine
from stripe_mirror import mirror

from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.toolset import sandbox_tools
from tools.stripe_billing.backend import StripeBackend
from tools.stripe_billing.toolset import tools_over
from tools.tool import Resource

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
SECRET = "sk_test_of_a_stand_in"


@dataclass
class StripeWorld:
    """Tools over Stripe (`registry`) and over the sandbox (`sandbox`); `api` looks at Stripe without them."""

    registry: ToolRegistry
    sandbox: ToolRegistry
    api: stripe.V1Services
    line: LossyLine

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int, path: Path, *customers: str) -> AsyncIterator["StripeWorld"]:
        company = await SandboxBackend.open(path, clock=lambda: NOW)
        state = await company.dump()
        http = stripe.HTTPXClient(timeout=10)
        bases: Any = {"api": f"http://127.0.0.1:{port}"}
        api = stripe.StripeClient(SECRET, base_addresses=bases, http_client=http, max_network_retries=0).v1
        for customer_id in customers:
            await mirror(api, state, customer_id)
        used = {row["customer_id"]: row["seats_used"] for row in state["subscriptions"]}

        async def seats_used(customer_id: str) -> int:
            return used[customer_id]

        async with LossyLine(port).open() as line:
            backend = StripeBackend(SECRET, base_url=line.url, seconds=5, clock=lambda: NOW)
            yield cls(ToolRegistry(tools_over(backend, seats_used)), ToolRegistry(sandbox_tools(company)), api, line)
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

    async def refunds(self) -> list[Any]:
        """Every refund there is."""
        return (await self.api.refunds.list_async({"limit": 100})).data


async def called(registry: ToolRegistry, tool: str, customer: str, key: str = "key-1", **arguments: Any) -> Any:
    """A tool's answer."""
    found = registry.get(tool)
    return await found.call(customer, found.arguments.model_validate(arguments), key)
