"""Several calls in one message of the model: each counts for the next, and none begins where a person takes over."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from talking import Talk

from agents.services import Budgets, ModelAnswer
from agents.turn import begin
from app.runtime import Runtime, Shared, running
from app.settings import Settings

REPEATS = Budgets().repeats
WANTED = "refund 40 EUR of each of the invoices 0202, 0203 and 0204, we did not use the service"


class Greedy:
    """Looks the invoices up, and then proposes all refunds in each message."""

    def __init__(self) -> None:
        self.overdo = False
        """Whether it looks so often that the turn is stopped, the last time with a copy that it may send."""
        self.messages = 0

    async def propose(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        """The next message."""
        if not any(message.type == "tool" for message in messages):
            return _says([{"name": "billing__list_invoices", "args": {}, "id": "look"}])
        self.messages += 1
        refunds = [
            {"name": "billing__refund", "args": args, "id": f"{self.messages}-{args['invoice_id']}"}
            for number in (204, 202, 203)
            for args in [{"invoice_id": f"in_0{number}", "amount": 4000, "reason": "unused", "payment_id": None}]
        ]
        if not self.overdo:
            return _says(refunds)
        look = {"name": "billing__list_invoices", "args": {}, "id": f"{self.messages}-look"}
        copy = {"name": "billing__send_invoice_copy", "args": {"invoice_id": "in_0042"}, "id": "copy"}
        return _says([copy, look] if self.messages == REPEATS else [look])


def _says(calls: list[dict[str, Any]]) -> ModelAnswer:
    return ModelAnswer(AIMessage("", tool_calls=calls), "greedy")


@pytest.fixture
def greedy() -> Greedy:
    """The model."""
    return Greedy()


@pytest.fixture
async def taken(settings: Settings, shared: Shared, greedy: Greedy) -> AsyncIterator[Runtime]:
    """A service whose model is greedy."""
    async with running(settings, shared=shared, background=False, proposer=greedy) as runtime:
        yield runtime


async def test_refunds_of_one_message_add_up_to_the_limit_of_30_days_and_what_was_done_is_told(taken: Runtime) -> None:
    talk = Talk(taken, "cus_002")
    assert (await talk.say(WANTED))["disposition"] == "awaiting_customer"
    ended = await talk.say("yes, all of them")
    assert [refund["amount"] for refund in await talk.backend("refunds")] == [4000, 4000]  # 120.00 is over it
    assert ended["disposition"] == "escalated"
    assert ended["reply"].startswith("This is done: refund 40.00 EUR of invoice 0204")
    assert "0203" not in ended["reply"]


async def test_nothing_is_begun_of_a_message_that_goes_to_a_person(taken: Runtime, greedy: Greedy) -> None:
    greedy.overdo = True
    talk = Talk(taken, "cus_001")
    assert (await talk.say("please send me a copy of invoice in_0042 again"))["disposition"] == "escalated"
    record = await talk.record()
    verdicts = [(d["proposal"].get("tool"), d["verdict"]) for d in record["decisions"]]
    assert ("billing.send_invoice_copy", "permitted") in verdicts
    assert record["effects"] == []


async def test_a_caller_of_whom_nobody_is_sure_is_told_no_facts(taken: Runtime) -> None:
    facts = await taken.services.customer_facts("cus_001")
    for level, told in (("claimed", {}), ("anonymous", {}), ("verified", dict(facts)), ("stepped_up", dict(facts))):
        opened = await taken.services.transcript.open("cus_001", level, "chat")
        _, _, start = await taken.services.transcript.receive_and_begin(opened.id, "hello", None)
        assert start is not None
        turn = await begin(taken.services, start)
        turn.facts = dict(facts)
        assert turn.told_facts == told


async def test_an_order_in_the_words_of_one_of_several_offers_is_no_yes_to_all(taken: Runtime) -> None:
    talk = Talk(taken, "cus_002")
    await talk.say(WANTED)
    open_offers = [offer for offer in (await talk.record())["offers"] if offer["state"] == "offered"]
    assert len(open_offers) > 1
    await talk.say("then please refund it to the card")
    assert [effect for effect in (await talk.record())["effects"] if effect["tool"] == "billing.refund"] == []
