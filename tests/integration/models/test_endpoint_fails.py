"""An endpoint that fails, dawdles or talks nonsense: the customer is served by the embedded model, or by a person."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
from model_records import DOUBLE_CHARGE, model_steps, refusals, served_by
from scripted_endpoint import (
    Answer,
    Body,
    Cut,
    Drip,
    Hang,
    ScriptedEndpoint,
    Status,
    Step,
    calls,
    says,
)
from served import Customer, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartService = Callable[..., Awaitable[Served]]

FOUND = calls(("billing__find_duplicates", {}))
QUESTION = says("Which invoice is it about?")


def choice(text: str) -> Body:
    """A completion with this text for its choice."""
    return Body(f'{{"id": "x", "object": "chat.completion", "choices": [{text}]}}')


def assistant(**message: Any) -> Answer:
    """A message of the assistant with these fields."""
    return Answer({"role": "assistant", "content": None, **message})


def one_call(**function: Any) -> Answer:
    """A call with these fields."""
    return assistant(tool_calls=[{"id": "call_1", "type": "function", "function": function}])


NONSENSE: dict[str, Step] = {
    "an HTML page": Body("<html><body>Sign in</body></html>", "text/html"),
    "an HTML page that says it is JSON": Body("<html></html>"),
    "nothing": Body(""),
    "JSON that stops": Body('{"choices": [{"message": {"role": "assistant", "conte'),
    "a JSON list": Body("[1, 2]"),
    "JSON null": Body("null"),
    "an error with status 200": Body('{"error": {"message": "overloaded"}}'),
    "no choices": Body('{"id": "x", "object": "chat.completion"}'),
    "null choices": Body('{"choices": null}'),
    "empty choices": choice(""),
    "a choice without a message": choice('{"index": 0}'),
    "a null message": choice('{"index": 0, "message": null}'),
    "half a character": choice('{"index": 0, "message": {"role": "assistant", "content": "hi \\ud83d"}}'),
    "a character that no database keeps": says("hi \x00"),
    "a message of the user": Answer({"role": "user", "content": "I was charged twice"}),
    "an empty message": assistant(),
    "a picture": says([{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}]),
    "a number for a text": says(42),
    "an object for a text": says({"text": "hello"}),
    "a refusal": assistant(refusal="I cannot help with that."),
    "a reply cut off at its length limit": says("Your refund of", finish_reason="length"),
    "a call cut off at its length limit": calls(("billing__list_invoices", {}), finish_reason="length"),
    "a filtered reply": says("", finish_reason="content_filter"),
    "a half filtered reply": says("Your refund", finish_reason="content_filter"),
    "an ending nobody knows": says("Your refund", finish_reason="insufficient_system_resource"),
    "a huge reply": says("word " * 20_000),
    "a huge body": Body('{"choices": [], "padding": "' + "x" * 9_000_000 + '"}'),
    "thoughts without end": says("<think>The customer wants"),
    "thoughts in the middle": says("Hello. <think>I should not say that.</think> Bye."),
    "malformed arguments": calls(("billing__list_invoices", '{"a": ')),
    "arguments that are a list": calls(("billing__list_invoices", "[1]")),
    "arguments that are an object": one_call(name="billing__list_invoices", arguments={"a": 1}),
    "arguments without end": calls(("billing__list_invoices", '{"a":' * 5_000 + "1" + "}" * 5_000)),
    "arguments that are deep": calls(("billing__list_invoices", '{"a":' * 40 + "1" + "}" * 40)),
    "huge arguments": calls(("billing__list_invoices", {"a": "x" * 50_000})),
    "not a number": calls(("billing__list_invoices", '{"a": NaN}')),
    "a number without end": calls(("billing__list_invoices", {"a": 10**40})),
    "a call without a name": one_call(name=None, arguments="{}"),
    "a call with a number for a name": one_call(name=7, arguments="{}"),
    "a call with a sentence for a name": calls(("please list the invoices", {})),
    "a call without a function": assistant(tool_calls=[{"id": "call_1", "type": "function"}]),
    "calls that are a text": assistant(tool_calls="billing__list_invoices"),
    "calls that are null": assistant(tool_calls=[None]),
    "a call of the old kind": assistant(function_call={"name": "billing__list_invoices", "arguments": "{}"}),
    "two hundred calls": calls(*[("billing__list_invoices", {})] * 200),
    "usage that is no number": says("Which one?", usage={"prompt_tokens": "many", "completion_tokens": None}),
    "a redirect": Status(307, {"location": "http://127.0.0.1:1/v1/chat/completions"}),
    "a compressed answer": Status(200, {"content-encoding": "gzip"}),
}

ON_THE_WIRE: dict[str, Step] = {
    "a cut before the answer": Cut(QUESTION, share=0),
    "a cut in the middle": Cut(says("I have looked at your invoices and will tell you soon."), share=0.5),
    "an early end": Cut(says("I have looked at your invoices and will tell you soon."), share=0.6, politely=True),
    "an early end of a call": Cut(calls(("billing__find_duplicates", {"invoice_id": "in_0042"})), 0.62, politely=True),
    "silence": Hang(),
    "a drip": Drip(says("One byte at a time."), pause=0.05),
}

STREAMED: dict[str, Step] = {
    **ON_THE_WIRE,
    **{
        name: NONSENSE[name]
        for name in (
            "an HTML page",
            "an error with status 200",
            "a number for a text",
            "a refusal",
            "a reply cut off at its length limit",
            "a half filtered reply",
            "a huge body",
            "thoughts without end",
            "arguments that are a list",
            "arguments without end",
            "a call with a number for a name",
            "two hundred calls",
        )
    },
    "an error in the stream": Body('data: {"error": {"message": "overloaded"}}\n\n', "text/event-stream"),
    "events that are no JSON": Body("data: hello\n\ndata: [DONE]\n\n", "text/event-stream"),
    "a stream without a last word": says("Which invoice", finish_reason=None),
    "arguments that stop": calls(("billing__refund", '{"invoice_id": "in_0042", "amou')),
}


@pytest.mark.parametrize("streaming", [False, True], ids=["in one piece", "streamed"])
async def test_whatever_the_endpoint_does_the_customer_gets_the_embedded_models_answer(
    endpoint: ScriptedEndpoint, start_service: StartService, streaming: bool
) -> None:
    service = await start_service(
        model_streaming=streaming, model_attempts=1, model_seconds=4.0, model_breaker_failures=1000
    )
    cases = STREAMED if streaming else {**NONSENSE, **ON_THE_WIRE}
    steps, asked = list(cases.values()), Counter[int]()

    def play(request: dict[str, Any]) -> Step:
        """The step whose number the customer's message ends in."""
        number = int(request["messages"][-1]["content"].rpartition(" ")[2])
        asked[number] += 1
        return steps[number]

    endpoint.for_ever = play
    few_at_once = asyncio.Semaphore(6)

    signed_in, staff = service.customer("cus_001").http, service.staff("admin")

    async def converse(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        customer = Customer(signed_in)
        async with few_at_once:
            turn = await customer.say(f"{DOUBLE_CHARGE} {number}")
            return turn, (await staff.get(f"/v1/conversations/{customer.conversation_id}")).json()

    conversations = await asyncio.gather(*map(converse, range(len(steps))))
    for name, number, (turn, record) in zip(cases, range(len(steps)), conversations, strict=True):
        assert "29.00 EUR" in turn["reply"] and turn["disposition"] == "awaiting_customer", (name, turn)
        assert {*served_by(record)} == {"embedded"} and asked[number] == 1, (name, model_steps(record))
        assert model_steps(record)[0]["note"].startswith("scripted "), name
        assert record["effects"] == []


async def test_what_failed_is_recorded_with_its_reason_and_what_it_cost(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(says("Your refund of", finish_reason="length"))
    customer = service.customer("cus_001")
    await customer.say(DOUBLE_CHARGE)
    record = await service.record(customer.conversation_id)
    first, second = model_steps(record)
    assert (first["model"], first["tokens_in"], first["tokens_out"]) == ("embedded", 100, 10)
    assert first["note"] == "scripted ran into its length limit in the middle of the answer"
    assert first["cost_micros"] == record["turns"][0]["cost_micros"] == 350
    assert second["note"] == "scripted failed earlier in this turn"
    assert len(endpoint.received) == 1


@pytest.mark.parametrize("step", [Status(500), Status(503), Status(429), Cut(QUESTION, share=0), Cut(QUESTION)])
async def test_a_passing_failure_is_tried_again_once(endpoint: ScriptedEndpoint, service: Served, step: Step) -> None:
    endpoint.then(step, QUESTION)
    customer = service.customer("cus_001")
    assert (await customer.say(DOUBLE_CHARGE))["reply"] == "Which invoice is it about?"
    record = await service.record(customer.conversation_id)
    assert served_by(record) == ["scripted"] and record["turns"][0]["model_calls"] == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
async def test_a_refused_request_is_not_sent_again(endpoint: ScriptedEndpoint, service: Served, code: int) -> None:
    endpoint.then(Status(code), QUESTION)
    customer = service.customer("cus_001")
    assert "29.00 EUR" in (await customer.say(DOUBLE_CHARGE))["reply"]
    assert len(endpoint.received) == 1
    assert model_steps(await service.record(customer.conversation_id))[0]["note"] == f"scripted answered {code}"


async def test_the_embedded_model_goes_on_from_what_the_endpoint_found_out_and_keeps_the_turn(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    endpoint.then(calls(("billing__list_invoices", {}), ("billing__find_duplicates", {})), Status(401))
    endpoint.for_ever = QUESTION
    customer = service.customer("cus_001")
    turn = await customer.say(DOUBLE_CHARGE)
    assert turn["disposition"] == "awaiting_customer" and "29.00 EUR" in turn["reply"]
    record = await service.record(customer.conversation_id)
    assert served_by(record) == ["scripted", "embedded"]  # one proposal: the look-ups were taken over
    looked_up = [step["payload"]["tool"] for step in record["steps"] if step["kind"] == "tool"]
    assert looked_up == ["billing.list_invoices", "billing.find_duplicates"]


async def test_once_the_endpoint_has_failed_it_is_not_asked_again_in_that_turn(
    endpoint: ScriptedEndpoint, start_service: StartService
) -> None:
    service = await start_service()
    endpoint.then(Status(401))
    endpoint.for_ever = says("I come too late.")
    customer = service.customer("cus_001")
    turn = await customer.say(DOUBLE_CHARGE)
    assert "29.00 EUR" in turn["reply"]
    assert served_by(await service.record(customer.conversation_id)) == ["embedded", "embedded"]
    assert len(endpoint.received) == 1
    endpoint.for_ever = says("Done: 29.00 EUR of invoice 0042 is on its way back to your card.")
    done = await customer.say("yes please")  # a new turn asks it again
    assert done["reply"].startswith("Done: 29.00 EUR") and len(endpoint.received) == 2


async def test_a_call_that_came_too_early_does_not_stand_in_the_embedded_models_way(
    endpoint: ScriptedEndpoint, service: Served
) -> None:
    """The endpoint names a payment that no record has shown yet and is refused; later the same call is right."""
    guess = {"invoice_id": "in_0042", "amount": 2900, "reason": "duplicate", "payment_id": "pay_0042_2"}
    endpoint.then(calls(("billing__refund", guess)), Status(401))
    customer = service.customer("cus_001")
    turn = await customer.say(DOUBLE_CHARGE)
    assert turn["disposition"] == "awaiting_customer" and "29.00 EUR" in turn["reply"]
    assert len(refusals(await service.record(customer.conversation_id))) == 1


async def test_a_refund_that_was_agreed_on_is_made_and_told_though_the_endpoint_fails_then(
    endpoint: ScriptedEndpoint, start_service: StartService
) -> None:
    service = await start_service()
    wanted = {"invoice_id": "in_0042", "amount": 2900, "reason": "duplicate", "payment_id": "pay_0042_2"}
    endpoint.then(FOUND, calls(("billing__refund", wanted)), Status(401))
    customer = service.customer("cus_001")
    await customer.say(DOUBLE_CHARGE)
    done = await customer.say("yes please")
    record = await service.record(customer.conversation_id)
    assert [(e["tool"], e["state"]) for e in record["effects"]] == [("billing.refund", "verified")]
    assert done["disposition"] in ("resolved", "escalated") and done["reply"]
    assert "29.00 EUR" in done["reply"] or done["disposition"] == "escalated"


async def test_where_the_embedded_model_fails_too_a_person_gets_the_conversation(
    endpoint: ScriptedEndpoint, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("invoices")

    assert service.runtime is not None
    monkeypatch.setattr(type(service.runtime.services.proposer.fallback.model), "_propose", broken)  # type: ignore[attr-defined]
    endpoint.then(Status(401))
    customer = service.customer("cus_001")
    with structlog.testing.capture_logs() as logs:
        turn = await customer.say(DOUBLE_CHARGE)
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["fallback_failed"]
    assert turn["disposition"] == "escalated" and turn["reply"]
    record = await service.record(customer.conversation_id)
    (handoff,) = record["handoffs"]
    assert "no model could answer: scripted answered 401" in handoff["reason"]
    assert model_steps(record)[-1]["model"] == "none"
