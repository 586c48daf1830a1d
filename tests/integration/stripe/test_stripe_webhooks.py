"""Stripe's events: signed ones settle what is open; forged, old, doubled and late ones change nothing.

A refund that fails after it was confirmed goes to people, and the customer hears of it, once.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import stripe
from served import Served
from sqlmodel import select
from stripe_world import fail_refund

from app.jobs import failed_refunds
from app.settings import Settings
from evals.stripe_world import Names, at_stripe
from records import audit
from records.clock import system_clock
from records.conversation import Conversation, Disposition, Message, Role
from records.decision import DecisionRecord
from records.effect import EffectRecord, EffectState
from records.handoff import Handoff
from records.turn import Turn

SECRET = "whsec_of_a_test"
REFUND = "billing.refund"


class Billed:
    """A service that bills at Stripe, and one effect of a conversation of cus_001."""

    def __init__(self, service: Served, names: Names) -> None:
        self.service, self.names = service, names
        assert service.runtime is not None
        self.services = service.runtime.services

    async def intend(self, key: str = "key-1", **changes: Any) -> EffectRecord:
        """A refund that was sent, and of which nobody has heard since."""
        conversation = await self.services.transcript.open("cus_001", "verified", "chat")
        _, _, start = await self.services.transcript.receive_and_begin(conversation.id, "please", None)
        assert start is not None
        asked = {"invoice_id": "in_0042", "amount": 2_900, "reason": "duplicate", "payment_id": "pay_0042_2"}
        now = system_clock()
        common = {"conversation_id": conversation.id, "turn_id": start.turn.id}
        decision = DecisionRecord(id=f"dec_{key}", kind="call", verdict="permitted", at=now, **common)
        effect = EffectRecord(
            id=f"eff_{key}",
            decision_id=decision.id,
            customer_id="cus_001",
            tool=REFUND,
            kind="money",
            arguments=self.names.as_here(asked),
            idempotency_key=key,
            intended_at=now,
            **{**common, "state": EffectState.SENT, "attempts": 1, **changes},
        )
        await self.services.transcript.record(conversation.id, [decision, effect], [])
        return effect

    async def do(self, effect: EffectRecord) -> None:
        """What the process did before it died: the call alone."""
        tool = self.services.registry.get(effect.tool)
        await tool.call(effect.customer_id, tool.arguments.model_validate(effect.arguments), effect.idempotency_key)

    async def row(self, effect: EffectRecord) -> EffectRecord:
        async with self.services.database.read() as session:
            return (await session.scalars(select(EffectRecord).where(EffectRecord.id == effect.id))).one()

    async def state(self, effect: EffectRecord) -> str:
        return (await self.row(effect)).state

    async def confirmed(self) -> EffectRecord:
        """A refund that was read back; its turn is over."""
        effect = await self.intend()
        await self.do(effect)
        await self.services.ledger.settle(await self.row(effect))
        await self.end_turn(effect)
        return effect

    async def end_turn(self, effect: EffectRecord, state: str = "finished") -> None:
        async with self.services.database.write() as session:
            conversation = await session.get_one(Conversation, effect.conversation_id)
            conversation.turn_id = conversation.lease_owner = conversation.lease_until = None
            conversation.disposition = Disposition.RESOLVED
            (await session.get_one(Turn, effect.turn_id)).state = state

    async def fail(self, refund_id: str) -> dict[str, Any]:
        """Let a refund fail at Stripe, as days later. Returns it."""
        settings = self.service.runtime.settings  # type: ignore[union-attr]
        secret = settings.stripe_api_key.get_secret_value()  # type: ignore[union-attr]
        return await fail_refund(settings.stripe_base_url or "", secret, refund_id)

    async def came_of_it(self, effect: EffectRecord) -> tuple[Conversation, list[Handoff], list[Message]]:
        """The conversation, its handoffs and what the agent said in it. The audit chain must hold."""
        async with self.services.database.snapshot() as session:
            assert (await audit.verify(session)).problems == []
            here = effect.conversation_id
            handoffs = list(await session.scalars(select(Handoff).where(Handoff.conversation_id == here)))
            said = select(Message).where(Message.conversation_id == here, Message.role == Role.AGENT)
            return await session.get_one(Conversation, here), handoffs, list(await session.scalars(said))

    async def refunds(self) -> list[Any]:
        """All refunds at Stripe, as its own client shows them."""
        return [one for charge in await self._charges() for one in charge["refunds"]["data"]]

    async def _charges(self) -> list[Any]:
        from tools.stripe_billing.backend import StripeBackend

        settings = self.service.runtime.settings  # type: ignore[union-attr]
        backend = StripeBackend(settings.stripe_api_key.get_secret_value(), base_url=settings.stripe_base_url)
        try:
            return await backend.ask("cus_001", lambda account: account.charges())
        finally:
            await backend.close()

    async def hear(self, event: dict[str, Any], secret: str = SECRET, at: int | None = None) -> httpx.Response:
        """Send an event as Stripe does."""
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, secret, timestamp=at)
        return await self.service.client().post(
            "/v1/webhooks/stripe", content=body, headers={"Stripe-Signature": header}
        )


def event(kind: str, reported: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """An event of Stripe's."""
    return {"id": f"evt_{number}", "object": "event", "type": kind, "data": {"object": reported}}


