"""How surely a matter was understood decides whether it is asked about, and each matter has a stage of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from talking import Talk

from agents.knowledge.passage import Passage
from agents.triage.classifier import IntentPrediction
from app.runtime import Runtime, Shared, running
from app.settings import Settings
from records.knowledge import RolloutStage

SEATS = "we are one place short, add 1 seat"
EITHER = "something about the 2 places"
PAPERS = "something with every bill in one file"
HOW = "which ways to pay are there?"
INVOICE = "send me the invoice of last month"
BOTH = f"{INVOICE}. {SEATS}"
NOTHING = {"thanks": 0.01}
FOREIGN = "out of scope"
"""How much a message looks as if it belonged to no company of this kind."""
MEANT: dict[str, dict[str, float]] = {
    SEATS: {"add_seats": 0.5, "outage_status": 0.05, FOREIGN: 0.55},
    EITHER: {"add_seats": 0.4, "remove_seats": 0.4},
    PAPERS: {"invoice_copy": 0.4, "data_export": 0.3},
    INVOICE: {"invoice_copy": 0.99},
    BOTH: {"invoice_copy": 0.6, "add_seats": 0.39},
}


class KnownMeanings:
    """Stands in for the classifier, so that each message is as doubtful as the test needs it."""

    def __init__(self, meant: dict[str, dict[str, float]]) -> None:
        self.meant = meant

    def predict_many(self, texts: list[str]) -> list[IntentPrediction]:
        """What the table says of each text."""
        return [self._of(self.meant.get(text.strip(" ."), NOTHING)) for text in texts]

    @staticmethod
    def _of(meant: dict[str, float]) -> IntentPrediction:
        ranking = sorted(((i, p) for i, p in meant.items() if i != FOREIGN), key=lambda pair: -pair[1])
        intent, probability = ranking[0]
        return IntentPrediction(intent, probability, ranking, meant.get(FOREIGN, 0.02), probability)


class Known:
    """Stands in for the knowledge index: finds the same whatever is asked. Without passages, none happens to hold what
    a template says."""

    def __init__(self, relevance: float = 0.0, *passages: Passage) -> None:
        self.found = SimpleNamespace(passages=passages, relevance=relevance)

    async def search_async(self, _query: str, _audiences: frozenset[str]) -> Any:
        """What it holds."""
        return self.found


@pytest.fixture
async def start(settings: Settings, shared: Shared) -> AsyncIterator[Callable[..., Any]]:
    """A service that understands messages as the table says; keywords are the stages of matters."""
    async with AsyncExitStack() as stack:

        async def started(
            meant: dict[str, dict[str, float]] = MEANT, knowledge: Known | None = None, **stages: str
        ) -> Talk:
            known = replace(shared, classifier=KnownMeanings(meant), knowledge=knowledge or Known())
            runtime: Runtime = await stack.enter_async_context(running(settings, shared=known, background=False))
            async with runtime.services.database.write() as session:
                now = runtime.services.clock()
                session.add_all([RolloutStage(intent=i, stage=stage, changed_at=now) for i, stage in stages.items()])
            return Talk(runtime, "cus_008")

        yield started


async def test_a_doubtful_matter_is_asked_about_and_done_after_two_yeses(start: Callable[..., Any]) -> None:
    talk = await start()
    asked = await talk.say(SEATS)
    assert "is it about this: Add seats?" in asked["reply"]
    offered = await talk.say("yes")
    assert (offered["disposition"], "Shall I add 1 seat" in offered["reply"]) == ("awaiting_customer", True)
    await talk.say("yes please")
    assert [(e["tool"], e["state"]) for e in (await talk.record())["effects"]] == [("billing.add_seats", "verified")]


async def test_a_clear_matter_is_not_asked_about(start: Callable[..., Any]) -> None:
    talk = await start(MEANT | {SEATS: {"add_seats": 0.99}})
    assert "Shall I add 1 seat" in (await talk.say(SEATS))["reply"]


async def test_what_people_do_anyway_is_not_asked_about(start: Callable[..., Any]) -> None:
    talk = await start(add_seats="assist")
    assert (await talk.say(SEATS))["disposition"] == "escalated"


async def test_a_matter_that_was_chosen_has_its_own_stage_and_queue(start: Callable[..., Any]) -> None:
    talk = await start(remove_seats="assist")
    assert "2. Remove seats" in (await talk.say(EITHER))["reply"]
    assert (await talk.say("2"))["disposition"] == "escalated"
    routing = (await talk.record())["decisions"][-1]
    assert (routing["proposal"]["queue"], "stage is assist" in routing["reason"]) == ("billing", True)


async def test_the_second_matter_of_a_message_has_its_own_stage(start: Callable[..., Any]) -> None:
    talk = await start(MEANT | {SEATS: {"add_seats": 0.99}}, add_seats="assist")
    ended = await talk.say(BOTH)
    record = await talk.record()
    assert [effect["tool"] for effect in record["effects"]] == ["billing.send_invoice_copy"]
    assert ended["disposition"] == "escalated"


async def test_the_reply_on_a_matter_that_was_chosen_may_say_what_its_template_says(start: Callable[..., Any]) -> None:
    talk = await start()
    assert "1. Send a copy of an invoice" in (await talk.say(PAPERS))["reply"]
    sent = await talk.say("1")
    assert (sent["disposition"], "SHA-256" in sent["reply"]) == ("resolved", True)


@pytest.mark.parametrize(
    ("relevance", "said"),
    [(0.1, "I found nothing"), (0.25, "comes nearest in our documentation"), (0.4, "Cards and transfers.")],
)
async def test_an_answer_is_as_sure_as_what_was_found_is_relevant(
    start: Callable[..., Any], relevance: float, said: str
) -> None:
    passage = Passage("knowledge/payments", "Payments", "", "Cards and transfers.", 1.0, 1.0, 1.0)
    talk = await start({HOW: {"knowledge_question": 0.99}}, Known(relevance, passage))
    answered = await talk.say(HOW)
    assert said in answered["reply"]
    assert ("Cards and transfers." in answered["reply"]) == (relevance > 0.2)
    assert answered["disposition"] == ("resolved" if relevance > 0.3 else "awaiting_customer")


async def test_who_finds_only_what_comes_near_twice_is_given_a_person(start: Callable[..., Any]) -> None:
    passage = Passage("knowledge/payments", "Payments", "", "Cards and transfers.", 1.0, 1.0, 1.0)
    again = "and with cheques?"
    talk = await start({text: {"knowledge_question": 0.99} for text in (HOW, again)}, Known(0.25, passage))
    await talk.say(HOW)
    assert (await talk.say(again))["disposition"] == "escalated"


async def test_what_nobody_understood_goes_to_whom_it_most_likely_belongs(start: Callable[..., Any]) -> None:
    first, second = "the thing with the two places again", "you know, what we had in spring"
    likely = {"add_seats": 0.3, "remove_seats": 0.3, "outage_status": 0.1}
    feared = {"add_seats": 0.35, "security_incident": 0.25}
    meant = {first: {"add_seats": 0.2}, second: {"add_seats": 0.2}, f"{first}\n{second}": likely}
    talk = await start(meant)
    await talk.say(first)
    assert (await talk.say(second))["disposition"] == "escalated"
    assert (await talk.record())["handoffs"][-1]["queue"] == "billing"
    talk = await start(meant | {f"{first}\n{second}": feared})
    await talk.say(first)
    await talk.say(second)
    assert (await talk.record())["handoffs"][-1]["queue"] == "security"


async def test_what_waited_for_a_yes_is_not_sent_on_anything_else(start: Callable[..., Any]) -> None:
    remark = "you are a star, and the weather is lovely"
    talk = await start({INVOICE: {"invoice_copy": 0.7}, remark: {"thanks": 0.97}})
    assert "Shall I send" in (await talk.say(INVOICE))["reply"]
    assert "Here is invoice" not in (await talk.say(remark))["reply"]
    assert (await talk.record())["effects"] == []
    await talk.say("yes")
    assert [effect["tool"] for effect in (await talk.record())["effects"]] == ["billing.send_invoice_copy"]


async def test_who_chose_between_more_and_fewer_has_said_which(start: Callable[..., Any]) -> None:
    first = "about our two additional places"
    talk = await start({first: {"remove_seats": 0.4, "add_seats": 0.39}})
    assert (await talk.say(first))["topics"] == ["remove_seats", "add_seats"]
    chosen = await talk.say("1")
    assert "remove" in chosen["reply"] and "add" not in chosen["reply"], chosen["reply"]
