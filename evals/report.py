"""`report.html`: one file with its plots inside, for a support lead."""

import io
from pathlib import Path
from typing import Any

from jinja2 import Environment

TEMPLATE = Path(__file__).parent / "report.html.jinja"


def write_report(summary: dict[str, Any], path: Path, title: str) -> None:
    """Write the report of one run."""
    environment = Environment(autoescape=True, trim_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    plots = [("How the conversations ended", _endings(summary)), ("Time of a turn", _times(summary))]
    path.write_text(template.render(summary=summary, plots=plots, title=title), encoding="utf-8")


def _endings(summary: dict[str, Any]) -> str:
    names = ["resolved", "escalated", "awaiting_approval", "awaiting_customer"]
    figure, axes = _figure()
    bars = axes.barh([name.replace("_", " ") for name in names], [summary[name] for name in names], color="#2f6f62")
    axes.bar_label(bars, padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("conversations")
    return _svg(figure)


def _times(summary: dict[str, Any]) -> str:
    times = [ms for ticket in summary["tickets"] for ms in ticket["turn_ms"]]
    figure, axes = _figure()
    axes.hist(times, bins=30, color="#2f6f62")
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("turns")
    return _svg(figure)


def _figure() -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    content = buffer.getvalue()
    return content[content.index("<svg") :]
