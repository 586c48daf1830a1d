"""A table (CSV) of tickets: one row a ticket, or one row a message where a column tells who wrote it."""

import csv
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.tickets import Refusal

GUESSES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "ticket id", "ticket", "ticket number", "case id", "case number", "number", "conversation id", "key"),
    "text": ("text", "body", "message", "description", "first message", "question", "content", "comment", "request"),
    "reply": ("reply", "answer", "response", "agent reply", "resolution", "solution"),
    "role": ("role", "author role", "sender role", "author type", "direction"),
    "customer": ("customer", "customer id", "requester", "requester id", "user id", "account", "account id"),
    "opened_at": ("opened at", "created at", "created", "date", "opened", "timestamp", "created date"),
    "channel": ("channel", "source", "via"),
    "group": ("group", "task", "task id"),
    "correct": ("correct", "outcome correct", "solved right", "resolved correctly"),
    "escalated": ("escalated", "was escalated"),
    "handle_seconds": ("handle seconds", "handle time", "handling seconds", "aht"),
    "cost": ("cost", "cost minor", "cost cents"),
}
"""Our field -> names of columns that usually mean it, the likeliest first."""
CUSTOMER = frozenset("customer user requester client enduser end-user inbound incoming in visitor".split())
STAFF = frozenset("agent assistant bot representative rep staff support outbound outgoing out admin".split())
TRUE, FALSE = frozenset("true yes y 1".split()), frozenset("false no n 0".split())


class UnusableTable(Exception):
    """The table has no column that is needed, or `--map` names one that is not there."""


def rows_of(
    path: Path, given: Mapping[str, str]
) -> tuple[dict[str, str], Iterator[tuple[str, dict[str, str]] | Refusal]]:
    """(our field -> its column, the rows as {field: value} with their places). Raises `UnusableTable`, `OSError`."""
    text = path.read_bytes().decode("utf-8-sig")
    reader = csv.DictReader(text.splitlines(keepends=True), dialect=_dialect(text), restkey="", strict=True)
    columns = columns_of(list(reader.fieldnames or ()), given, path)
    return columns, _rows(path, reader, columns)


def columns_of(names: list[str], given: Mapping[str, str], path: Path) -> dict[str, str]:
    """Which column holds which field: what was given, else the likeliest name."""
    for field, column in given.items():
        if field not in GUESSES:
            raise UnusableTable(f"--map {field}={column}: there is no field {field!r}: use {', '.join(GUESSES)}")
        if column not in names:
            raise UnusableTable(f"{path} line 1: there is no column {column!r}: it has {', '.join(names) or 'none'}")
    plain = {re.sub(r"[\s_-]+", " ", name or "").strip().lower(): name for name in names}
    columns = dict(given)
    for field, likely in GUESSES.items():
        free = (plain[name] for name in likely if name in plain and plain[name] not in columns.values())
        if field not in columns and (column := next(free, None)) is not None:
            columns[field] = column
    if "text" not in columns:
        raise UnusableTable(f"{path} line 1: no column looks like the customer's message: give --map text=COLUMN")
    return columns


def _dialect(text: str) -> type[csv.Dialect]:
    try:
        return csv.Sniffer().sniff(text.split("\n", 1)[0], delimiters=",;\t|")
    except csv.Error:
        return csv.excel


def _rows(
    path: Path, reader: "csv.DictReader[str]", columns: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]] | Refusal]:
    while True:
        place = f"{path} line {reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Refusal(place, f"not a row of a table: {error}; nothing after it could be read")
            return
        if row.get(""):
            yield Refusal(place, "it has more cells than the first line has columns")
        elif not any(row.values()):
            continue
        else:
            yield place, {field: (row[column] or "").strip() for field, column in columns.items()}


def recording_of(rows: list[dict[str, str]], name: str) -> dict[str, Any]:
    """The rows of one ticket as a recording. Raises `ValueError` with what is wrong."""
    first = rows[0]
    messages = [message for row in rows for message in _messages(row)]
    if not any(message["role"] == "customer" for message in messages):
        raise ValueError("text: there is no customer's message")
    recording: dict[str, Any] = {
        "id": name,
        "group": first.get("group") or name,
        "channel": first.get("channel") or "email",
        "customer": first.get("customer", ""),
        "messages": messages,
        "outcome": {},
        "baseline": _baseline(first),
    }
    if first.get("opened_at"):
        recording["opened_at"] = _moment(first["opened_at"])
    if first.get("correct"):
        recording["outcome"]["correct"] = _truth("correct", first["correct"])
    return recording


def _messages(row: Mapping[str, str]) -> list[dict[str, str]]:
    role = "customer"
    if row.get("role"):
        word = row["role"].lower()
        if word not in CUSTOMER | STAFF:
            raise ValueError(f"role: {row['role']!r} is neither a customer nor staff")
        role = "customer" if word in CUSTOMER else "representative"
    messages = [{"role": role, "text": row["text"]}] if row["text"] else []
    if row.get("reply"):
        messages.append({"role": "representative", "text": row["reply"]})
    return messages


def _baseline(row: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row.get("escalated"):
        found["escalated"] = _truth("escalated", row["escalated"])
    if row.get("handle_seconds"):
        found["handle_seconds"] = _number("handle_seconds", row["handle_seconds"])
    if row.get("cost"):
        cost = _number("cost", row["cost"])
        if not cost.is_integer():
            raise ValueError(f"cost: {row['cost']!r}: give whole minor units, such as 540 for 5.40")
        found["cost"] = int(cost)
    return found


def _number(field: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{field}: {text!r} is no number")
    return value


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"opened_at: {text!r} is no time like 2026-11-23T10:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _truth(field: str, text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(f"{field}: {text!r} is neither yes nor no")
