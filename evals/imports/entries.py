"""The entries of a JSON file with the lines on which they begin: a list, a list under a name, or one entry a line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evals.tickets import Refusal

GAP = re.compile(r"[\s,]*")


def entries_of(path: Path, under: str) -> Iterator[tuple[str, Any] | Refusal]:
    """(place, entry) for each, or why it cannot be read. `under` names the list where the file is one object.

    Raises `OSError`, `UnicodeDecodeError`.
    """
    text = path.read_bytes().decode("utf-8-sig")
    named = re.search(rf'"{under}"\s*:\s*\[', text)
    if text.lstrip().startswith("["):
        yield from _of_list(path, text, text.index("[") + 1)
    elif named and _one_object(text):
        yield from _of_list(path, text, named.end())
    else:
        yield from _of_lines(path, text)


def _one_object(text: str) -> bool:
    """Whether the first line alone is no whole entry, or holds everything."""
    first, _, rest = text.strip().partition("\n")
    try:
        json.loads(first)
    except json.JSONDecodeError:
        return True
    return not rest.strip()


def _of_list(path: Path, text: str, start: int) -> Iterator[tuple[str, Any] | Refusal]:
    decoder, at, line, counted = json.JSONDecoder(), start, 1, 0
    while True:
        gap = GAP.match(text, at)
        at = gap.end() if gap else at
        line, counted = line + text.count("\n", counted, at), at
        if at >= len(text):
            yield Refusal(f"{path} line {line}", "the file ends in the middle of its list")
            return
        if text[at] == "]":
            return
        try:
            entry, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            where = error.lineno if isinstance(error, json.JSONDecodeError) else line
            told = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            yield Refusal(f"{path} line {where}", f"not valid JSON: {told}; nothing after it could be read")
            return
        yield f"{path} line {line}", entry


def _of_lines(path: Path, text: str) -> Iterator[tuple[str, Any] | Refusal]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path} line {number}"
        try:
            yield place, json.loads(line)
        except json.JSONDecodeError as error:
            yield Refusal(place, f"not valid JSON: {error.msg} at column {error.colno}")
        except RecursionError:
            yield Refusal(place, "not usable JSON: nested too deeply")
