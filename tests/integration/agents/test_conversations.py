"""What customers live through: corrections, second thoughts, several matters, questions in between."""

from datetime import date
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from talking import Talk

from app.runtime import Runtime, Shared, running
from app.settings import Settings


async def test_a_refund_is_offered_with_the_records_values_and_done_once_after_a_yes(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    offered = await talk.say("hi, you took 29 euros twice this month??")
    assert offered["disposition"] == "awaiting_customer"
    assert "29.00 EUR of invoice 0042" in offered["reply"]
    assert await talk.backend("refunds") == []
    done = await talk.say("yes pls")
    assert done["disposition"] == "resolved"
    assert len(await talk.backend("refunds")) == 1
    again = await talk.say("yes")
    assert len(await talk.backend("refunds")) == 1, again


async def test_a_yes_with_another_amount_is_no_yes(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("you took 29 euros twice this month")
    await talk.say("yes, 290 euros please")
    assert await talk.backend("refunds") == []


async def test_a_correction_leads_to_a_new_offer_and_only_that_is_done(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    second = await talk.say("sorry, make it 2")
    assert "2 seats" in second["reply"]
    await talk.say("yes")
    effects = (await talk.record())["effects"]
    assert [(e["tool"], e["arguments"]["count"], e["state"]) for e in effects] == [("billing.add_seats", 2, "verified")]


async def test_a_question_in_between_is_answered_and_the_matter_goes_on(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("were out of seats, need some more")
    between = await talk.say("wait, how long do you keep our backups?")
    assert "Back to your other request" in between["reply"]
    resumed = await talk.say("4 seats then")
    assert "4 seats" in resumed["reply"] and resumed["disposition"] == "awaiting_customer"


async def test_a_matter_that_was_settled_can_be_corrected(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("please send me last month's invoice")
    other = await talk.say("oh no i meant the one before, september")
    assert "invoice" in other["reply"].lower()
    sent = [e["arguments"]["invoice_id"] for e in (await talk.record())["effects"]]
    assert len(set(sent)) == 2


async def test_several_requests_are_acknowledged_and_served_one_after_the_other(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    first = await talk.say("send me last months invoice and add 2 seats")
    assert "one after the other" in first["reply"]
    await talk.say("yes")
    tools = [e["tool"] for e in (await talk.record())["effects"]]
    assert sorted(tools) == ["billing.add_seats", "billing.send_invoice_copy"]


async def test_taking_the_request_back_leaves_everything_as_it_was(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add 3 seats please")
    await talk.say("never mind, forget it")
    assert (await talk.record())["effects"] == []


async def test_who_is_not_understood_twice_gets_a_person(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    first = await talk.say("it's about the thing from last time")
    assert first["disposition"] == "awaiting_customer"
    second = await talk.say("you know, that thing with the stuff")
    assert second["disposition"] == "escalated"


async def test_a_person_is_reached_in_the_middle_of_a_matter(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("add seats")
    turn = await talk.say("just get me someone who can talk")
    assert turn["disposition"] == "escalated"
    record = await talk.record()
    assert record["handled_by"] == "person"
    assert record["handoffs"][0]["trigger"] == "asked-for-a-person"
    waiting = await talk.say("hello? anybody?")
    assert waiting["disposition"] == "escalated"
    assert len((await talk.record())["handoffs"]) == 1


async def test_after_a_person_settled_it_a_new_message_is_a_new_episode(runtime: Runtime) -> None:
    from app import handoffs
    from app.identity import Staff

    talk = Talk(runtime, "cus_008")
    await talk.say("talk to a person please")
    handoff = (await talk.record())["handoffs"][0]
    await handoffs.change(runtime, handoff["id"], Staff("rep@example.com", "rep"), "resolve", note="done")
    turn = await talk.say("add 2 seats please")
    assert turn["disposition"] == "awaiting_customer"
    record = await talk.record()
    assert [e["number"] for e in record["episodes"]] == [1, 2]
    assert len(record["handoffs"]) == 1


async def test_an_invoice_that_is_not_theirs_is_neither_shown_nor_replaced(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    turn = await talk.say("what is invoice 0057 for?")
    assert "0057 of" not in turn["reply"]
    assert turn["disposition"] == "awaiting_customer"


async def test_what_nobody_clearly_asked_for_is_not_sent_without_a_yes(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("i lost my card somewhere")
    assert (await talk.record())["effects"] == []


async def test_what_shall_go_to_an_address_that_is_not_on_record_goes_to_a_person(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    asked = await talk.say("please send last month's invoice to our tax office, it's tax@elsewhere.example")
    assert asked["disposition"] == "escalated"
    record = await talk.record()
    assert record["effects"] == []
    assert "tax@elsewhere.example" in record["handoffs"][0]["reason"] + str(record["decisions"])


async def test_two_invoices_named_in_one_message_are_both_sent(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("please send me the september and october invoices again")
    sent = [effect["arguments"]["invoice_id"] for effect in (await talk.record())["effects"]]
    assert len(set(sent)) == 2


async def test_thanks_with_another_number_goes_on_with_the_matter(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    refused = await talk.say("take off 40 seats please")
    assert "cannot remove that many" in refused["reply"]
    offered = await talk.say("ah ok thanks. then just the two that are free")
    assert "2 seats" in offered["reply"], offered


async def test_however_many_invoices_are_named_all_are_sent(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    months = [date.fromisoformat(str(row["issued_on"])[:10]).strftime("%B") for row in await talk.backend("invoices")]
    turn = await talk.say(f"please send me the invoices for {', '.join(months[:3])} and {months[3]}")
    assert turn["disposition"] == "resolved", turn
    sent = [effect["arguments"]["invoice_id"] for effect in (await talk.record())["effects"]]
    assert len(set(sent)) == 4


@pytest.mark.parametrize(("answer", "sent"), [("both please", 1), ("the second", 1), ("the first", 0)])
async def test_who_is_asked_which_of_two_may_want_both(runtime: Runtime, answer: str, sent: int) -> None:
    talk = Talk(runtime, "cus_020")
    asked = await talk.say(
        "tess hit the keys six times and its shut in her face. oh and the november bill for my books"
    )
    assert "Which of these" in asked["reply"], asked
    answered = await talk.say(answer)
    effects = [effect["tool"] for effect in (await talk.record())["effects"]]
    assert effects.count("billing.send_invoice_copy") == sent
    assert ("Shall I unlock" in answered["reply"]) is (answer != "the second")


@pytest.mark.postgres
async def test_a_record_is_of_one_moment_whatever_is_written_while_it_is_read(
    settings: Settings, shared: Shared, postgres_url: str
) -> None:
    on_postgres = settings.model_copy(update={"database_url": postgres_url})
    async with running(on_postgres, shared=shared, background=False) as runtime:
        talk = Talk(runtime, "cus_001")
        await talk.say("how many seats come with the starter plan?")
        engine, written = runtime.services.database.engine.sync_engine, []

        def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "FROM messages" in statement and not written:
                written.append(statement)
                with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
                    other.execute("UPDATE turns SET state = 'superseded'")

        event.listen(engine, "after_cursor_execute", meanwhile)
        record = await talk.record()
        event.remove(engine, "after_cursor_execute", meanwhile)
        assert written
        assert [turn["state"] for turn in record["turns"]] == ["finished"]
        assert [turn["state"] for turn in (await talk.record())["turns"]] == ["superseded"]


async def test_what_two_messages_say_together_is_understood(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_058")
    await talk.say("new colleagues are starting with us")
    offered = await talk.say("18 now and it has to be 25 altogether")
    assert "7 seats" in offered["reply"], offered


async def test_a_bigger_plan_waits_until_the_open_invoice_is_paid(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_015")
    told = await talk.say("please move us up to the Business plan")
    assert "invoice 1504" in told["reply"] and "63.00 GBP" in told["reply"], told
    assert (await talk.record())["effects"] == []


async def test_the_only_administrator_stays_one_and_nobody_else_is_made_one(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_049")
    told = await talk.say("i dont want to be the administrator any more. change me to a normal one please")
    assert "Ines Prado" in told["reply"] and "only administrator" in told["reply"], told


async def test_their_own_role_is_theirs(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_055")
    offered = await talk.say("please change my role to viewer, i only look at things now")
    assert "Iris Vance" in offered["reply"] and "viewer" in offered["reply"], offered


async def test_two_wishes_of_which_one_drowns_the_other(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_024")
    asked = await talk.say(
        "lena voss cant remember her password after vacation, can she get a link for a new one. "
        "and kai ohm only draws now, he should be able to look at things but not change anything"
    )
    assert "reset a password" in asked["reply"] and "change a user's role" in asked["reply"], asked


async def test_more_than_two_things_to_delete_go_to_a_person_and_two_are_offered_one_by_one(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_033")
    assert (await talk.say("delete billing-db, mail-queue and reports please"))["disposition"] == "escalated"
    two = Talk(runtime, "cus_033")
    assert "mail-queue" in (await two.say("delete mail-queue and reports please"))["reply"]
    after = await two.say("yes")
    assert "reports" in after["reply"] and after["disposition"] == "awaiting_customer"


async def test_what_must_stay_is_not_offered_for_deletion(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_033")
    offered = await talk.say("delete mail-queue please")
    again = await talk.say("billing-db and reports must stay!!")
    assert "mail-queue" in offered["reply"] and "mail-queue" in again["reply"]
    assert "billing-db" not in again["reply"]


async def test_a_matter_for_people_told_in_two_messages_is_heard(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("three mails about new keys of ours came in at four this morning")
    second = await talk.say("and it wasn't me. my brother swears too")
    assert (second["disposition"], (await talk.record())["handoffs"][-1]["queue"]) == ("escalated", "security")


async def test_a_higher_limit_without_a_bigger_plan_is_for_people(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    told = await talk.say("how many api calls have we used?")
    assert told["disposition"] == "resolved"
    asked = await talk.say("can you raise the limit of api calls, only until friday?")
    assert (asked["disposition"], (await talk.record())["handoffs"][-1]["queue"]) == ("escalated", "platform")


async def test_who_says_again_what_they_want_is_offered_the_same_again(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_028")
    await talk.say("please cancel our subscription, we close down")
    first = await talk.say("no")  # to the discount for those who stay
    again = await talk.say("so no further bill please, finish our subscription")
    assert "Shall I cancel" in first["reply"] and "Shall I cancel" in again["reply"]


async def test_a_question_instead_of_a_yes_is_answered_and_the_offer_stands(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_033")
    await talk.say("delete the queue mail-queue please")
    asked = await talk.say("for how many days could a backup of it be restored?")
    assert "help centre" in asked["reply"] and "Shall I delete the queue" in asked["reply"]
    done = await talk.say("then delete the queue")
    assert done["disposition"] == "resolved"
    assert [e["tool"] for e in (await talk.record())["effects"]] == ["provisioning.delete_resource"]


async def test_who_turns_an_offer_down_for_something_else_is_not_asked_again(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_037")
    await talk.say("please cancel our subscription, we close down")
    await talk.say("no")  # to the discount for those who stay
    await talk.say("hold up, we keep it. please just remove two seats")
    assert "cancel" not in (await talk.say("yes"))["reply"].lower()


async def test_somebody_who_has_the_role_already_is_not_replaced_by_another(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_055")
    asked = await talk.say("please make Duncan Shaw an admin")
    assert "Polly" not in asked["reply"].split("?")[0]


async def test_a_remark_after_a_matter_is_settled_is_no_new_matter(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_001")
    await talk.say("how many api calls have we used?")
    assert (await talk.say("Right, so the boys can go on with their tests. Much obliged"))["disposition"] == "resolved"


async def test_what_was_said_before_it_was_asked_for_is_remembered(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_044")
    assert "region" in (await talk.say("I need a new database"))["reply"]
    asked = await talk.say("postgres, small")
    assert "region" in asked["reply"] and "did not catch" not in asked["reply"]
    assert 'the small database "shop-db" in eu-west' in (await talk.say("eu-west, call it shop-db"))["reply"]


async def test_a_question_about_what_was_just_settled_is_answered(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_017")
    await talk.say("the report of last month says 99.60, please book the credit that our agreement gives us")
    await talk.say("yes")
    assert "Uptime" in (await talk.say("Thank you. On which bill will I find it?"))["reply"]


async def test_what_the_account_has_is_told(runtime: Runtime) -> None:
    told = (await Talk(runtime, "cus_002").say("how many of our seats are in use, and on which plan?"))["reply"]
    assert "Team plan with 29 seats; 26 of them" in told and "348.00 EUR in all" in told


async def test_who_first_says_who_writes_is_not_half_misunderstood(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    assert (await talk.say("god dag, Ove from Atlas Freight, we tidy up a bit this week"))["reply"].startswith("Hello")
    assert (await talk.say("it's about the thing from last time"))["disposition"] == "awaiting_customer"


async def test_what_was_declined_and_is_declined_once_more_is_not_begun_again(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_028")
    await talk.say("please cancel our subscription, we close down")
    await talk.say("no")  # to the discount for those who stay
    await talk.say("no, please don't")
    again = await talk.say("WAIT, the new place isn't ready. stop everything, don't cancel our subscription")
    assert (again["disposition"], "Shall I" in again["reply"]) == ("resolved", False)


async def test_a_matter_that_it_is_not_about_is_left(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_048")
    await talk.say("could you send us a copy of an invoice")
    ended = await talk.say("I asked again: it isn't the invoices. It's the tax statement that she wants.")
    assert "Tax statement" in ended["reply"] and "Which invoice" not in ended["reply"]


async def test_a_question_that_goes_on_from_an_answer_is_answered(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_006")
    await talk.say("Are databases backed up by themselves, and for how long do you keep the backups?")
    further = await talk.say("Great. And can I restore one on my own, or only you?")
    assert (further["disposition"], "Restore as new" in further["reply"]) == ("resolved", True)


async def test_who_accepts_to_stay_is_not_taken_for_one_who_leaves(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_036")
    await talk.say("hello, please cancel our subscription, it has become too expensive for us")
    offered = await talk.say("yes, at that price we would stay")
    accepted = await talk.say("oh that helps, yes go on then, we'll stay for that")
    assert "20 %" in offered["reply"] and accepted["disposition"] != "escalated"


async def test_after_a_no_another_record_can_be_named(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_033")
    assert "mail-queue" in (await talk.say("delete the queue mail-queue please"))["reply"]
    await talk.say("no, please don't")
    assert '"reports"' in (await talk.say("no wait, not that one, please delete the bucket reports"))["reply"]
