"""Mandatory triggers: the operator's rules on what a person must have, whatever a model thinks of it.

`prompts/escalation.yaml` holds the queues, the signals (regular expressions over the customer's words), example
messages of the matters that must reach a person, and the rules (CEL) that combine them with what the records say.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import cel
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.procedures.expressions import Expression, ExpressionError
from tools.placed_yaml import plain_data

Priority = Literal["urgent", "high", "normal"]
RANK: dict[str, int] = {"normal": 0, "high": 1, "urgent": 2}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class BrokenEscalation(Exception):
    """`escalation.yaml` cannot be used; the message names file and field."""


class Queue(BaseModel):
    """A team that takes handoffs. `hours` is ``always`` or ``Mon-Fri 08:00-18:00``."""

    model_config = ConfigDict(extra="forbid")
    team: str
    hours: str = Field(pattern=r"^(always|[A-Z][a-z]{2}-[A-Z][a-z]{2} \d{2}:\d{2}-\d{2}:\d{2})$")
    timezone: str = "UTC"
    first_response_minutes: int = Field(gt=0)

    def is_open(self, at: datetime) -> bool:
        """Whether somebody works at that moment."""
        opening = self._opening(at.astimezone(self.zone))
        return opening is not None and opening[0] <= at < opening[1]

    def next_opening(self, at: datetime) -> datetime:
        """The next moment, not before `at`, when somebody works."""
        local = at.astimezone(self.zone)
        for ahead in range(8):
            opening = self._opening(local + timedelta(days=ahead))
            if opening is not None and opening[1] > at:
                return max(opening[0], local)
        return local

    def due(self, at: datetime, minutes: int) -> datetime:
        """When `minutes` of working time will have passed."""
        left, moment = timedelta(minutes=minutes), at.astimezone(self.zone)
        for _ in range(400):
            moment = self.next_opening(moment)
            opening = self._opening(moment)
            if opening is None or moment + left <= opening[1]:
                break
            left -= opening[1] - moment
            moment = opening[1] + timedelta(seconds=1)
        return moment + left

    @property
    def zone(self) -> ZoneInfo:
        """The team's time zone."""
        return ZoneInfo(self.timezone)

    def _opening(self, local: datetime) -> tuple[datetime, datetime] | None:
        """The working hours of that local day, or None on a day off."""
        midnight = datetime.combine(local.date(), time(), self.zone)
        if self.hours == "always":
            return midnight, midnight + timedelta(days=1)
        days, span = self.hours.split(" ")
        first, last = (DAYS.index(day) for day in days.split("-"))
        if not first <= local.weekday() <= last:
            return None
        start, end = (time.fromisoformat(clock) for clock in span.split("-"))
        return datetime.combine(local.date(), start, self.zone), datetime.combine(local.date(), end, self.zone)


class _TriggerForm(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    reason: str
    when: str
    queue: str
    priority: Priority = "normal"
    customer_reason: str = ""


class _PriorityForm(BaseModel):
    model_config = ConfigDict(extra="forbid")
    priority: Literal["urgent", "high"]
    when: str
    reason: str


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    queues: dict[str, Queue]
    signals: dict[str, list[str]]
    intents: dict[str, list[str]]
    triggers: list[_TriggerForm]
    priorities: list[_PriorityForm] = []


@dataclass(frozen=True)
class Trigger:
    """One rule that sends a conversation to people."""

    id: str
    reason: str
    when: Expression
    queue: str
    priority: Priority
    customer_reason: str


@dataclass(frozen=True)
class Raise:
    """One rule that puts a handoff before others of its queue."""

    priority: Priority
    when: Expression
    reason: str


@dataclass(frozen=True)
class EscalationRules:
    """The operator's rules, compiled."""

    queues: dict[str, Queue]
    signals: dict[str, tuple[re.Pattern[str], ...]]
    intents: dict[str, list[str]]
    triggers: tuple[Trigger, ...]
    priorities: tuple[Raise, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "EscalationRules":
        """Read and check the file. Raises `BrokenEscalation`."""
        try:
            form = _Form.model_validate(plain_data(path.read_text(encoding="utf-8")))
        except yaml.MarkedYAMLError as error:
            line = (error.problem_mark.line if error.problem_mark else 0) + 1
            raise BrokenEscalation(f"{path} line {line}: not valid YAML: {error.problem}") from None
        except ValidationError as error:
            first = error.errors()[0]
            raise BrokenEscalation(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        triggers = []
        for entry in form.triggers:
            if entry.queue not in form.queues:
                raise BrokenEscalation(f"{path}: trigger {entry.id}: unknown queue {entry.queue!r}")
            try:
                when = Expression(entry.when)
            except ExpressionError as error:
                raise BrokenEscalation(f"{path}: trigger {entry.id}: {error}") from None
            triggers.append(Trigger(entry.id, entry.reason, when, entry.queue, entry.priority, entry.customer_reason))
        signals = {name: tuple(_pattern(path, name, p) for p in patterns) for name, patterns in form.signals.items()}
        raises = []
        for number, rule in enumerate(form.priorities, 1):
            try:
                raises.append(Raise(rule.priority, Expression(rule.when), rule.reason))
            except ExpressionError as error:
                raise BrokenEscalation(f"{path}: priority {number}: {error}") from None
        return cls(form.queues, signals, form.intents, tuple(triggers), tuple(raises))

    def queue_of(self, intent: str) -> str:
        """The queue of the first rule that speaks of a matter for people; empty where none does."""
        return next((t.queue for t in self.triggers if re.search(rf"\bintents\.{intent}\b", t.when.source)), "")

    def signals_in(self, text: str) -> dict[str, bool]:
        """Which signals the customer's words hold."""
        plain = text.replace("’", "'")
        return {name: any(p.search(plain) for p in patterns) for name, patterns in self.signals.items()}

    def fired(self, names: dict[str, Any]) -> Trigger | None:
        """The first rule that holds over what triage found; rules stand in the file by precedence.

        A rule that cannot be evaluated counts as fired: a doubtful case goes to a person.
        """
        shared = cel.Context(names)  # converted once for all rules
        for trigger in self.triggers:
            try:
                if trigger.when.evaluate(shared):
                    return trigger
            except ExpressionError:
                return trigger
        return None

    def raised(self, names: dict[str, Any]) -> list[tuple[Priority, str]]:
        """The priorities that a handoff of this customer has cause for, with the reasons, most urgent first.

        A rule that cannot be evaluated raises nothing: priorities order a queue, they keep nobody from it.
        """
        shared = cel.Context(names)
        found: list[tuple[Priority, str]] = [
            (rule.priority, rule.reason) for rule in self.priorities if _holds(rule.when, shared)
        ]
        return sorted(found, key=lambda pair: -RANK[pair[0]])


def _holds(when: Expression, names: cel.Context) -> bool:
    try:
        return when.evaluate(names) is True
    except ExpressionError:
        return False


def _pattern(path: Path, name: str, source: str) -> re.Pattern[str]:
    try:
        return re.compile(source, re.IGNORECASE)
    except re.error as error:
        raise BrokenEscalation(f"{path}: signal {name}: {source!r} is no regular expression: {error}") from None
