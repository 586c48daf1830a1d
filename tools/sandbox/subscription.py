"""The subscription: plan, seats, cancellation and the offer to stay. Amounts are per month unless they say "now"."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field
from sqlmodel import col, select

from tools.errors import BackendRefused
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.changes import ChangeUndone, change, undo_change
from tools.sandbox.company import first_of_month
from tools.sandbox.tables import Change, Plan
from tools.sandbox.tables import Resource as ResourceRow
from tools.sandbox.tables import Subscription as SubscriptionRow
from tools.sandbox.wiring import effect_tool, read_tool
from tools.tool import Arguments, Resource, Result, Tool
from tools.values import (
    AmountMinor,
    CancellationReason,
    ChangeId,
    CurrencyCode,
    IsoDate,
    Kind,
    OfferId,
    PlanName,
    SeatCount,
    SeatLimit,
    SeatsPlanned,
    SubscriptionId,
)

Percent = Annotated[int, Kind("percent")]
SeatsWanted = Annotated[int, Kind("seat_count"), Field(gt=0)]
Direction = Literal["upgrade", "downgrade", "same"]


class Subscription(Result):
    """What the customer pays for."""

    subscription_id: SubscriptionId
    plan: PlanName
    seats: SeatCount
    seats_used: SeatCount
    price_per_seat: AmountMinor
    monthly_total: AmountMinor
    currency: CurrencyCode
    status: str
    renews_on: IsoDate | None
    cancel_at: IsoDate | None


class Quota(Result):
    """What a plan includes of one metric each month."""

    metric: Annotated[str, Kind("metric")]
    limit: Annotated[int, Kind("usage")]


class PlanSeen(Result):
    """One plan of the price list. A higher `rank` is a bigger plan."""

    plan: PlanName
    price_per_seat: AmountMinor
    currency: CurrencyCode
    included_quota: list[Quota]
    max_seats: SeatLimit
    rank: int


class Plans(Result):
    """The price list in the customer's currency, smallest plan first."""

    plans: list[PlanSeen]


class WhichPlan(Arguments):
    """Names a plan."""

    plan: PlanName


class PlanPreview(Result):
    """What a change of plan would mean. `blocker` says why it is not possible, and is empty where it is."""

    current_plan: PlanName
    plan: PlanName
    monthly_now: AmountMinor
    monthly_then: AmountMinor
    due_now: AmountMinor
    currency: CurrencyCode
    effective_on: IsoDate
    direction: Direction
    possible: bool
    blocker: str


class SeatsQuestion(Arguments):
    """How many seats more or fewer."""

    count: SeatsWanted
    direction: Annotated[Literal["add", "remove"], Kind("seat_direction")]


class HowManySeats(Arguments):
    """How many seats."""

    count: SeatsWanted


class SeatsPreview(Result):
    """What more or fewer seats would mean. `blocker` says why it is not possible, and is empty where it is."""

    seats_now: SeatCount
    seats_then: SeatsPlanned
    price_per_seat: AmountMinor
    monthly_difference: AmountMinor
    due_now: AmountMinor
    currency: CurrencyCode
    possible: bool
    blocker: str


def terms_of_plan(preview: PlanPreview) -> dict[str, Any]:
    """What policies and offers know of a change of plan."""
    return preview.model_dump(
        include={"direction", "possible", "blocker", "monthly_now", "monthly_then", "due_now", "effective_on"}
    )


def terms_of_seats(preview: SeatsPreview) -> dict[str, Any]:
    """What policies and offers know of more or fewer seats; `saved` is the monthly sum by which the bill falls."""
    terms = preview.model_dump(include={"possible", "blocker", "seats_then", "monthly_difference", "due_now"})
    return {**terms, "saved": max(0, -preview.monthly_difference)}


class RetentionOffer(Result):
    """A discount for staying, once per customer. Without one, `offer_id` is empty."""

    available: bool
    percent: Percent
    months: Annotated[int, Kind("month_count")]
    offer_id: OfferId


class WhichOffer(Arguments):
    """Names the offer."""

    offer_id: OfferId


class WhyCancel(Arguments):
    """Why the customer leaves."""

    reason: CancellationReason


class PlanChanged(Result):
    """A plan that was changed, or will be on `effective_on`."""

    change_id: ChangeId
    previous_plan: PlanName
    plan: PlanName
    monthly_total: AmountMinor
    due_now: AmountMinor
    currency: CurrencyCode
    effective_on: IsoDate


