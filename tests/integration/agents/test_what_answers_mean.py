"""What the answer to a question means: a place in a list, nothing yet, another matter, or a record spoken of before."""

import pytest
from talking import Talk

from app.runtime import Runtime


async def effects_of(talk: Talk) -> list[tuple[str, dict[str, object]]]:
    return [(effect["tool"], effect["arguments"]) for effect in (await talk.record())["effects"]]


async def test_a_subject_without_a_wish_is_asked_about(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    asked = await talk.say("there is a problem with our payment")
    assert asked["disposition"] == "awaiting_customer" and "Which of these" in asked["reply"]
    offered = await talk.say("it was taken twice")
    assert "29.00 EUR" in offered["offers"][0]["text"]


async def test_the_number_of_a_listed_matter_is_no_number_of_seats(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    asked = await talk.say("something is off with our seats")
    number = next(line[0] for line in asked["reply"].splitlines() if line.endswith("Add seats"))
    asked = await talk.say(number)
    assert asked["reply"].startswith("How many seats") and asked["offers"] == []


async def test_an_order_counts_among_what_was_listed(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_002")
    asked = await talk.say("Sam should only be able to look at things from now on")
    assert "1. Sam Lee" in asked["reply"] and "2. Sam Ortiz" in asked["reply"]
    left_open = await talk.say("whichever you find first, I have to run")
    assert left_open["disposition"] == "awaiting_customer" and left_open["offers"] == []
    offered = await talk.say("the first")
    assert "Sam Lee" in offered["offers"][0]["text"]


@pytest.mark.parametrize(
    "answer", ["It's either the November or the October one, I'd have to look.", "whichever is easier"]
)
async def test_an_answer_that_leaves_it_open_chooses_nothing(runtime: Runtime, answer: str) -> None:
    talk = Talk(runtime, "cus_056")
    await talk.say("would you send me a copy of one of our invoices")
    asked = await talk.say(answer)
    assert asked["disposition"] == "awaiting_customer"
    assert await effects_of(talk) == []


async def test_who_must_look_first_is_given_time_and_not_a_person(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_034")
    await talk.say("please send us a compliance document")
    for _ in range(3):
        waits = await talk.say("I honestly couldn't say, let me check with Susan in the afternoon")
        assert waits["reply"].startswith("Take your time"), waits["reply"]
    sent = await talk.say("the security overview it is")
    assert sent["disposition"] == "resolved"
    assert [arguments["kind"] for _, arguments in await effects_of(talk)] == ["security_overview"]


async def test_who_was_asked_which_matter_may_take_time_too(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    asked = await talk.say("something is off with our seats")
    number = next(line[0] for line in asked["reply"].splitlines() if line.endswith("Add seats"))
    waits = await talk.say("let me check with Susan in the afternoon")
    assert waits["reply"].startswith("Take your time"), waits["reply"]
    assert (await talk.say(number))["reply"].startswith("How many seats")


async def test_what_is_not_meant_is_left_and_what_is_meant_taken_up(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_029")
    await talk.say("please cancel it, we no longer need the subscription")
    offered = await talk.say("what? no no not the subscription. two of the seats, nobody sits on them")
    assert offered["offers"][0]["text"].startswith("remove 2 seats"), offered["reply"]


async def test_that_invoice_is_the_one_that_was_spoken_of(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("you took the money twice this month")
    await talk.say("yes")
    await talk.say("can i also get that invoice as a pdf again, please")
    assert await effects_of(talk) == [
        (
            "billing.refund",
            {"invoice_id": "in_0042", "amount": 2900, "reason": "duplicate", "payment_id": "pay_0042_2"},
        ),
        ("billing.send_invoice_copy", {"invoice_id": "in_0042"}),
    ]


async def test_a_no_with_another_wish_declines_and_takes_up_the_wish(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_058")
    await talk.say("Please upgrade us to Business")
    ended = await talk.say(
        "Oh my, that's more than double what we budgeted for. No. Could you raise our limit of API calls just until "
        "the end of the school year, without a bigger plan?"
    )
    assert ended["disposition"] == "escalated"
    (handoff,) = (await talk.record())["handoffs"]
    assert handoff["queue"] == "platform"
    assert await effects_of(talk) == []


async def test_another_value_for_what_was_refused_is_taken(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_009")
    refused = await talk.say("Please take 4 seats away from our plan")
    assert refused["disposition"] == "resolved" and "cannot remove that many" in refused["reply"]
    offered = await talk.say("Only two are free? Then those two, but only if nobody loses the access with it.")
    assert offered["offers"][0]["text"].startswith("remove 2 seats")


async def test_the_opposite_of_what_waits_takes_its_place(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    asked = await talk.say("Please send me a copy of an invoice. And remove one seat.")
    assert "Which invoice" in asked["reply"]
    await talk.say("On second thought the opposite, add one seat please")
    await talk.say("yes")
    offered = await talk.say("the latest one")
    assert offered["offers"] == [], offered["reply"]
    assert [tool for tool, _ in await effects_of(talk)] == ["billing.add_seats", "billing.send_invoice_copy"]


async def test_what_was_arranged_before_is_undone_by_a_person(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_038")
    ended = await talk.say("we found a new room, the studio goes on!! can you undo the cancellation please")
    assert ended["disposition"] == "escalated"
    (handoff,) = (await talk.record())["handoffs"]
    assert handoff["queue"] == "billing"


@pytest.mark.parametrize(("answer", "who"), [("not me, the other one", "Alex Rivera"), ("me", "Alex Morgan")])
async def test_who_writes_may_mean_themselves_or_not(runtime: Runtime, answer: str, who: str) -> None:
    talk = Talk(runtime, "cus_022")
    asked = await talk.say("Alex needs a new password, can you send a link?")
    assert "1. Alex Morgan" in asked["reply"] and "2. Alex Rivera" in asked["reply"]
    assert who in (await talk.say(answer))["offers"][0]["text"]


async def test_a_question_with_a_fear_in_it_declines_nothing(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_048")
    await talk.say("I would like an export of everything you store for us.")
    asked = await talk.say("Who gets the link, is that me? I don't want it to land with half the company.")
    assert asked["disposition"] == "awaiting_customer" and len(asked["offers"]) == 1
    await talk.say("Good. Then yes, go ahead.")
    assert [tool for tool, _ in await effects_of(talk)] == ["documents.request_export"]


async def test_leave_him_as_he_is_offers_no_role(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_056")
    await talk.say("Felix Moss ought to see our invoices. Give him the billing role, would you?")
    left = await talk.say("Then no. Leave him a member.")
    assert left["disposition"] == "resolved" and left["offers"] == [], left["reply"]


@pytest.mark.parametrize("question", ["are you a bot?", "who are you", "what can you do for me?"])
async def test_the_assistant_says_what_it_is(runtime: Runtime, question: str) -> None:
    told = await Talk(runtime, "cus_001").say(question)
    assert told["disposition"] == "resolved" and told["reply"].startswith("I am the automated assistant of")


@pytest.mark.parametrize(
    "question",
    [
        "Our bookkeeper would prefer SEPA direct debit instead of the credit card. Do you take that?",
        "can we pay by paypal or do you do sepa? we don't really have a company card",
    ],
)
async def test_what_the_company_takes_is_answered_and_no_card_link_offered(runtime: Runtime, question: str) -> None:
    told = await Talk(runtime, "cus_002").say(question)
    assert told["disposition"] == "resolved" and "SEPA" in told["reply"] and told["offers"] == []


async def test_an_invoice_that_is_not_there_is_not_replaced_by_the_one_spoken_of(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("you took the money twice this month")
    await talk.say("yes")
    told = await talk.say("thanks. can you send me that invoice of March 2024 too, please?")
    assert "no invoice of March 2024" in told["reply"], told["reply"]
    assert [tool for tool, _ in await effects_of(talk)] == ["billing.refund"]


async def test_what_waits_is_served_when_a_matter_is_not_the_one_meant(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    asked = await talk.say("Please send me a copy of an invoice. And remove one seat.")
    assert "Which invoice" in asked["reply"]
    offered = await talk.say("no no, not the invoice")
    assert offered["offers"] and offered["offers"][0]["text"].startswith("remove 1 seat"), offered["reply"]


@pytest.mark.parametrize("opening", ["please unlock Tom", "Tom is locked out, can you help him?"])
async def test_nobody_is_unlocked_in_the_place_of_one_who_is_not_there(runtime: Runtime, opening: str) -> None:
    talk = Talk(runtime, "cus_020")
    asked = await talk.say(opening)
    assert "no user called Tom" in asked["reply"] and "1. Tess Ford" in asked["reply"] and asked["offers"] == []
    assert "More than one" not in asked["reply"]
    assert "Tess Ford" in (await talk.say("yes, that one"))["offers"][0]["text"]


async def test_no_resource_is_deleted_in_the_place_of_one_that_is_not_there(runtime: Runtime) -> None:
    asked = await Talk(runtime, "cus_026").say("delete the bucket called old-logs")
    assert "no resource called old-logs" in asked["reply"] and asked["offers"] == []


async def test_a_no_that_orders_what_is_offered_is_asked_about_again(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_002")
    await talk.say("i want to cancel")
    await talk.say("too expensive")
    again = await talk.say("no, just cancel")
    assert len(again["offers"]) == 1 and again["disposition"] == "awaiting_customer"
    assert (await talk.say("no"))["disposition"] == "resolved" and await effects_of(talk) == []
