"""Notes on a user: what was done to them under which key, what was asked and what was answered.

A note is an entry of the user's `entitlements`, the core attribute to which SCIM gives no vocabulary: so it needs no
extension that a service would first have to learn. `type` marks it as ours, `value` is the idempotency key. It is
written by the same PATCH as the change that it tells of; the newest `KEPT` notes stay.

Beside the notes an administrator may carry one `Farewell`: an announcement that a change is about to make them one no
longer.
"""

import secrets
from typing import Any

from pydantic import BaseModel, ValidationError
from scim2_models import Entitlement, PatchOperation, User

TYPE = "handrail-effect"
FAREWELL = "handrail-farewell"
KEPT = 20


class Note(BaseModel):
    """One effect. `number` counts the notes of a user upwards; `request` is the digest of what was asked."""

    number: int
    tool: str
    request: str
    answer: dict[str, Any]
    moving_to: str | None = None
    """The role into whose group the user still has to be brought: the change is decided, and not yet carried out."""


def note_under(person: User[Any], key: str) -> Note | None:
    """The note that stands on a user under this key, or None."""
    return _notes(person).get(key)


def unfinished(person: User[Any]) -> tuple[str, Note] | None:
    """The change that is decided and not yet carried out, and its key. There is never more than one."""
    return next(((key, note) for key, note in _notes(person).items() if note.moving_to is not None), None)


def entitlements_with(
    person: User[Any],
    key: str,
    tool: str,
    request: str,
    answer: dict[str, Any],
    *,
    moving_to: str | None = None,
) -> PatchOperation[Any]:
    """The operation that puts one note more on a user and drops a farewell and the oldest notes beyond `KEPT`."""
    notes = _notes(person)
    number = 1 + max((note.number for note in notes.values()), default=0)
    newest = sorted(notes, key=lambda held: notes[held].number)[-(KEPT - 1) :]
    stays = [entry for entry in _others(person, FAREWELL) if entry.type != TYPE or entry.value in newest]
    note = Note(number=number, tool=tool, request=request, answer=answer, moving_to=moving_to)
    return replacing("entitlements", [*stays, _entry(key, note)])


def carried_out(person: User[Any], key: str) -> PatchOperation[Any]:
    """The operation that says of a note that all of its change is done."""
    notes = _notes(person)
    done = _entry(key, notes[key].model_copy(update={"moving_to": None}))
    entries = person.entitlements or []
    return replacing("entitlements", [done if (entry.type, entry.value) == (TYPE, key) else entry for entry in entries])


def farewell_of(person: User[Any]) -> str | None:
    """The key of the change that is about to make the user no administrator any more, or None."""
    return next((entry.value or "" for entry in person.entitlements or [] if entry.type == FAREWELL), None)


def with_farewell(person: User[Any], key: str) -> PatchOperation[Any]:
    """The operation that announces a change. No two announcements are alike, so no version of a user comes back."""
    entry = Entitlement(type=FAREWELL, value=key, display=secrets.token_hex(8))
    return replacing("entitlements", [*_others(person, FAREWELL), entry])


def without_farewell(person: User[Any]) -> PatchOperation[Any]:
    """The operation that withdraws an announcement."""
    return replacing("entitlements", _others(person, FAREWELL))


def replacing(path: str, value: Any) -> PatchOperation[Any]:
    """The operation that sets one attribute of a user."""
    return PatchOperation.model_validate({"op": "replace", "path": path, "value": value})


def _entry(key: str, note: Note) -> Entitlement:
    return Entitlement(type=TYPE, value=key, display=note.model_dump_json())


def _others(person: User[Any], kind: str) -> list[Entitlement]:
    return [entry for entry in person.entitlements or [] if entry.type != kind]


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
