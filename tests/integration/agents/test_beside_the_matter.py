"""What is said beside the matter under way: it is answered, or taken for a remark, and starts nothing of its own."""

from talking import Talk

from app.runtime import Runtime


async def effects_of(talk: Talk) -> list[str]:
    return [effect["tool"] for effect in (await talk.record())["effects"]]


async def test_a_question_about_what_is_offered_is_no_new_request(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_054")
    await talk.say("scratch-bucket isn't needed any longer, please remove it")
    asked = await talk.say("Do we stop paying for it as of today?")
    assert [offer["tool"] for offer in asked["offers"]] == ["provisioning.delete_resource"], asked["reply"]
    await talk.say("Sorry, got called away. Fair enough, delete it.")
    assert await effects_of(talk) == ["provisioning.delete_resource"]


async def test_a_question_after_wait_is_no_refusal_and_naming_what_is_offered_takes_it(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_009")
    await talk.say("Could we get a database in Frankfurt, small one")
    await talk.say("call it reporting")
    asked = await talk.say("wait, is Paris possible too?")
    assert len(asked["offers"]) == 1, asked["reply"]
    other = await talk.say("then take Ireland")
    assert "eu-west" in other["offers"][0]["text"] and await effects_of(talk) == []
    await talk.say("then take Ireland, go")
    assert await effects_of(talk) == ["provisioning.create_resource"]


async def test_a_reason_for_what_is_offered_reports_no_failure_and_refuses_nothing(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_039")
    offered = await talk.say("We wish to terminate our subscription.")
    told = await talk.say(
        "The reason: head office runs everything itself from autumn on. Nothing is wrong with the service."
    )
    assert offered["offers"] and told["offers"], told["reply"]
    assert told["offers"][0]["tool"] == offered["offers"][0]["tool"]


async def test_an_order_is_no_answer_to_whether_something_still_fails(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_020")
    await talk.say("Tess says she is locked out again")
    asked = await talk.say("can you check why that keeps happening?")
    assert asked["asks"] == "still_failing", asked["reply"]
    back = await talk.say("ok unlock her then")
    assert [offer["tool"] for offer in back["offers"]] == ["access.unlock_user"], back["reply"]


async def test_a_remark_that_ends_the_trouble_is_a_no(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_010")
    await talk.say("Morning, anything up on your side today? Kate says the console crawls")
    told = await talk.say("She just rang: it's the hotel wifi, and it's quick again on her phone. False alarm, sorry.")
    assert told["disposition"] == "resolved", told["reply"]


async def test_who_cannot_sign_in_is_not_asked_what_the_records_tell(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_002")
    asked = await talk.say("Sam can't log in anymore")
    assert "1. Sam Lee" in asked["reply"] and asked["asks"] == "user"
    offered = await talk.say("Sam Ortiz")
    assert [offer["tool"] for offer in offered["offers"]] == ["access.send_password_reset"]


async def test_nobody_else_gets_the_role_that_the_one_who_is_named_has(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_055")
    offered = await talk.say("Duncan doesn't look after our tech, so he needn't be an administrator. Member will do.")
    assert "Duncan Shaw" in offered["offers"][0]["text"] and "admin to member" in offered["offers"][0]["text"]
    talk = Talk(runtime, "cus_055")
    left = await talk.say("please make Duncan an administrator, we have one member who can't be it")
    assert not any("Polly" in offer["text"] for offer in left["offers"]), left["reply"]


async def test_thanks_and_something_to_be_done_are_no_mere_thanks(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_009")
    await talk.say("our purchasing department needs your data processing agreement today, could I have it?")
    more = await talk.say(
        "Received, thank you. They also have a form of their own with some 40 questions about your company. "
        "It has to be filled in and signed on your side."
    )
    assert more["disposition"] != "resolved", more["reply"]


async def test_a_status_is_told_of_another_invoice_than_the_one_that_was_spoken_of(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_016")
    await talk.say("Ruth in the office says invoice 1603 is wrong. I'd like the 94.50 back for it.")
    told = await talk.say("Fair enough. And 1604, is that one settled?")
    assert "Invoice 1604" in told["reply"] and told["offers"] == []


async def test_a_kind_that_they_have_none_of_is_said(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_009")
    told = await talk.say("we'd like to get rid of the cache, nobody uses it")
    assert "I find no cache" in told["reply"] and told["offers"] == []


async def test_a_copy_for_another_reader_goes_nowhere(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("Hi, I need last months invoice")
    told = await talk.say("can you also send it to my accountant?")
    assert "only to the address on record" in told["reply"]
    assert await effects_of(talk) == ["billing.send_invoice_copy"]


async def test_a_wish_about_a_bill_asks_for_no_person(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    assert (await talk.say("can i talk about my bill"))["disposition"] != "escalated"
    talk = Talk(runtime, "cus_008")
    assert (await talk.say("can i talk to someone about my bill"))["disposition"] == "escalated"


async def test_what_was_done_before_is_no_request(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_004")
    await talk.say("hey can you check why our last invoice is higher than the one before?")
    told = await talk.say("ah right we added people in the middle. ok and how many seats have we got now")
    assert told["disposition"] == "resolved" and "18 seats" in told["reply"], told["reply"]


async def test_a_question_is_not_thanked_for(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_011")
    await talk.say("my trial ends soon, what then?")
    assert "You are welcome" not in (await talk.say("can you give me a week more?"))["reply"]


async def test_how_long_a_trial_still_runs_is_on_record(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_011")
    assert "The trial runs until" in (await talk.say("how long is our trial still running?"))["reply"]


async def test_the_only_record_that_is_left_is_not_taken_from_who_did_not_choose_it(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_054")
    await talk.say("please delete the bucket scratch-bucket")
    await talk.say("yes")
    asked = await talk.say("Nothing of value in ours, so go on and delete scratch-bucket.")
    assert "I find no resource called scratch-bucket" in asked["reply"]
    told = await talk.say("Good, that was all. Thanks.")
    assert told["offers"] == [] and len(await effects_of(talk)) == 1, told["reply"]


async def test_what_would_be_after_a_mistake_asks_for_no_mistake(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_054")
    told = await talk.say("If I delete a bucket by mistake, could you people bring it back?")
    assert told["offers"] == [] and "backup" in told["reply"].lower(), told["reply"]


async def test_what_is_ordered_by_its_name_is_meant_whatever_else_is_spoken_of(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_026")
    await talk.say("Please tear down orders-db, we've moved off it.")
    offered = await talk.say(
        "Ah right, the web cluster still talks to it. Then leave that one alone and only drop old-uploads."
    )
    assert "old-uploads" in offered["offers"][0]["text"], offered["reply"]


async def test_who_wants_a_cancellation_stopped_gets_a_person(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_038")
    left = await talk.say("The new lease fell through and we're staying put. Can you stop the cancellation?")
    assert left["disposition"] == "escalated", left["reply"]


async def test_what_is_left_for_another_day_is_not_asked_for_now(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_042")
    await talk.say("Could we go up from 9 to 12 seats please? Toy fair's coming.")
    offered = await talk.say("I see. Then switch us to the Team plan, and we'll sort the extra seats out another day.")
    assert [offer["tool"] for offer in offered["offers"]] == ["billing.change_plan"]
    done = await talk.say("yes")
    assert done["disposition"] == "resolved", done["reply"]
