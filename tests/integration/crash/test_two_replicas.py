"""Two services on one database: one turn at a time, one effect, and one goes on where the other stopped."""

import asyncio
import itertools
import random
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from kills import all_answered, answered, chain_holds, refunds_of, returning
from postgres_server import PostgresServer
from replicas import Replica
from served import Customer

OPENING = "you took 29 euros twice this month"
OPENING_FOR_APPROVAL = "We paid invoice 4304 twice, once on the 1st and once on the 2nd. Kindly return the second one."
YES = "yes please"

Pair = tuple[Replica, Replica]


@pytest.fixture
def make_pair(fresh_home: Path, database_url: str | None, make_replica: Callable[..., Replica]) -> Callable[..., Pair]:
    """Two replicas, not started yet, on SQLite and on PostgreSQL in turn."""
    return lambda **named: (
        make_replica(fresh_home, database_url=database_url, **named),
        make_replica(fresh_home, database_url=database_url, **named),
    )


@pytest.fixture
async def pair(make_pair: Callable[..., Pair]) -> Pair:
    """Two replicas that run."""
    both = make_pair()
    for replica in [replica.start() for replica in both]:
        replica.ready()
    return both


async def offered(replica: Replica) -> Customer:
    """A customer to whom the refund was offered."""
    customer = await replica.served.customer("cus_001").open()
    assert (await customer.say(OPENING))["offers"]
    return customer


async def test_one_message_sent_to_both_at_once_is_one_message_with_one_answer(pair: Pair) -> None:
    customer = await pair[0].served.customer("cus_001").open()
    same = [returning(replica, "cus_001", customer.conversation_id) for replica in pair]
    answers = await asyncio.gather(*(one.post(OPENING, client_message_id="m-1") for one in same * 4))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["turn_id"] for answer in answers}) == 1
    assert {answer.json()["reply"] for answer in answers} == {answers[0].json()["reply"]}
    record = await pair[1].served.record(customer.conversation_id)
    assert [message["role"] for message in record["messages"]] == ["customer", "agent"]


async def test_a_yes_to_each_at_once_refunds_once(pair: Pair) -> None:
    customer = await offered(pair[0])
    same = [returning(replica, "cus_001", customer.conversation_id) for replica in pair]
    answers = await asyncio.gather(*(one.post(YES) for one in same * 2))
    assert {answer.status_code for answer in answers} == {200}
    record = await all_answered(pair[0], customer)
    assert [effect["state"] for effect in record["effects"]] == ["verified"]
    assert len(refunds_of(pair[0].home, "cus_001")) == 1
    await chain_holds(pair[0])


async def test_turns_of_one_conversation_never_overlap_and_leave_no_message_behind(pair: Pair) -> None:
    rng = random.Random(7)
    texts = ["thanks", "how much of our storage quota have we used?", "is there an outage right now?", "hello"]
    names = ["cus_004", "cus_005", "cus_006", "cus_007"]
    customers = [await pair[0].served.customer(name).open() for name in names]
    posts = []
    for name, customer in zip(names, customers, strict=True):
        doors = [returning(replica, name, customer.conversation_id) for replica in pair]
        posts += [rng.choice(doors).post(text) for text in texts]
    rng.shuffle(posts)
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {200}
    for customer in customers:
        record = await all_answered(pair[1], customer)
        spans = sorted((_time(t["started_at"]), _time(t["finished_at"])) for t in record["turns"])
        assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))
        asked = [m["turn_id"] for m in record["messages"] if m["role"] == "customer"]
        assert len(asked) == len(texts)
        assert [m["turn_id"] for m in record["messages"] if m["role"] == "agent"] == list(dict.fromkeys(asked))
    await chain_holds(pair[0])


@pytest.mark.parametrize(
    ("step", "when"),
    [("turn begun", "after"), ("decision written", "after"), ("backend call", "after"), ("turn finished", "before")],
)
async def test_a_turn_whose_replica_died_is_finished_by_the_other(
    step: str, when: str, make_pair: Callable[..., Pair]
) -> None:
    dying, other = make_pair(lease=2.0)
    for replica in (dying.start(step=step, when=when), other.start()):
        replica.ready()
    customer = await offered(other)
    with pytest.raises(httpx.TransportError):
        await returning(dying, "cus_001", customer.conversation_id).post(YES)
    assert dying.died() == signal.SIGKILL
    await answered(customer)
    await _refunded_once(other, customer)


@pytest.mark.parametrize(
    ("step", "when"),
    [
        ("decision written", "before"),
        ("decision written", "after"),
        ("effect sent", "after"),
        ("backend call", "after"),
        ("turn finished", "before"),
    ],
)
async def test_a_replica_that_froze_over_a_turn_and_wakes_up_later_changes_nothing(
    step: str, when: str, make_pair: Callable[..., Pair]
) -> None:
    frozen, other = make_pair(lease=0.75)
    for replica in (frozen.start(step=step, when=when, signal=signal.SIGSTOP), other.start()):
        replica.ready()
    await _goes_on_without(frozen, other)


@pytest.mark.postgres
@pytest.mark.parametrize("step", ["decision written", "turn finished"])
async def test_a_replica_that_froze_in_the_middle_of_a_transaction_holds_nobody_up_for_long(
    step: str, fresh_home: Path, postgres_url: str, make_replica: Callable[..., Replica]
) -> None:
    frozen, other = (make_replica(fresh_home, database_url=postgres_url, lease=1.0) for _ in range(2))
    for replica in (frozen.start(step=step, when="inside", signal=signal.SIGSTOP), other.start()):
        replica.ready()
    await _goes_on_without(frozen, other)


