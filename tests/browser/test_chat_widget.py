"""A customer in the chat widget of the sample site."""

import asyncio
import re
from typing import Any

import pytest
from cable import Cable
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from on_screen import Chat, Keep, Visit
from playwright.async_api import expect
from served import Served, listening

from app.identity import customer_token
from tools.tool import IdentityLevel

pytestmark = pytest.mark.browser

CHARGED_TWICE = "you took 29 euros twice this month"


async def only_conversation(service: Served) -> dict[str, Any]:
    """The record of the only conversation there is."""
    decisions = (await service.staff("admin").get("/v1/decisions")).json()["items"]
    (conversation_id,) = {decision["conversation_id"] for decision in decisions}
    return await service.record(conversation_id)


async def test_a_customer_who_was_charged_twice_agrees_by_a_button_and_gets_the_refund(
    service: Served, visit: Visit, keep: Keep
) -> None:
    page = await visit("/?customer=cus_001")
    chat = await Chat(page).open()
    await chat.write(CHARGED_TWICE)
    await expect(chat.messages("customer")).to_contain_text(CHARGED_TWICE)
    await expect(chat.messages("agent")).to_contain_text("Shall I refund 29.00 EUR of invoice 0042")
    await expect(chat.button("No")).to_be_visible()
    await keep(page, "widget-offer")
    await chat.button("Yes, go ahead").click()
    await expect(chat.messages("agent").last).to_contain_text("29.00 EUR is on its way back")
    await expect(chat.messages("customer").last).to_contain_text("Yes, go ahead")
    await expect(chat.button("Yes, go ahead")).to_be_hidden()
    (effect,) = (await only_conversation(service))["effects"]
    assert (effect["tool"], effect["state"], effect["amount_minor"]) == ("billing.refund", "verified", 2900)
    await expect(chat.panel.get_by_text("Did this solve it?")).to_be_visible()
    await keep(page, "widget-refunded")
    await chat.button("Yes").click()
    await expect(chat.status).to_have_text("Thank you, good to know.")
    await expect(chat.panel.get_by_text("Did this solve it?")).to_be_hidden()
    assert [row["solved"] for row in (await only_conversation(service))["feedback"]] == [True]


async def test_a_customer_types_the_code_from_their_mailbox(service: Served, visit: Visit, keep: Keep) -> None:
    page = await visit("/?customer=cus_002")
    chat = await Chat(page).open()
    await chat.write("could sam lee get administrator rights please, he leads the team now")
    await expect(chat.messages("agent")).to_contain_text("I have just sent a code to e***@")
    letter = page.get_by_role("region", name="Your mailbox")
    await expect(letter).to_contain_text("Your code is")
    await keep(page, "widget-code")
    code = re.search(r"Your code is (\d{6})", await letter.inner_text())
    assert code
    await chat.write(code[1])
    await expect(chat.messages("agent")).to_have_count(2)
    (effect,) = (await only_conversation(service))["effects"]
    assert (effect["tool"], effect["state"]) == ("access.change_role", "verified")


async def test_a_customer_downloads_the_document_that_was_written_for_them(service: Served, visit: Visit) -> None:
    page = await visit("/?customer=cus_002")
    chat = await Chat(page).open()
    await chat.write("please send us your security overview document")
    link = chat.messages("agent").last.get_by_role("link", name="Download the document")
    async with page.expect_download() as started:
        await link.click()
    download = await started.value
    assert download.suggested_filename.endswith(".pdf")
    assert (await download.path()).read_bytes().startswith(b"%PDF-")


async def test_saying_no_by_the_button_changes_nothing(service: Served, visit: Visit) -> None:
    chat = await Chat(await visit("/?customer=cus_001")).open()
    await chat.write(CHARGED_TWICE)
    await chat.decision.get_by_role("button", name="No").click()
    await expect(chat.messages("agent")).to_have_count(2)
    await expect(chat.decision).to_be_hidden()
    record = await only_conversation(service)
    assert record["effects"] == []
    assert [offer["state"] for offer in record["offers"]] == ["declined"]


async def test_talk_to_a_person_works_as_the_very_first_thing(service: Served, visit: Visit, keep: Keep) -> None:
    page = await visit("/?customer=cus_004")
    chat = await Chat(page).open()
    await chat.button("Talk to a person").click()
    notice = chat.log.locator(".notice")
    await expect(notice).to_contain_text("Passed to our support team. They answer by")
    await expect(notice).to_contain_text("You can keep writing here.")
    await expect(chat.field).to_have_attribute("placeholder", "You can keep writing here")
    (item,) = (await service.staff("rep").get("/v1/queue")).json()["items"]
    assert (item["queue"], item["customer"]) == ("general", "Redwood Analytics")
    await expect(chat.button("Talk to a person")).to_be_visible()
    await keep(page, "widget-person-first")


