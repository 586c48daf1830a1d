"""`handrail doctor` on billing, and settings that cannot be used: one sentence each, without the key."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.commands.doctor import check_billing
from app.connectors import connected
from app.settings import BrokenSettings, Settings
from records.clock import system_clock
from tools.sandbox.backend import SandboxBackend


def billing(home: Path, url: str, key: str | None) -> Settings:
    """Settings that bill at Stripe."""
    return Settings(home=home, billing="stripe", stripe_base_url=url, stripe_api_key=key, stripe_seconds=20)  # type: ignore[arg-type]


async def test_the_sandbox_needs_nothing(tmp_path: Path) -> None:
    assert await check_billing(Settings(home=tmp_path)) == "the sandbox company's: no money moves"


async def test_a_key_that_works_is_told_with_its_mode(tmp_path: Path, local_stripe: int) -> None:
    url = f"http://127.0.0.1:{local_stripe}"
    says = await check_billing(billing(tmp_path, url, "sk_test_of_doctor"))
    assert says.startswith(f"{url} takes the key, in test mode; without HANDRAIL_STRIPE_WEBHOOK_SECRET")
    assert "live mode" in await check_billing(billing(tmp_path, url, "sk_live_of_doctor"))


async def test_a_key_that_is_not_taken_is_named_and_not_shown(tmp_path: Path, local_stripe: int) -> None:
    with pytest.raises(ValueError, match="check HANDRAIL_STRIPE_API_KEY") as told:
        await check_billing(billing(tmp_path, f"http://127.0.0.1:{local_stripe}", "no_secret_key"))
    assert "no_secret_key" not in str(told.value)


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be reached: check HANDRAIL_STRIPE_BASE_URL"):
        await check_billing(billing(tmp_path, "http://127.0.0.1:1", "sk_test_of_doctor"))


async def test_without_a_key_the_setting_is_named(tmp_path: Path) -> None:
    settings = billing(tmp_path, "http://127.0.0.1:1", None)
    with pytest.raises(BrokenSettings, match="setting HANDRAIL_STRIPE_API_KEY: it is missing"):
        await check_billing(settings)
    async with AsyncExitStack() as stack:
        sandbox = await SandboxBackend.open(tmp_path / "sandbox.db")
        stack.push_async_callback(sandbox.close)
        with pytest.raises(BrokenSettings, match="HANDRAIL_STRIPE_API_KEY"):
            await connected(settings, sandbox, system_clock, stack)
