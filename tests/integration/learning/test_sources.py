"""What becomes a labelled example: handoffs, verdicts, feedback, corrections; words without what tells whose."""

from typing import Any

import pytest
from served import Customer, Served

from records.learning import LabelledExample, examples_in

VAT = "We are a registered charity and exempt from VAT, where do I send the certificate?"
DUPLICATE = "you took 29 euros twice this month"


async def kept(service: Served) -> list[LabelledExample]:
    assert service.runtime is not None
    async with service.runtime.services.database.read() as session:
        return await examples_in(session)


async def with_people(service: Served, *texts: str) -> tuple[Customer, str]:
    """A customer who wrote this and is with people now: (customer, handoff)."""
    customer = service.customer("cus_001")
    for text in texts:
        await customer.say(text)
    return customer, (await service.record(customer.conversation_id))["handoffs"][-1]["id"]


async def resolve(service: Served, handoff: str, **body: Any) -> Any:
    return await service.staff("rep").post(f"/v1/handoffs/{handoff}/resolve", json=body)


async def test_a_named_handoff_keeps_the_words_it_began_with_and_what_triage_took_them_for(service: Served) -> None:
    customer, handoff = await with_people(service, "hello", VAT, "please let me talk to a person")
    assert (await resolve(service, handoff, note="done", intent="tax_exemption")).status_code == 200
    (row,) = await kept(service)
    assert (row.text, row.intent, row.state, row.by) == (VAT, "tax_exemption", "accepted", "rep@example.com")
    assert (row.source, row.conversation_id) == ("handoff", customer.conversation_id)
    assert 0 < row.hint["probability"] < 1
    events = (await service.staff("lead").get(f"/v1/audit/{customer.conversation_id}")).json()["events"]
    assert events[-1]["payload"]["intent"] == "tax_exemption"


async def test_a_handoff_without_a_name_waits_and_a_correction_names_it(service: Served) -> None:
    customer, handoff = await with_people(service, VAT, "please let me talk to a person")
    await resolve(service, handoff, note="done")
    (row,) = await kept(service)
    assert (row.intent, row.state, row.usable) == (None, "new", False)
    place, rep = f"/v1/conversations/{customer.conversation_id}/correction", service.staff("rep")
    assert (await customer.http.post(place, json={"intent": "tax_exemption"})).status_code == 403
    assert (await rep.post(place, json={"intent": "Tax Exemption"})).status_code == 422
    assert (await rep.post(place, json={"intent": "tax_exemption"})).status_code == 201
    (row,) = await kept(service)
    assert (row.intent, row.source, row.usable) == ("tax_exemption", "correction", True)
    items = (await rep.get("/v1/intents")).json()["items"]
    assert {"intent": "tax_exemption", "title": "Tax exemption", "served_by": "proposed"} in items
    assert {"refund_request": "procedure", "legal_threat": "people"}.items() <= {
        item["intent"]: item["served_by"] for item in items
    }.items()


@pytest.mark.parametrize("name", ["Refund", "refund request", "_refund", "refund__x", "x" * 60, "größe", "a;b"])
async def test_what_is_no_name_of_an_intent_is_refused_and_the_handoff_stays(service: Served, name: str) -> None:
    _, handoff = await with_people(service, VAT, "please let me talk to a person")
    answer = await resolve(service, handoff, intent=name)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await service.staff("rep").get(f"/v1/handoffs/{handoff}")).json()["state"] == "open"
    assert await kept(service) == []


async def test_what_tells_who_wrote_it_is_left_out(service: Served) -> None:
    text = (
        "The card 4111 1111 1111 1111 is not ours, write to marta.lind@example.org or +49 30 901820, "
        "the code is 482913 and the form has number 99120045"
    )
    _, handoff = await with_people(service, text, "please let me talk to a person")
    await resolve(service, handoff, intent="foreign_card")
    (row,) = await kept(service)
    for secret in ("4111", "marta", "901820", "482913", "99120045"):
        assert secret not in row.text
    assert "is not ours" in row.text


async def test_only_a_wish_for_a_person_teaches_nothing(service: Served) -> None:
    _, handoff = await with_people(service, "talk to a person please")
    await resolve(service, handoff, intent="tax_exemption")
    assert await kept(service) == []


async def test_feedback_that_it_did_not_help_makes_an_edge_case_of_what_was_called_resolved(service: Served) -> None:
    customer = service.customer("cus_001")
    turn = await customer.say("how do I rotate an API key?")
    assert turn["disposition"] == "resolved"
    place = f"/v1/conversations/{customer.conversation_id}/feedback"
    await customer.http.post(place, json={"solved": True, "rating": 5})
    assert await kept(service) == []
    for _ in range(2):
        await customer.http.post(place, json={"solved": False})
    (row,) = await kept(service)
    assert (row.source, row.intent, row.hint["intent"]) == ("feedback", None, "knowledge_question")
    assert "did not help" in row.hint["edge"]


async def test_a_customer_who_comes_back_to_people_gives_the_words_that_handrail_had_called_resolved(
    service: Served,
) -> None:
    _, handoff = await with_people(service, "how do I rotate an API key?", "please let me talk to a person")
    await resolve(service, handoff)
    (row,) = await kept(service)
    assert (row.source, row.intent, row.text) == ("reopened", None, "how do I rotate an API key?")


async def suggestion(service: Served, text: str) -> str:
    source = {"transcript": [{"role": "customer", "text": text}]}
    return (await service.staff("rep").post("/v1/assist/suggestions", json=source)).json()["id"]


async def test_a_used_suggestion_stands_for_its_intent_and_a_rejected_one_is_worth_a_look(service: Served) -> None:
    rep = service.staff("rep")
    for verdict in ({"verdict": "accepted"}, {"verdict": "rejected"}, {"verdict": "edited", "intent": "double_fee"}):
        place = f"/v1/assist/suggestions/{await suggestion(service, DUPLICATE)}/verdict"
        for _ in range(2):
            assert (await rep.post(place, json=verdict)).status_code == 200
    rows = await kept(service)
    assert [(row.intent, row.state) for row in rows] == [
        ("duplicate_charge", "new"),
        (None, "new"),
        ("double_fee", "accepted"),
    ]
    assert rows[1].hint["edge"] == "the suggestion was rejected"
    place = f"/v1/assist/suggestions/{await suggestion(service, DUPLICATE)}/verdict"
    assert (await rep.post(place, json={"verdict": "accepted", "intent": "No!"})).status_code == 422


async def test_a_suggestion_and_the_resolved_handoff_of_one_matter_are_one_example(service: Served) -> None:
    customer, handoff = await with_people(service, VAT, "please let me talk to a person")
    rep = service.staff("rep")
    made = (await rep.post("/v1/assist/suggestions", json={"conversation_id": customer.conversation_id})).json()
    await rep.post(f"/v1/assist/suggestions/{made['id']}/verdict", json={"verdict": "rejected"})
    await resolve(service, handoff, intent="tax_exemption")
    (row,) = await kept(service)
    assert (row.text, row.intent, row.source) == (VAT, "tax_exemption", "handoff")