async def test_an_answer_from_the_documentation_shows_its_source(visit: Visit, keep: Keep) -> None:
    page = await visit("/?customer=cus_004")
    chat = await Chat(page).open()
    await chat.write("How do I rotate an API key?")
    await expect(chat.messages("agent").locator(".sources")).to_contain_text(
        "API keys: create, protect and rotate them"
    )
    await keep(page, "widget-sources")


async def test_a_reload_keeps_the_conversation_and_the_open_offer(visit: Visit) -> None:
    page = await visit("/?customer=cus_001")
    chat = await Chat(page).open()
    await chat.write(CHARGED_TWICE)
    await expect(chat.button("Yes, go ahead")).to_be_visible()
    before = await chat.texts()
    await page.reload()
    await expect(chat.messages()).to_have_count(2)
    assert await chat.texts() == before
    await chat.button("Yes, go ahead").click()
    await expect(chat.messages("agent").last).to_contain_text("29.00 EUR is on its way back")
    await page.reload()
    await expect(chat.messages()).to_have_count(4)
    await expect(chat.panel.get_by_text("Did this solve it?")).to_be_visible()
    await expect(chat.button("Yes, go ahead")).to_be_hidden()


async def test_another_customer_in_the_same_tab_has_another_conversation(visit: Visit) -> None:
    page = await visit("/?customer=cus_001")
    chat = await Chat(page).open()
    await chat.write(CHARGED_TWICE)
    await expect(chat.messages()).to_have_count(2)
    await page.get_by_label("You are").select_option("cus_004")
    await expect(chat.messages()).to_have_count(0)
    await page.get_by_label("You are").select_option("cus_001")
    await expect(chat.messages()).to_have_count(2)


async def test_after_a_broken_line_nothing_is_lost_and_nothing_shown_twice(
    service: Served, visit: Visit, cable: Cable, keep: Keep
) -> None:
    page = await visit("/?customer=cus_004", url=cable.url)
    chat = await Chat(page).open()
    await chat.button("Talk to a person").click()
    await expect(chat.log.locator(".notice")).to_contain_text("Passed to")
    rep = service.staff("rep")
    (item,) = (await rep.get("/v1/queue")).json()["items"]

    cable.cut()
    await expect(chat.status).to_have_text("Connecting again…")
    for text in ("First, hello.", "Second, what is it about?"):
        assert (await rep.post(f"/v1/handoffs/{item['handoff_id']}/reply", json={"text": text})).is_success
    await chat.write("Are you still there?")
    await expect(chat.messages("customer").last).to_contain_text("Sending")
    await keep(page, "widget-offline")
    await asyncio.sleep(1)  # some attempts fail
    cable.mend()

    await expect(chat.messages("representative")).to_have_count(2)
    await expect(chat.status).not_to_have_text("Connecting again…")
    await expect(chat.log.get_by_text("Sending…")).to_have_count(0)
    stored = await service.record(item["conversation_id"])
    for _ in range(100):
        stored = await service.record(item["conversation_id"])
        if len(stored["messages"]) == await chat.messages().count():
            break
        await asyncio.sleep(0.1)
    shown = await chat.texts()
    assert sorted(shown) == sorted(message["text"] for message in stored["messages"])
    assert shown.count("Are you still there?") == 1
    assert shown.index("First, hello.") < shown.index("Second, what is it about?")


async def test_a_message_whose_answer_is_lost_on_the_way_is_sent_again_and_stays_one_message(
    service: Served, visit: Visit, cable: Cable
) -> None:
    chat = await Chat(await visit("/?customer=cus_001", url=cable.url)).open()
    cable.loses_next_answer_to = CHARGED_TWICE.encode()
    await chat.write(CHARGED_TWICE)
    await expect(chat.button("Yes, go ahead")).to_be_visible()
    await expect(chat.log.get_by_text("Sending…")).to_have_count(0)
    await expect(chat.messages()).to_have_count(2)
    assert cable.loses_next_answer_to is None
    messages = (await only_conversation(service))["messages"]
    assert [message["role"] for message in messages] == ["customer", "agent"]


async def test_what_could_not_be_sent_before_a_reload_is_sent_after_it(service: Served, visit: Visit) -> None:
    page = await visit("/?customer=cus_001")
    chat = await Chat(page).open()
    await expect(chat.field).to_have_attribute("placeholder", "Write a message")  # it knows who is writing
    await page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('no network')) }")
    await chat.write(CHARGED_TWICE)
    await expect(chat.messages("customer")).to_contain_text("Sending")
    await page.reload()
    await expect(chat.button("Yes, go ahead")).to_be_visible()
    assert len((await only_conversation(service))["messages"]) == 2