class SeatsChanged(Result):
    """Seats that were added or removed."""

    change_id: ChangeId
    seats_before: SeatCount
    seats: SeatCount
    monthly_total: AmountMinor
    due_now: AmountMinor
    currency: CurrencyCode


class CancellationScheduled(Result):
    """A subscription that ends."""

    change_id: ChangeId
    cancel_at: IsoDate


class OfferAccepted(Result):
    """A discount that begins with the next invoice."""

    change_id: ChangeId
    offer_id: OfferId
    percent: Percent
    months: Annotated[int, Kind("month_count")]
    monthly_total: AmountMinor
    currency: CurrencyCode


def subscription_tools(backend: SandboxBackend) -> list[Tool]:
    """The tools under ``billing.`` that are about plan, seats and staying."""
    return [*_reads(backend), *_effects(backend)]


def _reads(backend: SandboxBackend) -> list[Tool]:
    return [
        read_tool(
            backend,
            "billing.get_subscription",
            Subscription,
            _get_subscription,
            summary="Plan, seats, price, status and renewal of the subscription.",
            status="Looking at your subscription",
        ),
        read_tool(
            backend,
            "billing.list_plans",
            Plans,
            _list_plans,
            summary="The plans with prices per seat and what they include.",
            status="Looking at the plans",
        ),
        read_tool(
            backend,
            "billing.preview_plan_change",
            PlanPreview,
            _preview_plan,
            arguments=WhichPlan,
            summary="What a change to a plan would cost, when it would begin and whether it is possible.",
            status="Working out the change",
        ),
        read_tool(
            backend,
            "billing.preview_seats",
            SeatsPreview,
            _preview_seats,
            arguments=SeatsQuestion,
            summary="What adding or removing seats would cost and whether it is possible.",
            status="Working out the seats",
        ),
        read_tool(
            backend,
            "billing.get_retention_offer",
            RetentionOffer,
            _get_retention_offer,
            summary="The discount that can be offered to a customer who wants to leave, once.",
            status="Looking for a better price",
        ),
    ]


def _effects(backend: SandboxBackend) -> list[Tool]:
    return [
        effect_tool(
            backend,
            "billing.change_plan",
            PlanChanged,
            _change_plan,
            arguments=WhichPlan,
            resource=_plan_resource,
            steering=frozenset({"plan"}),
            summary="Change the plan: a bigger one at once, a smaller one with the next period.",
            status="Changing your plan",
            kind="money",
            offer="change your plan from {{resource.attributes.plan}} to {{args.plan}} "
            "({{resource.attributes.monthly_then|money(resource.attributes.currency)}} a month instead of "
            "{{resource.attributes.monthly_now|money(resource.attributes.currency)}}; "
            "{{resource.attributes.due_now|money(resource.attributes.currency)}} now; "
            "from {{resource.attributes.effective_on}})",
            fixed_loss_minor=1_500,
            amount=_due_now,
            undo=(ChangeUndone, undo_change),
        ),
        effect_tool(
            backend,
            "billing.add_seats",
            SeatsChanged,
            _add_seats,
            arguments=HowManySeats,
            resource=_more_seats_resource,
            steering=frozenset({"count"}),
            summary="Add seats at once; the rest of this period is charged now.",
            status="Adding seats",
            kind="money",
            offer="add {{args.count}} {{'seat' if args.count == 1 else 'seats'}} for "
            "{{resource.attributes.monthly_difference|money(resource.attributes.currency)}} a month "
            "({{resource.attributes.due_now|money(resource.attributes.currency)}} now for the rest of this period)",
            fixed_loss_minor=500,
            amount=_due_now,
            undo=(ChangeUndone, undo_change),
        ),
        effect_tool(
            backend,
            "billing.remove_seats",
            SeatsChanged,
            _remove_seats,
            arguments=HowManySeats,
            resource=_fewer_seats_resource,
            steering=frozenset({"count"}),
            summary="Remove unused seats; the price falls with the next invoice.",
            status="Removing seats",
            kind="account",
            offer="remove {{args.count}} {{'seat' if args.count == 1 else 'seats'}}, so that you have "
            "{{resource.attributes.seats_then}} and pay "
            "{{resource.attributes.saved|money(resource.attributes.currency)}} a month less from the next invoice",
            fixed_loss_minor=500,
            undo=(ChangeUndone, undo_change),
        ),
        effect_tool(
            backend,
            "billing.cancel_subscription",
            CancellationScheduled,
            _cancel,
            arguments=WhyCancel,
            resource=_subscription_resource,
            summary="Let the subscription end with the period that is paid.",
            status="Cancelling your subscription",
            kind="account",
            offer="cancel your {{resource.attributes.plan}} subscription as of {{resource.attributes.renews_on}}",
            fixed_loss_minor=15_000,
            undo=(ChangeUndone, undo_change),
        ),
        effect_tool(
            backend,
            "billing.accept_retention_offer",
            OfferAccepted,
            _accept_offer,
            arguments=WhichOffer,
            resource=_offer_resource,
            steering=frozenset({"offer_id"}),
            summary="Give the discount for staying, once per customer.",
            status="Applying the discount",
            kind="money",
            offer="take {{resource.attributes.retention_percent}} % off your subscription for "
            "{{resource.attributes.retention_months}} months",
            fixed_loss_minor=0,
            amount=lambda arguments, resource: (resource.attributes["saved"], resource.attributes["currency"]),
            undo=(ChangeUndone, undo_change),
        ),
    ]


