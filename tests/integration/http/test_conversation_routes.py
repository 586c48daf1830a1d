"""What customers and staff reach over HTTP: the keys that others rely on, and what may not happen."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from served import KEY, Served

from app.settings import Settings


@pytest.fixture
def settings(home: Path, database_url: str | None) -> Settings:
    """Every test here runs on SQLite and on PostgreSQL."""
    return Settings(home=home, secret_key=KEY, database_url=database_url)


async def test_a_finished_turn_answers_with_the_documented_keys(service: Served) -> None:
    customer = service.customer("cus_001")
    opened = await customer.http.post("/v1/conversations")
    assert opened.status_code == 201
    customer.conversation_id = opened.json()["id"]
    assert customer.conversation_id.startswith("conv_")
    answer = await customer.post("I was charged twice this month")
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=30"
    turn = answer.json()
    assert turn["disposition"] == "awaiting_customer"
    assert turn["turn_id"].startswith("turn_")
    assert "29.00 EUR" in turn["reply"]
    done = await customer.say("yes please")
    assert done["disposition"] == "resolved"
    record = await service.record(customer.conversation_id)
    assert [m["role"] for m in record["messages"]] == ["customer", "agent", "customer", "agent"]
    (effect,) = record["effects"]
    assert effect["tool"] == "billing.refund"
    assert effect["state"] == "verified"
    assert effect["arguments"]["invoice_id"] == "in_0042"
    assert record["decisions"]
    assert record["handoffs"] == []


async def test_without_the_wish_to_wait_a_message_is_stored_at_once_and_answered_later(service: Served) -> None:
    customer = service.customer("cus_001")
    answer = await customer.post("I was charged twice this month", wait=None)
    assert answer.status_code == 202
    for _ in range(200):
        messages = (await customer.read())["messages"]
        if len(messages) == 2:
            break
        await asyncio.sleep(0.02)
    assert [m["role"] for m in messages] == ["customer", "agent"]


async def test_the_same_client_message_id_twice_is_one_message_and_one_answer(service: Served) -> None:
    customer = service.customer("cus_001")
    first = await customer.post("I was charged twice this month", client_message_id="m-1")
    second = await customer.post("I was charged twice this month", client_message_id="m-1")
    assert first.json()["turn_id"] == second.json()["turn_id"]
    assert first.json()["reply"] == second.json()["reply"]
    assert len((await customer.read())["messages"]) == 2


async def test_the_same_message_sent_ten_times_at_once_is_one_message(service: Served) -> None:
    customer = await service.customer("cus_001").open()
    answers = await asyncio.gather(
        *(customer.post("I was charged twice this month", client_message_id="m-1") for _ in range(10))
    )
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["turn_id"] for a in answers}) == 1
    assert len((await customer.read())["messages"]) == 2


async def test_a_yes_sent_twice_refunds_once(service: Served) -> None:
    customer = service.customer("cus_001")
    await customer.say("I was charged twice this month")
    await asyncio.gather(customer.post("yes please"), customer.post("yes please"))
    effects = (await service.record(customer.conversation_id))["effects"]
    assert [e["state"] for e in effects] == ["verified"]


async def test_messages_that_arrive_during_a_turn_are_all_answered_by_later_turns(service: Served) -> None:
    customer = await service.customer("cus_004").open()
    texts = [
        "how much of our storage quota have we used?",
        "and is there an outage right now?",
        "thanks",
        "one more thing",
    ]
    answers = await asyncio.gather(*(customer.post(text) for text in texts))
    assert {a.status_code for a in answers} == {200}
    record = await service.record(customer.conversation_id)
    assert all(m["turn_id"] for m in record["messages"])
    assert {t["state"] for t in record["turns"]} == {"finished"}
    spans = sorted((t["started_at"], t["finished_at"]) for t in record["turns"])
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))


async def test_a_message_that_arrives_as_a_turn_ends_does_not_wait_for_the_sweeper(
    start_service: Callable[..., Awaitable[Served]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.turns.SWEEP_EVERY", 3600.0)  # nothing but the turns themselves takes it up
    service = await start_service()
    customer = await service.customer("cus_004").open()
    for number in range(12):
        first = asyncio.create_task(customer.post("thanks"))
        await asyncio.sleep(0.004 * number)
        answers = await asyncio.gather(first, customer.post("thanks"))
        assert {a.status_code for a in answers} == {200}


async def test_staff_see_decisions_effects_and_the_packet_that_customers_do_not(service: Served) -> None:
    customer = service.customer("cus_001")
    await customer.say("I was charged twice this month")
    await customer.say("yes please")
    await customer.say("now I want to talk to a human")
    seen = await customer.read()
    assert not {"decisions", "effects", "handoffs", "steps"} & set(seen)
    record = await service.record(customer.conversation_id)
    assert {d["kind"] for d in record["decisions"]} == {"call", "reply", "routing"}
    (handoff,) = record["handoffs"]
    packet = handoff["packet"]
    assert packet["transcript"][0]["text"] == "I was charged twice this month"
    assert [e["state"] for e in packet["effects"]] == ["verified"]
    assert any(step["tool"] == "billing.refund" for step in packet["tried"])
    assert packet["customer"]["company"] == "Brightwater Ceramics"
    assert {"reason", "summary", "intent", "urgency", "due_at", "queue", "citations"} <= set(packet)


async def test_asking_for_a_person_as_the_very_first_message_reaches_the_queue_and_says_so(service: Served) -> None:
    customer = service.customer("cus_004")
    turn = await customer.say("talk to a person")
    assert turn["disposition"] == "escalated"
    assert turn["reply"]
    items = (await service.staff("rep").get("/v1/queue")).json()["items"]
    (item,) = items
    assert {"handoff_id", "conversation_id", "queue", "reason", "priority", "due_at"} <= set(item)
    assert item["conversation_id"] == customer.conversation_id


async def test_feedback_is_kept_and_audited(service: Served) -> None:
    customer = service.customer("cus_004")
    await customer.say("thanks")
    place = f"/v1/conversations/{customer.conversation_id}/feedback"
    given = await customer.http.post(place, json={"solved": True, "rating": 5, "comment": "quick"})
    assert given.status_code == 201
    record = await service.record(customer.conversation_id)
    assert [(f["solved"], f["rating"], f["comment"]) for f in record["feedback"]] == [(True, 5, "quick")]
    trail = (await service.staff("auditor").get(f"/v1/audit/{customer.conversation_id}")).json()["events"]
    assert "feedback" in [event["kind"] for event in trail]
    wrong = await customer.http.post(place, json={"rating": 9})
    assert wrong.status_code == 422


async def test_a_customer_of_a_weaker_identity_level_gets_no_refund(service: Served) -> None:
    customer = service.customer("cus_001", level="claimed")
    turn = await customer.say("I was charged twice this month")
    record = await service.record(customer.conversation_id)
    assert record["effects"] == []
    assert turn["disposition"] == "escalated"


async def test_each_conversation_says_which_knowledge_it_quoted(service: Served) -> None:
    customer = service.customer("cus_004")
    turn = await customer.say("How do I rotate an API key?")
    messages = (await customer.read())["messages"]
    assert turn["disposition"] in ("resolved", "awaiting_customer")
    if turn["disposition"] == "resolved":
        assert messages[-1]["citations"][0]["document_id"]


async def test_health_readiness_metrics_and_the_interface_description_are_open(service: Served) -> None:
    async with httpx.AsyncClient(base_url=service.url) as anyone:
        assert (await anyone.get("/healthz")).json() == {"status": "ok"}
        assert (await anyone.get("/readyz")).json() == {"status": "ready"}
        assert "handrail_conversations" in (await anyone.get("/metrics")).text
        paths = (await anyone.get("/openapi.json")).json()["paths"]
    assert "/v1/conversations/{conversation_id}/messages" in paths
