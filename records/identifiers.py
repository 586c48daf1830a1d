"""Identifiers: UUIDv7 (so they sort by time) behind a prefix that says what they name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NewType

import uuid_utils

CustomerId = NewType("CustomerId", str)
ConversationId = NewType("ConversationId", str)
TurnId = NewType("TurnId", str)

_source: ContextVar[Callable[[], str] | None] = ContextVar("source of identifiers", default=None)


def new_id(prefix: str) -> str:
    """A fresh identifier such as ``conv_0193...``."""
    source = _source.get()
    return f"{prefix}_{source() if source else uuid_utils.uuid7().hex}"


@contextmanager
def identifiers_from(source: Callable[[], str]) -> Iterator[None]:
    """Replays: within the block, and in tasks that begin in it, `source` gives what stands behind the prefix."""
    before = _source.set(source)
    try:
        yield
    finally:
        _source.reset(before)
