"""Provenance: where a value came from, worked out from the evidence and never from what the model says about it.

Evidence is what this conversation holds: the authenticated customer's own words, the typed results of tools about this
customer, constants of the operator's procedure, retrieved passages, and text that others wrote inside those. A value is
traced by its kind (`tools.values.Kind`) and takes the most trusted origin that backs it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from tools.values import FreeText, Kind


class Origin(StrEnum):
    """Where a value came from, most trusted first."""

    CUSTOMER = "customer"
    RECORD = "record"
    POLICY = "policy"
    KNOWLEDGE = "knowledge"
    FREE_TEXT = "free_text"
    MODEL = "model"


TRUSTED_ORIGINS = frozenset({Origin.CUSTOMER, Origin.RECORD, Origin.POLICY})


@dataclass(frozen=True)
class Trace:
    """The origin of one value and the place that backs it."""

    origin: Origin
    source: str = ""


@dataclass(frozen=True)
class TypedValue:
    """One leaf of a tool's arguments or result. `kind` is None where the field has no declared meaning."""

    path: str
    kind: str | None
    value: Any
    foreign: bool


@dataclass
class Evidence:
    """All that this conversation holds, indexed so that a value can be traced."""

    customer_texts: list[tuple[str, str]] = field(default_factory=list)
    """(message id, text) in order."""
    records: dict[tuple[str, Any], str] = field(default_factory=dict)
    """(kind, value) -> the tool result's field that holds it."""
    foreign_texts: list[tuple[str, str]] = field(default_factory=list)
    knowledge_texts: list[tuple[str, str]] = field(default_factory=list)
    constants: dict[tuple[str, Any], str] = field(default_factory=dict)
    phrases: dict[tuple[str, Any], list[str]] = field(default_factory=dict)
    """(kind, value) -> the operator's list of what customers call it: "read only" is the role ``viewer``."""
    results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(tool, result as JSON), for the checks of a reply."""
    _unread: list[tuple[str, type[BaseModel], dict[str, Any]]] = field(default_factory=list)
    """Earlier results, read when the first value is traced: most turns trace none."""

    def add_result(self, tool: str, result: BaseModel) -> None:
        """Index a tool's result about this customer."""
        self.results.append((tool, result.model_dump(mode="json")))
        self._index(tool, result)

    def add_earlier(self, tool: str, model: type[BaseModel], result: dict[str, Any]) -> None:
        """Take in a result of an earlier turn, as it was recorded."""
        self.results.append((tool, result))
        self._unread.append((tool, model, result))

    def _index(self, tool: str, result: BaseModel) -> None:
        for leaf in typed_values(result):
            place = f"{tool}: {leaf.path}"
            if leaf.foreign:
                self.foreign_texts.append((place, str(leaf.value)))
            elif leaf.kind is not None and leaf.value is not None:
                self.records.setdefault((leaf.kind, leaf.value), place)

    def trace(self, kind: str | None, value: Any) -> Trace:
        """The most trusted origin that backs `value` as a `kind`."""
        self._read()
        if said_in := next((m for m, text in reversed(self.customer_texts) if says(text, kind, value)), None):
            return Trace(Origin.CUSTOMER, f"message {said_in}")
        if kind is not None and (named := self._called(kind, value)):
            return Trace(Origin.CUSTOMER, named)
        if kind is not None and (place := self.records.get((kind, value))):
            return Trace(Origin.RECORD, place)
        if kind is not None and (place := self.constants.get((kind, value))):
            return Trace(Origin.POLICY, place)
        if derived := self._reckoned(kind, value):
            return Trace(Origin.CUSTOMER, derived)
        for origin, texts in ((Origin.FREE_TEXT, self.foreign_texts), (Origin.KNOWLEDGE, self.knowledge_texts)):
            if place := next((place for place, text in texts if says(text, kind, value)), None):
                return Trace(origin, place)
        return Trace(Origin.MODEL)

    def written_by_others(self) -> list[str]:
        """The texts in the records looked up so far that other people wrote: names, memos, notes."""
        self._read()
        return [text for _, text in self.foreign_texts]

    def addresses(self) -> set[str]:
        """The e-mail addresses that the records looked up so far hold."""
        self._read()
        return {str(value).lower() for kind, value in self.records if kind == "email"}

    def _read(self) -> None:
        while self._unread:
            tool, model, result = self._unread.pop(0)
            self._index(tool, model.model_validate(result))

    def _called(self, kind: str, value: Any) -> str:
        """Where the customer named a value by one of its other names; or nothing."""
        for phrase in self.phrases.get((kind, value), []):
            if said_in := next((m for m, text in reversed(self.customer_texts) if says(text, None, phrase)), None):
                return f'message {said_in}: "{phrase}"'
        return ""

    def _reckoned(self, kind: str | None, value: Any) -> str:
        """How a count follows from what the customer said and what the records say there is; or nothing.

        Three kinds of arithmetic are read: how many in all beside how many there are, a number that is told from one
        before ("one less than that", "half of it"), and how many there are less those in use ("all that nobody uses").
        """
        if kind not in COUNTS or type(value) is not int:
            return ""
        there = [(held, place) for (of, held), place in self.records.items() if of == kind and type(held) is int]
        before: set[int] = set()
        for message, text in self.customer_texts:
            told = told_from(before, text)
            if value in told:
                return f"message {message}: told from a number before"
            if speaks_of_unused(text) and (two := [(a, b) for a in there for b in there if a[0] - b[0] == value]):
                (held, place), (used, where) = two[0]
                return f"message {message}: what nobody uses, {held} ({place}) less {used} ({where})"
            said = counts_in(text) | told
            for held, place in there:
                if wanted := said & {held + value, held - value}:
                    return f"message {message}: {wanted.pop()} in all, beside {held} ({place})"
            before |= said | {abs(number - held) for number in said for held, _ in there}
        return ""


