"""What representatives are suggested: a draft from the records, and nothing is changed by it."""

from typing import Any

from served import Served


async def suggest(service: Served, **source: Any) -> dict[str, Any]:
    answer = await service.staff("rep").post("/v1/assist/suggestions", json=source)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_draft_holds_what_the_records_say_and_the_step_that_comes_next(service: Served) -> None:
    customer = service.customer("cus_001")
    await customer.say("talk to a person please")
    await customer.post("you took 29 euros twice this month", wait=None)
    await customer.say("hello?")
    await customer.say("you took 29 euros twice this month")
    made = await suggest(service, conversation_id=customer.conversation_id)
    assert made["intent"] == "duplicate_charge"
    assert "29.00 EUR of invoice 0042" in made["text"]
    assert made["text"].startswith("Hello Marta,")
    (step,) = made["next_steps"]
    assert step.startswith("after the customer's yes: billing.refund (invoice_id in_0042, amount 2900")
    assert (await service.record(customer.conversation_id))["effects"] == []
    assert service.runtime is not None
    refunds = (await service.runtime.sandbox.dump())["refunds"]
    assert not [row for row in refunds if row["customer_id"] == "cus_001"]


async def test_a_transcript_from_elsewhere_is_answered_from_the_knowledge_base_with_sources(service: Served) -> None:
    made = await suggest(service, transcript=[{"role": "customer", "text": "how do I rotate an API key?"}])
    assert made["citations"]
    assert "key" in made["text"].lower()


async def test_what_nobody_knows_gets_a_holding_reply(service: Served) -> None:
    made = await suggest(service, transcript=[{"role": "customer", "text": "what is the weather in Lisbon"}])
    assert made["citations"] == []
    assert "I am looking into it" in made["text"]


async def test_a_verdict_is_kept(service: Served) -> None:
    made = await suggest(service, transcript=[{"role": "customer", "text": "how do I rotate an API key?"}])
    place = f"/v1/assist/suggestions/{made['id']}/verdict"
    answer = await service.staff("rep").post(place, json={"verdict": "edited", "final_text": "Here is how."})
    assert answer.json() == {"id": made["id"], "verdict": "edited"}


async def test_a_transcript_without_a_customer_is_refused(service: Served) -> None:
    answer = await service.staff("rep").post(
        "/v1/assist/suggestions", json={"transcript": [{"role": "agent", "text": "hello"}]}
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
