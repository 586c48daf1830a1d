"""Gates: what a run must reach, and how far it may fall behind an earlier one.

A gate file is YAML: the name of a figure of `summary.json` (dots lead into it) and what it is held to:

    correct: {min: 0.95, max_drop: 0.01}
    baseline.keyword_routing.unnecessary_escalations_change: {max: -0.6}
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from tools.placed_yaml import PlacedYaml, UnusableFile

OPEN_ENDED = ("by_intent", "by_queue", "pass_k")
"""Parts of a summary whose names depend on the tickets."""
REGRESSIONS = {
    "correct": "drop",
    "wrong_actions": "rise",
    "missed_escalations": "rise",
    "unnecessary_escalations": "rise",
    "lost": "rise",
}
"""What may not get worse than the baseline where no gate says otherwise; counts per conversation."""
ROUNDING = 1e-9


class Bounds(BaseModel):
    """What one figure is held to. `max_drop` and `max_rise` count from the baseline's figure."""

    model_config = ConfigDict(extra="forbid", strict=True)
    min: float | None = None
    max: float | None = None
    max_drop: float | None = None
    max_rise: float | None = None

    @model_validator(mode="after")
    def _some(self) -> "Bounds":
        if not self.model_fields_set:
            raise ValueError("say at least one of min, max, max_drop and max_rise")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max: nothing can pass")
        return self

    @property
    def relative(self) -> list[str]:
        """The bounds that need a baseline."""
        return [name for name in ("max_drop", "max_rise") if getattr(self, name) is not None]


class _Form(RootModel[dict[str, Bounds]]):
    pass


@dataclass(frozen=True)
class Verdict:
    """Whether one bound holds."""

    figure: str
    bound: str
    limit: float
    value: float | None
    baseline: float | None
    ok: bool

    @property
    def says(self) -> str:
        """What was missed and by how much, in a line."""
        if self.value is None:
            return f"{self.figure} has no value in this run: {self.bound} {self.limit:g} cannot be judged"
        value = f"{self.figure} is {self.value:g}"
        if self.bound in ("min", "max"):
            words = {"min": "at least", "max": "at most"}[self.bound]
            return f"{value}: {words} {self.limit:g} is asked, {abs(self.value - self.limit):.4g} off"
        moved = abs(self.value - (self.baseline or 0))
        fell = "fell" if self.bound == "max_drop" else "rose"
        return f"{value}: it {fell} by {moved:.4g} from {self.baseline:g}, {self.limit:g} is allowed"

    def as_json(self) -> dict[str, Any]:
        """For the command's document."""
        return {**asdict(self), "says": self.says}


class Gates:
    """A gate file that was read."""

    def __init__(self, file: PlacedYaml, bounds: Mapping[str, Bounds]) -> None:
        self._file, self._bounds = file, bounds

    @classmethod
    def load(cls, path: Path, *, baseline: bool) -> "Gates":
        """Raises `UnusableFile`, which names file, line and field, and FileNotFoundError. `baseline`: there is one."""
        file = PlacedYaml.read(path)
        gates = cls(file, file.as_form(_Form).root)
        gates._check(baseline)
        return gates

    def _check(self, baseline: bool) -> None:
        from evals.summary import summarise

        shape = summarise([], 0.0)
        for figure, bounds in self._bounds.items():
            if figure.split(".")[0] not in OPEN_ENDED:
                self._number(shape, figure)
            if bounds.relative and not baseline:
                raise UnusableFile(self._file.told((figure, bounds.relative[0]), "it needs a --baseline"))

    def _number(self, summary: Mapping[str, Any], figure: str) -> float | None:
        """The figure; None where it has no value, such as a change against nothing."""
        try:
            value = figure_of(summary, figure)
        except LookupError:
            raise UnusableFile(self._file.told((figure,), "there is no such figure in summary.json")) from None
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UnusableFile(self._file.told((figure,), "it is no number"))
        return value

    def judge(self, summary: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> list[Verdict]:
        """Every bound with whether it holds. Raises `UnusableFile` for a figure that the run does not have."""
        found: list[Verdict] = []
        for figure, bounds in self._bounds.items():
            value = self._number(summary, figure)
            if value is None:
                given = bounds.model_dump(exclude_none=True)
                found += [Verdict(figure, name, limit, None, None, False) for name, limit in given.items()]
                continue
            if bounds.min is not None:
                found.append(Verdict(figure, "min", bounds.min, value, None, value >= bounds.min - ROUNDING))
            if bounds.max is not None:
                found.append(Verdict(figure, "max", bounds.max, value, None, value <= bounds.max + ROUNDING))
            if baseline is not None and bounds.relative:
                found += _moved(figure, value, self._number(baseline, figure) or 0.0, bounds)
        return found

    @property
    def relative(self) -> set[str]:
        """The figures whose distance from the baseline is bounded."""
        return {figure for figure, bounds in self._bounds.items() if bounds.relative}


def _moved(figure: str, value: float, before: float, bounds: Bounds) -> list[Verdict]:
    found: list[Verdict] = []
    if bounds.max_drop is not None:
        ok = before - value <= bounds.max_drop + ROUNDING
        found.append(Verdict(figure, "max_drop", bounds.max_drop, value, before, ok))
    if bounds.max_rise is not None:
        ok = value - before <= bounds.max_rise + ROUNDING
        found.append(Verdict(figure, "max_rise", bounds.max_rise, value, before, ok))
    return found


def judged(summary: Mapping[str, Any], baseline: Mapping[str, Any] | None, gates: Gates | None) -> list[Verdict]:
    """The verdicts of the gate file, and with a baseline that nothing which matters got worse."""
    verdicts = gates.judge(summary, baseline) if gates else []
    if baseline is None:
        return verdicts
    named = gates.relative if gates else set()
    for figure, way in REGRESSIONS.items():
        if figure not in named:
            now, before = _rate(summary, figure), _rate(baseline, figure)
            verdicts += _moved(figure, now, before, Bounds(**{f"max_{way}": 0.0}))
    return verdicts


def _rate(summary: Mapping[str, Any], figure: str) -> float:
    value = summary[figure]
    return value if figure == "correct" else round(value / max(1, summary["conversations"]), 6)


def figure_of(summary: Mapping[str, Any], name: str) -> Any:
    """A figure by its dotted name; numbers lead into lists. Raises `LookupError`."""
    value: Any = summary
    for part in name.split("."):
        if isinstance(value, list) and part.isdigit():
            value = value[int(part)]
        elif isinstance(value, Mapping):
            value = value[part]
        else:
            raise LookupError(name)
    return value


class NoSummary(Exception):
    """The file is no summary of a run; the message names it and says why."""


def read_summary(path: Path) -> dict[str, Any]:
    """A `summary.json`, or the folder that holds it. Raises `NoSummary`, `OSError`."""
    path = path / "summary.json" if path.is_dir() else path
    try:
        value = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise NoSummary(f"{path}: it is no JSON ({error}): give the summary.json of a run") from None
    for name in ("conversations", "tickets", *REGRESSIONS):
        if not isinstance(value, dict) or name not in value:
            raise NoSummary(f"{path}: {name}: it is missing: give the summary.json of a run")
    return value
