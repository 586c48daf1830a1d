"""The subscription at Stripe: plan, seats and cancellation. One subscription with one plan per customer.

A plan of the price list is a monthly Stripe plan with metadata `handrail_plan` (its name), `handrail_rank`,
`handrail_max_seats` and, where wanted, `handrail_quota` (JSON: metric to amount). Stripe plans are prices as well.

What is changed in the middle of a period is charged at once for the days that are left, counted from the start of today
(UTC), so that the amount that was offered is the amount that is charged.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import JsonValue

from tools.errors import BackendRefused, NoSuchRecord
from tools.sandbox.changes import ChangeUndone
from tools.sandbox.subscription import (
    CancellationScheduled,
    Direction,
    HowManySeats,
    OfferAccepted,
    PlanChanged,
    PlanPreview,
    Plans,
    PlanSeen,
    Quota,
    RetentionOffer,
    SeatsChanged,
    SeatsPreview,
    SeatsQuestion,
    Subscription,
    WhichOffer,
    WhichPlan,
    WhyCancel,
    terms_of_plan,
    terms_of_seats,
)
from tools.stripe_billing import later, staying
from tools.stripe_billing.backend import Account, Find, Json, day_of, metadata
from tools.stripe_billing.held import Held, held_by, plan_name
from tools.stripe_billing.notes import name_from, note_under, with_note
from tools.stripe_billing.sides import Sides
from tools.tool import Resource, Result

ADD_SEATS = "billing.add_seats"
REMOVE_SEATS = "billing.remove_seats"
CHANGE_PLAN = "billing.change_plan"
CANCEL = "billing.cancel_subscription"
UNDO = ".undo"
TRIAL = "trial"
"""The plan to try the service with. Leaving it ends the trial: the first month is charged at once, in full."""


@dataclass(frozen=True)
class Subscriptions:
    """The tools' functions about subscriptions."""

    sides: Sides = field(default_factory=Sides)

    async def held(self, account: Account) -> Held:
        """The customer's subscription, with how the service stands. Raises as `held_by` does."""
        held = await held_by(account)
        if self.sides.service is None:
            return held
        return replace(held, service=await self.sides.service(account.customer_id))

    async def get(self, account: Account, _arguments: Any) -> Subscription:
        """The subscription. Raises `NoSuchRecord`, and `BackendRefused` for one that does not fit."""
        held = await self.held(account)
        return Subscription(
            subscription_id=held.id,
            plan=held.plan,
            seats=held.seats,
            seats_used=held.seats_used,
            price_per_seat=held.price_per_seat,
            monthly_total=held.monthly,
            currency=held.currency,
            status=held.status,
            renews_on=held.renews_on,
            cancel_at=held.cancel_at,
        )

    async def list_plans(self, account: Account, _arguments: Any) -> Plans:
        """The price list in the subscription's currency, smallest plan first."""
        held = await self.held(account)
        return Plans(
            plans=[
                PlanSeen(
                    plan=plan_name(plan),
                    price_per_seat=plan["amount"],
                    currency=held.currency,
                    included_quota=[Quota(metric=metric, limit=limit) for metric, limit in _quota(plan).items()],
                    max_seats=_number(plan, "handrail_max_seats"),
                    rank=_number(plan, "handrail_rank"),
                )
                for plan in await _price_list(account, held.currency)
            ]
        )

    async def preview_plan(self, account: Account, arguments: WhichPlan) -> PlanPreview:
        """What a change of plan would mean."""
        held = await self.held(account)
        preview, _ = await self._preview_plan(account, held, arguments.plan)
        return preview

    async def preview_seats(self, account: Account, arguments: SeatsQuestion) -> SeatsPreview:
        """What more or fewer seats would mean."""
        return await self._preview_seats(account, await self.held(account), arguments.count, arguments.direction)

    async def change_plan(self, account: Account, arguments: WhichPlan) -> PlanChanged:
        """Move to a bigger plan at once. Raises `BackendRefused` where that is not possible."""
        held = await self.held(account)
        preview, plan_id = await self._preview_plan(account, held, arguments.plan)
        if not preview.possible:
            raise BackendRefused(preview.blocker)
        answer = PlanChanged(
            change_id=name_from("chg", account.key),
            previous_plan=held.plan,
            plan=preview.plan,
            monthly_total=preview.monthly_then,
            due_now=preview.due_now,
            currency=preview.currency,
            effective_on=preview.effective_on,
        )
        if preview.direction == "downgrade":
            await later.arrange(account, held, CHANGE_PLAN, answer, plan_id)
        else:
            await self._update(account, held, CHANGE_PLAN, answer, plan_id, held.seats)
        return answer

    async def add_seats(self, account: Account, arguments: HowManySeats) -> SeatsChanged:
        """Add seats at once. Raises `BackendRefused` where that is not possible."""
        return await self._change_seats(account, arguments.count, "add")

    async def remove_seats(self, account: Account, arguments: HowManySeats) -> SeatsChanged:
        """Remove seats that nobody holds. Raises `BackendRefused` where that is not possible."""
        return await self._change_seats(account, arguments.count, "remove")

    async def cancel(self, account: Account, arguments: WhyCancel) -> CancellationScheduled:
        """Let the subscription end with its period. Raises `BackendRefused` where that is arranged already."""
        held = await self.held(account)
        if held.status == "cancelled":
            raise BackendRefused("the subscription has ended already")
        if held.cancel_at is not None:
            raise BackendRefused(f"the subscription is cancelled already and ends on {held.cancel_at}")
        if await later.arranged(account, held):
            raise BackendRefused(f"{later.ARRANGED}, so our billing team has to end the subscription")
        ends_on = day_of(held.record["current_period_end"]).isoformat()
        answer = CancellationScheduled(change_id=name_from("chg", account.key), cancel_at=ends_on)
        await _end_with_period(account, held, CANCEL, answer, True)
        return answer

    async def offered(self, account: Account, _arguments: Any) -> RetentionOffer:
        """The discount for staying."""
        return await staying.offered(account, await self.held(account))

    async def accept_offer(self, account: Account, arguments: WhichOffer) -> OfferAccepted:
        """Give the discount for staying. Raises `BackendRefused` where there is none."""
        return await staying.accept(account, await self.held(account), arguments)

    async def take_offer_back(self, account: Account, original_key: str) -> ChangeUndone:
        """Take the discount for staying away again."""
        return await staying.take_offer_back(account, await self.held(account), original_key)

    async def offer_resource(self, account: Account, arguments: WhichOffer) -> Resource | None:
        """The subscription with what the discount saves over all its months."""
        held = await self.held(account)
        if arguments.offer_id != staying.offer_id(held):
            return None
        terms = await staying.terms_for(account, held)
        saved = held.list_price * terms.percent // 100 * terms.months if terms else 0
        return await self._described(account, held, saved=saved)

    async def resource(self, account: Account, _arguments: Any) -> Resource:
        """The subscription, as the policies know it."""
        return await self._described(account, await self.held(account))

    async def plan_resource(self, account: Account, arguments: WhichPlan) -> Resource:
        """The subscription with what the change of plan would mean."""
        held = await self.held(account)
        preview, _ = await self._preview_plan(account, held, arguments.plan)
        return await self._described(account, held, requested_plan=arguments.plan, **terms_of_plan(preview))

    async def more_seats_resource(self, account: Account, arguments: HowManySeats) -> Resource:
        """The subscription with what more seats would mean."""
        return await self._seats_resource(account, arguments.count, "add")

    async def fewer_seats_resource(self, account: Account, arguments: HowManySeats) -> Resource:
        """The subscription with what fewer seats would mean."""
        return await self._seats_resource(account, arguments.count, "remove")

    async def _seats_resource(self, account: Account, count: int, direction: Literal["add", "remove"]) -> Resource:
        held = await self.held(account)
        preview = await self._preview_seats(account, held, count, direction)
        return await self._described(account, held, **terms_of_seats(preview))

    async def _described(self, account: Account, held: Held, **more: Any) -> Resource:
        attributes = {
            "plan": held.plan,
            "status": held.status,
            "seats": held.seats,
            "seats_used": held.seats_used,
            "currency": held.currency,
            "renews_on": held.renews_on or "",
            "cancel_scheduled": held.cancel_at is not None,
        }
        offer = await staying.described(account, held)
        return Resource("Subscription", held.id, account.customer_id, {**attributes, **offer, **more})

    async def _preview_plan(self, account: Account, held: Held, name: str) -> tuple[PlanPreview, str]:
        """(what the change would mean, Stripe's id of the plan)."""
        plans = {plan_name(plan): plan for plan in await _price_list(account, held.currency)}
        wanted, current = plans.get(name), plans.get(held.plan)
        monthly_now = held.monthly
        monthly_then = wanted["amount"] * held.seats if wanted else monthly_now
        direction: Direction = "same"
        if wanted and current and wanted["id"] != current["id"]:
            larger = _number(wanted, "handrail_rank") > _number(current, "handrail_rank")
            direction = "upgrade" if larger else "downgrade"
        blocker = _why_no_change(held) or _why_not_plan(held, wanted, current, direction)
        blocker = blocker or await self._why_not_now(account, held, name)
        waits = direction == "downgrade" and held.renews_on
        due_now = monthly_then if held.status == "trialing" else held.due_now(account, monthly_then)
        preview = PlanPreview(
            current_plan=held.plan,
            plan=name,
            monthly_now=monthly_now,
            monthly_then=monthly_then,
            due_now=due_now if direction == "upgrade" else 0,
            currency=held.currency,
            effective_on=held.renews_on if waits and held.renews_on else account.today.isoformat(),
            direction=direction,
            possible=not blocker,
            blocker=blocker,
        )
        return preview, wanted["id"] if wanted else ""

    async def _why_not_now(self, account: Account, held: Held, name: str) -> str:
        """What stands in the way of a plan beyond its price: a change that is arranged, or what runs now."""
        if await later.arranged(account, held):
            return later.ARRANGED
        return "" if self.sides.obstacle is None else await self.sides.obstacle(account.customer_id, name)

    async def _preview_seats(
        self, account: Account, held: Held, count: int, direction: Literal["add", "remove"]
    ) -> SeatsPreview:
        adding = direction == "add"
        then = held.seats + (count if adding else -count)
        blocker = _why_no_change(held)
        if not blocker and await later.arranged(account, held):
            blocker = f"{later.ARRANGED}, so our billing team has to work out the seats"
        if not blocker and adding:
            plans = {plan_name(plan): plan for plan in await _price_list(account, held.currency)}
            most = _number(plans[held.plan], "handrail_max_seats") if held.plan in plans else held.seats
            blocker = f"the {held.plan} plan has at most {most} seats" if then > most else ""
        elif not blocker:
            used = held.seats_used
            blocker = f"{used} of the {held.seats} seats are in use" if then < max(1, used) else ""
        return SeatsPreview(
            seats_now=held.seats,
            seats_then=then,
            price_per_seat=held.price_per_seat,
            monthly_difference=held.price_per_seat * (then - held.seats),
            due_now=held.due_now(account, held.price_per_seat * then) if adding else 0,
            currency=held.currency,
            possible=not blocker,
            blocker=blocker,
        )

    async def _change_seats(self, account: Account, count: int, direction: Literal["add", "remove"]) -> SeatsChanged:
        held = await self.held(account)
        preview = await self._preview_seats(account, held, count, direction)
        if not preview.possible:
            raise BackendRefused(preview.blocker)
        answer = SeatsChanged(
            change_id=name_from("chg", account.key),
            seats_before=held.seats,
            seats=preview.seats_then,
            monthly_total=held.price_per_seat * preview.seats_then,
            due_now=preview.due_now,
            currency=held.currency,
        )
        tool = ADD_SEATS if direction == "add" else REMOVE_SEATS
        await self._update(account, held, tool, answer, held.item["plan"]["id"], preview.seats_then)
        return answer

    async def _update(
        self, account: Account, held: Held, tool: str, answer: PlanChanged | SeatsChanged, plan_id: str, seats: int
    ) -> None:
        trial = held.status == "trialing"
        charged_from = 0 if trial or tool == REMOVE_SEATS else held.change_at(account)
        await _set(account, held, tool, answer, plan_id, seats, charged_from, ends_trial=trial and tool == CHANGE_PLAN)

    async def take_back(self, account: Account, tool: str, original_key: str) -> ChangeUndone:
        """Put back what stood before a change, and give back what was charged for it.

        Raises `NoSuchRecord` where nothing was done under the key, `BackendRefused` where it was changed again since.
        """
        held = await self.held(account)
        note = note_under(metadata(held.item), original_key, tool)
        waiting = None if note else await later.arranged_under(account, held, original_key, tool)
        note = note or waiting
        if note is None:
            raise NoSuchRecord("nothing was done under this key")
        answer = ChangeUndone(change_id=name_from("chg", account.key), undoes=note.answer["change_id"])
        if tool == CANCEL:
            _same(held.cancel_at, note.answer["cancel_at"])
            await _end_with_period(account, held, f"{tool}{UNDO}", answer, False)
            return answer
        if waiting is not None:
            await _note_alone(account, held, f"{tool}{UNDO}", answer)
            await later.call_off(account, held)
            return answer
        plan_id, seats = held.item["plan"]["id"], held.seats
        if tool == CHANGE_PLAN:
            _same(held.plan, note.answer["plan"])
            if note.answer["previous_plan"] == TRIAL:
                raise BackendRefused("a trial cannot be started again")
            plans = {plan_name(plan): plan["id"] for plan in await _price_list(account, held.currency)}
            _same(note.answer["previous_plan"] in plans, True)
            plan_id = plans[note.answer["previous_plan"]]
        else:
            _same(held.seats, note.answer["seats"])
            seats = note.answer["seats_before"]
        await _set(account, held, f"{tool}{UNDO}", answer, plan_id, seats, note.charged_from)
        return answer


