"""Fit what the gate asks before it acts: how sure it may be, and how sure it must be for each matter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.confidence.model import NAMES, ConfidenceModel, inputs_of
from evals.calibration.bounds import Evidence, Promise, set_bounds
from evals.calibration.calibrate import FOLDS, CannotCalibrate
from evals.calibration.figures import Outcomes, Probabilities, auroc, bins, calibration_error, error_by_chance
from evals.calibration.proposals import Proposal

RIDGE = 1.0
REPEATS = 10
PRIOR = {
    "intent_probability": 0.3,
    "intent_margin": 0.3,
    "out_of_scope": -0.1,
    "chosen": 1.0,
    "grounded_arguments": 0.5,
    "relevance": 0.1,
    "tool_errors": -0.8,
    "failed_turns": -0.6,
    "declined_offers": -0.4,
    "repeats": -0.4,
    "agreed": 0.5,
    "changes": 0.5,
}
"""Weights where tickets say nothing: what hardly ever happens in them still means something. No weight changes sign."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """The model over all proposals, and what models that had not seen a ticket said of it."""

    model: ConfidenceModel
    figures: dict[str, Any]
    tickets: list[dict[str, Any]]
    judged: list[tuple[Proposal, float]]
    """The proposals as customers bring them, each with what a model said that had not seen its ticket."""
    not_played: Sequence[str] = ()
    """Tickets that could not be played, each with the reason."""


def fit_gate(
    proposals: Sequence[Proposal],
    promise: Promise,
    seed: int = 0,
    on_repeat: Callable[[], None] = lambda: None,
    repeats: int = REPEATS,
) -> Fitted:
    """Fit, cross-validate by group and set the bounds. Raises `CannotCalibrate`."""
    inputs = np.array([inputs_of(p.features) for p in proposals], dtype=float).reshape(len(proposals), len(NAMES))
    right = np.array([p.right for p in proposals], dtype=bool)
    groups = np.unique([p.group for p in proposals], return_inverse=True)[1]
    if len(np.unique(groups)) < 2 or right.all() or not right.any():
        raise CannotCalibrate(
            f"{len(proposals)} proposals of {len(np.unique(groups))} tickets, {int((~right).sum())} of them wrong: "
            "right and wrong ones of several tickets are needed"
        )
    weights = _shares(proposals, promise.unknown_share)
    estimates = []
    for repeat in range(repeats):
        estimates.append(_out_of_fold(inputs, right, weights, groups, np.random.default_rng([seed, repeat])))
        on_repeat()
    evidence = Evidence(
        proposals,
        p_correct=np.mean(estimates, axis=0),
        right=right,
        shares=weights,
        coming=_as_they_come(proposals, promise.unknown_share, seed),
        groups=groups,
    )
    general, of_kinds = set_bounds(evidence, promise, seed)
    intercept, fitted = _logistic(inputs, right, weights)
    bounds_of = {kind: one.bounds for kind, one in of_kinds.items()}
    model = ConfidenceModel(intercept, dict(zip(NAMES, fitted, strict=True)), general.bounds, bounds_of)
    figures = {
        "auroc": _rounded(auroc(evidence.p_correct, right)),
        **_figures(evidence.as_they_come, seed),
        "promise": vars(promise),
        **general.as_json(),
        "of_kinds": {kind: one.as_json() for kind, one in of_kinds.items()},
        "kept": all(one.kept for one in (general, *of_kinds.values())),
        "seed": seed,
    }
    come = evidence.as_they_come
    said = list(zip(come.proposals, come.p_correct.tolist(), strict=True))
    return Fitted(model, figures, _by_ticket(proposals, evidence.p_correct), said)


def _figures(come: Evidence, seed: int) -> dict[str, Any]:
    """How well the probabilities hold for proposals as customers bring them."""
    return {
        "calibration_error": _rounded(calibration_error(come.p_correct, come.right)),
        "calibration_error_by_chance": _rounded(error_by_chance(come.p_correct, seed)),
        "bins": [{k: _rounded(v) for k, v in vars(row).items()} for row in bins(come.p_correct, come.right)],
        "proposals": len(come.proposals),
        "wrong": int((~come.right).sum()),
        "of_unknown_matters": sum(p.unknown for p in come.proposals),
        "tickets_with_proposals": len(np.unique(come.groups)),
    }


def _shares(proposals: Sequence[Proposal], unknown_share: float) -> Matrix:
    """What each proposal counts for, so that unknown matters weigh as much as their share says."""
    known = len({p.ticket for p in proposals if not p.unknown})
    unknown = len({p.ticket for p in proposals if p.unknown})
    share = known * unknown_share / (1 - unknown_share) / unknown if unknown else 0.0
    return np.array([share if p.unknown else 1.0 for p in proposals])


def _as_they_come(proposals: Sequence[Proposal], unknown_share: float, seed: int) -> NDArray[np.bool_]:
    """Which proposals are a sample as customers bring it.

    All proposals on known matters, and of the unknown matters as many tickets as the share says, drawn by the seed.
    """
    known = {p.ticket for p in proposals if not p.unknown}
    unknown = sorted({p.ticket for p in proposals if p.unknown})
    count = min(len(unknown), round(len(known) * unknown_share / (1 - unknown_share)))
    drawn = set(np.random.default_rng(seed).permutation(unknown)[:count].tolist())
    return np.array([not p.unknown or p.ticket in drawn for p in proposals], dtype=bool)


def _logistic(inputs: Matrix, right: Outcomes, shares: Matrix) -> tuple[float, list[float]]:
    """Logistic regression, most probable under a normal prior around `PRIOR`, each weight keeping its prior's sign.

    A few hundred tickets with a handful of mistakes would otherwise teach that doubt is a good sign somewhere.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    prior = np.array([PRIOR[name] for name in NAMES])
    limits = [(None, None), *((0, None) if weight > 0 else (None, 0) for weight in prior)]

    def loss(values: Matrix) -> tuple[float, Matrix]:
        score = values[0] + inputs @ values[1:]
        off = values[1:] - prior
        gap = shares * (expit(score) - right)
        cost = shares @ (np.logaddexp(0, score) - score * right) + RIDGE / 2 * off @ off
        return float(cost), np.concatenate([[gap.sum()], inputs.T @ gap + RIDGE * off])

    found = minimize(loss, np.array([0.0, *prior]), jac=True, bounds=limits, method="L-BFGS-B")
    return round(float(found.x[0]), 6), [round(float(weight), 6) for weight in found.x[1:]]


def _out_of_fold(
    inputs: Matrix, right: Outcomes, shares: Matrix, groups: NDArray[np.int_], rng: np.random.Generator
) -> Probabilities:
    result = np.zeros(len(inputs))
    names = rng.permutation(np.unique(groups))
    for start in range(min(FOLDS, len(names))):
        test = np.isin(groups, names[start::FOLDS])
        intercept, weights = _logistic(inputs[~test], right[~test], shares[~test])
        result[test] = 1 / (1 + np.exp(-(intercept + inputs[test] @ np.array(weights))))
    return result


def _by_ticket(proposals: Sequence[Proposal], p_correct: Probabilities) -> list[dict[str, Any]]:
    """Each ticket with the least sure of its proposals."""
    least: dict[tuple[str, bool], float] = {}
    for proposal, p in zip(proposals, p_correct, strict=True):
        key = proposal.ticket, proposal.unknown
        least[key] = min(float(p), least.get(key, 1.0))
    return [{"id": id_, "p_correct": round(p, 4), "unknown": unknown} for (id_, unknown), p in sorted(least.items())]


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else round(value, 4)
