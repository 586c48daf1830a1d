"""`kill -9` at each step of a refund, then a restart: each message is answered once, the money goes back once."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kills import (
    all_answered,
    answered,
    chain_holds,
    dies,
    heard_in_the_end,
    orderly,
    refunded_once,
    refunds_of,
    returning,
)
from replicas import Replica

OPENING = "you took 29 euros twice this month"
YES = "yes please"

# After each transaction that a turn commits and after each call that changes the backend, and inside each transaction:
# between two of these a death leaves the same files behind wherever it comes.
OPENING_STEPS = [
    ("message stored", "inside"),
    ("message stored", "after"),
    ("backend asked", "after"),
    ("turn finished", "inside"),
    ("turn finished", "after"),
]
YES_STEPS = [
    ("message stored", "inside"),
    ("message stored", "after"),
    ("decision written", "inside"),
    ("decision written", "after"),
    ("effect sent", "inside"),
    ("effect sent", "after"),
    ("backend call", "after"),
    ("effect verified", "inside"),
    ("effect verified", "after"),
    ("turn finished", "inside"),
    ("turn finished", "after"),
]


@pytest.mark.parametrize(("step", "when"), OPENING_STEPS)
async def test_an_opening_message_is_answered_once_wherever_the_process_dies(
    step: str, when: str, fresh_home: Path, make_replica: Callable[..., Replica]
) -> None:
    replica = make_replica(fresh_home).start(step=step, when=when).ready()
    customer = await replica.served.customer("cus_001").open()
    await dies(replica, customer, OPENING)
    replica.start().ready()
    answer = await heard_in_the_end(customer, OPENING)
    assert "Shall I refund 29.00 EUR of invoice 0042" in answer["reply"]
    assert answer["disposition"] == "awaiting_customer"
    record = await orderly(replica, customer, turns=1)
    assert [offer["state"] for offer in record["offers"]] == ["offered"]
    assert record["effects"] == []
    assert refunds_of(fresh_home, "cus_001") == []
    assert (await customer.say(YES))["disposition"] == "resolved"
    refunded_once(fresh_home, await orderly(replica, customer, turns=2), "in_0042", 2900)


@pytest.mark.parametrize(("step", "when"), YES_STEPS)
async def test_a_yes_is_carried_out_and_answered_once_wherever_the_process_dies(
    step: str, when: str, after_offer: Callable[..., Any], make_replica: Callable[..., Replica]
) -> None:
    home, conversation_id = await after_offer("cus_001", OPENING)
    replica = make_replica(home).start(step=step, when=when).ready()
    customer = returning(replica, "cus_001", conversation_id)
    await dies(replica, customer, YES)
    replica.start().ready()
    assert (await heard_in_the_end(customer, YES))["disposition"] == "resolved"
    refunded_once(home, await orderly(replica, customer, turns=2), "in_0042", 2900)


@pytest.mark.parametrize("step", ["triage", "effect sent", "effect verified", "turn finished"])
async def test_a_turn_that_dies_three_times_over_still_refunds_once(
    step: str, after_offer: Callable[..., Any], make_replica: Callable[..., Replica]
) -> None:
    home, conversation_id = await after_offer("cus_001", OPENING)
    replica = make_replica(home).start(step=step, when="before").ready()
    customer = returning(replica, "cus_001", conversation_id)
    await dies(replica, customer, YES)
    for _ in range(2):
        replica.start(step=step, when="before")
        assert replica.died() == signal.SIGKILL
    replica.start().ready()
    await answered(customer)
    refunded_once(home, await orderly(replica, customer, turns=2), "in_0042", 2900)


async def test_a_refund_that_never_reached_the_backend_is_known_not_to_have_happened(
    after_offer: Callable[..., Any], make_replica: Callable[..., Replica]
) -> None:
    home, conversation_id = await after_offer("cus_001", OPENING)
    replica = make_replica(home).start(step="backend call", when="before").ready()
    customer = returning(replica, "cus_001", conversation_id)
    await dies(replica, customer, YES)
    for _ in range(2):
        replica.start(step="backend call", when="before")
        assert replica.died() == signal.SIGKILL
    replica.start().ready()
    await answered(customer)
    record = await orderly(replica, customer, turns=2)
    assert refunds_of(home, "cus_001") == []
    assert [effect["state"] for effect in record["effects"]] == ["failed"]
    assert record["disposition"] == "escalated"
    assert "I have changed nothing in your account" in record["messages"][-1]["text"]
    assert [handoff["state"] for handoff in record["handoffs"]] == ["open"]


async def test_a_message_that_arrived_during_the_turn_is_answered_after_the_restart(
    fresh_home: Path, make_replica: Callable[..., Replica]
) -> None:
    replica = make_replica(fresh_home).start(step="message stored", when="after", count=2).ready()
    customer = await replica.served.customer("cus_001").open()
    assert (await customer.post(OPENING, wait=None)).status_code == 202
    await dies(replica, customer, "is anybody there?")
    replica.start().ready()
    record = await all_answered(replica, customer)
    texts = [message["text"] for message in record["messages"] if message["role"] == "customer"]
    assert texts == [OPENING, "is anybody there?"]
    turns = [turn["id"] for turn in record["turns"]]
    assert [m["turn_id"] for m in record["messages"] if m["role"] == "agent"] == turns
    assert refunds_of(fresh_home, "cus_001") == []
    await chain_holds(replica)