def _due_now(_arguments: Any, resource: Resource) -> tuple[int, str]:
    return resource.attributes["due_now"], resource.attributes["currency"]


class _Period(NamedTuple):
    days_left: int
    days: int


def _period(today: date) -> _Period:
    """How much of the calendar month is still to come; prices are shared out by days."""
    begins, ends = first_of_month(today), first_of_month(today, 1)
    return _Period((ends - today).days, (ends - begins).days)


def _share(amount: int, period: _Period) -> int:
    return (amount * period.days_left * 2 + period.days) // (2 * period.days)


def monthly_total(subscription: SubscriptionRow, today: date) -> int:
    """What a month costs, with the discount for staying while it lasts."""
    total = subscription.price_per_seat * subscription.seats
    accepted = subscription.retention_accepted_on
    if accepted and today < accepted + timedelta(days=31 * subscription.retention_months):
        return total * (100 - subscription.retention_percent) // 100
    return total


def _why_no_change(subscription: SubscriptionRow) -> str:
    if subscription.status in ("suspended", "past_due"):
        return "an invoice has to be paid first"
    if subscription.status == "cancelled":
        return "the subscription has ended"
    return ""


async def _get_subscription(account: Account, _arguments: Any) -> Subscription:
    subscription = await account.only(SubscriptionRow)
    return Subscription(
        subscription_id=subscription.id,
        plan=subscription.plan,
        seats=subscription.seats,
        seats_used=subscription.seats_used,
        price_per_seat=subscription.price_per_seat,
        monthly_total=monthly_total(subscription, account.today),
        currency=subscription.currency,
        status=subscription.status,
        renews_on=subscription.renews_on.isoformat() if subscription.renews_on else None,
        cancel_at=subscription.cancel_at.isoformat() if subscription.cancel_at else None,
    )


async def _list_plans(account: Account, _arguments: Any) -> Plans:
    subscription = await account.only(SubscriptionRow)
    query = select(Plan).where(col(Plan.currency) == subscription.currency).order_by(col(Plan.rank))
    return Plans(
        plans=[
            PlanSeen(
                plan=plan.name,
                price_per_seat=plan.price_per_seat,
                currency=plan.currency,
                included_quota=[Quota(metric=metric, limit=limit) for metric, limit in plan.quota.items()],
                max_seats=plan.max_seats,
                rank=plan.rank,
            )
            for plan in await account.session.scalars(query)
        ]
    )


async def _preview_plan(account: Account, arguments: WhichPlan) -> PlanPreview:
    subscription = await account.only(SubscriptionRow)
    wanted = await account.session.get(Plan, (arguments.plan, subscription.currency))
    current = await account.session.get_one(Plan, (subscription.plan, subscription.currency))
    monthly_now = monthly_total(subscription, account.today)
    monthly_then = wanted.price_per_seat * subscription.seats if wanted else monthly_now
    direction: Direction = "same"
    if wanted and wanted.rank != current.rank:
        direction = "upgrade" if wanted.rank > current.rank else "downgrade"
    due_now = _share(max(0, monthly_then - monthly_now), _period(account.today))
    at_once = direction != "downgrade" or subscription.renews_on is None
    blocker = _why_no_change(subscription) or await _why_not_plan(account, subscription, wanted, direction)
    return PlanPreview(
        current_plan=subscription.plan,
        plan=arguments.plan,
        monthly_now=monthly_now,
        monthly_then=monthly_then,
        due_now=due_now if direction == "upgrade" else 0,
        currency=subscription.currency,
        effective_on=(account.today if at_once else subscription.renews_on or account.today).isoformat(),
        direction=direction,
        possible=not blocker,
        blocker=blocker,
    )


