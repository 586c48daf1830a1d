"""Fit on recordings with outcomes, judge by groups the fit never saw, score other recordings."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.calibration.features import SIGNS, Features
from evals.calibration.figures import Outcomes, Probabilities, auroc, bins, calibration_error, error_by_chance
from evals.calibration.levels import Levels
from evals.calibration.model import OutcomeModel
from evals.calibration.risk import check_by_splits, choose_threshold
from evals.recordings import Recording

FOLDS = 10
REPEATS = 20
ALPHAS = (0.1, 0.2, 0.3)
DELTA = 0.1
INTERVAL_DRAWS = 1000


class CannotCalibrate(Exception):
    """The recordings do not allow it; the message says why."""


@dataclass(frozen=True)
class Calibration:
    """The model over all recordings, and the figures of models that had not seen the groups they judged."""

    model: OutcomeModel
    figures: dict[str, Any]
    tickets: list[dict[str, Any]]


def calibrate(
    recordings: Sequence[Recording], seed: int = 0, on_repeat: Callable[[], None] = lambda: None
) -> Calibration:
    """Fit and cross-validate. Recordings without an outcome are left out. Raises `CannotCalibrate`.

    A ticket's `p_correct` is the mean over `REPEATS` cross-validations by group, each with groups parted anew, so no
    single lucky split decides; all of its models were fitted without the ticket's group.
    """
    known = [recording for recording in recordings if recording.outcome.correct is not None]
    correct = np.array([recording.outcome.correct for recording in known], dtype=bool)
    groups = _numbered([recording.group for recording in known])
    _refuse_hopeless(correct, groups)
    features = [Features.of(recording) for recording in known]
    repeats: list[Probabilities] = []
    for repeat in range(REPEATS):
        repeats.append(out_of_fold(features, correct, groups, np.random.default_rng([seed, repeat])))
        on_repeat()
    probability = np.mean(repeats, axis=0)
    levels = Levels.of(probability)
    p_correct = levels.stated(probability)
    figures = {
        "auroc": _rounded(auroc(p_correct, correct)),
        "auroc_interval": _interval(p_correct, correct, groups, seed),
        "calibration_error": _rounded(calibration_error(p_correct, correct)),
        "calibration_error_by_chance": _rounded(error_by_chance(p_correct, seed)),
        "bins": [{name: _rounded(value) for name, value in asdict(row).items()} for row in bins(p_correct, correct)],
        "brier": _rounded(float(np.mean((p_correct - correct) ** 2))),
        "unrounded": {
            "auroc": _rounded(auroc(probability, correct)),
            "calibration_error": _rounded(calibration_error(probability, correct)),
            "calibration_error_by_chance": _rounded(error_by_chance(probability, seed)),
        },
        "repeats": {
            "auroc": _spread([auroc(Levels.of(one).stated(one), correct) for one in repeats]),
            "auroc_unrounded": _spread([auroc(one, correct) for one in repeats]),
            "calibration_error": _spread([calibration_error(Levels.of(one).stated(one), correct) for one in repeats]),
        },
        "recordings": len(known),
        "correct": _rounded(float(correct.mean())),
        "groups": len(np.unique(groups)),
        "folds": min(FOLDS, len(np.unique(groups))),
        "without_outcome": len(recordings) - len(known),
        "seed": seed,
        "risk_control": [_risk(p_correct, correct, groups, alpha, seed) for alpha in ALPHAS],
    }
    rows = zip(known, p_correct, probability, strict=True)
    tickets = [{"id": r.id, "p_correct": float(p), "unrounded": _rounded(float(exact))} for r, p, exact in rows]
    return Calibration(replace(OutcomeModel.fit(features, correct), levels=levels), figures, tickets)


def score(recordings: Sequence[Recording], model: OutcomeModel) -> dict[str, Any]:
    """Score recordings with a fitted model; the figures cover those with a known outcome, and are None without any."""
    features = [Features.of(recording) for recording in recordings]
    probability = model.probability(features)
    p_correct = model.levels.stated(probability)
    known = np.array([recording.outcome.correct is not None for recording in recordings], dtype=bool)
    correct = np.array([bool(recording.outcome.correct) for recording in recordings], dtype=bool)[known]
    rows = zip(recordings, p_correct, probability, model.signs.of(features), strict=True)
    return {
        "auroc": _rounded(auroc(p_correct[known], correct)),
        "calibration_error": _rounded(calibration_error(p_correct[known], correct)),
        "recordings": len(recordings),
        "with_outcome": int(known.sum()),
        "tickets": [
            {
                "id": recording.id,
                "p_correct": float(p),
                "unrounded": _rounded(float(exact)),
                "signs": {name: _rounded(float(value)) for name, value in zip(SIGNS, signs, strict=True)},
            }
            for recording, p, exact, signs in rows
        ],
    }


def out_of_fold(
    features: Sequence[Features], correct: Outcomes, groups: NDArray[np.int_], rng: np.random.Generator
) -> Probabilities:
    """The probability of each ticket, unrounded, from a model that saw no ticket of its group."""
    result = np.zeros(len(features))
    names = rng.permutation(np.unique(groups))
    for start in range(min(FOLDS, len(names))):
        test = np.isin(groups, names[start::FOLDS])
        model = OutcomeModel.fit([row for row, out in zip(features, test, strict=True) if not out], correct[~test])
        result[test] = model.probability([row for row, out in zip(features, test, strict=True) if out])
    return result


def _refuse_hopeless(correct: Outcomes, groups: NDArray[np.int_]) -> None:
    if not len(correct):
        raise CannotCalibrate("no recording has outcome.correct: nothing to learn from")
    if correct.all() or not correct.any():
        which = "true" if correct.all() else "false"
        raise CannotCalibrate(f"outcome.correct is {which} in all {len(correct)} recordings: both kinds are needed")
    if len(np.unique(groups)) < 2:
        raise CannotCalibrate("all recordings are of one group: at least two are needed to judge by unseen ones")


def _numbered(names: Sequence[str]) -> NDArray[np.int_]:
    return np.unique(np.array(names, dtype=str), return_inverse=True)[1]


def _risk(
    p_correct: Probabilities, correct: Outcomes, groups: NDArray[np.int_], alpha: float, seed: int
) -> dict[str, Any]:
    """The threshold over all tickets, and how often the rule broke its promise over random splits."""
    chosen = choose_threshold(p_correct, correct, alpha, DELTA)
    by_ticket = check_by_splits(p_correct, correct, alpha, DELTA, seed)
    by_group = check_by_splits(p_correct, correct, alpha, DELTA, seed, groups=groups)
    return {
        "alpha": alpha,
        "delta": DELTA,
        "threshold": chosen.p_correct,
        "accepted": chosen.accepted,
        "wrong": chosen.wrong,
        "p_value": _rounded(chosen.p_value),
        "kept": by_ticket.exceeded <= DELTA,
        "splits": {name: _rounded(value) for name, value in asdict(by_ticket).items()},
        "splits_by_group": {name: _rounded(value) for name, value in asdict(by_group).items()},
    }


def _interval(p_correct: Probabilities, correct: Outcomes, groups: NDArray[np.int_], seed: int) -> list[float]:
    """95 % interval of the AUROC had other groups been recorded: whole groups drawn again (cluster bootstrap)."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    drawn: list[float] = []
    for _ in range(INTERVAL_DRAWS):
        rows = np.concatenate([members[pick] for pick in rng.integers(0, len(members), len(members))])
        value = auroc(p_correct[rows], correct[rows])
        if value is not None:
            drawn.append(value)
    return [round(float(edge), 4) for edge in np.quantile(drawn, (0.025, 0.975))] if drawn else [0.0, 1.0]


def _spread(values: Sequence[float | None]) -> dict[str, float | int]:
    known = np.array([value for value in values if value is not None])
    return {
        "repeats": len(known),
        "mean": round(float(known.mean()), 4),
        "sd": round(float(known.std(ddof=1)), 4),
        "min": round(float(known.min()), 4),
        "max": round(float(known.max()), 4),
    }


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else round(value, 4)
