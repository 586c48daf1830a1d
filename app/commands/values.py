"""Values as people read them: money with its currency, times in UTC, names without underscores."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from records.money import Money

_MONEY = re.compile(r"^(?:amount(?:_\w+)?|\w+_minor|monthly_\w+|price_per_\w+|due_now|credit_due|refundable)$")


def money(minor: int | float | None, currency: str | None) -> str:
    """``29.00 EUR`` of 2900; without a currency just ``29.00``."""
    if minor is None:
        return "none"
    return str(Money(round(minor), currency)) if currency else str(Money(round(minor), "EUR")).removesuffix(" EUR")


def moment(at: datetime | None) -> str:
    """``2026-01-05 10:00:00 UTC``."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else "not yet"


def words(name: str) -> str:
    """A name as words: ``needs_approval`` is "needs approval"."""
    return name.replace("_", " ")


def plain(name: str, value: Any, currency: str | None = None) -> str:
    """A named value of an argument, a result or a figure; `currency` is that of the money beside it."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and _MONEY.match(name):
        return money(value, currency)
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(plain(name, one, currency) for one in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{words(inner)} {text}" for inner, text in lines_of(value, currency))
    return str(value)


def lines_of(record: Mapping[str, Any], currency: str | None = None) -> list[tuple[str, str]]:
    """(name, plain value) of a record; a currency in it is that of its money."""
    currency = record.get("currency") or currency
    return [(name, plain(name, value, currency)) for name, value in record.items()]


def aligned(rows: list[tuple[str, ...]], indent: str = "  ") -> list[str]:
    """Rows as lines whose columns begin below one another."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    return [
        indent + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
