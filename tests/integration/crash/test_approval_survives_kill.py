"""`kill -9` while a refund waits for a person's approval, and while it is carried out: the approval survives."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from kills import all_answered, chain_holds, dies, heard_in_the_end, refunded_once, refunds_of, returning
from replicas import Replica
from served import Customer

OPENING = "We paid invoice 4304 twice, once on the 1st and once on the 2nd. Kindly return the second payment."
YES = "yes please"

# As in `test_refund_survives_kill`: what is not named here leaves the same files behind as its neighbour.
PARKING_STEPS = [
    ("approval requested", "inside"),
    ("approval requested", "after"),
    ("turn finished", "inside"),
    ("turn finished", "after"),
    ("checkpoint", "before"),
    ("checkpoint", "after"),
]
RESUMING_STEPS = [
    ("approval decided", "inside"),
    ("parked turn taken up", "inside"),
    ("parked turn taken up", "after"),
    ("decision written", "after"),
    ("effect sent", "after"),
    ("backend call", "after"),
    ("effect verified", "after"),
    ("turn finished", "inside"),
    ("turn finished", "after"),
]


@pytest.mark.parametrize(("step", "when"), PARKING_STEPS)
async def test_one_approval_is_asked_for_wherever_the_process_dies(
    step: str, when: str, after_offer: Callable[..., Any], make_replica: Callable[..., Replica]
) -> None:
    home, conversation_id = await after_offer("cus_043", OPENING)
    replica = make_replica(home).start(step=step, when=when).ready()
    customer = returning(replica, "cus_043", conversation_id)
    await dies(replica, customer, YES)
    replica.start().ready()
    answer = await heard_in_the_end(customer, YES)
    assert answer["disposition"] == "awaiting_approval"
    assert "A colleague has to approve this" in answer["reply"]
    assert refunds_of(home, "cus_043") == []
    (approval,) = await pending(replica)
    decided = await decide(replica, approval["id"])
    assert decided["state"] == "approved"
    await settled(replica, customer, home)


@pytest.mark.parametrize(("step", "when"), RESUMING_STEPS)
async def test_an_approved_refund_is_done_once_wherever_the_process_dies(
    step: str, when: str, after_offer: Callable[..., Any], make_replica: Callable[..., Replica]
) -> None:
    home, conversation_id = await after_offer("cus_043", OPENING)
    replica = make_replica(home).start().ready()
    customer = returning(replica, "cus_043", conversation_id)
    assert (await customer.say(YES))["disposition"] == "awaiting_approval"
    replica.kill()  # it waits, perhaps for days
    replica.start(step=step, when=when).ready()
    (approval,) = await pending(replica)
    with pytest.raises(httpx.TransportError):
        await decide(replica, approval["id"])
    assert replica.died() == signal.SIGKILL
    replica.start().ready()
    if still_pending := await pending(replica):
        assert (step, when) == ("approval decided", "inside")
        await decide(replica, still_pending[0]["id"])
    await settled(replica, customer, home)


async def pending(replica: Replica) -> list[dict[str, Any]]:
    """The approvals that wait for a decision."""
    queue = await replica.served.staff("approver").get("/v1/queue")
    return queue.json()["approvals"]


async def decide(replica: Replica, approval_id: str, *, approved: bool = True) -> dict[str, Any]:
    """An approver's decision."""
    body = {"approved": approved, "comment": "the bank confirms it"}
    answer = await replica.served.staff("approver").post(f"/v1/approvals/{approval_id}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def settled(replica: Replica, customer: Customer, home: Path) -> None:
    """The turn of the yes has ended with a refund, and the customer was told so, once."""
    record = await all_answered(replica, customer)
    assert [turn["state"] for turn in record["turns"]] == ["finished", "finished"]
    assert [m["role"] for m in record["messages"]] == ["customer", "agent", "customer", "agent", "agent"]
    assert await pending(replica) == []
    assert record["handoffs"] == []
    refunded_once(home, record, "in_4304", 69600)
    await chain_holds(replica)
