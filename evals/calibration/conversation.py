"""A recording as a course of events: what was said when a tool was called, and what came back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Literal

from evals.recordings import RecordedCall, RecordedMessage, Recording

ToolKind = Literal["read", "search", "calculation", "handover", "write"]

SEARCH_WORDS = set("search find list query browse lookup".split())
READ_WORDS = SEARCH_WORDS | set("get look read fetch check show view describe retrieve verify inspect count".split())
CALCULATION_WORDS = set("think calculate calculator compute calc reason plan convert".split())
HANDOVER_WORDS = set("escalate escalation handoff handover".split())
TRANSFER_WORDS, PEOPLE_WORDS = {"transfer", "hand"}, set("human humans agent agents person representative".split())

FAILED = re.compile(r"""\s*(?:(?:\w*error|exception|failed|failure|traceback)\b|\{\s*"(?:is_?)?errors?"\s*:)""", re.I)


@dataclass
class Call:
    """A tool call, with what had been said and read before it."""

    tool: str
    kind: ToolKind
    arguments: dict[str, Any]
    talk_until: int
    """Where in the conversation's `talk` it was made."""
    read_until: int
    """Where in the conversation's `read` it was made."""
    asked: str
    """The customer's last words."""
    result: str = ""

    @property
    def failed(self) -> bool:
        """Whether the tool refused or broke."""
        return FAILED.match(self.result) is not None

    @property
    def values(self) -> list[str | int | float]:
        """Every value in the arguments, however deep it stands."""
        return list(values_in(self.arguments))


@dataclass
class Conversation:
    """What customer, agent and tools did, apart."""

    customer: list[str] = field(default_factory=list)
    agent: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    talk: str = ""
    """All that customer and agent said, in lower case."""
    read: str = ""
    """All that tools returned, in lower case."""

    def said(self, value: str | int | float, call: Call) -> bool:
        """Whether customer or agent had said the value before the call."""
        return stands_in(value, self.talk, call.talk_until)

    def returned(self, value: str | int | float, call: Call) -> bool:
        """Whether a tool had returned the value before the call."""
        return stands_in(value, self.read, call.read_until)

    def of_kind(self, *kinds: ToolKind) -> list[Call]:
        """The calls of these kinds."""
        return [call for call in self.calls if call.kind in kinds]

    @property
    def done(self) -> list[Call]:
        """The writes that went through."""
        return [call for call in self.of_kind("write") if not call.failed]


def follow(recording: Recording) -> Conversation:
    """Read a recording from its first message to its last."""
    conversation = Conversation()
    talk, read = StringIO(), StringIO()
    waiting: list[tuple[RecordedCall, Call]] = []
    for message in recording.messages:
        text = message.text
        if message.role == "tool":
            read.write(f"{text.lower()}\n")
            _answer(waiting, message)
            continue
        if text:
            talk.write(f"{text.lower()}\n")
            (conversation.customer if message.role == "customer" else conversation.agent).append(text)
        asked = conversation.customer[-1] if conversation.customer else ""
        for made in message.tool_calls:
            call = Call(made.name, kind_of(made.name), made.arguments, talk.tell(), read.tell(), asked)
            conversation.calls.append(call)
            waiting.append((made, call))
    conversation.talk, conversation.read = talk.getvalue(), read.getvalue()
    return conversation


def _answer(waiting: list[tuple[RecordedCall, Call]], message: RecordedMessage) -> None:
    """Give a tool's answer to the call that it names, or else to the oldest call without one."""
    named = [pair for pair in waiting if message.tool_call_id and pair[0].id == message.tool_call_id]
    for pair in (named or waiting)[:1]:
        pair[1].result = message.text
        waiting.remove(pair)


def kind_of(tool: str) -> ToolKind:
    """What a tool does, told from the words of its name: what neither reads nor hands over is taken to write."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", tool)]
    if HANDOVER_WORDS & set(words) or (TRANSFER_WORDS & set(words) and PEOPLE_WORDS & set(words)):
        return "handover"
    ends = set(words[:1] + words[-1:])
    if CALCULATION_WORDS & ends:
        return "calculation"
    if SEARCH_WORDS & ends:
        return "search"
    return "read" if READ_WORDS & ends else "write"


def values_in(arguments: Any) -> Iterator[str | int | float]:
    """The leaves of nested arguments, first to last."""
    pending = [arguments]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(reversed(value.values()))
        elif isinstance(value, list):
            pending.extend(reversed(value))
        elif value is not None:
            yield value


def stands_in(value: str | int | float, text: str, until: int) -> bool:
    """Whether a value stands as a word of its own in the first characters of a text, which is in lower case."""
    return re.compile(rf"(?<!\w){re.escape(str(value).lower())}(?!\w)").search(text, 0, until) is not None
