"""A real Chromium, and visits of our pages with it. Where node, its packages or the browser is missing, tests skip."""

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cable import Cable
from on_screen import Keep, Visit
from playwright.async_api import Browser, Page, async_playwright, expect
from served import Served

HERE = Path(__file__).parent
SCREENSHOTS = HERE.parent.parent / ".handrail" / "screenshots"
PATIENCE = 15_000  # milliseconds; a machine that is busy with other things is slow
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> dict[str, Any]:
    """The unpacked Chromium: `executable` and the `env` that it needs."""
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    if not (HERE / "node_modules").is_dir():
        pytest.skip("the browser's packages are not installed: npm ci --prefix tests/browser")
    made = subprocess.run(["node", str(HERE / "chromium.mjs")], capture_output=True, text=True, timeout=120)
    if made.returncode != 0:
        pytest.skip(f"Chromium could not be unpacked: {made.stderr.strip()[-300:]}")
    return json.loads(made.stdout)


@pytest.fixture
async def browser(chromium: dict[str, Any]) -> AsyncIterator[Browser]:
    """A running Chromium."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=chromium["executable"],
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            env={**os.environ, **chromium["env"]},
        )
        yield started
        await started.close()


@pytest.fixture
async def visit(browser: Browser, service: Served) -> AsyncIterator[Visit]:
    """Opens a page of the service as somebody of their own. A script error or a breach of the page's policy fails."""
    problems: list[str] = []

    async def open_page(
        path: str, *, url: str = "", dark: bool = False, width: int = 1280, height: int = 800, before: str = ""
    ) -> Page:
        context = await browser.new_context(
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": height},
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
        if before:
            await page.add_init_script(before)
        await page.goto((url or service.url) + path)
        return page

    yield open_page
    assert problems == []


@pytest.fixture
async def cable(service: Served) -> AsyncIterator[Cable]:
    """A line to the service that a test can cut."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(Cable.to(service.url))


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    return (HERE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def keep() -> Keep:
    """Keeps a screenshot under `.handrail/screenshots/`."""

    async def keep(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return keep
