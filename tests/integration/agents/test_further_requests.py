"""What is wanted beside, after, or in the place of what was spoken of first."""

from typing import Any

from talking import Talk

from app.runtime import Runtime


async def done(talk: Talk) -> list[tuple[str, dict[str, object]]]:
    return [(effect["tool"], effect["arguments"]) for effect in (await talk.record())["effects"]]


async def queue_of(talk: Talk) -> str:
    [handoff] = (await talk.record())["handoffs"]
    return handoff["queue"]


async def meant(talk: Talk, text: str) -> dict[str, Any]:
    """The answer to a request; a question whether this is the matter is answered with a yes."""
    answer = await talk.say(text)
    return await talk.say("yes") if answer["asks"] == "topic" else answer


async def test_the_seats_that_nobody_uses_are_counted_by_the_records(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("We'd like to go down to 8 seats")
    offered = await talk.say("I see. Then only the ones that nobody sits on")
    assert "remove 2 seats" in offered["offers"][0]["text"], offered["reply"]
    await talk.say("yes")
    assert await done(talk) == [("billing.remove_seats", {"count": 2})]
    talk = Talk(runtime, "cus_030")
    offered = await talk.say("please remove all unused seats")
    assert "remove 2 seats" in offered["offers"][0]["text"], offered["reply"]


async def test_people_who_are_named_beside_a_number_leave_the_number_open(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_032")
    await talk.say("all our places are taken and new people arrive on monday, what do we do")
    asked = await talk.say("Yasmin and the two from Lyon. Karim too, but he has already a seat")
    assert asked["asks"] == "count" and not asked["offers"], asked["reply"]


async def test_why_somebody_asks_where_something_is_done_is_no_request(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_004")
    told = await talk.say(
        "Quick one: where do I go to get a new colleague an invitation? She starts on Monday and we have seats free."
    )
    assert told["disposition"] == "resolved" and not told["offers"], told["reply"]
    assert "Invite" in told["reply"]


async def test_an_invoice_that_was_spoken_of_and_another_one_are_both_sent(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_005")
    await talk.say("Hello, what exactly is on our latest invoice?")
    await talk.say("Right, the four seats. Can I have the PDF of that one, and of 0056 as well?")
    sent = {str(arguments["invoice_id"]) for _, arguments in await done(talk)}
    assert sent == {"in_0057", "in_0056"}


async def test_what_is_asked_for_beside_a_yes_that_is_none_comes_after_it(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_044")
    await talk.say("were the 52 dollars taken twice this month?")
    again = await talk.say("yeah go on, send the second one back. and mail me invoice 4403 while you're there")
    assert [offer["tool"] for offer in again["offers"]] == ["billing.refund"], again["reply"]
    await talk.say("yes")
    assert [tool for tool, _ in await done(talk)] == ["billing.refund", "billing.send_invoice_copy"]
    talk = Talk(runtime, "cus_023")
    await talk.say("Our card runs out this month, doesn't it?")
    await talk.say("Right you are. Email me the link then.")
    await talk.say("yes")
    assert [tool for tool, _ in await done(talk)] == ["billing.send_payment_update_link"]
    assert (await talk.record())["messages"][-1]["text"].count("?") == 0, "nothing else is asked"


async def test_a_yes_with_an_order_is_no_refusal_though_it_names_a_time(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_012")
    await talk.say("We have two hundred guests in six hours and nothing of ours is running. What is going on??")
    again = await talk.say("right so. yes, mail me that link and I'll get the card in before ten")
    assert [offer["tool"] for offer in again["offers"]] == ["billing.send_payment_update_link"], again["reply"]


async def test_whoever_asks_their_own_people_first_asks_for_no_person_of_ours(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_041")
    await talk.say("We want to have Team instead of Business from next month.")
    left = await talk.say("ok. then I speak with my people first, thank you")
    assert left["disposition"] == "resolved", left["reply"]
    talk = Talk(runtime, "cus_041")
    assert (await talk.say("I spoke with my boss and we want to talk to a person"))["disposition"] == "escalated"


async def test_links_for_a_new_password_that_nobody_asked_for_go_to_security(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_028")
    await talk.say("Could you send Mark Webb a link for a new password please")
    await talk.say("yes")
    await talk.say("Thanks. Funny, two of these came in the night already and he was asleep, he never asked for them.")
    assert await queue_of(talk) == "security"


async def test_somebody_who_left_and_still_takes_data_is_a_matter_for_security(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_048")
    await talk.say("what's odd: our colleague left in march and the log says he is still downloading files every night")
    assert await queue_of(talk) == "security"


async def test_a_wish_that_leans_on_what_was_told_is_understood_with_it(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_024")
    await talk.say("our api calls crawl, did we go over our limit this month?")
    await talk.say(
        "an upgrade is not in the budget before autumn. can't you just raise it a bit until the first of july?"
    )
    assert await queue_of(talk) == "platform"
    talk = Talk(runtime, "cus_058")
    await talk.say("Need our latest invoice as a pdf please")
    await talk.say("Thanks. Accounts sent it back, there's no PO on it. It has to say PO 77-1182, can you redo it?")
    assert await queue_of(talk) == "billing"


async def test_what_is_added_to_a_matter_that_was_only_told_about_is_heard(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_025")
    await talk.say("Hi! We're at ninety-something percent of our storage, can you raise the limit a bit?")
    await talk.say("No no, not another plan. Only until New Year, we're archiving the old shoots over the holidays.")
    assert await queue_of(talk) == "platform"
    talk = Talk(runtime, "cus_058")
    await talk.say("Need our latest invoice as a pdf please")
    asked = await talk.say("Thanks. It has to say PO 77-1182")
    assert asked["disposition"] != "resolved", asked["reply"]


async def test_who_said_which_matter_it_is_need_not_say_it_again(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_049", level="stepped_up")
    await meant(talk, "I am leaving the company. Please put me, Ines, to member")
    await meant(talk, "ah, logical. then make Rui administrator first")
    await talk.say("yes")
    offered = await talk.say("and now me to member please")
    assert "Ines Prado" in offered["offers"][0]["text"] and "to member" in offered["offers"][0]["text"]


async def test_what_is_said_last_counts_before_the_words_that_led_to_the_question(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_049", level="stepped_up")
    asked = await talk.say("Hi, Ines here. Make me a viewer please, Im stepping back from the day to day")
    assert asked["asks"] == "topic", asked["reply"]
    offered = await talk.say("ah ok, so Rui has to be admin before that. do that then")
    assert "Rui Costa" in offered["offers"][0]["text"] and "to admin" in offered["offers"][0]["text"], offered["reply"]
