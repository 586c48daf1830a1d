"""What customers answer to an offer besides yes and no, and what they say when nothing waits for an answer."""

from datetime import timedelta

import pytest
from talking import Talk

from agents.brief import Brief, Route
from agents.frame import ActiveProcedure, Frame
from agents.procedures.run import ProcedureRun
from agents.triage.answers import AnswerOdds
from app.runtime import Runtime, Shared


async def effects_of(talk: Talk) -> list[tuple[str, dict[str, object]]]:
    return [(effect["tool"], effect["arguments"]) for effect in (await talk.record())["effects"]]


@pytest.mark.parametrize(
    "answer",
    [
        "we talked it over and the free ones will do, so we stay with what we have",
        "ok good to know. Max says it waits for the next round of funding, so we stay as we are",
        "splendid, only not now, we look at it after the summer holidays",
        "Diane changed her mind, it's off",
    ],
)
async def test_a_no_in_many_words_ends_the_offer(runtime: Runtime, answer: str) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    left = await talk.say(answer)
    assert left["disposition"] == "resolved", left["reply"]
    assert left["offers"] == []
    assert await effects_of(talk) == []


async def test_a_reply_to_an_offer_is_no_matter_for_people(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    asked = await talk.say("sure, I'd have to ask my boss")
    assert asked["disposition"] != "escalated"
    person = await talk.say("let me speak to a human please")
    assert person["disposition"] == "escalated"


async def test_a_yes_and_the_same_for_somebody_else_is_two_offers(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_010")
    await talk.say("Neil Baird cannot recall his password, send him a link")
    second = await talk.say("Yes, do. And I'm told Kate Munro is in the same boat, so one for her as well, please")
    assert "Kate Munro" in second["offers"][0]["text"]
    await talk.say("yes")
    assert await effects_of(talk) == [
        ("access.send_password_reset", {"user_id": "usr_1002"}),
        ("access.send_password_reset", {"user_id": "usr_1003"}),
    ]


async def test_two_named_instead_of_one_are_offered_one_after_the_other(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_010")
    await talk.say("Neil Baird cannot recall his password, send him a link")
    first = await talk.say("Neil Baird, and Kate Munro")
    assert "Neil Baird" in first["offers"][0]["text"]
    second = await talk.say("yes")
    assert "Kate Munro" in second["offers"][0]["text"]


async def test_a_yes_and_another_matter_are_both_served(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    both = await talk.say("do so please, and send me the last invoice as well")
    assert both["disposition"] == "resolved", both["reply"]
    tools = [tool for tool, _ in await effects_of(talk)]
    assert tools == ["billing.add_seats", "billing.send_invoice_copy"]


async def test_a_yes_that_is_put_off_in_what_follows_is_none(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    await talk.say("yes good to know. Max says it waits until the funding is there")
    assert await effects_of(talk) == []


async def test_the_price_of_an_offer_stands_in_it(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    asked = await talk.say("great, and what does that cost over the year?")
    assert "The price is in the offer" in asked["reply"]
    assert len(asked["offers"]) == 1


async def test_what_answered_an_offer_answers_no_other_question(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_053")
    await talk.say("is there an outage right now?")
    await talk.say("and our card is blocked, we have a new one. how can I give it to you")
    done = await talk.say("yes")
    assert "Does it fail for you right now?" in done["reply"]
    assert done["disposition"] == "awaiting_customer"


@pytest.mark.parametrize("opening", [[], ["which plan are we on?"]])
async def test_a_yes_to_nothing_is_asked_about(runtime: Runtime, opening: list[str]) -> None:
    talk = Talk(runtime, "cus_008")
    for text in opening:
        await talk.say(text)
    nothing = await talk.say("yes please")
    assert "Nothing waits for a yes" in nothing["reply"]
    assert await effects_of(talk) == []


async def test_what_is_done_is_undone_by_people(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_032")
    await talk.say("add 2 seats")
    await talk.say("yes")
    undone = await talk.say("undo that please")
    assert undone["disposition"] == "escalated"
    [handoff] = (await talk.record())["handoffs"]
    assert handoff["queue"] == "billing"


async def test_what_was_declined_needs_no_undoing(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_032")
    await talk.say("add 2 seats")
    await talk.say("no thanks")
    assert (await talk.say("undo that please"))["disposition"] != "escalated"


async def test_an_overdue_invoice_that_is_said_to_be_paid_goes_to_people(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_012")
    await talk.say("we're suspended, please start our service again")
    paid = await talk.say("I paid that already last week")
    assert paid["disposition"] == "escalated"
    [handoff] = (await talk.record())["handoffs"]
    assert handoff["queue"] == "billing"
    assert await effects_of(talk) == []


async def test_to_have_sent_nothing_is_no_claim(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_012")
    await talk.say("we're suspended, please start our service again")
    declined = await talk.say("no thanks")
    assert declined["disposition"] == "resolved", declined["reply"]
    assert "I have sent nothing" in declined["reply"]


async def test_a_month_without_an_invoice_is_told(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_004")
    year = runtime.services.clock().year
    far = await talk.say(f"please send me the invoice of March {year - 3}")
    assert f"I find no invoice of March {year - 3}" in far["reply"]
    assert await effects_of(talk) == []


async def test_nobody_of_that_name_is_told(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_002")
    await talk.say("Sam has forgotten the password")
    nobody = await talk.say("Sam Okafor")
    assert "I find no user called Sam Okafor" in nobody["reply"]


async def test_the_question_stays_as_narrow_after_a_look_at_the_records(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_002")
    await talk.say("make sam an admin")
    listed = await talk.say("which users do we have?")
    users, again = listed["reply"].split("Back to your other request")
    assert "Eva Brandt" in users
    assert "Sam Lee" in again and "Eva Brandt" not in again and "Paul Sommer" not in again


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("which plan are we on?", "Business plan with 18 seats"),
        ("who has admin rights at our company?", "Dana Whitfield (dana.whitfield@redwood-analytics.example), admin"),
        ("what resources do we have", "database-1 (small database in ap-south)"),
        ("what card do we pay with", "We charge the"),
    ],
)
async def test_what_the_account_has_is_told(runtime: Runtime, question: str, told: str) -> None:
    answer = await Talk(runtime, "cus_004").say(question)
    assert told in answer["reply"]
    assert answer["disposition"] == "resolved"


async def test_a_month_in_which_the_promise_was_kept_is_told_with_its_figures(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_017")
    today = runtime.services.clock().date()
    kept = (today.replace(day=1) - timedelta(days=40)).strftime("%B")
    told = await talk.say(f"we ask for the uptime credit for {kept}")
    assert f"In {kept}" in told["reply"] and "the promise was kept" in told["reply"]
    assert "87.00 EUR is due" in told["reply"]
    assert await effects_of(talk) == []


async def test_a_matter_that_settled_itself_is_left(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_037")
    await talk.say("you charged us 130 but it should be 120")
    left = await talk.say("ah dollars, ok my mistake")
    assert "left that as it was" in left["reply"]


async def test_just_those_two_is_about_the_matter_before_the_question(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_054")
    await talk.say("Please take five seats off our subscription")
    await talk.say("How many seats are free, then?")
    offered = await talk.say("In that case just those two, please.")
    assert "remove 2 seats" in offered["offers"][0]["text"]


@pytest.mark.parametrize(
    ("customer", "opening", "offered"),
    [
        ("cus_048", "what card do we pay with", "send a link to change the card"),
        ("cus_021", "unlock Erik", "send Erik Dahl a link for a new password"),
    ],
)
async def test_a_yes_to_what_a_reply_invites_to_begins_it(
    runtime: Runtime, customer: str, opening: str, offered: str
) -> None:
    talk = Talk(runtime, customer)
    await talk.say(opening)
    begun = await talk.say("yes please")
    assert begun["offers"][0]["text"].startswith(offered)
    assert await effects_of(talk) == []


async def test_an_invitation_stands_for_one_message(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_048")
    await talk.say("what card do we pay with")
    await talk.say("which plan are we on?")
    assert "Nothing waits for a yes" in (await talk.say("yes please"))["reply"]


@pytest.mark.parametrize(("meant", "said"), [(0.99, "Do I understand you right"), (0.3, "left that as it was")])
def test_a_clear_wish_beside_what_is_left_alone_is_heard(shared: Shared, meant: float, said: str) -> None:
    text, intent = (
        "leave that one, i'll talk to Wei. you can get rid of the old stuff meanwhile",
        "deprovision_resource",
    )
    brief = Brief(
        text=text,
        frame=Frame(last=ActiveProcedure(name=intent)),
        route=Route("clarify", ((intent, text),)),
        offer_answer=None,
        offer_text="",
        customer={},
        company="Larkspur Cloud",
        today="2026-12-01",
        ranking=((intent, meant),),
        answers=AnswerOdds({"declines": 0.8}, 0.0),
    )
    assert shared.content is not None
    with pytest.raises(StopIteration) as ended:
        next(ProcedureRun(brief, shared.content.library, shared.content.templates).turn())
    assert said in ended.value.value.text


async def test_the_trail_says_what_kind_of_answer_a_message_was_taken_for(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    await talk.say("we talked it over and the free ones will do, so we stay with what we have")
    read = [turn["triage"] for turn in (await talk.record())["turns"]]
    assert "answer" not in read[0]
    assert read[1]["answer"]["declines"] > 0.5
