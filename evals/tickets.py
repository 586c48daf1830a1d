"""Recorded tickets: one JSON line each. A line that cannot be used is refused with its number and field."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

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


def load_tickets(paths: list[Path]) -> tuple[list[Ticket], list[Refusal]]:
    """All tickets of the files, and the lines that were refused. Raises `FileNotFoundError`."""
    tickets: list[Ticket] = []
    refusals: list[Refusal] = []
    seen: dict[str, str] = {}
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            place = f"{path} line {number}"
            ticket = _ticket(line, place)
            if isinstance(ticket, Refusal):
                refusals.append(ticket)
            elif ticket.id in seen:
                refusals.append(Refusal(place, f"id {ticket.id!r} stands in {seen[ticket.id]} already"))
            elif not ticket.customer_messages:
                refusals.append(Refusal(place, "messages: none is the customer's"))
            else:
                seen[ticket.id] = place
                tickets.append(ticket)
    return tickets, refusals


def _ticket(line: str, place: str) -> Ticket | Refusal:
    try:
        return Ticket.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        return Refusal(place, f"not valid JSON: {error.msg} at column {error.colno}")
    except ValidationError as error:
        first = error.errors()[0]
        return Refusal(place, f"{'.'.join(map(str, first['loc'])) or 'ticket'}: {first['msg']}")
