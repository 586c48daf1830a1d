"""A person's takeover ends the turn that runs: no effect, no word after it."""

import asyncio

import pytest
from talking import Talk

from app import handoffs
from app.api.problems import Problem
from app.identity import Staff
from app.runtime import Runtime

REP = Staff("rep@example.com", "rep")


async def test_a_turn_that_runs_does_and_says_nothing_more(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("you took 29 euros twice this month")
    runtime.sandbox.faults.latency_seconds = 0.5
    _, task = await runtime.turns.receive(talk.conversation_id, "yes please")
    await asyncio.sleep(0.05)
    await handoffs.take_over(runtime, talk.conversation_id, REP)
    await task
    record = await talk.record()
    assert record["handled_by"] == "person"
    assert record["messages"][-1]["text"] == "yes please"
    assert await talk.backend("refunds") == []
    assert record["turns"][-1]["state"] == "superseded"


async def test_the_person_writes_from_then_on(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("you took 29 euros twice this month")
    handoff = await handoffs.take_over(runtime, talk.conversation_id, REP)
    await handoffs.reply(runtime, handoff.id, REP, "Hello, I look after this myself.")
    turn = await talk.say("yes")
    assert turn["reply"] == ""
    assert await talk.backend("refunds") == []


async def test_nobody_takes_over_what_a_person_has(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("talk to a person")
    with pytest.raises(Problem, match="A person has it already"):
        await handoffs.take_over(runtime, talk.conversation_id, REP)


async def test_a_message_to_a_person_is_answered_once_and_raises_nothing(
    runtime: Runtime, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("I want to talk to a person")
    await talk.say("hello? are you there")
    record = await talk.record()
    assert len(record["handoffs"]) == 1
    assert [m["role"] for m in record["messages"]].count("customer") == 2
    assert len(record["messages"]) == 4
    captured = capsys.readouterr()
    assert "turn_failed" not in captured.err + captured.out + caplog.text
