"""`handrail doctor` on access, and what the service says of a customer's locked users."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from access_books import AccessBooks
from faulty_line import Mishap
from pydantic import SecretStr

from app.commands.doctor import check_access
from app.connectors import connected
from app.settings import BrokenSettings, Settings
from records.clock import system_clock
from tools.sandbox.backend import SandboxBackend


def over_scim(home: Path, url: str | None, token: str | None, **more: Any) -> Settings:
    """Settings with access over SCIM."""
    secret = SecretStr(token) if token else None
    return Settings(home=home, provisioning="scim", scim_url=url, scim_token=secret, scim_seconds=20, **more)


async def test_the_sandbox_needs_nothing(tmp_path: Path) -> None:
    assert await check_access(Settings(home=tmp_path)) == "the sandbox company's users"


async def test_a_service_that_takes_the_token_is_told_with_where_roles_are(books: AccessBooks, tmp_path: Path) -> None:
    says = await check_access(over_scim(tmp_path, books.base, books.token, scim_roles=books.roles_in))
    assert says == f"{books.base} takes the token; roles are kept in {books.roles_in}"


@pytest.mark.parametrize("roles_in", ["groups"], indirect=True)
async def test_a_token_that_is_not_taken_is_named_and_not_shown(books: AccessBooks, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="check HANDRAIL_SCIM_TOKEN") as told:
        await check_access(over_scim(tmp_path, books.base, "a-wrong-token"))
    assert "a-wrong-token" not in str(told.value)


@pytest.mark.parametrize("roles_in", ["groups"], indirect=True)
async def test_a_group_that_is_missing_is_named(books: AccessBooks, tmp_path: Path) -> None:
    async with httpx2.AsyncClient(base_url=books.url, headers={"Authorization": f"Bearer {books.token}"}) as http:
        for group in (await http.get("Groups")).json()["Resources"]:
            if group["displayName"] in ("billing", "viewer"):
                (await http.delete(f"Groups/{group['id']}")).raise_for_status()
    with pytest.raises(ValueError, match=r"no group billing, viewer: check .*HANDRAIL_SCIM_ROLES"):
        await check_access(over_scim(tmp_path, books.base, books.token, scim_roles="groups"))


async def test_an_address_where_nobody_answers_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be reached: check HANDRAIL_SCIM_URL"):
        await check_access(over_scim(tmp_path, "http://127.0.0.1:1/v2", "any"))


@pytest.mark.parametrize("roles_in", ["roles"], indirect=True)
async def test_an_address_that_is_no_scim_service_is_named(books: AccessBooks, tmp_path: Path) -> None:
    books.line.mishaps.append(("GET", Mishap.WRONG_BODY))
    with pytest.raises(ValueError, match=r"not SCIM.*check HANDRAIL_SCIM_URL"):
        await check_access(over_scim(tmp_path, books.base, books.token))


@pytest.mark.parametrize(
    ("url", "missing"), [(None, "HANDRAIL_SCIM_URL"), ("http://127.0.0.1:1/v2", "HANDRAIL_SCIM_TOKEN")]
)
async def test_a_setting_that_is_missing_is_named(tmp_path: Path, url: str | None, missing: str) -> None:
    with pytest.raises(BrokenSettings, match=f"setting {missing}: it is missing"):
        await check_access(over_scim(tmp_path, url, None))


@pytest.mark.parametrize("roles_in", ["roles"], indirect=True)
async def test_locked_users_are_counted_at_the_service(books: AccessBooks, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        sandbox = await SandboxBackend.open(tmp_path / "company.db")
        stack.push_async_callback(sandbox.close)
        settings = over_scim(tmp_path, books.base, books.token)
        _, facts = await connected(settings, sandbox, system_clock, stack)
        assert (await facts("cus_002"))["locked_users"] == 1
        await books.change_behind_our_back("usr_0203", active=False)
        await books.change_behind_our_back("usr_0101", active=False)
        known = await facts("cus_002")
        assert (known["locked_users"], known["company"]) == (2, "Nordlicht Studio")
        assert await facts("cus_999") == {}


@pytest.mark.parametrize("roles_in", ["roles"], indirect=True)
async def test_where_the_service_does_not_answer_nobody_else_says_who_is_locked(
    books: AccessBooks, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        sandbox = await SandboxBackend.open(tmp_path / "company.db")
        stack.push_async_callback(sandbox.close)
        settings = over_scim(tmp_path, "http://127.0.0.1:1/v2", "any", backend_breaker_failures=1)
        _, facts = await connected(settings, sandbox, system_clock, stack)
        for _ in range(3):  # also once the service is left alone
            known = await facts("cus_002")
            assert known["company"] and "locked_users" not in known
