"""Representatives and approvers in the console, with the customer's chat beside it."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from on_screen import Chat, Console, Keep, Visit
from playwright.async_api import expect
from served import Served
from sqlmodel import select

from app.identity import staff_token
from records.handoff import Suggestion
from records.learning import LabelledExample, examples_in

pytestmark = pytest.mark.browser

TICKETS = Path(__file__).parents[2] / "evals" / "tickets" / "development.jsonl"
DISPUTE = (
    "You have missed the uptime in our agreement three months running. We will hold back payment under clause 9 "
    "and our counsel will write."
)


async def stored_suggestions(service: Served) -> list[Suggestion]:
    """What became of the suggestions."""
    assert service.runtime is not None
    async with service.runtime.services.database.read() as session:
        return list(await session.scalars(select(Suggestion)))


async def kept_examples(service: Served) -> list[LabelledExample]:
    """What the service may learn."""
    assert service.runtime is not None
    async with service.runtime.services.database.read() as session:
        return await examples_in(session)


async def in_a_persons_hands(service: Served, text: str = "talk to a person", customer: str = "cus_004") -> Any:
    """A customer whose conversation waits in a queue."""
    waiting = service.customer(customer)
    await waiting.say(text)
    return waiting


async def test_a_dispute_reaches_a_representative_live_who_answers_with_an_edited_suggestion_and_resolves_it(
    service: Served, visit: Visit, keep: Keep
) -> None:
    desk = Console(await visit("/console"))
    await desk.be("rep@example.com")
    await expect(desk.queue).to_contain_text("Nobody is waiting.")

    customer = await visit("/?customer=cus_003")
    chat = await Chat(customer).open()
    await chat.write(DISPUTE)
    await expect(chat.log.locator(".notice")).to_contain_text("Passed to our contracts team. They answer by")
    await expect(chat.panel.locator(".standing")).to_contain_text("With our contracts team: answer by")
    await keep(customer, "widget-handoff")

    await expect(desk.queue.get_by_role("link")).to_contain_text("Halvorsen Logistics")
    await expect(desk.page).to_have_title("(1) Console - Handrail")
    await keep(desk.page, "console-queue")
    await desk.choose("Halvorsen Logistics")
    await expect(desk.block("Why it is here").locator("code")).to_be_visible()
    await expect(desk.block("Customer")).to_contain_text("184,000.00 EUR")
    await expect(desk.block("Effects")).to_contain_text("Nothing was changed in the account.")
    await expect(desk.case.get_by_role("log", name="Transcript")).to_contain_text("hold back payment")
    await expect(desk.case.locator(".trail")).to_contain_text("Handed to people")

    await desk.button("Claim").click()
    await desk.notice("It is yours.")
    await expect(desk.case.locator(".case-head")).to_contain_text("claimed by you")
    await expect(chat.panel.locator(".standing")).to_have_text("A colleague from our contracts team is reading this")

    await desk.button("Suggest a reply").click()
    suggested = desk.case.get_by_role("region", name="Suggested reply")
    await expect(suggested).to_contain_text("Hello Ingrid")
    await expect(suggested).to_contain_text("From our documentation:")
    await keep(desk.page, "console-suggestion")
    await desk.button("Insert").click()
    await expect(desk.reply).to_be_focused()
    suggestion = await desk.reply.input_value()
    await desk.reply.fill(suggestion.replace("Kind regards", "I will call you at 15:00.\n\nKind regards, Lee"))
    await desk.button("Send").click()
    await desk.notice("Sent.")

    await expect(chat.messages("representative")).to_contain_text("I will call you at 15:00.")
    await expect(chat.messages("representative").locator(".speaker")).to_have_text("Support team")
    await expect(chat.log.locator(".notice").last).to_contain_text("A colleague from our contracts team has joined.")
    await keep(customer, "widget-person-joined")
    (row,) = await stored_suggestions(service)
    assert (row.verdict, row.author) == ("edited", "rep@example.com")
    assert "I will call you at 15:00." in (row.final_text or "")

    await chat.write("Thank you, 15:00 is fine.")
    await expect(desk.case.get_by_role("log", name="Transcript")).to_contain_text("15:00 is fine")
    await keep(desk.page, "console-case")
    await desk.button("Resolve").click()
    await desk.page.get_by_label("What settled it?").fill("Credit agreed on the phone.")
    await desk.page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    await desk.notice("Resolved.")
    await expect(desk.queue).to_contain_text("Nobody is waiting.")
    await expect(chat.log.locator(".notice").last).to_contain_text("has closed this matter")


async def test_a_suggestion_that_is_sent_as_it_is_counts_as_accepted_and_a_dismissed_one_as_rejected(
    service: Served, visit: Visit
) -> None:
    await in_a_persons_hands(service)
    desk = Console(await visit("/console"))
    await desk.be("rep@example.com")
    await desk.choose("Redwood Analytics")
    await desk.button("Suggest a reply").click()
    await desk.button("Dismiss").click()
    await expect(desk.case.get_by_role("region", name="Suggested reply")).to_be_hidden()
    await desk.button("Suggest a reply").click()
    await desk.button("Insert").click()
    await desk.reply.press("Control+Enter")
    await desk.notice("Sent.")
    await expect(desk.reply).to_have_value("")
    await expect(desk.case.get_by_role("log", name="Transcript")).to_contain_text("rep@example.com")
    assert sorted(row.verdict or "" for row in await stored_suggestions(service)) == ["accepted", "rejected"]


async def test_a_resolved_case_is_named_with_the_guess_or_a_new_name_by_keyboard_alone(
    service: Served, visit: Visit, keep: Keep
) -> None:
    await in_a_persons_hands(service, DISPUTE, "cus_003")
    desk = Console(await visit("/console"))
    await desk.be("rep@example.com")
    await desk.choose("Halvorsen Logistics")
    await desk.button("Resolve").press("Enter")
    about = desk.page.get_by_label("What was it about?")
    await expect(about).not_to_have_value("")
    await expect(about).to_have_accessible_description(re.compile("Handrail learns from your answer"))
    await about.focus()
    await about.select_option("Something new…")
    name = desk.page.get_by_label("Name of the new matter")
    await expect(name).to_be_focused()
    await keep(desk.page, "console-resolve")
    await desk.page.keyboard.type("Uptime promise, disputed")
    await desk.page.keyboard.press("Enter")
    await desk.notice("Resolved.")
    (row,) = await kept_examples(service)
    assert (row.intent, row.state, row.by) == ("uptime_promise_disputed", "accepted", "rep@example.com")
    assert row.text == DISPUTE


async def test_an_approver_approves_in_the_console_and_the_customer_sees_the_refund(
    service: Served, visit: Visit, keep: Keep
) -> None:
    tickets = [json.loads(line) for line in TICKETS.read_text(encoding="utf-8").splitlines()]
    ticket = next(
        ticket
        for ticket in tickets
        if ticket["expected"]["disposition"] == "awaiting_approval"
        and ticket["expected"]["intent"] == "duplicate_charge"
    )
    customer = await visit(f"/?customer={ticket['customer']}")
    chat = await Chat(customer).open()
    await chat.write(ticket["messages"][0]["text"])
    await chat.button("Yes, go ahead").click()
    await expect(chat.messages("agent").last).to_contain_text("A colleague has to approve this")
    await expect(chat.panel.locator(".standing")).to_contain_text("A colleague has to approve this")

    desk = Console(await visit("/console"))
    await desk.be("rep@example.com")
    await desk.choose("Approve?")
    await expect(desk.case).to_contain_text("An approver or a lead decides this.")
    await desk.be("approver@example.com")
    await desk.choose("Approve?")
    await expect(desk.case).to_contain_text("Refund 696.00 EUR of invoice 4304")
    await expect(desk.case).to_contain_text("needs a person's approval")
    await expect(desk.case.locator(".tried")).to_contain_text("pay_4304_2")
    await desk.case.locator(".trail summary").first.click()
    await keep(desk.page, "console-approval")
    await desk.page.get_by_label("Comment").fill("Paid twice, as the records show.")
    await desk.button("Approve").click()
    await desk.notice("Approved.")
    await expect(desk.case).to_contain_text("Approved by approver@example.com: Paid twice")
    await expect(desk.queue).not_to_contain_text("Approve?")

    await expect(chat.messages("agent").last).to_contain_text("696.00 EUR is on its way back")
    await keep(customer, "widget-approved")
    conversation_id = next(iter((await service.staff("admin").get("/v1/decisions")).json()["items"]))["conversation_id"]
    record = await service.record(conversation_id)
    assert [(effect["tool"], effect["state"]) for effect in record["effects"]] == [("billing.refund", "verified")]
    assert [approval["decided_by"] for approval in record["approvals"]] == ["approver@example.com"]


async def test_an_approver_approves_less_and_the_customer_agrees_to_that(
    service: Served, visit: Visit, keep: Keep
) -> None:
    chat = await Chat(await visit("/?customer=cus_043")).open()
    await chat.write("We paid invoice 4304 twice. Kindly return the second payment.")
    await chat.button("Yes, go ahead").click()
    desk = Console(await visit("/console"))
    await desk.be("approver@example.com")
    await desk.choose("Approve?")
    await desk.page.get_by_text("Approve something else").click()
    await desk.page.get_by_label("amount").fill("30000")
    await desk.page.get_by_label("Comment").fill("Half of it is our fault.")
    await keep(desk.page, "console-approval-change")
    await desk.button("Approve this instead").click()
    await expect(desk.case).to_contain_text("Approved with a change by approver@example.com")
    await expect(chat.messages("agent").last).to_contain_text("Half of it is our fault.")
    await chat.button("Yes, go ahead").click()
    await expect(chat.messages("agent").last).to_contain_text("300.00 EUR")


async def test_a_denial_reaches_the_customer_with_its_reason(service: Served, visit: Visit) -> None:
    customer = service.customer("cus_043")
    await customer.say("We paid invoice 4304 twice. Kindly return the second payment.")
    assert (await customer.say("yes"))["disposition"] == "awaiting_approval"
    desk = Console(await visit("/console"))
    await desk.be("lead@example.com")
    await desk.choose("Approve?")
    await desk.page.get_by_label("Comment").fill("the bank has returned it already")
    await desk.button("Deny").click()
    await desk.notice("Denied.")
    await expect(desk.case).to_contain_text("Denied by lead@example.com")
    messages = (await customer.read())["messages"]
    assert "the bank has returned it already" in messages[-1]["text"]


async def test_the_queue_can_be_filtered_and_a_case_transferred_and_returned(service: Served, visit: Visit) -> None:
    await in_a_persons_hands(service)
    await in_a_persons_hands(service, DISPUTE, "cus_003")
    desk = Console(await visit("/console"))
    await desk.be("rep@example.com")
    cases = desk.queue.get_by_role("link")
    await expect(cases).to_have_count(2)
    await desk.page.get_by_label("Priority").select_option("high")
    await expect(cases).to_have_count(1)
    await expect(cases).to_contain_text("Halvorsen Logistics")
    await desk.page.get_by_label("Claimed by").select_option("me")
    await expect(desk.queue).to_contain_text("None matches the filter.")
    await desk.page.get_by_label("Claimed by").select_option("nobody")
    await desk.page.get_by_label("Priority").select_option("")
    await desk.page.get_by_role("combobox", name="Queue").select_option("general")
    await expect(cases).to_contain_text("Redwood Analytics")

    await desk.choose("Redwood Analytics")
    await desk.button("Transfer").click()
    await desk.page.get_by_label("To", exact=True).select_option("billing")
    await desk.page.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    await desk.notice("Transferred to billing.")
    await expect(desk.case.locator(".case-head")).to_contain_text("billing")
    await desk.page.get_by_role("combobox", name="Queue").select_option("")
    await desk.button("Return to assistant").click()
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.get_by_role("dialog")).to_be_hidden()
    await desk.button("Return to assistant").click()
    await desk.page.get_by_role("dialog").get_by_role("button", name="Return").click()
    await desk.notice("Returned to the assistant.")
    await expect(cases).to_have_count(1)


async def test_a_case_that_somebody_else_claimed_says_so_and_keeps_the_draft(service: Served, visit: Visit) -> None:
    await in_a_persons_hands(service)
    desk = Console(await visit("/console"))
    await desk.be("rep@example.com")
    await desk.choose("Redwood Analytics")
    await desk.reply.fill("Hello Dana")
    (item,) = (await service.staff("rep").get("/v1/queue")).json()["items"]
    await service.staff("rep", "other@example.com").post(f"/v1/handoffs/{item['handoff_id']}/claim")
    await expect(desk.case.locator(".case-head")).to_contain_text("claimed by other@example.com")
    await expect(desk.reply).to_have_value("Hello Dana")
    await desk.button("Send").click()
    await desk.notice("other@example.com has it.")
    await expect(desk.reply).to_have_value("Hello Dana")


async def test_markup_that_a_customer_writes_is_shown_as_text_in_the_console(service: Served, visit: Visit) -> None:
    attack = "<img src=x onerror=\"document.title='taken'\"> I want to talk to a person"
    await in_a_persons_hands(service, attack)
    desk = Console(await visit("/console"))
    await desk.be("rep@example.com")
    await desk.choose("Redwood Analytics")
    await expect(desk.case.get_by_role("log", name="Transcript")).to_contain_text(attack)
    await expect(desk.block("Summary")).to_contain_text("<img src=x")
    await desk.reply.fill("<b onclick=alert(1)>Hello</b>")
    await desk.button("Send").click()
    await expect(desk.case.get_by_role("log", name="Transcript")).to_contain_text("<b onclick=alert(1)>Hello</b>")
    assert await desk.case.locator("img, b").count() == 0
    assert "taken" not in await desk.page.title()


async def test_outside_development_the_console_asks_for_a_staff_token(
    start_service: Callable[..., Awaitable[Served]], visit: Visit
) -> None:
    production = await start_service(development=False)
    page = await visit("/", url=production.url)
    await expect(page).to_have_url(f"{production.url}/console")
    await page.get_by_label("Staff token").fill("not a token")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator(".notice")).to_contain_text("Not signed in")
    await page.get_by_label("Staff token").fill(staff_token(production.key, "kim@example.com", "rep"))
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("kim@example.com (rep)")).to_be_visible()
    await expect(page.get_by_text("Nobody is waiting.")).to_be_visible()
    await expect(page.get_by_role("link", name="Reports")).to_be_hidden()
    await page.reload()
    await expect(page.get_by_text("kim@example.com (rep)")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Staff token")).to_be_visible()
