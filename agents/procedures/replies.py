"""Reply templates: sandboxed Jinja2 over JSON values, with the filters that customers' texts need."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from babel.dates import format_date
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from records.money import Money


class TemplateProblem(Exception):
    """A template does not parse or asks for a value that is not there. The message names the template."""


def money(minor: int, currency: str) -> str:
    """Minor units as text: ``29.00 EUR``."""
    return str(Money(int(minor), currency))


def day(value: str | date) -> str:
    """``3 November 2026``."""
    when = value if isinstance(value, date) else datetime.fromisoformat(value).date()
    return format_date(when, "d MMMM y", locale="en_GB")


def month(value: str) -> str:
    """``October 2026`` for ``2026-10``."""
    return format_date(date(int(value[:4]), int(value[5:7]), 1), "MMMM y", locale="en_GB")


def percent(value: float) -> str:
    """``12.5%``; whole figures without decimals."""
    return f"{float(value):g}%"


FILTERS: dict[str, Callable[..., str]] = {"money": money, "day": day, "month": month, "percent": percent}


class _Environment(ImmutableSandboxedEnvironment):
    """A record's fields come before the methods of a dict: `{{ incident.update }}` is the field."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


class Templates:
    """Renders replies (files in a folder) and short texts (questions, labels, offers) that stand in other files."""

    def __init__(self, folder: Path) -> None:
        self._environment = _Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)
        self._environment.filters.update(FILTERS)
        self.sources = {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.md"))}
        self._compiled: dict[str, Any] = {}
        for name, source in self.sources.items():
            self.check(source, f"{folder / name}.md")

    @property
    def names(self) -> frozenset[str]:
        """The replies there are."""
        return frozenset(self.sources)

    def slots_of(self, name: str) -> tuple[str, ...]:
        """The slots that a reply speaks of."""
        return tuple(dict.fromkeys(re.findall(r"\bslots\.([a-z_][a-z0-9_]*)", self.sources[name])))

    def check(self, source: str, place: str) -> None:
        """Raise `TemplateProblem` where the template does not parse."""
        try:
            self._environment.parse(source)
        except TemplateSyntaxError as error:
            raise TemplateProblem(f"{place} line {error.lineno}: {error.message}") from None

    def reply(self, name: str, names: dict[str, Any]) -> str:
        """A reply by name. Raises `TemplateProblem`."""
        return self.text(self.sources[name], names, f"reply {name}")

    def text(self, source: str, names: dict[str, Any], place: str = "text") -> str:
        """A short template rendered over `names`. Raises `TemplateProblem`."""
        try:
            if (template := self._compiled.get(source)) is None:
                template = self._compiled[source] = self._environment.from_string(source)
            return template.render(names).strip()
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise TemplateProblem(f"{place}: {error}") from None
