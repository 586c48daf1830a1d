"""The bounds of waiting for an endpoint: retries, time limits, and the circuit breaker that stops asking."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from model_records import DOUBLE_CHARGE, model_steps
from scripted_endpoint import Hang, ScriptedEndpoint, Status, Step, says
from served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartService = Callable[..., Awaitable[Served]]

QUESTION = says("Which invoice is it about?")


async def test_a_wait_that_the_endpoint_asks_for_is_kept(endpoint: ScriptedEndpoint, service: Served) -> None:
    endpoint.then(Status(429, {"retry-after": "1"}), QUESTION)
    begin = time.monotonic()
    assert (await service.customer("cus_001").say(DOUBLE_CHARGE))["reply"] == "Which invoice is it about?"
    assert time.monotonic() - begin >= 1


async def test_a_wait_beyond_the_time_limit_is_not_begun(endpoint: ScriptedEndpoint, service: Served) -> None:
    endpoint.then(Status(429, {"retry-after": "40"}), QUESTION)
    begin = time.monotonic()
    assert "29.00 EUR" in (await service.customer("cus_001").say(DOUBLE_CHARGE))["reply"]
    assert time.monotonic() - begin < 30
    assert len(endpoint.received) == 1


async def test_all_attempts_together_keep_the_time_limit(
    endpoint: ScriptedEndpoint, start_service: StartService
) -> None:
    service = await start_service(model_attempts=5, model_seconds=0.4, model_total_seconds=0.7)
    endpoint.for_ever = Hang()
    begin = time.monotonic()
    customer = service.customer("cus_001")
    assert "29.00 EUR" in (await customer.say(DOUBLE_CHARGE))["reply"]
    assert time.monotonic() - begin < 20
    assert len(endpoint.received) <= 2
    assert "gave no answer within" in model_steps(await service.record(customer.conversation_id))[0]["note"]


async def test_an_endpoint_that_keeps_failing_is_left_alone_and_tried_again_later(
    endpoint: ScriptedEndpoint, start_service: StartService
) -> None:
    service = await start_service(model_breaker_failures=2, model_breaker_seconds=8)
    endpoint.for_ever = Status(503)
    assert "29.00 EUR" in (await service.customer("cus_001").say(DOUBLE_CHARGE))["reply"]
    assert len(endpoint.received) == 2
    customer = service.customer("cus_001")
    assert "29.00 EUR" in (await customer.say(DOUBLE_CHARGE))["reply"]
    assert len(endpoint.received) == 2
    (note, *_) = [step["note"] for step in model_steps(await service.record(customer.conversation_id))]
    assert note == "scripted failed too often of late and is left alone for a while"
    await asyncio.sleep(8.1)
    endpoint.for_ever = QUESTION
    assert (await service.customer("cus_001").say(DOUBLE_CHARGE))["reply"] == "Which invoice is it about?"


async def test_after_a_rest_one_turn_tries_the_endpoint_and_the_others_do_not_wait_for_it(
    endpoint: ScriptedEndpoint, start_service: StartService
) -> None:
    service = await start_service(
        model_attempts=1, model_seconds=8, model_total_seconds=8, model_breaker_failures=1, model_breaker_seconds=0.3
    )
    endpoint.then(Status(503))
    await service.customer("cus_001").say(DOUBLE_CHARGE)
    await asyncio.sleep(0.4)
    asked = asyncio.Event()

    def hang(_: dict[str, Any]) -> Step:
        asked.set()
        return Hang()

    endpoint.for_ever = hang
    trying = asyncio.create_task(service.customer("cus_001").say(DOUBLE_CHARGE))
    await asked.wait()
    others = [service.customer("cus_001").say(DOUBLE_CHARGE) for _ in range(4)]
    assert all("29.00 EUR" in turn["reply"] for turn in await asyncio.gather(*others))
    assert not trying.done()
    assert "29.00 EUR" in (await trying)["reply"]
    assert len(endpoint.received) == 2


async def test_what_one_conversation_is_declined_for_does_not_close_the_endpoint_to_others(
    endpoint: ScriptedEndpoint, start_service: StartService
) -> None:
    service = await start_service(model_breaker_failures=1)
    endpoint.then(says("", finish_reason="content_filter"), Status(400, message="context_length_exceeded"), QUESTION)
    for _ in range(2):
        assert "29.00 EUR" in (await service.customer("cus_001").say(DOUBLE_CHARGE))["reply"]
    assert (await service.customer("cus_001").say(DOUBLE_CHARGE))["reply"] == "Which invoice is it about?"


async def test_without_a_server_the_service_starts_and_serves(start_service: StartService) -> None:
    service = await start_service(openai_base_url="http://127.0.0.1:9/v1", openai_api_key=None)
    customer = service.customer("cus_001")
    assert "29.00 EUR" in (await customer.say(DOUBLE_CHARGE))["reply"]
    note = model_steps(await service.record(customer.conversation_id))[0]["note"]
    assert note == "scripted could not be reached, or the connection broke"