async def _why_not_plan(
    account: Account, subscription: SubscriptionRow, wanted: Plan | None, direction: Direction
) -> str:
    if wanted is None:
        return "there is no such plan"
    if direction == "same":
        return f"the subscription is on the {wanted.name} plan already"
    if wanted.name == "trial":
        return "a trial cannot be started again"
    if subscription.next_plan == wanted.name:
        return f"the change to the {wanted.name} plan is arranged already"
    if subscription.seats > wanted.max_seats:
        return f"the {wanted.name} plan has at most {wanted.max_seats} seats and you have {subscription.seats}"
    return await why_not_with_what_runs(account, wanted)


async def why_not_with_what_runs(account: Account, plan: Plan) -> str:
    """Why the resources that run now do not fit a plan; empty where they do."""
    running = await account.all(ResourceRow, col(ResourceRow.status) != "deleted")
    if len(running) > plan.max_resources:
        return f"the {plan.name} plan has at most {plan.max_resources} resources and you run {len(running)}"
    unknown = sorted({resource.kind for resource in running if resource.kind not in plan.kinds})
    return f"the {plan.name} plan has no {' and no '.join(unknown)}, and you run one" if unknown else ""


async def _preview_seats(account: Account, arguments: SeatsQuestion) -> SeatsPreview:
    subscription = await account.only(SubscriptionRow)
    plan = await account.session.get_one(Plan, (subscription.plan, subscription.currency))
    adding = arguments.direction == "add"
    then = subscription.seats + (arguments.count if adding else -arguments.count)
    price = subscription.price_per_seat
    blocker = _why_no_change(subscription)
    if not blocker and then > plan.max_seats:
        blocker = f"the {plan.name} plan has at most {plan.max_seats} seats"
    if not blocker and then < max(1, subscription.seats_used):
        blocker = f"{subscription.seats_used} of the {subscription.seats} seats are in use"
    return SeatsPreview(
        seats_now=subscription.seats,
        seats_then=then,
        price_per_seat=price,
        monthly_difference=price * (then - subscription.seats),
        due_now=_share(price * arguments.count, _period(account.today)) if adding else 0,
        currency=subscription.currency,
        possible=not blocker,
        blocker=blocker,
    )


def _offer_available(subscription: SubscriptionRow) -> bool:
    return (
        subscription.retention_percent > 0
        and subscription.retention_accepted_on is None
        and subscription.status == "active"
    )


def _offer_id(subscription: SubscriptionRow) -> str:
    return f"offer_{subscription.id.removeprefix('sub_')}"


async def _get_retention_offer(account: Account, _arguments: Any) -> RetentionOffer:
    subscription = await account.only(SubscriptionRow)
    if not _offer_available(subscription):
        return RetentionOffer(available=False, percent=0, months=0, offer_id="")
    return RetentionOffer(
        available=True,
        percent=subscription.retention_percent,
        months=subscription.retention_months,
        offer_id=_offer_id(subscription),
    )


def _described(subscription: SubscriptionRow, **more: Any) -> Resource:
    attributes = {
        "plan": subscription.plan,
        "status": subscription.status,
        "seats": subscription.seats,
        "seats_used": subscription.seats_used,
        "currency": subscription.currency,
        "renews_on": subscription.renews_on.isoformat() if subscription.renews_on else "",
        "cancel_scheduled": subscription.cancel_at is not None,
        "retention_available": _offer_available(subscription),
        "retention_percent": subscription.retention_percent,
        "retention_months": subscription.retention_months,
    }
    return Resource("Subscription", subscription.id, subscription.customer_id, {**attributes, **more})


async def _subscription_resource(account: Account, _arguments: Any) -> Resource:
    return _described(await account.only(SubscriptionRow))


async def _offer_resource(account: Account, arguments: WhichOffer) -> Resource | None:
    subscription = await account.only(SubscriptionRow)
    if arguments.offer_id != _offer_id(subscription):
        return None
    monthly = subscription.price_per_seat * subscription.seats
    saved = monthly * subscription.retention_percent // 100 * subscription.retention_months
    return _described(subscription, saved=saved)