async def _set(
    account: Account,
    held: Held,
    tool: str,
    answer: Result,
    plan_id: str,
    seats: int,
    charged_from: int,
    *,
    ends_trial: bool = False,
) -> None:
    """Set plan and seats, with the note, in one request. A charge that fails changes nothing.

    The difference is charged or given back at once from `charged_from` on; not at all where that is 0.
    """
    noted = with_note(metadata(held.item), account.key, tool, account.request, answer, charged_from)
    item = {"id": held.item["id"], "plan": plan_id, "quantity": seats, "metadata": noted}
    charged: Json = {"proration_behavior": "none"}
    if charged_from:
        charged = {"proration_behavior": "always_invoice", "proration_date": charged_from}
    if ends_trial:
        charged["trial_end"] = "now"
    wanted: Any = {"items": [item], "payment_behavior": "error_if_incomplete", **charged}
    await account.api.subscriptions.update_async(held.id, wanted, {"idempotency_key": account.key})


async def _end_with_period(account: Account, held: Held, tool: str, answer: Result, ends: bool) -> None:
    """Let the subscription end with its period, or go on after all.

    The note comes first and counts only once the subscription says the same, so a repeat finishes what was begun.
    """
    await _note_alone(account, held, tool, answer)
    await account.api.subscriptions.update_async(
        held.id, {"cancel_at_period_end": ends}, {"idempotency_key": account.key}
    )


