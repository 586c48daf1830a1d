"""Identifiers: UUIDv7 (so they sort by time) behind a prefix that says what they name."""

from typing import NewType

import uuid_utils

CustomerId = NewType("CustomerId", str)
ConversationId = NewType("ConversationId", str)
TurnId = NewType("TurnId", str)


def new_id(prefix: str) -> str:
    """A fresh identifier such as ``conv_0193...``."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
