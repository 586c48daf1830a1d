"""Redaction: what an outside endpoint need not know leaves as a placeholder, and comes back as the value.

One `Redaction` serves one proposal. It numbers values in the order in which it meets them, and the messages of a turn
only ever grow at their end, so a value has one placeholder throughout a turn without anything being remembered.
"""

import json
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agents.models.sensitive import PLACEHOLDER, Rule, canonical, kind_of_field, luhn_valid, rules_for

MAX_DEPTH = 32
"""Levels of nesting that are told apart; what lies deeper is treated as text. Far above any tool's result."""


class Redaction:
    """The placeholders of one proposal: `hide` on the way out, `restore` on the way back."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def hide_message(self, message: BaseMessage) -> BaseMessage:
        """The message as it may leave; all but its text, its calls and their ids stays here."""
        match message:
            case SystemMessage():
                return SystemMessage(self.hide(message.text))
            case HumanMessage():
                return HumanMessage(self.hide(message.text))
            case ToolMessage():
                hidden = self.hide_json(message.text)
                return ToolMessage(hidden, tool_call_id=message.tool_call_id, status=message.status)
            case AIMessage():
                calls = [{**call, "args": self.hide_all(call["args"])} for call in message.tool_calls]
                return AIMessage(self.hide(message.text), tool_calls=calls)
        raise TypeError(f"no rule for what a {type(message).__name__} may tell an outside endpoint")

    def hide(self, text: str) -> str:
        """The text with placeholders."""
        for rule in rules_for(text):
            text = self._apply(rule, text)
        return text

    def hide_json(self, text: str) -> str:
        """The same for a text that may be a JSON document: then it still is one afterwards."""
        if not text.startswith(("{", "[")):
            return self.hide(text)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return self.hide(text)
        hidden = self.hide_all(document)
        return text if hidden == document else json.dumps(hidden, ensure_ascii=False)

    def hide_all(self, value: Any) -> Any:
        """The same for nested data, where a field's name may give a value away."""
        return _mapped(value, self._hide_leaf)

    def restore(self, text: str) -> str:
        """The text with the values again. A placeholder that was never given out stays, and so fails the gate."""
        return PLACEHOLDER.sub(lambda found: self._values.get(found[0].lower(), found[0].lower()), text)

    def restore_all(self, value: Any) -> Any:
        """The same for nested data."""
        return _mapped(value, lambda _, leaf: self.restore(leaf) if isinstance(leaf, str) else leaf)

    def _hide_leaf(self, field: str, value: Any) -> Any:
        if isinstance(value, str):
            kind = kind_of_field(field)
            return self._placeholder(kind, value) if kind and value.strip() else self.hide(value)
        if isinstance(value, int) and len(str(value)) >= 14 and luhn_valid(str(abs(value))):
            return self._placeholder("card", str(value))
        return value

    def _apply(self, rule: Rule, text: str) -> str:
        parts, done = [], 0
        for start, end in rule.find(text):
            parts += [text[done:start], self._placeholder(rule.kind, text[start:end])]
            done = end
        return "".join([*parts, text[done:]])

    def _placeholder(self, kind: str, value: str) -> str:
        same = (kind, canonical(kind, value))
        if same not in self._placeholders:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            self._placeholders[same] = f"<{kind}_{number}>"
            self._values[f"<{kind}_{number}>"] = value
        return self._placeholders[same]


def _mapped(value: Any, leaf: Callable[[str, Any], Any], field: str = "", depth: int = 0) -> Any:
    """`value` with each of its leaves, and its keys (which may be data), replaced by `leaf(field, value)`."""
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        return leaf("", json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict):
        return {leaf("", key): _mapped(item, leaf, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, leaf, field, depth + 1) for item in value]
    return leaf(field, value)
