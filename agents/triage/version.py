"""Which classifier read a message, and what people taught it beyond what it was shipped with."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Version:
    """One state of triage."""

    name: str = "shipped"
    """The id of the promoted version; `shipped` where there is none."""
    matters: Mapping[str, str] = field(default_factory=dict)
    """Intent that no procedure serves -> the queue of the people who solve it."""


SHIPPED = Version()
