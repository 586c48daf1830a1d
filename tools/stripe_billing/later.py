"""A smaller plan that begins with the next period: a schedule of the subscription with two phases.

Stripe takes two requests for it: the schedule is made of the subscription as it is, then told what follows. The note is
in the second, so a schedule that was only made counts as nothing and a repeat goes on with it.
"""

from typing import Any

from tools.errors import BackendRefused
from tools.stripe_billing.backend import Account, Json, identifier, metadata
from tools.stripe_billing.held import Held
from tools.stripe_billing.notes import Note, note_under, with_note
from tools.tool import Result

ARRANGED = "a change of plan is arranged already"


async def schedule_of(account: Account, held: Held) -> Json | None:
    """The schedule that the subscription follows, or None."""
    schedule_id = identifier(held.record.get("schedule"))
    if not schedule_id:
        return None
    return (await account.api.subscription_schedules.retrieve_async(schedule_id)).to_dict()


async def arranged(account: Account, held: Held) -> bool:
    """Whether something follows the present phase."""
    schedule = await schedule_of(account, held)
    return schedule is not None and len(schedule["phases"]) > 1


async def arrange(account: Account, held: Held, tool: str, answer: Result, plan_id: str) -> None:
    """Let the plan begin with the next period. Raises `BackendRefused` where a change is arranged already."""
    schedule = await schedule_of(account, held)
    if schedule is None:
        options: Any = {"idempotency_key": f"{account.key}-schedule"}
        made = await account.api.subscription_schedules.create_async({"from_subscription": held.id}, options)
        schedule = made.to_dict()
    if len(schedule["phases"]) > 1:
        raise BackendRefused(ARRANGED)
    begins, ends = held.record["current_period_start"], held.record["current_period_end"]
    kept = {"quantity": held.seats, "metadata": metadata(held.item)}
    wanted: Any = {
        "end_behavior": "release",
        "proration_behavior": "none",
        "metadata": with_note(metadata(schedule), account.key, tool, account.request, answer),
        "phases": [
            {"items": [{"price": held.item["plan"]["id"], **kept}], "start_date": begins, "end_date": ends},
            {"items": [{"price": plan_id, **kept}], "iterations": 1},
        ],
    }
    await account.api.subscription_schedules.update_async(schedule["id"], wanted, {"idempotency_key": account.key})


async def arranged_under(account: Account, held: Held, key: str, tool: str) -> Note | None:
    """The note of a change that is arranged and has not begun."""
    schedule = await schedule_of(account, held)
    return note_under(metadata(schedule), key, tool) if schedule else None


async def call_off(account: Account, held: Held) -> None:
    """Let the subscription go on as it is."""
    schedule_id = identifier(held.record.get("schedule"))
    if schedule_id:
        options: Any = {"idempotency_key": account.key}
        await account.api.subscription_schedules.release_async(schedule_id, {}, options)
