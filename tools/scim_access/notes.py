"""Notes on a user: what was done to them under which key, what was asked and what was answered.

A note is an entry of the user's `entitlements`, the core attribute to which SCIM gives no vocabulary: so it needs no
extension that a service would first have to learn. `type` marks it as ours, `value` is the idempotency key. It is
written by the same PATCH as the change that it tells of; the newest `KEPT` notes stay.
"""

from typing import Any

from pydantic import BaseModel, ValidationError
from scim2_models import Entitlement, PatchOperation, User

TYPE = "handrail-effect"
KEPT = 20


class Note(BaseModel):
    """One effect. `number` counts the notes of a user upwards; `request` is the digest of what was asked."""

    number: int
    tool: str
    request: str
    answer: dict[str, Any]


def note_under(person: User[Any], key: str) -> Note | None:
    """The note that stands on a user under this key, or None."""
    return _notes(person).get(key)


def entitlements_with(
    person: User[Any], key: str, tool: str, request: str, answer: dict[str, Any]
) -> PatchOperation[Any]:
    """The operation that puts one note more on a user and drops the oldest beyond `KEPT`; the rest stays."""
    notes = _notes(person)
    number = 1 + max((note.number for note in notes.values()), default=0)
    newest = sorted(notes, key=lambda held: notes[held].number)[-(KEPT - 1) :]
    stays = [entry for entry in person.entitlements or [] if entry.type != TYPE or entry.value in newest]
    note = Note(number=number, tool=tool, request=request, answer=answer)
    entry = Entitlement(type=TYPE, value=key, display=note.model_dump_json())
    return replacing("entitlements", [*stays, entry])


def entitlements_without(person: User[Any], key: str) -> PatchOperation[Any]:
    """The operation that takes the note of a change away that was put back at once."""
    stays = [entry for entry in person.entitlements or [] if entry.type != TYPE or entry.value != key]
    return replacing("entitlements", stays)


def replacing(path: str, value: Any) -> PatchOperation[Any]:
    """The operation that sets one attribute of a user."""
    return PatchOperation.model_validate({"op": "replace", "path": path, "value": value})


def _notes(person: User[Any]) -> dict[str, Note]:
    """By key. What is marked as ours and cannot be read was not written by us, and counts for nothing."""
    notes = {}
    for entry in person.entitlements or []:
        if entry.type != TYPE or not entry.value or not entry.display:
            continue
        try:
            notes[entry.value] = Note.model_validate_json(entry.display)
        except ValidationError:
            continue
    return notes