@pytest.fixture
async def billed(
    local_stripe: int, settings: Settings, start_service: Callable[..., Awaitable[Served]]
) -> AsyncIterator[Billed]:
    """A service with BILLING=stripe and cus_001 at Stripe."""
    own = settings.model_copy(
        update={
            "billing": "stripe",
            "stripe_base_url": f"http://127.0.0.1:{local_stripe}",
            "stripe_api_key": Settings(stripe_api_key=f"sk_test_{time.time_ns()}").stripe_api_key,  # type: ignore[arg-type]
            "stripe_webhook_secret": Settings(stripe_webhook_secret=SECRET).stripe_webhook_secret,  # type: ignore[arg-type]
        }
    )
    async with at_stripe(own, system_clock(), {"cus_001"}) as books:
        names = ("billing", "stripe_base_url", "stripe_api_key", "stripe_webhook_secret")
        yield Billed(await start_service(**{name: getattr(own, name) for name in names}), books.names)


async def test_an_event_settles_the_effect_whose_key_it_carries(billed: Billed) -> None:
    effect = await billed.intend()
    await billed.do(effect)
    (refund,) = await billed.refunds()
    answer = await billed.hear(event("refund.created", refund))
    assert (answer.status_code, answer.json()) == (200, {"settled": 1})
    assert await billed.state(effect) == EffectState.VERIFIED


async def test_the_same_event_again_changes_nothing(billed: Billed) -> None:
    effect = await billed.intend()
    await billed.do(effect)
    (refund,) = await billed.refunds()
    answers = [await billed.hear(event("refund.created", refund)) for _ in range(3)]
    assert [answer.json() for answer in answers] == [{"settled": 1}, {"settled": 0}, {"settled": 0}]
    assert len(await billed.refunds()) == 1
    assert await billed.state(effect) == EffectState.VERIFIED


async def test_events_out_of_order_end_the_same(billed: Billed) -> None:
    effect = await billed.intend()
    await billed.do(effect)
    (refund,) = await billed.refunds()
    kinds = ["charge.refund.updated", "refund.updated", "charge.refunded", "refund.created"]
    settled = [(await billed.hear(event(kind, refund, n))).json()["settled"] for n, kind in enumerate(kinds)]
    assert settled == [1, 0, 0, 0]
    assert await billed.state(effect) == EffectState.VERIFIED


async def test_an_event_of_what_stripe_does_not_show_moves_no_money(billed: Billed) -> None:
    effect = await billed.intend()
    answer = await billed.hear(event("refund.created", {"id": "re_1", "metadata": {"handrail_key": "key-1"}}))
    assert answer.json() == {"settled": 0}
    assert await billed.state(effect) == EffectState.SENT
    assert await billed.refunds() == []


async def test_events_of_others_doings_are_taken_and_left_aside(billed: Billed) -> None:
    effect = await billed.intend()
    for reported in ({"id": "in_1", "metadata": {}}, {"id": "cus_1"}, {"metadata": {"handrail_key": "key-of-others"}}):
        assert (await billed.hear(event("invoice.paid", reported))).json() == {"settled": 0}
    assert await billed.state(effect) == EffectState.SENT


@pytest.mark.parametrize(
    ("secret", "age"), [("whsec_of_somebody_else", 0), (SECRET, 301)], ids=["forged", "played back later"]
)
async def test_an_event_that_is_not_freshly_signed_by_stripe_is_refused(billed: Billed, secret: str, age: int) -> None:
    effect = await billed.intend()
    await billed.do(effect)
    (refund,) = await billed.refunds()
    answer = await billed.hear(event("refund.created", refund), secret, int(time.time()) - age)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert await billed.state(effect) == EffectState.SENT