async def test_markup_that_people_write_is_shown_as_text(service: Served, visit: Visit) -> None:
    attack = "<img src=x onerror=\"document.title='taken'\"> javascript:alert(1) https://larkspur.example/help."
    page = await visit("/?customer=cus_004")
    chat = await Chat(page).open()
    await chat.write(attack)
    await expect(chat.messages("customer").first).to_contain_text(attack)
    await expect(chat.messages("agent")).to_have_count(1)
    await chat.button("Talk to a person").click()
    await expect(chat.log.locator(".notice").first).to_contain_text("Passed to")
    rep = service.staff("rep")
    (item,) = (await rep.get("/v1/queue")).json()["items"]
    answer = "<b>Hello</b> <script>document.title='taken'</script> [a](javascript:alert(1))"
    await rep.post(f"/v1/handoffs/{item['handoff_id']}/reply", json={"text": answer})
    await expect(chat.messages("representative")).to_contain_text(answer)
    assert await chat.log.locator("img, script, b").count() == 0
    assert [await link.get_attribute("href") for link in await chat.log.locator("a").all()] == [
        "https://larkspur.example/help"
    ]
    assert "taken" not in await page.title()


async def test_a_message_that_is_too_long_is_refused_in_words_and_can_be_changed(visit: Visit) -> None:
    chat = await Chat(await visit("/?customer=cus_004")).open()
    await chat.field.fill("too long " * 1000)
    await chat.field.press("Enter")
    await expect(chat.messages("customer")).to_contain_text("The message is too long.")
    await chat.log.get_by_role("button", name="Change it").click()
    await expect(chat.messages("customer")).to_have_count(0)
    assert len(await chat.field.input_value()) == len(("too long " * 1000).strip())


async def test_the_keyboard_does_everything(visit: Visit) -> None:
    page = await visit("/?customer=cus_004")
    launcher = page.get_by_role("button", name="Help")
    await launcher.focus()
    await page.keyboard.press("Enter")
    chat = Chat(page)
    await expect(chat.field).to_be_focused()
    await page.keyboard.type("one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await expect(chat.messages()).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(chat.messages("customer")).to_contain_text("one\ntwo", use_inner_text=True)
    await expect(chat.field).to_have_value("")
    await page.keyboard.press("Escape")
    await expect(chat.panel).to_be_hidden()
    await expect(launcher).to_be_focused()


async def test_an_answer_that_comes_while_the_chat_is_closed_is_counted(visit: Visit) -> None:
    page = await visit("/?customer=cus_004")
    chat = await Chat(page).open()
    await chat.write("How do I rotate an API key?")
    await chat.field.press("Escape")
    await page.get_by_role("button", name="Help, 1 new").click()
    await expect(chat.messages("agent")).to_have_count(1)
    await chat.field.press("Escape")
    await expect(page.get_by_role("button", name="Help", exact=True)).to_be_visible()


async def test_a_site_of_another_origin_embeds_the_chat_with_one_script_and_a_token(
    service: Served, visit: Visit, keep: Keep
) -> None:
    token = customer_token(service.key, "cus_001", IdentityLevel.VERIFIED)
    site = FastAPI()

    @site.get("/")
    async def page_of_the_site() -> HTMLResponse:
        return HTMLResponse(
            '<!doctype html><html lang="en"><title>Another site</title><h1>Another site</h1>'
            f'<script type="module" src="{service.url}/web/widget.js"></script>'
            f'<handrail-chat token="{token}" heading="Ask us"></handrail-chat></html>',
            headers={
                "Content-Security-Policy": f"default-src 'none'; script-src {service.url}; connect-src {service.url}"
            },
        )

    async with listening(site) as url:
        page = await visit("/", url=url)
        chat = await Chat(page).open()
        await chat.write(CHARGED_TWICE)
        await expect(chat.button("Yes, go ahead")).to_be_visible()
        await keep(page, "widget-on-another-site")
        refused = await page.evaluate(
            "url => fetch(url).then(() => 'read', () => 'kept')", f"{service.url}/development/customer-token"
        )
        assert refused == "kept"


async def test_a_token_that_has_run_out_is_renewed_and_nothing_is_lost(service: Served, visit: Visit) -> None:
    expired = customer_token(service.key, "cus_001", IdentityLevel.VERIFIED, hours=-1)
    page = await visit("/?customer=cus_001")
    await page.evaluate("token => { document.getElementById('chat').token = token }", expired)
    chat = await Chat(page).open()
    await chat.write(CHARGED_TWICE)
    await expect(chat.button("Yes, go ahead")).to_be_visible()
    await expect(chat.messages()).to_have_count(2)
