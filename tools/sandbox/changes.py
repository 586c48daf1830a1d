"""The change log: a change keeps what stood before, so that it can be taken back."""

from datetime import date
from typing import Any

from tools.errors import BackendRefused
from tools.sandbox.backend import Account
from tools.sandbox.tables import Change, Owned, Resource, Subscription, User
from tools.tool import Result
from tools.values import ChangeId

TABLES: dict[str, type[Owned]] = {"subscription": Subscription, "user": User, "resource": Resource}


class ChangeUndone(Result):
    """A change that was taken back."""

    change_id: ChangeId
    undoes: ChangeId


async def change(account: Account, kind: str, row: Owned, *, charged_minor: int = 0, **after: Any) -> Change:
    """Set fields of a record and note what they were. `kind` begins with the table: ``subscription.plan``."""
    before = {name: getattr(row, name) for name in after}
    await _set(account, row, after)
    return Change(
        id=account.new_id("chg"),
        customer_id=account.customer_id,
        created_at=account.now,
        kind=kind,
        about=row.id,
        before=_plain(before),
        after=_plain(after),
        charged_minor=charged_minor,
    )


async def undo_change(account: Account, key: str) -> tuple[Change, ChangeUndone]:
    """Put back what stood before. Raises `BackendRefused` when the record has changed again since."""
    original = await account.written_under(Change, key)
    row = await account.get(TABLES[original.kind.partition(".")[0]], original.about)
    if _plain({name: getattr(row, name) for name in original.after}) != original.after:
        raise BackendRefused("it has been changed again since, so it cannot be taken back")
    before = {name: _date(value) if name.endswith(("_at", "_on")) else value for name, value in original.before.items()}
    undoing = await change(account, original.kind, row, charged_minor=-original.charged_minor, **before)
    undoing.undoes = key
    return undoing, ChangeUndone(change_id=undoing.id, undoes=original.id)


async def _set(account: Account, row: Owned, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    if isinstance(row, Subscription):
        customer = await account.customer()
        customer.plan = row.plan
        customer.status = row.status


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
