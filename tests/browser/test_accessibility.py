"""axe-core finds nothing to object to on our pages: light and dark, wide and narrow."""

from pathlib import Path

import pytest
from on_screen import Chat, Console, Keep, Visit
from playwright.async_api import Page, expect
from served import Served

pytestmark = pytest.mark.browser

SIZES = {"wide": (1280, 800), "narrow": (360, 740)}
LOOKS = ("light", "dark")


async def assert_accessible(page: Page, name: str, keep: Keep) -> None:
    """Look at the page in every size and colour scheme."""
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        for look in LOOKS:
            await page.emulate_media(color_scheme=look)
            found = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
            problems = [
                f"{name} {size} {look}: {violation['id']}: {node['html'][:120]} {node['failureSummary'][:300]}"
                for violation in found["violations"]
                for node in violation["nodes"]
            ]
            await keep(page, f"{name}-{size}-{look}")
            assert problems == []
            across = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
            assert across <= 0, f"{name} {size}: {across} pixels too wide"


async def test_the_sample_page_with_the_chat_open_and_with_a_conversation(visit: Visit, axe: str, keep: Keep) -> None:
    page = await visit("/?customer=cus_004", before=axe)
    await expect(page.get_by_label("You are")).to_have_value("cus_004")
    chat = await Chat(page).open()
    await assert_accessible(page, "sample-chat-open", keep)
    await chat.write("How do I rotate an API key?")
    await expect(chat.messages("agent").locator(".sources")).to_be_visible()
    await chat.button("Talk to a person").click()
    await expect(chat.log.locator(".notice")).to_be_visible()
    await assert_accessible(page, "sample-conversation", keep)
    await chat.field.press("Escape")
    await assert_accessible(page, "sample", keep)


async def test_the_chat_with_an_offer_at_320_pixels(visit: Visit, axe: str, keep: Keep) -> None:
    page = await visit("/?customer=cus_001", before=axe, width=320, height=568)
    chat = await Chat(page).open()
    await chat.write("you took 29 euros twice this month")
    await expect(chat.button("Yes, go ahead")).to_be_in_viewport()
    await expect(chat.button("Talk to a person")).to_be_in_viewport()
    await keep(page, "widget-320")
    await assert_accessible(page, "sample-offer", keep)


async def test_the_console_with_an_open_packet(service: Served, visit: Visit, axe: str, keep: Keep) -> None:
    customer = service.customer("cus_001")
    for text in ("I was charged twice this month", "yes please", "now I want to talk to a human"):
        await customer.say(text)
    desk = Console(await visit("/console", before=axe))
    await desk.choose("Brightwater Ceramics")
    await expect(desk.block("Effects")).to_contain_text("done and read back")
    await desk.button("Suggest a reply").click()
    await expect(desk.case.get_by_role("region", name="Suggested reply")).to_be_visible()
    await desk.case.locator(".trail summary").nth(2).click()
    await assert_accessible(desk.page, "console-packet", keep)
    await desk.button("Transfer").click()
    await assert_accessible(desk.page, "console-dialog", keep)


async def test_the_list_of_reports(service: Served, visit: Visit, axe: str, keep: Keep) -> None:
    assert service.runtime is not None
    folder = service.runtime.settings.home / "evals" / "first"
    folder.mkdir(parents=True)
    report = (
        '<!doctype html><html lang="en"><title>Recorded tickets</title><style>p{color:red}</style><p>Fine</p></html>'
    )
    Path(folder / "report.html").write_text(report, encoding="utf-8")
    page = await visit("/reports", before=axe)
    await expect(page.get_by_role("link", name="Recorded tickets")).to_be_visible()
    await assert_accessible(page, "reports", keep)
    await page.get_by_role("link", name="Recorded tickets").click()
    await expect(page.get_by_text("Fine")).to_have_css("color", "rgb(255, 0, 0)")


async def test_the_page_of_the_http_interface(visit: Visit, axe: str, keep: Keep) -> None:
    page = await visit("/docs", before=axe)
    heading = page.get_by_role("heading", name="POST /v1/conversations/{conversation_id}/messages")
    await expect(heading).to_be_visible()
    await page.get_by_text("Example", exact=True).nth(1).click()
    await assert_accessible(page, "docs", keep)