async def test_bodies_and_headers_that_are_no_event_are_refused(billed: Billed) -> None:
    caller = billed.service.client()
    for body, header in ((b"{}", None), (b"{}", "t=now,v1=00"), (b"\xff", "t=1,v1=\xe4".encode("latin-1")), (b"", "")):
        headers = {} if header is None else {"Stripe-Signature": header}
        assert (await caller.post("/v1/webhooks/stripe", content=body, headers=headers)).status_code == 400
    for body in ("[]", "{}", "not json", '{"object": "event", "id": 1, "type": 2, "data": 3}', '"text"'):
        signed = stripe.WebhookSignature.generate_signature_header(body, SECRET)
        answer = await caller.post("/v1/webhooks/stripe", content=body, headers={"Stripe-Signature": signed})
        assert (answer.status_code, answer.json()["status"]) == (400, 400)


FAILED_KINDS = ["refund.failed", "refund.updated", "charge.refund.updated"]


async def test_a_refund_that_fails_after_it_was_confirmed_goes_to_people_and_the_customer_is_told(
    billed: Billed,
) -> None:
    effect = await billed.confirmed()
    (refund,) = await billed.refunds()
    answer = await billed.hear(event("refund.failed", await billed.fail(refund["id"])))
    assert (answer.status_code, answer.json()) == (200, {"settled": 1})
    row = await billed.row(effect)
    assert row.state == EffectState.FAILED
    assert row.error == f"refund {refund['id']} failed after it was taken: expired or canceled card"
    assert row.result is not None
    assert row.result["failed_afterwards"]["refund_id"] == row.result["refund_id"] == refund["id"]
    conversation, (handoff,), (message,) = await billed.came_of_it(effect)
    assert (conversation.handled_by, conversation.disposition) == ("person", Disposition.ESCALATED)
    assert (handoff.queue, handoff.priority, handoff.state) == ("billing", "high", "open")
    assert "29.00 EUR of invoice 0042 failed after it had been confirmed" in handoff.packet["detail"]
    assert handoff.packet["effects"][0]["state"] == EffectState.FAILED
    assert message.text.startswith(
        "I have to correct something: the refund of 29.00 EUR for invoice 0042, which I had confirmed to you, "
        "has failed, and the money has not reached you. I have passed this conversation on to our billing team."
    )
    queue = await billed.service.staff("rep").get("/v1/queue")
    assert [one["handoff_id"] for one in queue.json()["items"]] == [handoff.id]


@pytest.mark.parametrize("seed", range(3))
async def test_reports_of_a_failed_refund_that_come_twice_or_in_any_order_tell_it_once(
    billed: Billed, seed: int
) -> None:
    effect = await billed.confirmed()
    (refund,) = await billed.refunds()
    failed = await billed.fail(refund["id"])
    reports = [event(kind, failed, n) for n, kind in enumerate(FAILED_KINDS * 2)]
    reports += [event("refund.created", refund, 7), event("refund.updated", refund, 8)]
    random.Random(seed).shuffle(reports)
    settled = [(await billed.hear(report)).json()["settled"] for report in reports]
    assert sum(settled) == 1
    _, handoffs, messages = await billed.came_of_it(effect)
    assert (len(handoffs), len(messages)) == (1, 1)


async def test_reports_of_a_failed_refund_that_come_at_once_tell_it_once(billed: Billed) -> None:
    effect = await billed.confirmed()
    (refund,) = await billed.refunds()
    failed = await billed.fail(refund["id"])
    answers = await asyncio.gather(*(billed.hear(event(kind, failed, n)) for n, kind in enumerate(FAILED_KINDS * 2)))
    assert sum(answer.json()["settled"] for answer in answers) == 1
    _, handoffs, messages = await billed.came_of_it(effect)
    assert (len(handoffs), len(messages)) == (1, 1)


async def test_what_is_interrupted_leaves_nothing_and_the_next_report_does_it_all(
    billed: Billed, monkeypatch: pytest.MonkeyPatch
) -> None:
    effect = await billed.confirmed()
    (refund,) = await billed.refunds()
    report = event("refund.failed", await billed.fail(refund["id"]))
    with monkeypatch.context() as patched:
        patched.setattr(failed_refunds, "add_message", None)  # the last thing that is written
        assert (await billed.hear(report)).status_code == 500
    assert await billed.state(effect) == EffectState.VERIFIED
    conversation, handoffs, messages = await billed.came_of_it(effect)
    assert (conversation.handled_by, handoffs, messages) == ("handrail", [], [])
    assert (await billed.hear(report)).json() == {"settled": 1}
    _, handoffs, messages = await billed.came_of_it(effect)
    assert (len(handoffs), len(messages)) == (1, 1)


