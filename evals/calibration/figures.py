"""How good stated probabilities are, where the outcomes are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
Outcomes = NDArray[np.bool_]

BINS = 10
CHANCE_DRAWS = 1000


@dataclass(frozen=True)
class Bin:
    """Tickets of like probability: what was said on average, and what share was right."""

    tickets: int
    p_correct: float
    correct: float


def auroc(p_correct: Probabilities, correct: Outcomes) -> float | None:
    """How often a ticket that was right got the higher probability than one that was wrong, a tie counting half.

    None where the outcomes are all alike.
    """
    from scipy.stats import rankdata

    right, wrong = int(correct.sum()), int((~correct).sum())
    if not right or not wrong:
        return None
    return float((rankdata(p_correct)[correct].sum() - right * (right + 1) / 2) / (right * wrong))


def calibration_error(p_correct: Probabilities, correct: Outcomes) -> float | None:
    """Expected calibration error over ten bins of equal mass: the mean distance of what was said from what came true.

    Each bin holds a tenth of the tickets, save that tickets of the same probability share one. None without tickets.
    """
    rows = bins(p_correct, correct)
    if not rows:
        return None
    return sum(row.tickets * abs(row.p_correct - row.correct) for row in rows) / sum(row.tickets for row in rows)


def bins(p_correct: Probabilities, correct: Outcomes) -> list[Bin]:
    """The bins of `calibration_error`, from the lowest probability to the highest."""
    places = places_of_equal_mass(p_correct)
    return [
        Bin(int((places == n).sum()), float(p_correct[places == n].mean()), float(correct[places == n].mean()))
        for n in np.unique(places)
    ]


def error_by_chance(p_correct: Probabilities, seed: int) -> float | None:
    """The mean calibration error of a perfect forecaster who says these probabilities: the noise of few tickets."""
    if not len(p_correct):
        return None
    rng = np.random.default_rng(seed)
    places = places_of_equal_mass(p_correct)
    gaps = (rng.random((CHANCE_DRAWS, len(p_correct))) < p_correct) - p_correct
    sums = np.stack([np.abs(gaps[:, places == n].sum(axis=1)) for n in np.unique(places)])
    return float(sums.sum(axis=0).mean() / len(p_correct))


def places_of_equal_mass(p_correct: Probabilities, count: int = BINS) -> NDArray[np.int_]:
    """The bin of each ticket, by its rank; tickets of the same probability share the bin of their middle rank."""
    from scipy.stats import rankdata

    if not len(p_correct):
        return np.zeros(0, dtype=int)
    return np.floor(count * (rankdata(p_correct) - 0.5) / len(p_correct)).astype(int)
