"""Answers that are something else than was asked for: a remark, a question, another record, words taken back."""

from datetime import date

import pytest
from talking import Talk

from app.runtime import Runtime


async def effects_of(talk: Talk) -> list[tuple[str, dict[str, object]]]:
    return [(effect["tool"], effect["arguments"]) for effect in (await talk.record())["effects"]]


async def test_a_yes_with_a_remark_is_a_yes(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_020")
    await talk.say("Tess is locked out again")
    done = await talk.say("Yes, that one, she's standing next to me and nodding")
    assert done["disposition"] == "resolved" and await effects_of(talk) == [
        ("access.unlock_user", {"user_id": "usr_2003"})
    ]


async def test_a_yes_beside_which_what_is_offered_is_still_needed_is_asked_about_again(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_026")
    await talk.say("please delete the bucket old-uploads")
    again = await talk.say("yes we are still using it")
    assert len(again["offers"]) == 1 and await effects_of(talk) == []


async def test_a_value_before_a_plain_no_is_no_other_value(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_056")
    await talk.say("Add ten seats to our account, please.")
    left = await talk.say("Two will do nicely. So no, don't add any. Thank you kindly.")
    assert (left["disposition"], left["offers"]) == ("resolved", []), left["reply"]
    assert await effects_of(talk) == []


async def test_what_is_taken_back_within_a_message_changes_nothing(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_007")
    paid = sorted((row["issued_on"] for row in await talk.backend("invoices")), reverse=True)
    wanted, other = (date.fromisoformat(day).strftime("%B") for day in paid[1:3])
    first = await talk.say(
        f"in {wanted} the bakery was closed and nobody signed in. can we have {wanted}'s money back?"
    )
    assert len(first["offers"]) == 1, first["reply"]
    again = await talk.say(f"and {other} also maybe? hm no, forget {other}, we were open then. so only {wanted}, yes")
    assert [o["text"] for o in again["offers"]] == [o["text"] for o in first["offers"]], again["reply"]


async def test_not_this_one_but_the_other_names_the_other(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_002")
    await talk.say("Could you switch Sam over to read-only?")
    offered = await talk.say("of course, we have two of them. Not Ortiz, the other one please")
    assert "Sam Lee" in offered["offers"][0]["text"]
    again = await talk.say("sorry, not Ortiz, the other one")
    assert "Sam Lee" in again["offers"][0]["text"]


async def test_the_one_in_between_is_the_plan_in_between(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_040")
    blocked = await talk.say("Business is far too big for us. Put us on Starter please.")
    assert blocked["offers"] == []
    offered = await talk.say("Ah, because of the seats. Then take the one in between.")
    assert "from business to team" in offered["offers"][0]["text"]


async def test_a_question_about_another_record_is_about_that_one(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_026")
    await talk.say("delete the database orders-db")
    offered = await talk.say("oh wow, ok. and old-uploads, does anything hang on that one?")
    assert "old-uploads" in offered["offers"][0]["text"]
    again = await talk.say("then that one please, and keep your hands off orders-db")
    assert "old-uploads" in again["offers"][0]["text"]


async def test_a_copy_for_somebody_else_goes_to_people(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_048")
    await talk.say("I need a full copy of all our data for the board's archive.")
    to_people = await talk.say("Oh, please don't send it to me. The link should go to hello@dustyboxes.example.")
    assert to_people["disposition"] == "escalated"
    (handoff,) = (await talk.record())["handoffs"]
    assert handoff["queue"] == "compliance"


@pytest.mark.parametrize(
    "wish",
    [
        "please forget about the cancellation, we want to carry on just as before!",
        "we'd rather keep going with you after all. Could you take the cancellation back?",
    ],
)
async def test_an_arranged_end_is_taken_back_by_people(runtime: Runtime, wish: str) -> None:
    talk = Talk(runtime, "cus_038")
    assert (await talk.say(wish))["disposition"] == "escalated"
    (handoff,) = (await talk.record())["handoffs"]
    assert handoff["queue"] == "billing"


async def test_a_request_in_the_place_of_its_opposite_leaves_nothing_open(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_021")
    await talk.say("we'd like to go down with our seats a little.")
    await talk.say("What do we save for each of them? I'd want to end up at 13, one spare chair for a student.")
    done = await talk.say("yes please")
    assert done["disposition"] == "resolved" and await effects_of(talk) == [("billing.remove_seats", {"count": 1})]
    assert "Back to" not in done["reply"]


async def test_what_a_request_is_about_is_no_request_of_its_own(runtime: Runtime) -> None:
    asked = await Talk(runtime, "cus_016").say(
        "Two of our nine have been standing empty since the boatyard lads left on the 3rd. I know I was slow in saying "
        "so. Could we have what we paid for those two in March back? Peter Stone"
    )
    assert asked["offers"] == [], asked["reply"]


async def test_staying_where_one_is_closes_a_question(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_029")
    asked = await talk.say("something about our plan")
    assert asked["disposition"] == "awaiting_customer"
    left = await talk.say("so that I type one password less, no thank you haha. we stay where we are")
    assert (left["disposition"], left["offers"]) == ("resolved", [])


async def test_the_words_that_led_to_a_question_still_count(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_021")
    asked = await talk.say("promote Maja")
    assert asked["offers"] == []
    assert "Maja Holm" in (await talk.say("admin"))["offers"][0]["text"]


async def test_my_password_is_that_of_the_user_who_introduced_themselves(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_010")
    await talk.say("Morning! Neil Baird, Kestrel Insurance, back at my desk after four weeks of walking to Santiago")
    offered = await talk.say("I've no idea what my password was. A link for me, please.")
    assert "Neil Baird" in offered["offers"][0]["text"], offered["reply"]
    contact = Talk(runtime, "cus_010")
    assert "Fiona Grant" in (await contact.say("I forgot my password, a link please"))["offers"][0]["text"]
