"""Notes in metadata: what was done to a Stripe record under which key, what was asked and what was answered.

A note is written in the same request as the change that it tells of, so that the one does not stand without the other.
Stripe holds 50 entries of metadata with values of 500 characters; the newest `KEPT` notes stay.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from tools.tool import Result

PREFIX = "handrail_effect_"
KEPT = 20
LONGEST = 500

R = TypeVar("R", bound=Result)


class Note(BaseModel):
    """One effect. `number` counts the notes of a record upwards; `request` is the digest of what was asked.

    `charged_from` is the moment (Unix seconds) from which the change was charged; 0 where nothing was.
    """

    number: int
    key: str
    tool: str
    request: str
    answer: dict[str, Any]
    charged_from: int = 0

    def told(self, result: type[R]) -> tuple[str, R]:
        """(digest of what was asked, what was answered)."""
        return self.request, result.model_validate(self.answer)


def request_digest(tool: str, customer_id: str, arguments: Mapping[str, Any]) -> str:
    """A digest of what is asked, to tell a repeat from another request under the same key."""
    asked = json.dumps([tool, customer_id, dict(arguments)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def name_from(prefix: str, key: str) -> str:
    """An identifier that follows from the key: ``chg_3f2a...``."""
    return f"{prefix}_{hashlib.sha256(key.encode()).hexdigest()[:10]}"


def note_under(metadata: Mapping[str, str], key: str, tool: str) -> Note | None:
    """The note of this tool under this key, or None."""
    return next((note for note in _notes(metadata).values() if note.key == key and note.tool == tool), None)


def notes_in(metadata: Mapping[str, str]) -> list[Note]:
    """Every note that a record carries, oldest first."""
    return sorted(_notes(metadata).values(), key=lambda note: note.number)


def with_note(
    metadata: Mapping[str, str], key: str, tool: str, request: str, answer: Result, charged_from: int = 0
) -> dict[str, str]:
    """The metadata with one note more; notes beyond `KEPT` are emptied, which removes them at Stripe.

    Raises ValueError where the note is longer than Stripe takes.
    """
    notes = _notes(metadata)
    number = 1 + max((note.number for note in notes.values()), default=0)
    told = answer.model_dump(mode="json")
    note = Note(number=number, key=key, tool=tool, request=request, answer=told, charged_from=charged_from)
    text = note.model_dump_json()
    if len(text) > LONGEST:
        raise ValueError(f"a note of {len(text)} characters is longer than Stripe takes")
    oldest_first = sorted(notes, key=lambda name: notes[name].number)
    dropped = oldest_first[: max(0, len(notes) + 1 - KEPT)]
    return {**metadata, **dict.fromkeys(dropped, ""), f"{PREFIX}{name_from('n', key)}": text}


def _notes(metadata: Mapping[str, str]) -> dict[str, Note]:
    return {name: Note.model_validate_json(text) for name, text in metadata.items() if name.startswith(PREFIX) and text}
