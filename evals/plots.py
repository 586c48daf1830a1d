"""The drawings of the report: SVG whose colours follow the page's, so that they are light and dark with it."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INK, LINE, GOOD, FAIR, POOR, BAD = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
"""Stand-ins that matplotlib takes for colours; the page's own replace them."""
COLOURS = {INK: "ink", LINE: "line", GOOD: "good", FAIR: "fair", POOR: "poor", BAD: "bad"}
WIDTH = 6.0


@dataclass(frozen=True)
class Plot:
    """One drawing with what a reader needs: how to read it, and the same as a table."""

    name: str
    title: str
    reading: str
    alt: str
    svg: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def plots_of(summary: Mapping[str, Any]) -> list[Plot]:
    """The drawings of a run; one without anything to show is left out."""
    drawn = [
        _routing(summary),
        _money(summary),
        _calibration(summary["certainty"]),
        _risk(summary["certainty"]),
        _reliability(summary["pass_k"]),
        _times(summary),
    ]
    return [plot for plot in drawn if plot is not None]


def _routing(summary: Mapping[str, Any]) -> Plot:
    sides = {"Handrail": summary, **_others(summary)}
    count = summary["conversations"]
    rows = []
    for name, side in sides.items():
        unnecessary, missed = side["unnecessary_escalations"], side["missed_escalations"]
        total = side.get("tickets") if name == "As recorded" else count
        rows.append((name, total - side["escalated"] - missed, side["escalated"] - unnecessary, unnecessary, missed))
    parts = (
        ("no person needed or asked", GOOD),
        ("person, rightly", FAIR),
        ("person, not needed", POOR),
        ("person needed, not called", BAD),
    )
    figure, axes = _figure(0.55 * len(rows) + 1.1)
    left = [0] * len(rows)
    for number, (label, colour) in enumerate(parts, 1):
        widths = [row[number] for row in rows]
        axes.barh([row[0] for row in rows], widths, left=left, color=colour, label=label, height=0.6)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("conversations")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=INK)
    unnecessary = ", ".join(f"{row[0]} {row[3]} unnecessary and {row[4]} missed" for row in rows)
    return Plot(
        "routing",
        "Who got the tickets",
        "The shorter the third and fourth part of a bar, the better: people's time spent without need, and "
        "customers who needed a person and got none.",
        f"Bars of conversations by who got them: {unnecessary}.",
        _svg(figure, "routing"),
        ("", *(label for label, _ in parts)),
        rows,
    )


