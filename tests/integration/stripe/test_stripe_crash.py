"""Every effect at Stripe and every undoing, interrupted at every step and met by every fault: once, or not at all.

An interruption ends the work as a killed process does: nothing after it runs, and a new ledger over the same records
finds what was left. It comes before or after each write to the ledger, each call of a backend and each single request
that changes something at Stripe. Some tests kill a real process.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe_service import Books
from stripe_world import NOW, StripeWorld, called

from records.database import sqlite_url
from records.effect import EffectState
from tools.ledger import Ledger
from tools.sandbox.backend import SandboxBackend
from tools.stripe_billing.backend import StripeBackend
from tools.stripe_billing.sides import SEND_LINK

pytestmark = pytest.mark.matrix

REFUND = "billing.refund"
LEAD = "lead@larkspur.example"
SUBSCRIPTION, SCHEDULE = "POST /v1/subscriptions/", "POST /v1/subscription_schedules"


@dataclass(frozen=True)
class Case:
    """An effect with what it is asked with. `request` begins the line of its first request that counts at Stripe.

    `writes` and `undoing` say how many requests change something at Stripe when it is done, and when it is undone.
    """

    customer: str
    arguments: dict[str, Any]
    request: str
    writes: int
    undoing: int = 0
    undoing_request: str = ""
    tool: str = ""


EFFECTS = {
    REFUND: Case("cus_001", {"invoice_id": "in_0042", "amount": 2_900, "reason": "duplicate"}, "POST /v1/refunds", 1),
    "billing.send_invoice_copy": Case("cus_001", {"invoice_id": "in_0041"}, "POST /v1/invoices/", 2),
    "billing.apply_sla_credit": Case(
        "cus_017", {"month": "2025-12", "amount": 8_700}, "POST /v1/customers/", 1, 1, "POST /v1/customers/"
    ),
    "billing.accept_retention_offer": Case("cus_001", {"offer_id": "offer_001"}, SUBSCRIPTION, 1, 1, SUBSCRIPTION),
    "billing.add_seats": Case("cus_002", {"count": 3}, SUBSCRIPTION, 1, 1, SUBSCRIPTION),
    "billing.remove_seats": Case("cus_002", {"count": 2}, SUBSCRIPTION, 1, 1, SUBSCRIPTION),
    "billing.change_plan": Case("cus_001", {"plan": "team"}, SUBSCRIPTION, 1, 1, SUBSCRIPTION),
    "a smaller plan": Case("cus_040", {"plan": "team"}, SCHEDULE, 2, 2, SCHEDULE, "billing.change_plan"),
    "billing.cancel_subscription": Case("cus_002", {"reason": "switching"}, SUBSCRIPTION, 2, 2, SUBSCRIPTION),
    SEND_LINK: Case("cus_001", {}, "GET /v1/billing_portal/configurations", 0),
}
UNDOABLE = [name for name, case in EFFECTS.items() if case.undoing]
"""At Stripe no refund and no letter can be called back."""


@dataclass(frozen=True)
class Step:
    """A method that is passed on the way: the pass of this `number` among those with the argument `told`, if any."""

    owner: type
    method: str
    told: str = ""
    number: int = 1


SENT, VERIFIED = Step(Ledger, "_move", EffectState.SENT), Step(Ledger, "_move", EffectState.VERIFIED)
STEPS = {
    "effect sent": SENT,
    "backend call": Step(StripeBackend, "act"),
    "read-back": Step(StripeBackend, "find"),
    "effect verified": VERIFIED,
}
LINK_STEPS = {
    "effect sent": SENT,
    "look for an earlier letter": Step(SandboxBackend, "find"),
    "link made": Step(StripeBackend, "ask"),
    "backend call": Step(SandboxBackend, "act"),
    "read-back": Step(SandboxBackend, "find", number=2),
    "effect verified": VERIFIED,
}
UNDO_STEPS = {
    "undoing begun": Step(Ledger, "_mark", "undoing"),
    "backend call": Step(StripeBackend, "act"),
    "effect compensated": Step(Ledger, "_mark", EffectState.COMPENSATED),
}


def request_number(number: int) -> Step:
    """The request of this number that changes something at Stripe."""
    return Step(stripe.HTTPXClient, "request_async", "post", number)


def _cuts(cases: list[str], steps: dict[str, Step], writes: str) -> list[Any]:
    return [
        pytest.param(name, step, id=f"{name}-{at}")
        for name in cases
        for at, step in [
            *(LINK_STEPS if name == SEND_LINK else steps).items(),
            *((f"write {number + 1}", request_number(number + 1)) for number in range(getattr(EFFECTS[name], writes))),
        ]
    ]


CUTS = _cuts(list(EFFECTS), STEPS, "writes")
UNDO_CUTS = _cuts(UNDOABLE, UNDO_STEPS, "undoing")


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
    wish = EFFECTS[case]
    async with Books.opened(tmp_path, ledger_template, stripe_world, wish.customer) as opened:
        await opened.intend(wish.tool or case, stripe_world.names.as_here(wish.arguments))
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
def interrupted(monkeypatch: pytest.MonkeyPatch, step: Step, when: str) -> Iterator[None]:
    """The step ends the work, before or behind it."""
    original, passes = getattr(step.owner, step.method), 0

    async def cut(*args: Any, **named: Any) -> Any:
        nonlocal passes
        passes += not step.told or step.told in args
        if passes != step.number or (step.told and step.told not in args):
            return await original(*args, **named)
        if when == "before":
            raise Killed
        await original(*args, **named)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(step.owner, step.method, cut)
        yield


@pytest.mark.parametrize("effect", EFFECTS)
async def test_undisturbed_it_is_done_once_and_proven(books: Books, effect: str) -> None:
    before, passed = await doings(books), len(books.world.line.passed)
    await books.ledger.execute("eff_key-1")
    written = [line for line in books.world.line.passed[passed:] if line.startswith("POST")]
    assert len(written) == EFFECTS[effect].writes
    assert (await books.settled()).state == EffectState.VERIFIED
    after = await doings(books)
    assert after != before or effect == "billing.send_invoice_copy"
    await books.ledger.execute("eff_key-1")
    await books.recover()
    assert await doings(books) == after


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("effect", "step"), CUTS)
async def test_wherever_it_is_interrupted_it_is_done_once(
    books: Books, effect: str, step: Step, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await doings(books)
    with interrupted(monkeypatch, step, when), pytest.raises(Killed):
        await books.ledger.execute("eff_key-1")
    await books.recover()
    assert (await books.settled()).state == EffectState.VERIFIED
    once = await doings(books)
    assert once["refunds"] == (effect == REFUND)
    assert once["links"] == before["links"] + (effect == SEND_LINK)
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
@pytest.mark.parametrize("effect", EFFECTS)
async def test_whatever_the_line_does_the_ledger_agrees_with_stripe(books: Books, effect: str, mishap: str) -> None:
    books.world.line.mishaps.append((EFFECTS[effect].request, MISHAPS[mishap]))  # type: ignore[arg-type]
    await books.ledger.execute("eff_key-1")
    await books.recover()
    assert books.world.line.mishaps == []
    assert (await books.settled()).state == EffectState.VERIFIED
    once = await doings(books)
    assert once["refunds"] == (effect == REFUND)
    await books.recover()
    assert await doings(books) == once


@pytest.mark.parametrize("effect", EFFECTS)
async def test_an_answer_that_does_not_come_leaves_it_open_until_stripe_is_asked(books: Books, effect: str) -> None:
    slow = StripeBackend(books.world.secret, base_url=books.world.line.url, seconds=1.0, clock=lambda: NOW)
    books = books.over(slow)
    books.world.line.mishaps.append((EFFECTS[effect].request, "keep_waiting"))
    await books.ledger.execute("eff_key-1")
    await books.recover()
    assert (await books.settled()).state == EffectState.VERIFIED
    assert len(await books.world.refunds()) == (effect == REFUND)
    await slow.close()


@pytest.mark.parametrize("effect", [REFUND, "billing.add_seats", SEND_LINK])
async def test_while_stripe_is_away_nothing_is_claimed(books: Books, effect: str) -> None:
    before = await doings(books)
    books.world.line.mishaps += [("/v1/", "fail_before")] * 30
    state = (await books.ledger.execute("eff_key-1")).state
    # whether the letter went is the outbox's to say, which is there
    assert state == (EffectState.FAILED if effect == SEND_LINK else EffectState.UNKNOWN)
    books.world.line.mishaps.clear()
    assert await doings(books) == before
    await books.recover()
    again = (await books.settled()).state
    assert again == (EffectState.FAILED if effect == SEND_LINK else EffectState.VERIFIED)


@pytest.mark.parametrize("effect", UNDOABLE)
async def test_undisturbed_it_is_undone_once(books: Books, effect: str) -> None:
    before = await doings(books)
    await books.ledger.execute("eff_key-1")
    passed = len(books.world.line.passed)
    row = await books.ledger.compensate("eff_key-1", LEAD, "a mistake")
    written = [line for line in books.world.line.passed[passed:] if line.startswith("POST")]
    assert len(written) == EFFECTS[effect].undoing
    await undone_once(books, before)
    assert row.result is not None
    assert row.result["undone"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("effect", "step"), UNDO_CUTS)
async def test_wherever_the_undoing_is_interrupted_it_is_undone_once(
    books: Books, effect: str, step: Step, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await doings(books)
    await books.ledger.execute("eff_key-1")
    done = await doings(books)
    with interrupted(monkeypatch, step, when), pytest.raises(Killed):
        await books.ledger.compensate("eff_key-1", LEAD, "a mistake")
    begun = (await books.row()).undo_key is not None
    assert begun == ((step, when) != (UNDO_STEPS["undoing begun"], "before"))
    await books.recover()
    if not begun:  # nothing was written, so nothing was done, and whoever wanted it asks again
        assert await doings(books) == done
        await books.ledger.compensate("eff_key-1", LEAD, "a mistake")
    await undone_once(books, before)


@pytest.mark.parametrize("mishap", MISHAPS)
@pytest.mark.parametrize("effect", UNDOABLE)
async def test_whatever_the_line_does_to_an_undoing_it_is_undone_once(books: Books, effect: str, mishap: str) -> None:
    before = await doings(books)
    await books.ledger.execute("eff_key-1")
    books.world.line.mishaps.append((EFFECTS[effect].undoing_request, MISHAPS[mishap]))  # type: ignore[arg-type]
    await books.ledger.compensate("eff_key-1", LEAD, "a mistake")
    await books.recover()
    assert books.world.line.mishaps == []
    await undone_once(books, before)


@pytest.mark.parametrize("effect", UNDOABLE)
async def test_while_stripe_is_away_an_undoing_waits(books: Books, effect: str) -> None:
    before = await doings(books)
    await books.ledger.execute("eff_key-1")
    done = await doings(books)
    books.world.line.mishaps += [("/v1/", "fail_before")] * 30
    row = await books.ledger.compensate("eff_key-1", LEAD, "a mistake")
    assert (row.state, row.undone_by) == (EffectState.VERIFIED, LEAD)
    books.world.line.mishaps.clear()
    assert await doings(books) == done
    await books.recover()
    await undone_once(books, before)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("effect", [REFUND, SEND_LINK])
async def test_a_process_that_is_killed_over_the_call_leaves_it_to_the_next(
    books: Books, effect: str, when: str, tmp_path: Path
) -> None:
    before = await doings(books)
    await killed_over(books, "execute", EFFECTS[effect].request, when, tmp_path)
    assert (await books.row()).state == EffectState.SENT
    assert len(await books.world.refunds()) == (effect == REFUND and when == "after")
    await books.recover()
    assert (await books.settled()).state == EffectState.VERIFIED
    after = await doings(books)
    assert after["refunds"] == (effect == REFUND)
    assert after["links"] == before["links"] + (effect == SEND_LINK)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("effect", UNDOABLE)
async def test_a_process_that_is_killed_over_the_undoing_leaves_it_to_the_next(
    books: Books, effect: str, when: str, tmp_path: Path
) -> None:
    before = await doings(books)
    await books.ledger.execute("eff_key-1")
    await killed_over(books, "undo", EFFECTS[effect].undoing_request, when, tmp_path)
    row = await books.row()
    assert (row.state, row.undone_by) == (EffectState.VERIFIED, LEAD)
    await books.recover()
    await undone_once(books, before)


async def killed_over(books: Books, what: str, request: str, when: str, folder: Path) -> None:
    """Let a process of its own carry an effect out, or back, and kill it over a request to Stripe."""
    await books.let_go()
    books.world.line.mishaps.append((request, "hold_before" if when == "before" else "hold_after"))
    program = str(Path(__file__).with_name("stripe_worker.py"))
    order = {
        "database": sqlite_url(folder / "handrail.db"),
        "sandbox": str(folder / "sandbox.db"),
        "url": books.world.line.url,
        "key": books.world.secret,
        "effect": "eff_key-1",
        "what": what,
        "by": LEAD,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, program, json.dumps(order))
    await asyncio.wait_for(books.world.line.held.wait(), 60)
    process.kill()
    assert await process.wait() == -signal.SIGKILL


async def undone_once(books: Books, before: Counter[str]) -> None:
    """The effect is taken back and settled: all is as before, and the same again changes nothing more."""
    assert await doings(books) == before
    row = await books.ledger.compensate("eff_key-1", LEAD, "once more")
    assert (row.state, row.undone_by) == (EffectState.COMPENSATED, LEAD)
    effect = books.registry.get(row.tool).effect
    assert effect is not None
    assert effect.undo is not None
    assert row.undo_key is not None
    await effect.undo(row.customer_id, row.idempotency_key, row.undo_key)
    assert await books.ledger.undoing_rows() == []
    assert await books.ledger.open_rows() == []
    assert await doings(books) == before
    assert Counter(await books.told())[EffectState.COMPENSATED] == 1