async def _plan_resource(account: Account, arguments: WhichPlan) -> Resource:
    preview = await _preview_plan(account, arguments)
    return _described(await account.only(SubscriptionRow), requested_plan=arguments.plan, **terms_of_plan(preview))


async def _more_seats_resource(account: Account, arguments: HowManySeats) -> Resource:
    return await _seats_resource(account, arguments.count, "add")


async def _fewer_seats_resource(account: Account, arguments: HowManySeats) -> Resource:
    return await _seats_resource(account, arguments.count, "remove")


async def _seats_resource(account: Account, count: int, direction: Literal["add", "remove"]) -> Resource:
    preview = await _preview_seats(account, SeatsQuestion(count=count, direction=direction))
    return _described(await account.only(SubscriptionRow), **terms_of_seats(preview))


async def _change_plan(account: Account, arguments: WhichPlan) -> tuple[Change, PlanChanged]:
    preview = await _preview_plan(account, arguments)
    if not preview.possible:
        raise BackendRefused(preview.blocker)
    subscription = await account.only(SubscriptionRow)
    plan = await account.session.get_one(Plan, (arguments.plan, subscription.currency))
    later = preview.direction == "downgrade" and preview.effective_on > account.today.isoformat()
    after: dict[str, Any] = {"next_plan": plan.name}
    if not later:
        after = {"plan": plan.name, "price_per_seat": plan.price_per_seat, "next_plan": None}
        if subscription.status == "trialing":
            after |= {"status": "active", "renews_on": first_of_month(account.today, 1)}
    made = await change(account, "subscription.plan", subscription, charged_minor=preview.due_now, **after)
    return made, PlanChanged(
        change_id=made.id,
        previous_plan=preview.current_plan,
        plan=plan.name,
        monthly_total=preview.monthly_then,
        due_now=preview.due_now,
        currency=preview.currency,
        effective_on=preview.effective_on,
    )


async def _add_seats(account: Account, arguments: HowManySeats) -> tuple[Change, SeatsChanged]:
    return await _change_seats(account, arguments.count, "add")


async def _remove_seats(account: Account, arguments: HowManySeats) -> tuple[Change, SeatsChanged]:
    return await _change_seats(account, arguments.count, "remove")


async def _change_seats(
    account: Account, count: int, direction: Literal["add", "remove"]
) -> tuple[Change, SeatsChanged]:
    preview = await _preview_seats(account, SeatsQuestion(count=count, direction=direction))
    if not preview.possible:
        raise BackendRefused(preview.blocker)
    subscription = await account.only(SubscriptionRow)
    made = await change(
        account, "subscription.seats", subscription, charged_minor=preview.due_now, seats=preview.seats_then
    )
    return made, SeatsChanged(
        change_id=made.id,
        seats_before=preview.seats_now,
        seats=preview.seats_then,
        monthly_total=monthly_total(subscription, account.today),
        due_now=preview.due_now,
        currency=preview.currency,
    )


async def _cancel(account: Account, arguments: WhyCancel) -> tuple[Change, CancellationScheduled]:
    subscription = await account.only(SubscriptionRow)
    if subscription.status == "cancelled":
        raise BackendRefused("the subscription has ended already")
    if subscription.cancel_at is not None:
        raise BackendRefused(f"the subscription is cancelled already and ends on {subscription.cancel_at.isoformat()}")
    ends_on = subscription.renews_on or account.today
    made = await change(account, "subscription.cancel", subscription, cancel_at=ends_on)
    return made, CancellationScheduled(change_id=made.id, cancel_at=ends_on.isoformat())


async def _accept_offer(account: Account, arguments: WhichOffer) -> tuple[Change, OfferAccepted]:
    subscription = await account.only(SubscriptionRow)
    if not _offer_available(subscription) or arguments.offer_id != _offer_id(subscription):
        raise BackendRefused("this offer is not available")
    made = await change(
        account, "subscription.retention", subscription, retention_accepted_on=account.today, cancel_at=None
    )
    return made, OfferAccepted(
        change_id=made.id,
        offer_id=arguments.offer_id,
        percent=subscription.retention_percent,
        months=subscription.retention_months,
        monthly_total=monthly_total(subscription, account.today),
        currency=subscription.currency,
    )
