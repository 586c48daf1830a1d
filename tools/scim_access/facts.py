"""What the SCIM service says about a customer, over what other records say: facts that triage and the gate weigh."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tools.errors import ToolError
from tools.scim_access.backend import Account

Facts = Mapping[str, Any]
LookUp = Callable[[str], Awaitable[Facts]]
LOCKED = "locked_users"
"""The fact that is the service's to say. Where it does not answer it is missing, whatever another system believes."""


def customer_facts(locked_users: Callable[[str], Awaitable[int]], others: LookUp) -> LookUp:
    """A look-up of one customer's facts: `others`, with what the service says of users.

    A customer whom the others do not know has no facts.
    """

    async def at_scim(customer_id: str) -> Facts:
        try:
            return {LOCKED: await locked_users(customer_id)}
        except ToolError:
            return {}

    async def look_up(customer_id: str) -> Facts:
        known, seen = await asyncio.gather(others(customer_id), at_scim(customer_id))
        return {**{name: value for name, value in known.items() if name != LOCKED}, **seen} if known else {}

    return look_up


async def count_locked(account: Account) -> int:
    """How many of the customer's users may not sign in."""
    return await account.locked_users()
