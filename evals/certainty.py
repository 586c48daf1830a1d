"""Whether the stated probabilities hold: calibration, and what risk is taken at which coverage."""

from collections.abc import Iterator
from math import ceil
from typing import Any

from evals.results import Result, Results, last_words

POINTS = 40


def certainty(results: Results, seed: int) -> dict[str, Any]:
    """Figures over all actions that the financial gate weighed, each with the probability that it stated.

    Coverage is the share of them that would go alone from a threshold on; risk is the share of those that are wrong.
    """
    import numpy as np

    from evals.calibration.figures import auroc, bins, calibration_error, error_by_chance

    weighed = [pair for result in results for pair in _weighed(result)]
    stated = np.array([p for p, _ in weighed], dtype=np.float64)
    right = np.array([ok for _, ok in weighed], dtype=np.bool_)
    return {
        "actions": len(weighed),
        "right": int(right.sum()),
        "auroc": _rounded(auroc(stated, right)) if len(weighed) else None,
        "calibration_error": _rounded(calibration_error(stated, right)),
        "calibration_error_by_chance": _rounded(error_by_chance(stated, seed)),
        "bins": [
            {"actions": row.tickets, "p_correct": round(row.p_correct, 4), "correct": round(row.correct, 4)}
            for row in bins(stated, right)
        ]
        if len(weighed)
        else [],
        "risk_coverage": _risk_coverage(weighed),
    }


def _weighed(result: Result) -> Iterator[tuple[float, bool]]:
    """(p_correct, whether the action was right), the last word on each action.

    What the customer was asked and never agreed to is left out: nobody knows whether it would have been right.
    """
    ticket, played, _ = result
    for decision in last_words(played.decisions):
        proposal, verdict = decision["proposal"], decision["verdict"]
        expected = any(effect.fits(proposal["tool"], proposal["arguments"]) for effect in ticket.expected.effects)
        if verdict in ("permitted", "escalate"):
            yield decision["p_correct"], expected
        elif verdict == "needs_approval":
            yield decision["p_correct"], expected or "awaiting_approval" in ticket.expected.dispositions


def _risk_coverage(weighed: list[tuple[float, bool]]) -> list[dict[str, Any]]:
    thresholds = sorted({round(p, 4) for p, _ in weighed}, reverse=True)
    step = max(1, ceil(len(thresholds) / POINTS))
    kept = [t for n, t in enumerate(thresholds) if n % step == 0 or t == thresholds[-1]]
    points = []
    for threshold in kept:
        taken = [ok for p, ok in weighed if round(p, 4) >= threshold]
        wrong = taken.count(False)
        points.append(
            {
                "threshold": threshold,
                "coverage": round(len(taken) / len(weighed), 4),
                "risk": round(wrong / len(taken), 4),
                "actions": len(taken),
                "wrong": wrong,
            }
        )
    return points


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
