"""What an endpoint gets to know: placeholders for what it need not know, and the values come back on return."""

import json
from typing import Any

import pytest
from model_records import DOUBLE_CHARGE, agent_texts, model_steps
from scripted_endpoint import Answer, ScriptedEndpoint, calls, says
from served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS = "marta.keller@brightwater-ceramics.example"
PRIVATE = {
    "email": "m.keller77@mail.example",
    "phone": "+49 170 1234567",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "code": "483920",
    "secret": "hunter2!",
    "street": "12 Baker Street",
    "client": "cus_002",
}


async def test_what_the_customer_writes_leaves_with_placeholders_only(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(says("Which invoice is it about?"))
    customer = service.customer("cus_001")
    turn = await customer.say(
        f"{DOUBLE_CHARGE}, 29.00 EUR on 2026-11-03 for invoice 0042. My card is {PRIVATE['card']}, "
        f"IBAN {PRIVATE['iban']}. Write to {PRIVATE['email']} or call {PRIVATE['phone']}. "
        f"We are at {PRIVATE['street']}. The verification code is {PRIVATE['code']}. "
        f"My password is {PRIVATE['secret']}. I am not {PRIVATE['client']}."
    )
    assert turn["reply"] == "Which invoice is it about?"
    (request,) = endpoint.received
    said = request["messages"][-1]["content"]
    for kind, value in PRIVATE.items():
        assert value not in endpoint.sent, kind
        assert f"<{kind}_1>" in said
    assert f"{DOUBLE_CHARGE}, 29.00 EUR on 2026-11-03 for invoice 0042." in said
    record = await service.record(customer.conversation_id)
    assert all(value in record["messages"][0]["text"] for value in PRIVATE.values())


async def test_placeholders_in_a_reply_reach_the_customer_as_the_values(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(says("Shall we rather write to <email_1>, or call <phone_1>?"))
    customer = service.customer("cus_001")
    turn = await customer.say(f"{DOUBLE_CHARGE}. Reach me at {PRIVATE['email']} or {PRIVATE['phone']}.")
    assert turn["reply"] == f"Shall we rather write to {PRIVATE['email']}, or call {PRIVATE['phone']}?"
    endpoint.then(says("Which invoice is it about?"))
    await customer.say("by mail please")
    assert "Shall we rather write to <email_1>, or call <phone_1>?" in endpoint.sent
    assert PRIVATE["email"] not in endpoint.sent and PRIVATE["phone"] not in endpoint.sent


async def test_a_value_has_one_placeholder_in_words_and_in_results_and_results_stay_json(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    results: list[Any] = []

    def answer(request: dict[str, Any]) -> Answer:
        results.append(json.loads(request["messages"][-1]["content"]))
        return says("Marta Keller signs in with <email_1>. Is that the right user?")

    endpoint.then(calls(("access__list_users", {})), answer)
    customer = service.customer("cus_001")
    turn = await customer.say(f"please send a password reset link to {ADDRESS.upper()}")
    assert turn["reply"] == f"Marta Keller signs in with {ADDRESS.upper()}. Is that the right user?"
    assert "<email_1>" in endpoint.received[0]["messages"][-1]["content"]
    marta = next(user for user in results[0]["users"] if user["name"] == "Marta Keller")
    assert (marta["id"], marta["email"]) == ("usr_0101", "<email_1>")
    assert "@" not in endpoint.sent


async def test_placeholders_deep_in_arguments_come_back_before_the_gate_and_in_the_record(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(
        calls(("handoff__to_person", {"queue": "billing", "why": "wants an answer at <email_1>, not <phone_4>"}))
    )
    customer = service.customer("cus_001")
    await customer.say(f"{DOUBLE_CHARGE}. Reach me at {PRIVATE['email']}.")
    record = await service.record(customer.conversation_id)
    (handoff,) = record["handoffs"]
    assert handoff["reason"] == f"wants an answer at {PRIVATE['email']}, not <phone_4>"
    assert PRIVATE["email"] in json.dumps(model_steps(record))


async def test_a_card_number_that_comes_back_does_not_pass_the_gate(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(says("Is your card <card_1>?"), says("Which invoice is it about?"))
    customer = service.customer("cus_001")
    turn = await customer.say(f"{DOUBLE_CHARGE} on my card {PRIVATE['card']}")
    assert turn["reply"] == "Which invoice is it about?"
    assert PRIVATE["card"] not in agent_texts(await service.record(customer.conversation_id))
    assert PRIVATE["card"] not in endpoint.sent  # nor in the refused draft that it is shown again


async def test_what_looks_like_a_placeholder_already_is_not_taken_for_one(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(says("You wrote <mark_1>. Which invoice is it about?"))
    turn = await service.customer("cus_001").say(f"{DOUBLE_CHARGE}. Is <email_1> the same as {PRIVATE['email']}?")
    assert turn["reply"] == "You wrote <email_1>. Which invoice is it about?"