async def test_an_approval_waits_in_the_database_and_is_carried_out_by_another_process(
    make_pair: Callable[..., Pair],
) -> None:
    asking, approving = make_pair()
    asking.start().ready()
    customer = await asking.served.customer("cus_043").open()
    assert (await customer.say(OPENING_FOR_APPROVAL))["offers"]
    assert (await customer.say(YES))["disposition"] == "awaiting_approval"
    asking.kill()
    approving.start().ready()
    staff = approving.served.staff("approver")
    (approval,) = (await staff.get("/v1/queue")).json()["approvals"]
    decided = await staff.post(f"/v1/approvals/{approval['id']}", json={"approved": True})
    assert decided.status_code == 200
    customer = returning(approving, "cus_043", customer.conversation_id)
    record = await all_answered(approving, customer)
    assert "696.00 EUR is on its way back" in record["messages"][-1]["text"]
    assert [effect["state"] for effect in record["effects"]] == ["verified"]
    assert len(refunds_of(approving.home, "cus_043")) == 1
    await chain_holds(approving)


async def test_an_approval_given_before_the_asking_turn_came_to_its_end_counts_once_another_process_has_it(
    make_pair: Callable[..., Pair],
) -> None:
    asking, other = make_pair(lease=5.0)
    for replica in (asking.start(step="turn finished", when="before", signal=signal.SIGSTOP), other.start()):
        replica.ready()
    customer = await other.served.customer("cus_043").open()
    assert (await customer.say(OPENING_FOR_APPROVAL))["offers"]
    yes = asyncio.create_task(returning(asking, "cus_043", customer.conversation_id).post(YES))
    assert await asyncio.to_thread(asking.stopped) == signal.SIGSTOP
    staff = other.served.staff("approver")
    (approval,) = (await staff.get("/v1/queue")).json()["approvals"]
    assert (await staff.post(f"/v1/approvals/{approval['id']}", json={"approved": True})).status_code == 200
    assert refunds_of(other.home, "cus_043") == []
    asking.kill()
    with pytest.raises(httpx.TransportError):
        await yes
    record = await all_answered(other, customer)
    assert [(a["id"], a["state"]) for a in record["approvals"]] == [(approval["id"], "approved")]
    assert [m["role"] for m in record["messages"]] == ["customer", "agent", "customer", "agent", "agent"]
    assert "696.00 EUR is on its way back" in record["messages"][-1]["text"]
    assert len(refunds_of(other.home, "cus_043")) == 1
    await chain_holds(other)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest) -> str | None:
    """A database without tables of either kind."""
    return request.getfixturevalue("empty_postgres_url") if request.param == "postgres" else None


async def test_services_that_start_at_the_same_time_on_an_empty_database_all_start(
    tmp_path: Path, empty_url: str | None, make_replica: Callable[..., Replica]
) -> None:
    starting = [make_replica(tmp_path, database_url=empty_url).start() for _ in range(3)]
    for replica in starting:
        replica.ready()


@pytest.mark.postgres
async def test_a_database_that_dropped_its_connections_costs_no_turn_and_no_approval(
    fresh_home: Path, postgres: PostgresServer, postgres_url: str, make_replica: Callable[..., Replica]
) -> None:
    replica = make_replica(fresh_home, database_url=postgres_url).start().ready()
    customer = await replica.served.customer("cus_043").open()
    staff = replica.served.staff("approver")
    postgres.drop_connections(postgres_url)
    assert (await customer.say(OPENING_FOR_APPROVAL))["offers"]
    postgres.drop_connections(postgres_url)
    assert (await customer.say(YES))["disposition"] == "awaiting_approval"
    (approval,) = (await staff.get("/v1/queue")).json()["approvals"]
    postgres.drop_connections(postgres_url)
    assert (await staff.post(f"/v1/approvals/{approval['id']}", json={"approved": True})).status_code == 200
    record = await all_answered(replica, customer)
    assert [effect["state"] for effect in record["effects"]] == ["verified"]
    assert record["handoffs"] == []


async def _goes_on_without(frozen: Replica, other: Replica) -> None:
    """A customer says yes to a replica that freezes over it; the other answers, and the first changes nothing later."""
    customer = await offered(other)
    late = asyncio.create_task(returning(frozen, "cus_001", customer.conversation_id).post(YES))
    assert await asyncio.to_thread(frozen.stopped) == signal.SIGSTOP
    await answered(customer)
    told = await _refunded_once(other, customer)
    frozen.send(signal.SIGCONT)
    assert "29.00 EUR is on its way back" in (await late).json()["reply"]
    assert (await _refunded_once(other, customer))["messages"] == told["messages"]


async def _refunded_once(replica: Replica, customer: Customer) -> dict[str, Any]:
    record = await all_answered(replica, customer)
    assert [m["role"] for m in record["messages"]] == ["customer", "agent"] * 2
    assert "29.00 EUR is on its way back" in record["messages"][-1]["text"]
    assert [effect["state"] for effect in record["effects"]] == ["verified"]
    assert len(refunds_of(replica.home, "cus_001")) == 1
    await chain_holds(replica)
    return record


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
