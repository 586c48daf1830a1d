"""An endpoint's answer as it arrived, and what of it may count as a proposal.

Nothing here trusts the endpoint. Whatever is cut off, malformed, oversized or no answer at all raises; what is left is
a text or tool calls that the gate can judge.
"""

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from typing import Any

from langchain_core.messages import AIMessage, ToolCall

from agents.models.failure import Declined, EndpointFailed, Nonsense

MAX_TEXT = 8_000
MAX_CALLS = 16
"""Tool calls in one message. A procedure needs one or two; a model that wants all at once has lost the thread."""
MAX_ARGUMENTS = 16_000

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID = re.compile(r"[\w.:-]{1,64}")
_THINKING = re.compile(r"\s*<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_UNFINISHED_THINKING = re.compile(r"</?(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_WHOLE = frozenset({"stop", "tool_calls", "function_call", "eos", "eos_token", "stop_sequence", "end_turn"})
"""Finish reasons that say that the model came to its own end, as OpenAI and the servers that follow it name them."""


@dataclass(frozen=True)
class RawCall:
    """A tool call as it arrived: `arguments` parsed by the client library, or still the endpoint's text."""

    id: Any
    name: Any
    arguments: Any


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it arrived."""

    text: str
    calls: tuple[RawCall, ...] = ()
    finish_reason: str | None = None
    refusal: str = ""
    streamed: bool = False
    tokens_in: int = 0
    tokens_out: int = 0


def proposal_in(raw: RawAnswer, taken_ids: Collection[str] = ()) -> AIMessage:
    """The proposal that an answer holds. Raises `Nonsense` or `Declined`.

    Every call gets an id of its own, also different from `taken_ids`: the gate files its verdicts under them.
    """
    try:
        _check_ending(raw)
        text = _text(raw.text)
        calls = _calls(raw.calls, set(taken_ids))
    except EndpointFailed as failure:
        failure.tokens_in, failure.tokens_out = raw.tokens_in, raw.tokens_out
        raise
    if not calls and not text:
        raise Nonsense("gave an empty answer", tokens_in=raw.tokens_in, tokens_out=raw.tokens_out)
    return AIMessage(content=text, tool_calls=calls)


def _check_ending(raw: RawAnswer) -> None:
    if raw.refusal:
        raise Declined("declined to answer")
    reason = raw.finish_reason
    if reason == "length":
        raise Declined("ran into its length limit in the middle of the answer")
    if reason == "content_filter":
        raise Declined("withheld the answer (content filter)")
    if reason is None and raw.streamed:
        raise Nonsense("ended the stream before the answer was whole")
    if reason is not None and reason not in _WHOLE:
        raise Nonsense("ended the answer for a reason that does not say it is whole")


def _text(raw: str) -> str:
    """What the model says, without what it thought first."""
    text = _THINKING.sub("", raw, count=1).strip() if _THINKING.match(raw) else raw.strip()
    if _UNFINISHED_THINKING.search(text):
        raise Nonsense("mixed its thoughts with its answer")
    if len(text) > MAX_TEXT:
        raise Nonsense(f"wrote more than {MAX_TEXT} characters")
    _check_characters(text)
    return text


def _calls(raw: tuple[RawCall, ...], taken: set[str]) -> list[ToolCall]:
    if len(raw) > MAX_CALLS:
        raise Nonsense(f"made {len(raw)} tool calls in one message; {MAX_CALLS} are allowed")
    calls = []
    for call in raw:
        if not isinstance(call.name, str) or not _NAME.fullmatch(call.name):
            raise Nonsense("called a tool without a proper name")
        calls.append(ToolCall(name=call.name, args=_arguments(call), id=_own_id(call.id, taken), type="tool_call"))
    return calls


def _arguments(call: RawCall) -> dict[str, Any]:
    arguments = call.arguments
    if isinstance(arguments, str):
        if len(arguments) > MAX_ARGUMENTS:
            raise Nonsense(f"wrote more than {MAX_ARGUMENTS} characters of arguments for one tool")
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError):
            raise Nonsense(f"sent malformed arguments for {call.name}") from None
    if not isinstance(arguments, dict):
        raise Nonsense(f"sent arguments for {call.name} that are no object")
    _check_values(arguments, call.name)
    return arguments


def _check_values(value: Any, tool: str, depth: int = 0) -> None:
    """Refuse what JSON, a database or our own code could not carry: depth, NaN, broken characters, sheer size."""
    if depth > 16:
        raise Nonsense(f"sent arguments for {tool} that are nested too deeply")
    match value:
        case dict():
            for key, item in value.items():
                _check_characters(key)
                _check_values(item, tool, depth + 1)
        case list():
            for item in value:
                _check_values(item, tool, depth + 1)
        case str():
            if len(value) > MAX_ARGUMENTS:
                raise Nonsense(f"wrote more than {MAX_ARGUMENTS} characters of arguments for one tool")
            _check_characters(value)
        case float() if not math.isfinite(value):
            raise Nonsense(f"sent a number for {tool} that is none")
        case int() if abs(value) >= 2**63:
            raise Nonsense(f"sent a number for {tool} that no record can hold")


def _check_characters(text: str) -> None:
    """Half of a surrogate pair cannot be stored, nor can PostgreSQL keep a NUL."""
    try:
        storable = "\x00" not in text.encode().decode()
    except UnicodeEncodeError:
        storable = False
    if not storable:
        raise Nonsense("sent characters that cannot be stored")


def _own_id(given: Any, taken: set[str]) -> str:
    usable = isinstance(given, str) and _ID.fullmatch(given) and given not in taken
    own = given if usable else next(new for n in count(1) if (new := f"call_again_{n}") not in taken)
    taken.add(own)
    return own
