"""Reads a file of somebody else's format, entry by entry; what it refuses it names with line and reason."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from evals.imports import table, tau_bench, zendesk
from evals.imports.entries import entries_of
from evals.recordings import Recording
from evals.tickets import Refusal

Format = Literal["tau-bench", "csv", "zendesk"]


@dataclass
class Imported:
    """What came of a file. `entries` counts everything that it held, used or refused."""

    recordings: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    entries: int = 0
    private_comments: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)

    def take(self, recording: dict[str, Any], place: str) -> None:
        """Keep a recording, unless it is none or its id stands already."""
        try:
            checked = Recording.model_validate(recording)
        except (ValidationError, json.JSONDecodeError) as error:
            self.refused.append(Refusal(place, _reason(error)))
            return
        if checked.id in self._places:
            self.refused.append(Refusal(place, f"id: {checked.id!r} stands in {self._places[checked.id]} already"))
        elif not any(message.role == "customer" and message.text.strip() for message in checked.messages):
            self.refused.append(Refusal(place, "messages: none is the customer's"))
        else:
            self._places[checked.id] = place
            self.recordings.append(recording)

    def write(self, path: Path) -> None:
        """One JSON line each."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(recording, ensure_ascii=False) + "\n" for recording in self.recordings)
        path.write_text("".join(lines), encoding="utf-8")


def read_foreign(path: Path, form: Format, columns: Mapping[str, str], prefix: str) -> Imported:
    """Everything in the file. `prefix` stands before each id and group. Raises `UnusableTable`, `OSError`."""
    imported = Imported()
    try:
        if form == "csv":
            _read_table(path, columns, prefix, imported)
        else:
            _read_json(path, form, prefix, imported)
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        imported.refused.append(Refusal(f"{path} line {line}", f"not UTF-8 at byte {error.start}"))
    return imported


def _read_json(path: Path, form: Format, prefix: str, imported: Imported) -> None:
    for found in entries_of(path, "tickets"):
        imported.entries += 1
        if isinstance(found, Refusal):
            imported.refused.append(found)
            continue
        place, entry = found
        private = 0
        try:
            if form == "zendesk":
                recording, private = zendesk.recording_of(entry)
            else:
                recording = tau_bench.recording_of(entry)
        except ValidationError as error:
            imported.refused.append(Refusal(place, _reason(error)))
            continue
        imported.private_comments += private
        imported.take(_prefixed(recording, prefix), place)


def _read_table(path: Path, given: Mapping[str, str], prefix: str, imported: Imported) -> None:
    imported.columns, rows = table.rows_of(path, given)
    for place, name, several in _together(rows, "role" in imported.columns, imported):
        try:
            recording = table.recording_of(several, name)
        except ValueError as error:
            imported.refused.append(Refusal(place, str(error)))
            continue
        imported.take(_prefixed(recording, prefix), place)


def _together(
    rows: Iterable[tuple[str, dict[str, str]] | Refusal], threads: bool, imported: Imported
) -> list[tuple[str, str, list[dict[str, str]]]]:
    """(place, id, rows) of each ticket: with `threads`, the rows of one id are its messages."""
    tickets: list[tuple[str, str, list[dict[str, str]]]] = []
    known: dict[str, list[dict[str, str]]] = {}
    numbers: Counter[str] = Counter()
    for found in rows:
        imported.entries += 1
        if isinstance(found, Refusal):
            imported.refused.append(found)
            continue
        place, row = found
        numbers["rows"] += 1
        name = row.get("id") or f"row-{numbers['rows']}"
        if threads and name in known:
            known[name].append(row)
            continue
        known[name] = [row]
        tickets.append((place, name, known[name]))
    return tickets


def _prefixed(recording: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {**recording, "id": prefix + recording["id"], "group": prefix + recording["group"]}


def _reason(error: ValidationError | json.JSONDecodeError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"tool_calls: arguments are no JSON: {error.msg}"
    first = error.errors()[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(map(str, first['loc'])) or 'entry'}: {message}"