COUNTS = frozenset({"seat_count"})
"""Kinds of which a customer may say how many they want in all. A record of such a kind says how many there are: neither
a limit nor what a preview promises, which a model could choose."""


def kind_of(model: type[BaseModel], name: str) -> str | None:
    """The kind that a model declares for a field; None where it has no such field or says nothing of its meaning."""
    return _fields(model).get(name, (None, False))[0]


def typed_values(model: BaseModel, prefix: str = "") -> Iterator[TypedValue]:
    """Every leaf of a model with the kind that its annotation gives."""
    for name, (kind, foreign) in _fields(type(model)).items():
        yield from _leaves(getattr(model, name), f"{prefix}{name}", kind, foreign)


def _leaves(value: Any, path: str, kind: str | None, foreign: bool) -> Iterator[TypedValue]:
    if isinstance(value, BaseModel):
        yield from typed_values(value, f"{path}.")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _leaves(item, f"{path}[{position}]", kind, foreign)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}", kind, foreign)
    else:
        yield TypedValue(path, kind, value.isoformat() if isinstance(value, date) else value, foreign)


@lru_cache(maxsize=1024)
def _fields(model: type[BaseModel]) -> dict[str, tuple[str | None, bool]]:
    hints = get_type_hints(model, include_extras=True)
    return {name: _meaning(hints[name]) for name in model.model_fields}


