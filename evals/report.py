"""`report.html`: one file with its plots inside, for a support lead; and the page that sets two runs side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from evals.plots import plots_of

HERE = Path(__file__).parent


def write_report(summary: Mapping[str, Any], path: Path, title: str, gates: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write the report of one run; `gates` are the verdicts on what it was held to."""
    page = _environment().get_template("report.html.jinja")
    _write(path, page.render(summary=summary, gates=gates, title=title, plots=plots_of(summary), parts=_parts(summary)))


def write_comparison(figures: Mapping[str, Any], path: Path, title: str) -> None:
    """Write the page that compares two runs."""
    _write(path, _environment().get_template("comparison.html.jinja").render(figures=figures, title=title))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "money": _money, "change": _change}
    return environment


def _write(path: Path, page: str) -> None:
    half = path.with_name(f".{path.name}.new")
    half.write_text(page, encoding="utf-8")
    half.replace(path)


def _parts(summary: Mapping[str, Any]) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    """(heading, what stands under it, tickets): wrong ones first, each ticket once."""
    tickets = summary["tickets"]
    right = [ticket for ticket in tickets if ticket["correct"]]
    waiting = ("awaiting_approval", "awaiting_customer", "open")
    parts = [
        ("Wrong", "Not the end that the ticket should have had.", [t for t in tickets if not t["correct"]]),
        ("Handed to people", "Rightly.", [t for t in right if t["disposition"] == "escalated"]),
        (
            "Waiting",
            "For an approval, or for the customer, as expected.",
            [t for t in right if t["disposition"] in waiting],
        ),
        (
            "Resolved",
            "Without a person, with the right end state.",
            [t for t in right if t["disposition"] == "resolved"],
        ),
    ]
    return [part for part in parts if part[2]]


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def _money(minor: float | None) -> str:
    return "-" if minor is None else f"{minor / 100:,.2f}"


def _change(share: float | None) -> str:
    return "nothing to compare with" if share is None else f"{100 * share:+.0f} %"