async def _note_alone(account: Account, held: Held, tool: str, answer: Result) -> None:
    """Write a note ahead of the change that it tells of, once."""
    if note_under(metadata(held.item), account.key, tool) is None:
        noted = with_note(metadata(held.item), account.key, tool, account.request, answer)
        await account.api.subscription_items.update_async(
            held.item["id"], {"metadata": noted}, {"idempotency_key": f"{account.key}-note"}
        )


def _same(stands: Any, expected: Any) -> None:
    if stands != expected:
        raise BackendRefused("it has been changed again since, so it cannot be taken back")


async def plan_changed_found(account: Account) -> tuple[str, PlanChanged] | None:
    """The change of plan under the account's key, made or arranged."""
    held = await held_by(account)
    note = note_under(metadata(held.item), account.key, CHANGE_PLAN)
    note = note or await later.arranged_under(account, held, account.key, CHANGE_PLAN)
    return note and note.told(PlanChanged)


async def seats_added_found(account: Account) -> tuple[str, SeatsChanged] | None:
    """The added seats under the account's key."""
    note = note_under(await _notes_of(account), account.key, ADD_SEATS)
    return note and note.told(SeatsChanged)


async def seats_removed_found(account: Account) -> tuple[str, SeatsChanged] | None:
    """The removed seats under the account's key."""
    note = note_under(await _notes_of(account), account.key, REMOVE_SEATS)
    return note and note.told(SeatsChanged)


