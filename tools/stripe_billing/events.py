"""What Stripe reports of its own accord: under which of our keys something was done."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.stripe_billing.invoices import KEY
from tools.stripe_billing.notes import notes_in


def keys_in(reported: Any) -> set[str]:
    """The idempotency keys that stand in the metadata of a reported object or of anything inside it."""
    return {key for facts in _metadata(reported) for key in _keys(facts)}


def _metadata(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if isinstance(facts := value.get("metadata"), Mapping):
            yield facts
        for part in value.values():
            yield from _metadata(part)
    elif isinstance(value, list):
        for part in value:
            yield from _metadata(part)


def _keys(facts: Mapping[str, Any]) -> Iterator[str]:
    if key := facts.get(KEY):
        yield str(key)
    for note in notes_in({name: str(value) for name, value in facts.items()}):
        yield note.key
