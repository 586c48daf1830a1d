"""From which probability a ticket may be left to the machine, so that the rate of wrong ones stays under a set rate."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.calibration.figures import Outcomes, Probabilities

Counts = NDArray[np.int_]

SPLITS = 200


@dataclass(frozen=True)
class Threshold:
    """What may be done alone: tickets with at least this probability, or nothing where it is None."""

    p_correct: float | None
    accepted: int
    """Calibration tickets at or over the threshold."""
    wrong: int
    """How many of them were wrong."""
    p_value: float | None
    """The probability of so few wrong ones if the set rate did not hold."""

    def accepts(self, p_correct: Probabilities) -> NDArray[np.bool_]:
        """Which tickets may be done alone."""
        return np.zeros(len(p_correct), bool) if self.p_correct is None else p_correct >= self.p_correct


NOTHING_ALONE = Threshold(None, 0, 0, None)


@dataclass(frozen=True)
class Check:
    """What the rule did over random splits: set on one half of the tickets, judged on the other."""

    splits: int
    exceeded: float
    """Share of splits in which more than the set rate of the accepted tickets were wrong."""
    acting: float
    """Share of splits in which anything was accepted."""
    accepted: float
    """Mean share of tickets accepted."""
    wrong: float | None
    """Share of the accepted tickets that were wrong, over all splits."""


def choose_threshold(
    p_correct: Probabilities,
    correct: Outcomes,
    alpha: float,
    delta: float,
    batch: Probabilities | None = None,
    starts: int = 1,
    shares: Probabilities | None = None,
) -> Threshold:
    """The lowest threshold at which, with probability 1 - `delta`, at most `alpha` of the accepted tickets are wrong.

    Learn then test (Angelopoulos, Bates, Candès, Jordan, Lei, "Learn then Test: Calibrating Predictive Algorithms to
    Achieve Risk Control", 2021, arXiv:2110.01052; compare "Conformal Risk Control", Angelopoulos et al. 2022,
    arXiv:2208.02814, which bounds the mean and not the probability of exceeding). Each threshold is a null hypothesis,
    "the rate over it exceeds `alpha`", rejected where so few wrong tickets would be improbable: the binomial tail,
    exact where a ticket is right or wrong. Thresholds are tested in a fixed sequence, the strictest first, up to the
    first that is not rejected; so the chance that any wrong one is chosen stays `delta`. Those that even a spotless
    record could not pass are left out beforehand, which the outcomes do not decide. Where none passes, nothing is done
    alone.

    This bounds the rate in the long run. The rate among the next few tickets strays more. With `batch`, the
    probabilities of the very tickets to come, a threshold must also keep the rate among *them*: the tail is then the
    hypergeometric one over both samples, which holds for each threshold taken by itself.

    With `starts`, several such sequences begin at evenly spaced thresholds, each with an equal part of `delta`
    (multi-start, section 4 of the same paper): a mistake among the surest few then does not end the whole search.

    With `shares`, each ticket counts for so much instead of one; the sums are rounded to the side of caution.

    The tickets must be exchangeable with those to come; repeats of one task are less than as many tickets.
    """
    part = delta / starts
    thresholds = np.unique(p_correct)[::-1]
    accepted, wrong = _at_or_over(thresholds, p_correct), _at_or_over(thresholds, p_correct[~correct])
    if shares is not None:
        accepted = np.floor(_sums(thresholds, p_correct, shares) + 1e-9).astype(int)
        wrong = np.ceil(_sums(thresholds, p_correct[~correct], shares[~correct]) - 1e-9).astype(int)
    coming = None if batch is None else _at_or_over(thresholds, batch)
    countable = _tails(np.zeros_like(wrong), accepted, alpha, coming) <= part
    tails = _tails(wrong, accepted, alpha, coming)
    rows = zip(thresholds[countable], accepted[countable], wrong[countable], tails[countable], strict=True)
    counted = [Threshold(float(p), int(n), int(k), float(tail)) for p, n, k, tail in rows]
    chosen = NOTHING_ALONE
    for start in {round(n) for n in np.linspace(0, len(counted) - 1, starts)} if counted else ():
        for tested in counted[start:]:
            if tested.p_value is None or tested.p_value > part:
                break
            if tested.accepted > chosen.accepted:
                chosen = tested
    return chosen


def _at_or_over(thresholds: Probabilities, p_correct: Probabilities) -> Counts:
    """How many of the probabilities are at least each threshold."""
    return len(p_correct) - np.searchsorted(np.sort(p_correct), thresholds, side="left")


def _sums(thresholds: Probabilities, p_correct: Probabilities, shares: Probabilities) -> Probabilities:
    """The shares of those at or over each threshold, added."""
    order = np.argsort(p_correct)
    below = np.concatenate([[0.0], np.cumsum(shares[order])])
    return below[-1] - below[np.searchsorted(p_correct[order], thresholds, side="left")]


def _tails(wrong: Counts, accepted: Counts, alpha: float, coming: Counts | None) -> Probabilities:
    """For each threshold, how probable so few wrong tickets are at the least rate that is too high."""
    from scipy.stats import binom, hypergeom

    long_run = binom.cdf(wrong, accepted, alpha)
    if coming is None:
        return long_run
    too_many = np.floor(alpha * coming + 1e-9).astype(int) + 1
    among_them = hypergeom.cdf(wrong, accepted + coming, wrong + too_many, accepted)
    return np.where(coming > 0, np.maximum(long_run, among_them), long_run)


def check_by_splits(
    p_correct: Probabilities,
    correct: Outcomes,
    alpha: float,
    delta: float,
    seed: int,
    groups: NDArray[np.int_] | None = None,
    splits: int = SPLITS,
    starts: int = 1,
) -> Check:
    """Set the threshold on a random half, judge it on the other, and again; halves of whole groups where given."""
    exceeded, shares, wrong_sum, accepted_sum = 0, [], 0, 0
    for first in _halves(len(p_correct), groups, splits, seed):
        chosen = choose_threshold(
            p_correct[first], correct[first], alpha, delta, batch=p_correct[~first], starts=starts
        )
        over = chosen.accepts(p_correct[~first])
        accepted, wrong = int(over.sum()), int((over & ~correct[~first]).sum())
        exceeded += wrong > alpha * accepted + 1e-9
        shares.append(accepted / len(over) if len(over) else 0.0)
        wrong_sum, accepted_sum = wrong_sum + wrong, accepted_sum + accepted
    return Check(
        splits=splits,
        exceeded=exceeded / splits,
        acting=float(np.mean([share > 0 for share in shares])),
        accepted=float(np.mean(shares)),
        wrong=wrong_sum / accepted_sum if accepted_sum else None,
    )


def _halves(tickets: int, groups: NDArray[np.int_] | None, splits: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which tickets stand in the first half, once for each split. Needs two tickets, or two groups."""
    units = np.arange(tickets) if groups is None else groups
    names = np.unique(units)
    rng = np.random.default_rng(seed)
    for _ in range(splits):
        yield np.isin(units, rng.permutation(names)[: len(names) // 2])