def _meaning(annotation: Any) -> tuple[str | None, bool]:
    """The (kind, written by others) that an annotation declares, looked for through Optional and list."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        kind = next((mark.name for mark in marks if isinstance(mark, Kind)), None)
        if kind or any(isinstance(mark, FreeText) for mark in marks):
            return kind, any(isinstance(mark, FreeText) for mark in marks)
        return _meaning(inner)
    if origin in (Union, UnionType, list, tuple):
        for part in get_args(annotation):
            kind, foreign = _meaning(part)
            if kind or foreign:
                return kind, foreign
    return None, False


NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
} | {"a couple of": 2, "a dozen": 12, "another": 1, "thirty": 30, "forty": 40, "fifty": 50, "a": 1, "an": 1}

_THAN = re.compile(
    r"\b(more|fewer|less) than (?:that|this|it|what|i (?:said|asked|thought|wrote|told)|you (?:say|said|offer))\b",
    re.IGNORECASE,
)
_BY = re.compile(
    r"\b(?:make (?:it|that) (?P<made>\d{1,3}|[a-z]+) (?:more|fewer|less)|"
    r"(?:that'?s|it'?s|it is|that is) (?P<told>\d{1,3}|[a-z]+) (?:fewer|less)|"
    r"(?P<needed>\d{1,3}|[a-z]+) (?:fewer|less) (?:that|which) (?:i|we) (?:need|want))\b(?! (?:seats?|users?|places?|"
    r"licen[cs]es?|people)\b)",
    re.IGNORECASE,
)
"""A step from a number before ("so it's one less")."""
_SHARE = re.compile(
    r"\b(half|double|twice)\b(?: of)? (?:as (?:many|much)|that|this|it|them|the number)\b",
    re.IGNORECASE,
)


def told_from(before: Collection[int], text: str) -> set[int]:
    """The counts that a text tells from those `before`: "one less than that", "so it's one less", "half of it"."""
    than = _THAN.search(text)
    if than is not None and (steps := counts_in(text[: than.start()])):
        sign = 1 if than[1].lower() == "more" else -1
        return {number + sign * step for number in before for step in steps if number + sign * step > 0}
    if (by := _BY.search(text)) is not None and (steps := counts_in(by["made"] or by["told"] or by["needed"])):
        sign = 1 if "more" in by[0].lower() else -1
        return {number + sign * step for number in before for step in steps if number + sign * step > 0}
    if (share := _SHARE.search(text)) is not None:
        if share[1].lower() == "half":
            return {number // 2 for number in before if number % 2 == 0 and number > 0}
        return {number * 2 for number in before}
    return set()


IDLE = r"(?:extra|spare|empty|unused|idle|free|vacant|surplus|superfluous|needless|leftover)"
"""What people call places that nobody uses."""
_PLACES = r"(?:seats|licen[cs]es|places|ones|logins)"
_UNUSED = re.compile(
    rf"\b(?:the|all|our|any|every|those) (?:(?:of|the|our|those|remaining|other) ){{0,4}}{IDLE} {_PLACES}\b|"
    rf"\b(?:{_PLACES}|those|all|everything|whatever)(?: (?:that|which))? (?:(?:nobody|no[ -]?one|none of us) "
    r"(?:\w+ )?(?:uses?|is using|sits (?:on|in)|has|needs|occupies|works with)|"
    r"(?:are|is) (?:unused|empty|idle|free|vacant|not (?:in use|used|taken|occupied)))\b|"
    r"\b(?:to|for) (?:only |just )?(?:what|as many as|the number (?:that )?|the seats (?:that )?)\s?"
    r"(?:we|is|are) (?:actually |really |currently |do )*(?:use|using|in use|used)\b",
    re.IGNORECASE,
)


def speaks_of_unused(text: str) -> bool:
    """Whether a text means all that nobody uses ("the ones that nobody sits on", "down to what we really use")."""
    return _UNUSED.search(text) is not None


_NUMBER = re.compile(r"(?<![\w.,])(\d{1,3}(?:[ ,]\d{3})+|\d+)(?:[.,](\d{1,2}))?(?![\w]*\d|[.,]\d)")


def numbers_in(text: str) -> set[tuple[int, int]]:
    """The numbers in a text as (units, hundredths): ``29`` and ``29.00`` both give (29, 0).

    What can be read in two ways, such as ``1.234``, is no number: better none than a wrong one.
    """
    found = set()
    for match in _NUMBER.finditer(text):
        units = int(re.sub(r"\D", "", match[1]))
        fraction = (match[2] or "0").ljust(2, "0")
        found.add((units, int(fraction)))
    return found


def counts_in(text: str) -> set[int]:
    """The whole numbers in a text, as digits or in words up to twenty."""
    low = text.lower()
    words = {number for word, number in NUMBER_WORDS.items() if re.search(rf"\b{word}\b", low)}
    return words | {units for units, fraction in numbers_in(text) if fraction == 0}


def says(text: str, kind: str | None, value: Any) -> bool:
    """Whether a text names `value`, normalised for its kind.

    Amounts are matched in minor units (``29 euros``, ``29.00`` and ``EUR 29`` all name 2900); counts as digits or
    words; everything else as whole words, without regard to case, underscores or hyphens.
    """
    if isinstance(value, bool) or value is None or value == "":
        return False
    if isinstance(value, int):
        if kind == "amount_minor":
            return divmod(value, 100) in numbers_in(text)
        return value in counts_in(text)
    words = re.sub(r"[_\-\s]+", " ", str(value).lower()).strip()
    spoken = re.sub(r"[_\-\s]+", " ", text.lower())
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", spoken) is not None
