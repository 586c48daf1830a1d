"""A model behind an endpoint that does its work: what it may do, what it is told, what is written down."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from model_records import DOUBLE_CHARGE, model_steps, served_by
from scripted_endpoint import Answer, ScriptedEndpoint, calls, says
from served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartService = Callable[..., Awaitable[Served]]

SECOND_PAYMENT = {"invoice_id": "in_0042", "amount": 2900, "reason": "duplicate", "payment_id": "pay_0042_2"}
REFUNDED = "Done: 29.00 EUR of invoice 0042 is on its way back to your card."


def last_result(request: dict[str, Any]) -> Any:
    """The result of the last call, as the endpoint was told it."""
    return json.loads(request["messages"][-1]["content"])


def refund_what_was_found(request: dict[str, Any]) -> Any:
    """Propose to refund the second payment that the look-up found."""
    (double,) = last_result(request)["duplicates"]
    arguments = {name: double[name] for name in ("invoice_id", "amount", "payment_id")}
    return calls(("billing__refund", {**arguments, "reason": "duplicate"}))


@pytest.mark.parametrize("streaming", [False, True], ids=["in one piece", "streamed"])
async def test_a_well_behaved_model_completes_a_refund_with_the_customers_yes(
    endpoint: ScriptedEndpoint, start_service: StartService, streaming: bool
) -> None:
    service = await start_service(model_streaming=streaming)
    customer = service.customer("cus_001")
    endpoint.then(calls(("billing__find_duplicates", {})), refund_what_was_found)
    offered = await customer.say(DOUBLE_CHARGE)
    assert offered["disposition"] == "awaiting_customer"
    assert "29.00 EUR" in offered["reply"] and offered["reply"].endswith("?")
    assert (await service.record(customer.conversation_id))["effects"] == []
    assert len(endpoint.received) == 2  # one round of tools, and one call more

    endpoint.then(says(REFUNDED))
    done = await customer.say("yes please")
    assert (done["reply"], done["disposition"]) == (REFUNDED, "resolved")
    assert len(endpoint.received) == 3  # the accepted offer is carried out before the model is asked
    record = await service.record(customer.conversation_id)
    (effect,) = record["effects"]
    assert (effect["tool"], effect["state"], effect["arguments"]) == ("billing.refund", "verified", SECOND_PAYMENT)
    assert set(served_by(record)) == {"scripted"}
    assert {request["stream"] for request in endpoint.received} == {streaming}
    assert not endpoint.breaches


async def test_each_call_is_recorded_with_its_model_tokens_and_cost(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(
        calls(("billing__find_duplicates", {}), usage={"prompt_tokens": 900, "completion_tokens": 20}),
        says("Is it about invoice 0042?", usage={"prompt_tokens": 1000, "completion_tokens": 8}),
    )
    customer = service.customer("cus_001")
    await customer.say(DOUBLE_CHARGE)
    record = await service.record(customer.conversation_id)
    first, second = model_steps(record)
    assert (first["model"], first["tokens_in"], first["tokens_out"], first["note"]) == ("scripted", 900, 20, "")
    assert (first["cost_micros"], second["cost_micros"]) == (2450, 2580)
    (turn,) = record["turns"]
    assert (turn["model_calls"], turn["tokens_in"], turn["tokens_out"]) == (2, 1900, 28)
    assert turn["cost_micros"] == 5030


async def test_the_model_is_told_the_procedure_the_offered_tools_and_nothing_of_other_customers(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(says("Which invoice is it about?"))
    await service.customer("cus_001").say(DOUBLE_CHARGE)
    (request,) = endpoint.received
    assert request["model"] == "scripted" and request["temperature"] == 0
    names = {tool["function"]["name"] for tool in request["tools"]}
    assert {"billing__find_duplicates", "billing__refund", "handoff__to_person"} <= names
    assert "access__change_role" not in names
    system = request["messages"][0]["content"]
    assert "Brightwater Ceramics" in system and "Procedure" in system
    assert "cus_" not in endpoint.sent
    assert set(endpoint.keys) == {"sk-test-0123456789abcdef0123"}


async def test_a_question_of_the_model_waits_for_the_customer_and_the_answer_reaches_it(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    customer = service.customer("cus_001")
    endpoint.then(says("Which invoice is it about?"))
    asked = await customer.say("I want a refund, we never used the service")
    assert (asked["reply"], asked["disposition"]) == ("Which invoice is it about?", "awaiting_customer")
    endpoint.then(says("Is it really number 0042?"))
    await customer.say("0042")
    told = [message["content"] for message in endpoint.received[-1]["messages"][1:]]
    assert told == ["I want a refund, we never used the service", "Which invoice is it about?", "0042"]


async def test_a_look_up_and_an_effect_in_one_message_end_in_an_offer(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    """The effect's call has no outcome when the model is asked again; the request must be a proper one all the same."""
    endpoint.then(calls(("billing__find_duplicates", {})))
    endpoint.then(calls(("billing__list_invoices", {}), ("billing__refund", SECOND_PAYMENT), text="One moment."))
    endpoint.then(calls(("billing__refund", SECOND_PAYMENT)))
    customer = service.customer("cus_001")
    offered = await customer.say(DOUBLE_CHARGE)
    assert offered["disposition"] == "awaiting_customer" and "29.00 EUR" in offered["reply"]
    record = await service.record(customer.conversation_id)
    assert served_by(record) == ["scripted"] * 3
    assert not endpoint.breaches
    assert "One moment." not in offered["reply"]


async def test_a_model_that_hands_over_reaches_a_queue_and_the_customer_hears_of_it(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(
        calls(("handoff__to_person", {"queue": "billing", "why": "the two payments have one bank reference"}))
    )
    customer = service.customer("cus_001")
    turn = await customer.say(DOUBLE_CHARGE)
    assert turn["disposition"] == "escalated" and turn["reply"]
    (item,) = (await service.staff("rep").get("/v1/queue")).json()["items"]
    assert (item["queue"], item["reason"]) == ("billing", "the two payments have one bank reference")


async def test_thoughts_before_an_answer_and_reasoning_fields_stay_inside(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    content = "<think>The customer is on plan starter.</think>\n\nWhich invoice is it about?"
    endpoint.then(Answer({"role": "assistant", "content": content, "reasoning_content": "plan starter"}, usage=None))
    turn = await service.customer("cus_001").say(DOUBLE_CHARGE)
    assert turn["reply"] == "Which invoice is it about?"


async def test_two_calls_with_one_id_are_judged_and_answered_apart(endpoint: ScriptedEndpoint, service: Served) -> None:
    endpoint.then(
        calls(
            ("billing__find_duplicates", {}),
            ("billing__get_invoice", {"invoice_id": "in_9999"}),
            ids=["call_1", "call_1"],
        ),
        says("Is it about invoice 0042?"),
    )
    customer = service.customer("cus_001")
    await customer.say(DOUBLE_CHARGE)
    outcomes = [m["content"] for m in endpoint.received[-1]["messages"] if m["role"] == "tool"]
    assert sum('"duplicates"' in outcome for outcome in outcomes) == 1
    decisions = (await service.record(customer.conversation_id))["decisions"]
    verdicts = {d["proposal"]["tool"]: d["verdict"] for d in decisions if d["kind"] == "call"}
    assert verdicts == {"billing.find_duplicates": "permitted", "billing.get_invoice": "refused"}
    assert not endpoint.breaches