async def test_a_report_of_a_failure_that_stripe_does_not_show_changes_nothing(billed: Billed) -> None:
    effect = await billed.confirmed()
    (refund,) = await billed.refunds()
    answer = await billed.hear(event("refund.failed", {**refund, "status": "failed"}))
    assert answer.json() == {"settled": 0}
    assert await billed.state(effect) == EffectState.VERIFIED
    assert (await billed.came_of_it(effect))[1:] == ([], [])


@pytest.mark.parametrize(
    ("secret", "age"), [("whsec_of_somebody_else", 0), (SECRET, 301)], ids=["forged", "played back later"]
)
async def test_a_report_of_a_failure_that_is_not_freshly_signed_is_refused(
    billed: Billed, secret: str, age: int
) -> None:
    effect = await billed.confirmed()
    (refund,) = await billed.refunds()
    report = event("refund.failed", await billed.fail(refund["id"]))
    assert (await billed.hear(report, secret, int(time.time()) - age)).status_code == 400
    assert await billed.state(effect) == EffectState.VERIFIED
    assert (await billed.came_of_it(effect))[1:] == ([], [])


async def test_a_person_who_has_the_conversation_hears_of_the_failed_refund(billed: Billed) -> None:
    effect = await billed.confirmed()
    taken = await billed.service.staff("rep").post(f"/v1/conversations/{effect.conversation_id}/takeover")
    assert taken.status_code == 201, taken.text
    (refund,) = await billed.refunds()
    failed = await billed.fail(refund["id"])
    assert [(await billed.hear(event(kind, failed))).json()["settled"] for kind in FAILED_KINDS] == [1, 0, 0]
    _, (handoff,), (message,) = await billed.came_of_it(effect)
    assert (handoff.state, handoff.priority) == ("claimed", "high")
    assert "29.00 EUR of invoice 0042 failed" in handoff.packet["detail"]
    assert len(handoff.packet["notes"]) == 1
    assert "The person who has this conversation knows of it" in message.text


async def test_a_refund_that_failed_before_it_was_confirmed_is_told_by_its_turn(billed: Billed) -> None:
    effect = await billed.intend()
    await billed.do(effect)
    (refund,) = await billed.refunds()
    failed = await billed.fail(refund["id"])
    assert [(await billed.hear(event(kind, failed))).json()["settled"] for kind in FAILED_KINDS] == [1, 0, 0]
    assert await billed.state(effect) == EffectState.FAILED
    assert len(await billed.refunds()) == 1
    conversation, handoffs, messages = await billed.came_of_it(effect)
    assert (conversation.handled_by, handoffs, messages) == ("handrail", [], [])


async def test_a_refund_that_failed_before_it_was_confirmed_goes_to_people_once_its_turn_is_over(
    billed: Billed,
) -> None:
    effect = await billed.intend(state=EffectState.UNKNOWN)
    await billed.do(effect)
    await billed.end_turn(effect)
    (refund,) = await billed.refunds()
    failed = await billed.fail(refund["id"])
    assert [(await billed.hear(event(kind, failed))).json()["settled"] for kind in FAILED_KINDS] == [1, 0, 0]
    _, (handoff,), (message,) = await billed.came_of_it(effect)
    assert "failed after it had been sent" in handoff.packet["detail"]
    assert "which I had confirmed" not in message.text


async def test_others_refunds_that_fail_are_left_aside(billed: Billed) -> None:
    effect = await billed.confirmed()
    for metadata in ({}, {"handrail_key": "key-of-others"}):
        reported = {"object": "refund", "id": "re_1", "status": "failed", "amount": 5, "currency": "eur"}
        answer = await billed.hear(event("refund.failed", {**reported, "metadata": metadata}))
        assert (answer.status_code, answer.json()) == (200, {"settled": 0})
    assert await billed.state(effect) == EffectState.VERIFIED


async def test_without_a_secret_nothing_is_taken(start_service: Callable[..., Awaitable[Served]]) -> None:
    service = await start_service()
    assert (await service.client().post("/v1/webhooks/stripe", json={})).status_code == 404
