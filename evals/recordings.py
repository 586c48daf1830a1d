"""Recordings of other systems: what was said, which tools were called, and, where known, whether it ended right.

One JSON line each, in the format of recorded tickets, of which `id` and `messages` are needed here:

    {"id": "T-1", "group": "task-1", "outcome": {"correct": true}, "messages": [
        {"role": "customer", "text": "..."},
        {"role": "agent", "text": "", "tool_calls": [{"id": "c1", "name": "get_invoice", "arguments": {"id": "in_1"}}]},
        {"role": "tool", "text": "{...}", "tool_call_id": "c1", "name": "get_invoice"}]}

Tickets that must not stand on both sides of a split share a `group`; without one, each is its own.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator

from evals.tickets import Refusal, load_lines


class RecordedCall(BaseModel):
    """A tool that the agent called. `arguments` may also be JSON text, as model providers send it."""

    id: str = ""
    name: str = Field(min_length=1)
    arguments: dict[str, Any] = {}

    @field_validator("arguments", mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value


class RecordedMessage(BaseModel):
    """One message; an agent's may call tools, a tool's answers such a call."""

    role: Literal["customer", "agent", "representative", "tool"]
    text: str = ""
    tool_calls: list[RecordedCall] = []
    tool_call_id: str = ""
    name: str = ""


class RecordedOutcome(BaseModel):
    """How it ended; None where nobody checked."""

    correct: StrictBool | None = None


class Recording(BaseModel):
    """One recorded conversation."""

    model_config = ConfigDict(extra="ignore")
    id: str = Field(min_length=1)
    group: str = ""
    messages: list[RecordedMessage] = Field(min_length=1)
    outcome: RecordedOutcome = RecordedOutcome()

    def model_post_init(self, _: Any) -> None:
        """A recording without a group is a group of its own."""
        self.group = self.group or self.id


def load_recordings(path: Path) -> tuple[list[Recording], list[Refusal]]:
    """The recordings of the file, and the lines that were refused. Raises `OSError`."""
    return load_lines([path], Recording.model_validate)
