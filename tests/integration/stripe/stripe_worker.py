"""A process that carries one effect out at Stripe, or takes it back. Its argument is a JSON object; see `main`."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import records.tables  # noqa: F401  (every table is known before one is used)
from records.database import Database
from tools.ledger import Ledger
from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.stripe_billing.backend import StripeBackend
from tools.stripe_billing.sides import sandbox_sides
from tools.stripe_billing.toolset import tools_over

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)


async def main(order: dict[str, str]) -> None:
    """Execute or undo (`what`, in the name of `by`) `effect` of `database` with the key `key` at `url`."""
    database = await Database.open(order["database"], migrate=False)
    company = await SandboxBackend.open(Path(order["sandbox"]), clock=lambda: NOW)
    backend = StripeBackend(order["key"], base_url=order["url"], clock=lambda: NOW)
    registry = ToolRegistry(tools_over(backend, sandbox_sides(company)))
    ledger = Ledger(database, registry, lambda: NOW)
    if order["what"] == "undo":
        await ledger.compensate(order["effect"], order["by"], "a mistake")
    else:
        await ledger.execute(order["effect"])


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