async def offer_found(account: Account) -> tuple[str, OfferAccepted] | None:
    """The accepted discount under the account's key."""
    note = note_under(metadata((await held_by(account)).record), account.key, staying.ACCEPT)
    return note and note.told(OfferAccepted)


async def offer_undone_found(account: Account) -> tuple[str, ChangeUndone] | None:
    """The discount that was taken away under the account's key."""
    note = note_under(metadata((await held_by(account)).record), account.key, staying.UNDO)
    return note and note.told(ChangeUndone)


async def cancellation_found(account: Account) -> tuple[str, CancellationScheduled] | None:
    """The cancellation under the account's key, where the subscription is set to end or has ended."""
    held = await held_by(account)
    note = note_under(metadata(held.item), account.key, CANCEL)
    if note is None or (held.cancel_at is None and held.status != "cancelled"):
        return None
    return note.told(CancellationScheduled)


def undone_found(tool: str) -> Find[ChangeUndone]:
    """How the undoing of one of the tools is found under the account's key."""

    async def find(account: Account) -> tuple[str, ChangeUndone] | None:
        held = await held_by(account)
        note = note_under(metadata(held.item), account.key, f"{tool}{UNDO}")
        if note is None or (tool == CANCEL and held.cancel_at is not None):
            return None
        if tool == CHANGE_PLAN and await later.arranged(account, held):
            return None  # the note came ahead of the calling off
        return note.told(ChangeUndone)

    return find


