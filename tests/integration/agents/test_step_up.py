"""One-time codes: a customer who types the one that was sent may do more, with access only and for a while."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from talking import Talk

from app.runtime import Runtime, Shared, running
from app.settings import Settings
from records.clock import system_clock
from records.step_up import PER_HOUR, OutboxMessage, code_in, wants_code, without_code

WISH = "could sam lee get administrator rights please, he leads the team now"


@pytest.fixture
async def ticking(tmp_path: Path, shared: Shared) -> AsyncIterator[tuple[Runtime, dict[str, timedelta]]]:
    """A running service whose clock can be put forward."""
    ahead = {"by": timedelta()}

    def clock() -> datetime:
        return system_clock() + ahead["by"]

    settings = Settings(home=tmp_path, secret_key="k" * 40)  # type: ignore[arg-type]
    async with running(settings, clock=clock, shared=shared, background=False) as runtime:
        yield runtime, ahead


async def letters(runtime: Runtime) -> list[str]:
    async with runtime.services.database.read() as session:
        rows = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))  # type: ignore[arg-type]
        return [row.body for row in rows]


async def sent_code(runtime: Runtime) -> str:
    found = re.search(r"\d{6}", (await letters(runtime))[-1])
    assert found
    return found[0]


async def offered(runtime: Runtime, wish: str = WISH) -> tuple[Talk, dict[str, Any]]:
    talk = Talk(runtime, "cus_002")
    answer = await talk.say(wish)
    assert [offer["tool"] for offer in answer["offers"]] == ["access.change_role"]
    return talk, answer


async def role_of_sam(talk: Talk) -> str:
    return next(user["role"] for user in await talk.backend("users") if user["id"] == "usr_0203")


async def test_an_offer_of_a_powerful_role_sends_a_code_and_says_where(runtime: Runtime) -> None:
    talk, answer = await offered(runtime)
    assert "code to e***@nordlicht-studio.example" in answer["reply"]
    assert "a colleague has to approve" in answer["reply"]
    assert await sent_code(runtime) not in str(await talk.record())
    assert len(await letters(runtime)) == 1


@pytest.mark.parametrize("words", ["{code}", "yes, the code is {code}", "my code: {first} {last}", "yes please {code}"])
async def test_the_right_code_does_it_at_once(runtime: Runtime, words: str) -> None:
    talk, _ = await offered(runtime)
    code = await sent_code(runtime)
    answer = await talk.say(words.format(code=code, first=code[:3], last=code[3:]))
    assert answer["disposition"] == "resolved"
    assert await role_of_sam(talk) == "admin"
    record = await talk.record()
    assert "give-powerful-role" in record["decisions"][-2]["policies"] or any(
        "give-powerful-role" in decision["policies"] for decision in record["decisions"]
    )


async def test_a_yes_without_it_asks_a_colleague(runtime: Runtime) -> None:
    talk, _ = await offered(runtime)
    assert (await talk.say("yes please"))["disposition"] == "awaiting_approval"
    assert await role_of_sam(talk) == "member"


async def test_a_wrong_code_changes_nothing_and_three_spend_it(runtime: Runtime) -> None:
    talk, _ = await offered(runtime)
    code = await sent_code(runtime)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert "2 tries left" in (await talk.say(f"code is {wrong}"))["reply"]
    assert "1 try left" in (await talk.say(f"code is {wrong}"))["reply"]
    assert "no longer counts" in (await talk.say(f"code is {wrong}"))["reply"]
    assert "no longer counts" in (await talk.say(code))["reply"]
    assert await role_of_sam(talk) == "member"


async def test_a_right_code_after_a_wrong_one_counts(runtime: Runtime) -> None:
    talk, _ = await offered(runtime)
    code = await sent_code(runtime)
    await talk.say(f"{(int(code) + 1) % 1_000_000:06}")
    assert (await talk.say(code))["disposition"] == "resolved"


async def test_a_code_with_a_no_does_nothing(runtime: Runtime) -> None:
    talk, _ = await offered(runtime)
    await talk.say(f"no, don't. the code was {await sent_code(runtime)}")
    assert await role_of_sam(talk) == "member"


async def test_a_code_runs_out_and_a_new_one_can_be_had(ticking: tuple[Runtime, dict[str, timedelta]]) -> None:
    runtime, ahead = ticking
    talk, _ = await offered(runtime)
    old = await sent_code(runtime)
    ahead["by"] = timedelta(minutes=11)
    assert "run out" in (await talk.say(old))["reply"]
    assert "sent a code" in (await talk.say("please send me a new code"))["reply"]
    assert "not right" in (await talk.say(old))["reply"] or await sent_code(runtime) == old
    assert (await talk.say(await sent_code(runtime)))["disposition"] == "resolved"


async def test_stepping_up_lasts_a_while_and_covers_access_only(ticking: tuple[Runtime, dict[str, timedelta]]) -> None:
    runtime, ahead = ticking
    talk, _ = await offered(runtime)
    await talk.say(await sent_code(runtime))
    again = await talk.say("make sam ortiz an administrator too")
    assert again["offers"] and "code" not in again["reply"]
    assert (await talk.say("yes"))["disposition"] == "resolved"
    ahead["by"] = timedelta(minutes=20)
    later = await talk.say("and give paul sommer the role admin")
    assert "code to e***@" in later["reply"]


async def test_a_code_of_one_conversation_means_nothing_in_another(runtime: Runtime) -> None:
    first, _ = await offered(runtime)
    code = await sent_code(runtime)
    second, _ = await offered(runtime)
    assert await sent_code(runtime) != code
    assert "not right" in (await second.say(code))["reply"]
    assert await role_of_sam(first) == "member"


async def test_the_code_for_one_matter_is_no_yes_to_another(runtime: Runtime) -> None:
    talk, _ = await offered(runtime)
    code = await sent_code(runtime)
    other = await talk.say("actually, add 2 seats instead")
    assert [offer["tool"] for offer in other["offers"]] == ["billing.add_seats"]
    await talk.say(code)
    assert not [effect for effect in (await talk.record())["effects"] if effect["tool"] == "billing.add_seats"]


async def test_six_digits_are_no_code_once_no_offer_waits_for_one(runtime: Runtime) -> None:
    talk, _ = await offered(runtime)
    assert (await talk.say(await sent_code(runtime)))["disposition"] == "resolved"
    other, _ = await offered(runtime, "could paul sommer get administrator rights too please")
    for _ in range(3):
        await other.say("000000" if await sent_code(runtime) != "000000" else "000001")
    await other.say("no, leave it")
    assert "no longer counts" not in (await other.say("invoice 448213"))["reply"]


async def test_a_customer_gets_only_so_many_codes_in_an_hour(runtime: Runtime) -> None:
    for _ in range(PER_HOUR):
        await offered(runtime)
    _, answer = await offered(runtime)
    assert len(await letters(runtime)) == PER_HOUR
    assert "cannot send another one" in answer["reply"]


async def test_ordinary_changes_need_none(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_002")
    answer = await talk.say("please make sam ortiz a viewer")
    assert answer["offers"] and "code" not in answer["reply"]


def test_what_is_read_as_a_code() -> None:
    assert code_in("448213") == "448213"
    assert code_in("add 2, not 3. lee. code is 448 213 and thanks a lot for helping me with it") == "448 213"
    assert code_in("invoice 4304 was paid on 20261101 for 448213.00 EUR") is None
    assert without_code("add 2, not 3. lee. code is 448213") == "add 2, not 3. lee"
    assert without_code("the code is 448-213!") == ""
    assert wants_code("i didn't get a code") and wants_code("can you send the code again?")
    assert not wants_code("yes, without the code") and not wants_code("there is a bug in our code")