def _others(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    baseline = summary["baseline"]
    found = {"Keyword routing": baseline["keyword_routing"]}
    if baseline["recorded"]["tickets"]:
        found["As recorded"] = baseline["recorded"]
    return found


def _money(summary: Mapping[str, Any]) -> Plot | None:
    sides = {"Handrail": summary, **_others(summary)}
    rows = [
        (name, round(side["cost"]["per_ticket"] / 100, 2))
        for name, side in sides.items()
        if side["cost"]["per_ticket"] is not None
    ]
    if not rows:
        return None
    currency = summary["cost"]["currency"]
    figure, axes = _figure(0.45 * len(rows) + 0.8)
    bars = axes.barh([name for name, _ in rows], [value for _, value in rows], color=FAIR, height=0.6)
    axes.bar_label(bars, fmt="%.2f", padding=3, color=INK)
    axes.invert_yaxis()
    axes.set_xlabel(f"{currency} a ticket")
    return Plot(
        "money",
        "What a ticket costs",
        "People's time, the customer's wait, the second contact after a wrong ending, and the model. What was recorded "
        "holds what the old desk wrote down, usually people's time alone.",
        f"Cost of a ticket in {currency}: " + ", ".join(f"{name} {value:.2f}" for name, value in rows) + ".",
        _svg(figure, "money"),
        ("", f"{currency} a ticket"),
        rows,
    )


def _calibration(certainty: Mapping[str, Any]) -> Plot | None:
    bins = certainty["bins"]
    if not bins:
        return None
    figure, axes = _figure(3.0)
    low = max(0.0, min(0.9, *(min(row["p_correct"], row["correct"]) for row in bins)) - 0.05)
    axes.plot([low, 1], [low, 1], color=LINE, linestyle="--")
    sizes = [20 + 200 * row["actions"] / certainty["actions"] for row in bins]
    axes.scatter([row["p_correct"] for row in bins], [row["correct"] for row in bins], s=sizes, color=FAIR, zorder=3)
    axes.set_xlabel("said: probability that the action is right")
    axes.set_ylabel("was right")
    return Plot(
        "calibration",
        "Does it know when it is right?",
        "Each dot is a tenth of the actions. On the dashed line the service is right as often as it says; below it, it "
        f"is surer than it should be. {certainty['right']} of {certainty['actions']} weighed actions were right.",
        f"Calibration of {certainty['actions']} actions in {len(bins)} groups; mean distance from the line "
        f"{certainty['calibration_error']}.",
        _svg(figure, "calibration"),
        ("actions", "said", "was right"),
        [(row["actions"], row["p_correct"], row["correct"]) for row in bins],
    )


def _risk(certainty: Mapping[str, Any]) -> Plot | None:
    points = certainty["risk_coverage"]
    if not points:
        return None
    figure, axes = _figure(2.6)
    axes.step(
        [100 * p["coverage"] for p in points],
        [100 * p["risk"] for p in points],
        where="post",
        color=FAIR,
        marker=".",
        clip_on=False,
        linewidth=2.5,
    )
    axes.set_ylim(bottom=0, top=max(5.0, 120 * max(p["risk"] for p in points)))
    axes.set_xlabel("% of actions done alone (the surest first)")
    axes.set_ylabel("% of them wrong")
    last = points[-1]
    return Plot(
        "risk",
        "Risk against coverage",
        "Further right, more is done without a person; the higher the line, the more of that is wrong. The flatter it "
        "stays at the bottom, the more can be left to the service.",
        f"At full coverage {last['wrong']} of {last['actions']} actions are wrong ({100 * last['risk']:.1f} %).",
        _svg(figure, "risk"),
        ("from probability", "actions", "coverage", "wrong", "risk"),
        [(p["threshold"], p["actions"], p["coverage"], p["wrong"], p["risk"]) for p in points],
    )


def _reliability(pass_k: Mapping[str, Any]) -> Plot | None:
    if len(pass_k) < 2:
        return None
    figure, axes = _figure(2.6)
    ks, shares = [int(k) for k in pass_k], [100 * one["share"] for one in pass_k.values()]
    low = [100 * (one["share"] - one["interval"][0]) for one in pass_k.values()]
    high = [100 * (one["interval"][1] - one["share"]) for one in pass_k.values()]
    spread = [[max(0.0, value) for value in values] for values in (low, high)]
    axes.errorbar(ks, shares, yerr=spread, color=FAIR, marker="o", capsize=3)
    axes.set_xticks(ks)
    axes.set_xlabel("times in a row")
    axes.set_ylabel("% of tickets right each time")
    return Plot(
        "reliability",
        "How reliable it is",
        "The same customers ask again in other words, with typing errors and greetings. A line that stays level means "
        "that the outcome does not hang on the wording.",
        "pass^k: " + ", ".join(f"{k} times {one['share']:.3f}" for k, one in pass_k.items()) + ".",
        _svg(figure, "reliability"),
        ("times", "share", "from", "to"),
        [(k, one["share"], *one["interval"]) for k, one in pass_k.items()],
    )


def _times(summary: Mapping[str, Any]) -> Plot | None:
    times = [ms for ticket in summary["tickets"] for ms in ticket["turn_ms"]]
    if not times:
        return None
    figure, axes = _figure(2.4)
    longest = summary["turn_ms"]["p95"] * 1.5
    axes.hist([min(ms, longest) for ms in times], bins=30, color=FAIR)
    axes.set_xlabel("milliseconds (the longest stand in the last bar)")
    axes.set_ylabel("turns")
    return Plot(
        "times",
        "How long a customer waits for an answer",
        "Measured where the run was made, with all its processes at work: good for comparing runs on one machine.",
        f"Half of the turns took at most {summary['turn_ms']['p50']} ms, 95 % at most {summary['turn_ms']['p95']} ms.",
        _svg(figure, "times"),
        ("share of turns", "within ms"),
        [("50 %", summary["turn_ms"]["p50"]), ("95 %", summary["turn_ms"]["p95"])],
    )


def _figure(height: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(colors=INK, length=0)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    return figure, axes


def _svg(figure: Any, name: str) -> str:
    """The drawing without XML head and size, its ids its own, its text as text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 12.5}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    content = buffer.getvalue()
    svg = content[content.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", svg)
    svg = re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font: \1px system-ui, sans-serif", svg)
    for stand_in, colour in COLOURS.items():
        svg = svg.replace(stand_in, f"var(--{colour})")
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
