"""Every effect at Stripe, interrupted at every step and met by every fault: in the end it happened once, or not at all.

An interruption ends the work as a killed process does: nothing after it runs, and a new ledger over the same records
finds what was left. One test kills a real process.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stripe_service import Books
from stripe_world import NOW, StripeWorld, called

from records.database import sqlite_url
from records.effect import EffectState
from tools.ledger import Ledger
from tools.stripe_billing.backend import StripeBackend

pytestmark = pytest.mark.matrix

EFFECTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "billing.refund": ("cus_001", {"invoice_id": "in_0042", "amount": 2_900, "reason": "duplicate"}, "/v1/refunds"),
    "billing.send_invoice_copy": ("cus_001", {"invoice_id": "in_0041"}, "/v1/invoices/"),
    "billing.apply_sla_credit": ("cus_017", {"month": "2025-12", "amount": 8_700}, "/v1/customers/"),
    "billing.accept_retention_offer": ("cus_001", {"offer_id": "offer_001"}, "/v1/subscriptions/"),
    "billing.add_seats": ("cus_002", {"count": 3}, "/v1/subscriptions/"),
    "billing.remove_seats": ("cus_002", {"count": 2}, "/v1/subscriptions/"),
    "billing.change_plan": ("cus_001", {"plan": "team"}, "/v1/subscriptions/"),
    "a smaller plan": ("cus_040", {"plan": "team"}, "/v1/subscription_schedules"),
    "billing.cancel_subscription": ("cus_002", {"reason": "switching"}, "/v1/subscriptions/"),
    "billing.send_payment_update_link": ("cus_001", {}, ""),
}
NAMES = {"a smaller plan": "billing.change_plan"}
AT_STRIPE = [name for name, (_, _, path) in EFFECTS.items() if path]
STEPS = ["effect sent", "backend call", "read-back", "effect verified"]


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def customers() -> tuple[str, ...]:
    return "cus_001", "cus_002", "cus_017", "cus_040"


@pytest.fixture
async def books(
    request: pytest.FixtureRequest, stripe_world: StripeWorld, tmp_path: Path, ledger_template: Path
) -> AsyncIterator[Books]:
    """A ledger in which the effect of the test is intended and the customer's turn runs."""
    case = request.getfixturevalue("effect")
    customer, arguments, _ = EFFECTS[case]
    async with Books.opened(tmp_path, ledger_template, stripe_world, customer) as opened:
        await opened.intend(NAMES.get(case, case), stripe_world.names.as_here(arguments))
        yield opened


async def doings(books: Books) -> Counter[str]:
    """What Stripe and the outbox hold of this effect and of any other that was made twice."""
    world, found = books.world, Counter[str]()
    found["refunds"] = len(await world.refunds())
    for customer in ("cus_001", "cus_002", "cus_017", "cus_040"):
        held = await called(books.registry, "billing.get_subscription", customer)
        found[f"{customer} seats"], found[f"{customer} cancelled"] = held.seats, held.cancel_at is not None
        found[f"{customer} {held.plan}"], found[f"{customer} monthly"] = 1, held.monthly_total
        found[f"{customer} booked"] = sum(booked.amount for booked in await world.booked(customer))
        found[f"{customer} scheduled"] = sum(
            one.schedule is not None for one in (await world.subscriptions(customer)).data
        )
    found["links"] = len((await world.company.dump())["messages_sent"])
    return found


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, step: str, when: str) -> Iterator[None]:
    """The next pass of the step ends the work before or behind it."""
    name = {"effect sent": "_move", "effect verified": "_move", "backend call": "act", "read-back": "find"}[step]
    owner = Ledger if name == "_move" else StripeBackend
    original = getattr(owner, name)

    def meant(args: tuple[Any, ...]) -> bool:
        states = {"effect sent": EffectState.SENT, "effect verified": EffectState.VERIFIED}
        return step not in states or args[2] == states[step]

    async def cut(*args: Any, **named: Any) -> Any:
        if not meant(args):
            return await original(*args, **named)
        if when == "before":
            raise Killed
        await original(*args, **named)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, cut)
        yield


