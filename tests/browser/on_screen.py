"""What people see and do on our pages, by the roles and names that assistive technology uses too."""

from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, Page, expect

Visit = Callable[..., Awaitable[Page]]
"""Opens a page of the service in a browser context of its own."""
Keep = Callable[[Page, str], Awaitable[None]]
"""Keeps a screenshot under a name."""


class Chat:
    """The chat widget on a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.get_by_role("dialog")
        self.log = page.get_by_role("log", name="Conversation")
        self.field = page.get_by_label("Your message")
        self.decision = self.panel.get_by_role("group", name="Your decision")
        self.status = self.panel.get_by_role("status")

    async def open(self) -> "Chat":
        """Open it."""
        await self.page.get_by_role("button", name="Help").click()
        return self

    async def write(self, text: str) -> None:
        """Write a message and send it with Enter."""
        await self.field.fill(text)
        await self.field.press("Enter")

    def button(self, name: str) -> Locator:
        """A button of the widget."""
        return self.panel.get_by_role("button", name=name, exact=True)

    def messages(self, who: str = "") -> Locator:
        """Messages in the log; `who` is customer, agent or representative."""
        return self.log.locator(f"article.{who}" if who else "article")

    async def texts(self) -> list[str]:
        """What the bubbles say, oldest first."""
        return [text.strip() for text in await self.log.locator(".bubble").all_inner_texts()]


class Console:
    """The representatives' console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.queue = page.get_by_role("region", name="Queue")
        self.case = page.get_by_role("region", name="Open case")
        self.reply = page.get_by_label("Reply to the customer")

    async def be(self, email: str) -> "Console":
        """Work as one of the sample staff."""
        await self.page.get_by_label("You are").select_option(email)
        await expect(self.page.get_by_text("Live", exact=True)).to_be_visible()
        return self

    async def choose(self, name: str) -> None:
        """Open a case of the queue."""
        await self.queue.get_by_role("link").filter(has_text=name).click()

    def button(self, name: str) -> Locator:
        """A button of the open case or of the dialog on top of it."""
        return self.page.get_by_role("button", name=name, exact=True)

    def block(self, title: str) -> Locator:
        """A part of the handoff packet."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        return self.case.locator(".block").filter(has=heading)

    async def notice(self, text: str) -> None:
        """Wait for a notice."""
        await expect(self.page.locator(".notice")).to_contain_text(text)
