"""Three matters appear that the product was not shipped with: people solve them, and triage learns where they go."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from new_matters import EXAMPLES, LATER, OLD, QUEUES, lines
from served import Served

from app.runtime import Runtime
from evals.candidate import NothingToLearn, propose
from evals.tickets import load_tickets
from records import learning
from records.learning import LabelledExample

pytestmark = pytest.mark.slow

TICKETS = Path(__file__).parents[3] / "evals" / "tickets" / "development.jsonl"


async def solved_by_people(service: Served, intent: str, text: str) -> None:
    """A customer asks, does not get on, and people solve it and say what it was about."""
    customer = service.customer("cus_004")
    if (await customer.say(text))["disposition"] != "escalated":
        await customer.say("please let me talk to a person")
    (handoff,) = (await service.record(customer.conversation_id))["handoffs"]
    rep, place = service.staff("rep"), f"/v1/handoffs/{handoff['id']}"
    if handoff["queue"] != QUEUES[intent]:
        await rep.post(f"{place}/transfer", json={"queue": QUEUES[intent]})
    (await rep.post(f"{place}/resolve", json={"note": "done", "intent": intent})).raise_for_status()


async def solved_before(runtime: Runtime, intent: str, texts: list[str]) -> None:
    """The same, as the store holds it."""
    services = runtime.services
    for number, text in enumerate(texts):
        row = LabelledExample(
            id=learning.example_id(),
            text=text,
            intent=intent,
            queue=QUEUES[intent],
            source="handoff",
            source_id=f"hnd_{intent}_{number}",
            state="accepted",
            at=services.clock(),
        )
        async with services.database.write() as session:
            await learning.gather(session, row)


async def ends(service: Served, text: str) -> tuple[str | None, str, str | None]:
    """(intent, queue, version of triage) of a new conversation that begins with this message."""
    customer = service.customer("cus_004")
    turn = await customer.say(text)
    record = await service.record(customer.conversation_id)
    handoff = record["handoffs"][-1] if record["handoffs"] else {}
    return turn["intent"], handoff.get("queue", ""), record["turns"][-1]["triage"]["model"]


@pytest.mark.timeout(900)
async def test_new_matters_reach_their_queues_after_a_person_promoted_what_was_learnt(
    start_service: Callable[..., Awaitable[Served]], whole_home: Path
) -> None:
    service = await start_service(home=whole_home)
    assert service.runtime is not None
    runtime, lead = service.runtime, service.staff("lead")
    for intent, block in EXAMPLES.items():
        first, *rest = lines(block)
        await solved_by_people(service, intent, first)
        await solved_before(runtime, intent, rest)
    async with runtime.services.database.read() as session:
        rows = await learning.examples_in(session)
    assert len(rows) == 60
    assert {(row.intent, row.queue) for row in rows} == set(QUEUES.items())
    assert {row.text for row in rows} == {text for block in EXAMPLES.values() for text in lines(block)}

    tickets = load_tickets([TICKETS])[0][:2]
    made = await propose(runtime.settings, tickets, "ann@example.com", folds=2)
    figures, name = made.figures, made.version.id
    assert figures["new_intents"]["examples"] == 60
    assert figures["new_intents"]["before"] == 0
    assert figures["new_intents"]["after"] >= 0.75
    assert figures["old_intents"]["before"] - figures["old_intents"]["after"] < 0.01
    assert made.version.matters == QUEUES
    assert figures["replay"]["worse"] == []
    assert (await ends(service, lines(LATER["tax_exemption"])[0]))[2] == "shipped"

    replica = await start_service(home=whole_home)
    place = f"/v1/models/{name}/promote"
    assert (await service.staff("rep").post(place)).status_code == 403
    promoted = {"id": name, "kind": "triage", "state": "champion", "serving": name}
    assert (await lead.post(place)).json() == promoted
    assert (await lead.post(place)).status_code == 409
    for intent, block in LATER.items():
        for text in lines(block):
            assert (await ends(service, text))[1:] == (QUEUES[intent], name), text
    for text, intent in OLD.items():
        assert await ends(service, text) == (intent, "", name), text
    for _ in range(300):
        assert replica.runtime is not None
        if replica.runtime.champion.version.name == name:
            break
        await asyncio.sleep(0.2)
    assert (await ends(replica, lines(LATER["reseller_partnership"])[0]))[1:] == ("contracts", name)
    with pytest.raises(NothingToLearn):
        await propose(runtime.settings, [], "ann@example.com", folds=2)

    assert (await lead.post("/v1/models/roll-back")).json()["serving"] == "shipped"
    _, queue, version = await ends(service, lines(LATER["reseller_partnership"])[0])
    assert (queue, version) == ("", "shipped")
    told: dict[str, Any] = (await lead.get("/v1/audit/service")).json()
    assert [event["payload"]["action"] for event in told["events"]] == ["propose", "promote", "roll_back"]