async def _notes_of(account: Account) -> dict[str, str]:
    return metadata((await held_by(account)).item)


def _why_no_change(held: Held) -> str:
    if held.status in ("suspended", "past_due"):
        return "an invoice has to be paid first"
    if held.status == "cancelled":
        return "the subscription has ended"
    if held.discounted:
        return "a discount runs on the subscription, so our billing team has to work out the change"
    return ""


def _why_not_plan(held: Held, wanted: Json | None, current: Json | None, direction: Direction) -> str:
    if wanted is None:
        return "there is no such plan"
    if current is None:
        return "your present plan is not in the price list, so our billing team has to make the change"
    name = plan_name(wanted)
    if direction == "same":
        return f"the subscription is on the {name} plan already"
    if name == TRIAL:
        return "a trial cannot be started again"
    most = _number(wanted, "handrail_max_seats")
    if held.seats > most:
        return f"the {name} plan has at most {most} seats and you have {held.seats}"
    return ""


async def _price_list(account: Account, currency: str) -> list[Json]:
    """The plans on sale in one currency, smallest first."""
    offered = [
        plan
        for plan in await account.plans()
        if {"handrail_plan", "handrail_rank", "handrail_max_seats"} <= metadata(plan).keys()
        and plan["currency"].upper() == currency
        and (plan["interval"], plan["interval_count"]) == ("month", 1)
    ]
    return sorted(offered, key=lambda plan: _number(plan, "handrail_rank"))


def _number(plan: Json, name: str) -> int:
    return int(metadata(plan)[name])


def _quota(plan: Json) -> dict[str, int]:
    read: JsonValue = json.loads(metadata(plan).get("handrail_quota", "{}"))
    return {str(metric): int(str(limit)) for metric, limit in read.items()} if isinstance(read, dict) else {}
