"""Recorded tickets: one JSON line each. A line that cannot be used is refused with its number and field."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

DispositionName = Literal["resolved", "escalated", "awaiting_approval", "awaiting_customer", "open"]


class TicketMessage(BaseModel):
    """One recorded message."""

    model_config = ConfigDict(extra="allow")
    role: Literal["customer", "agent", "representative", "tool"]
    text: str


class ExpectedEffect(BaseModel):
    """An effect that must have happened; the arguments may be a part of the real ones."""

    model_config = ConfigDict(extra="forbid")
    tool: str
    arguments: dict[str, Any] = {}

    def fits(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """Whether a call is this effect."""
        return tool == self.tool and all(arguments.get(name) == value for name, value in self.arguments.items())


class Expected(BaseModel):
    """How the ticket should end."""

    model_config = ConfigDict(extra="forbid")
    intent: str | None = None
    disposition: DispositionName | None = None
    disposition_any: list[DispositionName] = []
    queue: str | None = None
    effects: list[ExpectedEffect] = []
    forbidden: list[str] = []

    @property
    def dispositions(self) -> list[str]:
        """The right endings."""
        return list(self.disposition_any) or ([self.disposition] if self.disposition else [])


class Baseline(BaseModel):
    """What happened to it before Handrail: handling time in seconds, cost in minor units."""

    model_config = ConfigDict(extra="allow")
    escalated: bool | None = None
    handle_seconds: float | None = None
    first_contact: bool | None = None
    cost: int | None = None


class Ticket(BaseModel):
    """One recorded conversation with how it should end."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(min_length=1)
    channel: str = "chat"
    opened_at: datetime
    customer: str
    level: Literal["anonymous", "claimed", "verified", "stepped_up"] = "verified"
    messages: list[TicketMessage] = Field(min_length=1)
    facts: dict[str, Any] = {}
    expected: Expected
    baseline: Baseline = Baseline()
    group: str = ""
    outcome: dict[str, Any] = {}
    note: str = ""

    @property
    def customer_messages(self) -> list[str]:
        """What the customer wrote, in order."""
        return [message.text for message in self.messages if message.role == "customer"]


@dataclass(frozen=True)
class Refusal:
    """A line that is no ticket."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


class Spoken(Protocol):
    """What tickets and other recordings have in common."""

    @property
    def id(self) -> str:
        """Its name; no two may have the same."""
        ...

    @property
    def messages(self) -> Sequence[Any]:
        """What was said, each with its `role`."""
        ...


T = TypeVar("T", bound=Spoken)


def load_tickets(paths: list[Path]) -> tuple[list[Ticket], list[Refusal]]:
    """All tickets of the files, and the lines that were refused. Raises `OSError`."""
    return load_lines(paths, Ticket.model_validate)


def load_lines(paths: list[Path], read: Callable[[Any], T]) -> tuple[list[T], list[Refusal]]:
    """What `read` makes of each line's JSON value, and the lines that were refused. Raises `OSError`."""
    loaded: list[T] = []
    refusals: list[Refusal] = []
    seen: dict[str, str] = {}
    for path in paths:
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
            if not line.strip():
                continue
            place = f"{path} line {number}"
            one = _read(line, place, read)
            if isinstance(one, Refusal):
                refusals.append(one)
            elif one.id in seen:
                refusals.append(Refusal(place, f"id: {one.id!r} stands in {seen[one.id]} already"))
            elif not any(message.role == "customer" for message in one.messages):
                refusals.append(Refusal(place, "messages: none is the customer's"))
            else:
                seen[one.id] = place
                loaded.append(one)
    return loaded, refusals


def _read(line: bytes, place: str, read: Callable[[Any], T]) -> T | Refusal:
    try:
        return read(json.loads(line))
    except UnicodeDecodeError as error:
        return Refusal(place, f"not UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        return Refusal(place, f"not valid JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        return Refusal(place, "not usable JSON: nested too deeply")
    except ValidationError as error:
        first = error.errors()[0]
        return Refusal(place, f"{'.'.join(map(str, first['loc'])) or 'ticket'}: {first['msg']}")
