"""The journal of a run: what was played is on disk before the next ticket counts, so a run that was cut off goes on.

`journal.jsonl` holds one header line, which says what the results depend on, and one line for each ticket and repeat.
Only one process writes it, under a lock. A last line that was cut off in the middle is as if it had not been written.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = 1
NAME = "journal.jsonl"
Key = tuple[str, int]
"""Ticket id and repeat."""


class UnusableJournal(Exception):
    """The folder cannot take this run: somebody writes to it, it holds another run, or a line is damaged."""


class Journal:
    """An open journal. `records` are those on disk, by ticket and repeat."""

    def __init__(self, file: BinaryIO, records: dict[Key, dict[str, Any]]) -> None:
        self._file, self.records = file, records

    @property
    def seconds(self) -> float:
        """How long the run had worked when the latest record was written."""
        return max((record["elapsed"] for record in self.records.values()), default=0.0)

    def append(self, record: dict[str, Any]) -> None:
        """Write one record through to the disk. What is there already is not counted twice."""
        key = record["ticket"], record["repeat"]
        if key in self.records:
            return
        line = json.dumps(record, ensure_ascii=False, default=str)
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records[key] = json.loads(line)


@contextmanager
def journal_in(folder: Path, run: Mapping[str, Any], *, fresh: bool = False) -> Iterator[Journal]:
    """The folder's journal of this run, begun or taken up; `fresh` forgets what it holds. Raises `UnusableJournal`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnusableJournal(f"{path}: another run is writing it: wait for it, or choose another --out") from None
        if fresh:
            file.truncate(0)
        yield Journal(file, _taken_up(path, file, {"format": FORMAT, **run}))


def _taken_up(path: Path, file: BinaryIO, header: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
    lines = content[:whole].splitlines()
    if not lines:
        file.write(json.dumps(header, ensure_ascii=False, default=str).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        _fsync_folder(path.parent)
        return {}
    records: dict[Key, dict[str, Any]] = {}
    _same_run(path, _read(path, 1, lines[0]), json.loads(json.dumps(header, default=str)))
    for number, line in enumerate(lines[1:], 2):
        record = _read(path, number, line)
        try:
            records.setdefault((record["ticket"], record["repeat"]), record)
        except KeyError as error:
            raise UnusableJournal(f"{path} line {number}: {error.args[0]}: it is missing; {BEGIN_ANEW}") from None
    return records


BEGIN_ANEW = "give --fresh to play everything anew, or choose another --out"


def _read(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        value = None
    if not isinstance(value, dict):
        raise UnusableJournal(f"{path} line {number}: it is damaged; {BEGIN_ANEW}")
    return value


def _same_run(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    for name in {**here, **there}:
        if there.get(name) == here.get(name):
            continue
        was, now = there.get(name), here.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            part = next(part for part in {**now, **was} if was.get(part) != now.get(part))
            name, was, now = f"{name}.{part}", was.get(part), now.get(part)
        raise UnusableJournal(
            f"{path}: it is of another run ({name} was {_short(was)}, now {_short(now)}); {BEGIN_ANEW}"
        )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
