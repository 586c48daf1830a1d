"""Access over SCIM, from the customer's words to the service's state."""

from collections.abc import Awaitable, Callable

from pydantic import SecretStr
from served import Served

from evals.scim_world import ScimService, fill, users_table


async def test_a_customer_unlocks_a_colleague_at_the_scim_service(
    scim_service: ScimService, start_service: Callable[..., Awaitable[Served]]
) -> None:
    side, token = scim_service.side(), scim_service.token
    service = await start_service(provisioning="scim", scim_url=side, scim_token=SecretStr(token))
    assert service.runtime is not None
    state = await service.runtime.sandbox.dump()
    await fill(side, token, "roles", state)
    locked = next(row for row in state["users"] if row["locked"])
    customer = await service.customer(locked["customer_id"]).open()
    offered = await customer.say("one of our users is locked out, please unlock them")
    assert locked["name"] in offered["reply"]
    done = await customer.say("yes")
    assert done["disposition"] == "resolved"
    users = {row["id"]: row for row in await users_table(side, token, "roles", state)}
    assert users[locked["id"]]["locked"] is False
    assert (await service.runtime.sandbox.dump())["users"] == state["users"]
    [effect] = (await service.record(customer.conversation_id))["effects"]
    assert (effect["tool"], effect["state"]) == ("access.unlock_user", "verified")


async def test_a_customer_is_promised_nothing_while_the_scim_service_is_away(
    start_service: Callable[..., Awaitable[Served]],
) -> None:
    service = await start_service(provisioning="scim", scim_url="http://127.0.0.1:1/v2", scim_token=SecretStr("any"))
    customer = await service.customer("cus_002").open()
    answer = await customer.say("please make Sam Ortiz a viewer")
    assert answer["disposition"] == "escalated"
    assert (await service.record(customer.conversation_id))["effects"] == []
