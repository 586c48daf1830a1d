"""Two runs ticket by ticket: what got better, what got worse, what ended otherwise, and whether that is chance."""

from collections.abc import Mapping
from typing import Any

from evals.gates import figure_of

FIGURES = (
    "correct",
    "resolved",
    "escalated",
    "wrong_actions",
    "missed_escalations",
    "unnecessary_escalations",
    "cost.per_ticket",
    "cost.per_resolution",
    "turn_ms.p50",
    "turn_ms.p95",
)
SIGNIFICANT = 0.05
Row = Mapping[str, Any]


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Every ticket and repeat that both hold. `worse_by_chance` is the p of an exact McNemar test (two-sided)."""
    rows_a, rows_b = _rows(a), _rows(b)
    pairs = [(rows_a[key], row) for key, row in rows_b.items() if key in rows_a]
    better = [_change(was, now) for was, now in pairs if now["correct"] and not was["correct"]]
    worse = [_change(was, now) for was, now in pairs if was["correct"] and not now["correct"]]
    same = [(was, now) for was, now in pairs if was["correct"] == now["correct"]]
    # Repeats of a ticket are no independent evidence: the test counts a ticket once, right if all its repeats are.
    gained, lost = _tickets_changed(pairs)
    p = mcnemar(gained, lost)
    return {
        "tickets": len(pairs),
        "right_a": sum(was["correct"] for was, _ in pairs),
        "right_b": sum(now["correct"] for _, now in pairs),
        "better": better,
        "worse": worse,
        "otherwise": [_change(was, now) for was, now in same if _end(was) != _end(now)],
        "same": sum(_end(was) == _end(now) for was, now in same),
        "only_in_a": [_name(key) for key in rows_a if key not in rows_b],
        "only_in_b": [_name(key) for key in rows_b if key not in rows_a],
        "mcnemar": {"better": gained, "worse": lost, "p": p},
        "significant": p < SIGNIFICANT,
        "wrong_actions_a": sum(was.get("wrong_actions", 0) for was, _ in pairs),
        "wrong_actions_b": sum(now.get("wrong_actions", 0) for _, now in pairs),
        "figures": {name: _figures(a, b, name) for name in FIGURES},
    }


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p of so many tickets that got better and worse, were both equally likely (McNemar, 1947)."""
    from scipy.stats import binomtest

    return round(float(binomtest(gained, gained + lost, 0.5).pvalue), 6) if gained + lost else 1.0


def regressed(figures: Mapping[str, Any]) -> list[str]:
    """Why B may not take the place of A; nothing where it may."""
    reasons: list[str] = []
    test = figures["mcnemar"]
    if figures["significant"] and test["worse"] > test["better"]:
        reasons.append(
            f"{test['worse']} tickets got worse and {test['better']} better: "
            f"that is hardly chance (exact McNemar p = {test['p']:.3g})"
        )
    if figures["wrong_actions_b"] > figures["wrong_actions_a"]:
        reasons.append(f"wrong actions rose from {figures['wrong_actions_a']} to {figures['wrong_actions_b']}")
    return reasons


def comparison_lines(figures: Mapping[str, Any]) -> list[str]:
    """The comparison as text."""
    test = figures["mcnemar"]
    chance = "hardly chance" if figures["significant"] else "may be chance"
    lines = [
        f"{figures['tickets']} conversations in both: {figures['right_a']} right in A, {figures['right_b']} in B",
        f"better {len(figures['better'])}, worse {len(figures['worse'])}, otherwise {len(figures['otherwise'])}, "
        f"the same {figures['same']}; exact McNemar p = {test['p']:.3g} ({chance})",
    ]
    for name in ("worse", "better", "otherwise"):
        lines += [f"  {name}: {change['id']}: {change['a']} -> {change['b']}" for change in figures[name]]
    for name in ("only_in_a", "only_in_b"):
        if figures[name]:
            lines.append(f"{name.replace('_', ' ')}: {len(figures[name])} ({', '.join(figures[name][:5])} ...)")
    return lines


def _rows(summary: Mapping[str, Any]) -> dict[tuple[str, int], Row]:
    return {(row["id"], row.get("repeat", 0)): row for row in summary["tickets"]}


def _tickets_changed(pairs: list[tuple[Row, Row]]) -> tuple[int, int]:
    was: dict[str, bool] = {}
    now: dict[str, bool] = {}
    for a, b in pairs:
        was[a["id"]] = was.get(a["id"], True) and a["correct"]
        now[b["id"]] = now.get(b["id"], True) and b["correct"]
    return sum(now[t] and not was[t] for t in was), sum(was[t] and not now[t] for t in was)


def _name(key: tuple[str, int]) -> str:
    return key[0] if key[1] == 0 else f"{key[0]} repeat {key[1]}"


def _end(row: Row) -> tuple[Any, ...]:
    done = sorted(f"{e['tool']} {e['arguments']} {e['state']}" for e in row.get("effects", ()))
    return row["intent"], row["disposition"], row["queue"], done


def _change(was: Row, now: Row) -> dict[str, Any]:
    return {
        "id": _name((now["id"], now.get("repeat", 0))),
        "a": _words(was),
        "b": _words(now),
        "problems_a": was.get("problems", []),
        "problems_b": now.get("problems", []),
        "exchanges_a": was.get("exchanges", []),
        "exchanges_b": now.get("exchanges", []),
    }


def _words(row: Row) -> str:
    tools = ", ".join(e["tool"] for e in row.get("effects", ()) if e["state"] == "verified")
    parts = [row["intent"] or "no intent", row["disposition"], row["queue"] or "", tools]
    return " ".join(part for part in parts if part)


def _figures(a: Mapping[str, Any], b: Mapping[str, Any], name: str) -> dict[str, Any]:
    values = []
    for summary in (a, b):
        try:
            values.append(figure_of(summary, name))
        except LookupError:
            values.append(None)
    was, now = values
    return {"a": was, "b": now, "change": None if was is None or now is None else round(now - was, 4)}