@pytest.mark.parametrize("effect", EFFECTS)
async def test_undisturbed_it_is_done_once_and_proven(books: Books, effect: str) -> None:
    before = await doings(books)
    await books.ledger.execute("eff_key-1")
    assert (await books.settled()).state == EffectState.VERIFIED
    after = await doings(books)
    assert after != before or effect == "billing.send_invoice_copy"
    await books.ledger.execute("eff_key-1")
    await books.recover()
    assert await doings(books) == after


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("effect", AT_STRIPE)
async def test_wherever_it_is_interrupted_it_is_done_once(
    books: Books, effect: str, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with interrupted(monkeypatch, step, when), pytest.raises(Killed):
        await books.ledger.execute("eff_key-1")
    await books.recover()
    assert (await books.settled()).state == EffectState.VERIFIED
    once = await doings(books)
    assert once["refunds"] == (effect == "billing.refund")
    await books.recover()
    tool = books.registry.get((await books.row()).tool)
    await tool.call(books.customer, tool.arguments.model_validate((await books.row()).arguments), "key-1")
    assert await doings(books) == once


MISHAPS = {
    "request lost": "lose_request",
    "answer lost": "lose_answer",
    "500 before": "fail_before",
    "500 after": "fail_after",
    "429": "too_many",
    "wrong body": "garble",
    "half a body": "truncate",
}


@pytest.mark.parametrize("mishap", MISHAPS)
@pytest.mark.parametrize("effect", AT_STRIPE)
async def test_whatever_the_line_does_the_ledger_agrees_with_stripe(books: Books, effect: str, mishap: str) -> None:
    books.world.line.mishaps.append((f"POST {EFFECTS[effect][2]}", MISHAPS[mishap]))  # type: ignore[arg-type]
    await books.ledger.execute("eff_key-1")
    await books.recover()
    assert books.world.line.mishaps == []
    assert (await books.settled()).state == EffectState.VERIFIED
    once = await doings(books)
    assert once["refunds"] == (effect == "billing.refund")
    await books.recover()
    assert await doings(books) == once


@pytest.mark.parametrize("effect", AT_STRIPE)
async def test_an_answer_that_does_not_come_leaves_it_open_until_stripe_is_asked(books: Books, effect: str) -> None:
    slow = StripeBackend(books.world.secret, base_url=books.world.line.url, seconds=1.0, clock=lambda: NOW)
    books = books.over(slow)
    books.world.line.mishaps.append((f"POST {EFFECTS[effect][2]}", "keep_waiting"))
    await books.ledger.execute("eff_key-1")
    await books.recover()
    assert (await books.settled()).state == EffectState.VERIFIED
    assert len(await books.world.refunds()) == (effect == "billing.refund")
    await slow.close()


@pytest.mark.parametrize("effect", ["billing.refund", "billing.add_seats"])
async def test_while_stripe_is_away_nothing_is_claimed(books: Books, effect: str) -> None:
    before = await doings(books)
    books.world.line.mishaps += [("/v1/", "fail_before")] * 30
    assert (await books.ledger.execute("eff_key-1")).state == EffectState.UNKNOWN
    books.world.line.mishaps.clear()
    assert await doings(books) == before
    await books.recover()
    assert (await books.settled()).state == EffectState.VERIFIED


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("effect", ["billing.refund"])
async def test_a_process_that_is_killed_over_the_call_leaves_it_to_the_next(
    books: Books, effect: str, when: str, tmp_path: Path
) -> None:
    books.world.line.mishaps.append(("POST /v1/refunds", "hold_before" if when == "before" else "hold_after"))
    program = str(Path(__file__).with_name("stripe_worker.py"))
    order = {
        "database": sqlite_url(tmp_path / "handrail.db"),
        "sandbox": str(tmp_path / "sandbox.db"),
        "url": books.world.line.url,
        "key": books.world.secret,
        "effect": "eff_key-1",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, program, json.dumps(order))
    await asyncio.wait_for(books.world.line.held.wait(), 60)
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    assert (await books.row()).state == EffectState.SENT
    assert len(await books.world.refunds()) == (when == "after")
    await books.recover()
    assert (await books.settled()).state == EffectState.VERIFIED
    assert len(await books.world.refunds()) == 1
