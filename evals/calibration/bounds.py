"""From which probability on a matter is done alone, so that what the cost file promises is kept."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.confidence.model import Bounds
from agents.confidence.money import Bound
from evals.calibration.figures import Outcomes, Probabilities
from evals.calibration.proposals import Proposal
from evals.calibration.risk import Check, Threshold, check_by_splits, choose_threshold

STARTS = 3
"""Where the search for a bound may begin; each start has an equal part of the permitted doubt."""


@dataclass(frozen=True)
class Promise:
    """What the bounds must keep: at most `rate` of what is done alone is wrong, with probability `certainty`."""

    rate: float
    certainty: float
    unknown_share: float
    """How many of the customers' matters are taken to be ones that triage has never heard of."""
    rate_of: Mapping[str, float] = field(default_factory=dict)
    """Kinds of effect with a rate of their own: each is a promise of its own, on its own proposals."""

    @property
    def doubt(self) -> float:
        """The probability with which it may be broken."""
        return 1 - self.certainty


@dataclass(frozen=True)
class Evidence:
    """Proposals with what came of them; the arrays have one place for each."""

    proposals: Sequence[Proposal]
    p_correct: Probabilities
    """What a model said that had not seen the proposal's ticket."""
    right: Outcomes
    shares: Probabilities
    """What each counts for, so that unknown matters weigh as much as their share says."""
    coming: NDArray[np.bool_]
    """The sample as customers bring it: unknown matters as often as their share says."""
    groups: NDArray[np.int_]
    """Which proposals are of one case."""

    def among(self, chosen: NDArray[np.bool_]) -> "Evidence":
        """Those alone."""
        kept = [proposal for proposal, one in zip(self.proposals, chosen, strict=True) if one]
        return Evidence(
            kept,
            p_correct=self.p_correct[chosen],
            right=self.right[chosen],
            shares=self.shares[chosen],
            coming=self.coming[chosen],
            groups=self.groups[chosen],
        )

    @property
    def as_they_come(self) -> "Evidence":
        """The sample as customers bring it."""
        return self.among(self.coming)

    def by_intent(self) -> Iterator[tuple[str, "Evidence"]]:
        """Each matter's own."""
        intents = np.array([proposal.intent for proposal in self.proposals], dtype=str)
        for intent in sorted(set(intents.tolist())):
            yield intent, self.among(intents == intent)


@dataclass(frozen=True)
class Kept:
    """The bounds of one promise, and whether random splits of the tickets keep it."""

    bounds: Bounds
    splits: Check
    promise: Promise

    @property
    def kept(self) -> bool:
        """Whether the rate was exceeded no more often than was promised."""
        return self.splits.exceeded <= self.promise.doubt

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        splits = {name: None if value is None else round(value, 4) for name, value in vars(self.splits).items()}
        return {**self.bounds.as_json(), "splits": splits, "kept": self.kept}


def set_bounds(evidence: Evidence, promise: Promise, seed: int) -> tuple[Kept, dict[str, Kept]]:
    """The bounds of all kinds of effect without a rate of their own, and those of each kind that has one."""
    kinds = np.array([proposal.stakes.kind for proposal in evidence.proposals], dtype=str)
    others = evidence.among(~np.isin(kinds, list(promise.rate_of)))
    apart = {
        kind: _kept(evidence.among(kinds == kind), replace(promise, rate=rate), seed)
        for kind, rate in sorted(promise.rate_of.items())
    }
    return _kept(others, promise, seed), apart


def _kept(evidence: Evidence, promise: Promise, seed: int) -> Kept:
    come = evidence.as_they_come
    arrays = come.p_correct, come.right, promise.rate, promise.doubt
    splits = check_by_splits(*arrays, seed, groups=come.groups, starts=STARTS)
    overall = _bound(choose_threshold(*arrays, starts=STARTS), "all")
    by_intent = _distrusted(evidence, promise) | _earlier(overall, evidence, promise)
    return Kept(Bounds(overall, by_intent), splits, promise)


def _earlier(overall: Bound, evidence: Evidence, promise: Promise) -> dict[str, Bound]:
    """The bounds of matters whose own tickets let them go alone from a lower probability than all together do.

    Few tickets can only prove a high bound, however good they are: such a matter has the bound over all.

    Proposals on unknown matters count by their share, all of them: which few a draw brings must not decide.
    """
    found = {}
    for intent, own in evidence.by_intent():
        arrays = own.p_correct, own.right, promise.rate, promise.doubt
        chosen = choose_threshold(*arrays, starts=STARTS, shares=own.shares)
        if chosen.p_correct is not None and (overall.p_correct is None or chosen.p_correct < overall.p_correct):
            found[intent] = _bound(chosen, "intent")
    return found


def _distrusted(evidence: Evidence, promise: Promise) -> dict[str, Bound]:
    """Matters whose tickets show that they are wrong too often: not done alone, whatever the others say.

    Proposals on unknown matters count by their share here too.
    """
    from scipy.stats import binom

    found = {}
    for intent, own in evidence.by_intent():
        count, wrong = round(float(own.shares.sum())), round(float(own.shares[~own.right].sum()))
        if wrong and binom.sf(wrong - 1, count, promise.rate) <= promise.doubt:
            found[intent] = Bound(None, "intent", count, wrong)
    return found


def _bound(chosen: Threshold, source: Any) -> Bound:
    p = None if chosen.p_correct is None else math.floor(chosen.p_correct * 1e4) / 1e4
    return Bound(p, source, chosen.accepted, chosen.wrong)
