"""How far a figure over a few hundred tickets may be off: 95 % intervals."""

from collections.abc import Sequence

import numpy as np

DRAWS = 2000
LEVEL = (0.025, 0.975)


def wilson(hits: int, count: int, z: float = 1.96) -> list[float]:
    """The 95 % interval of a share of independent tickets (Wilson, 1927)."""
    if count == 0:
        return [0.0, 1.0]
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * ((share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5) / (1 + z * z / count)
    return [round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4)]


def share_interval(hits: Sequence[bool], groups: Sequence[str], seed: int = 0) -> list[float]:
    """The interval of a share: Wilson where every conversation is a group of its own, else drawn by group.

    Repeats of a ticket, and tickets of one group, are no independent evidence. Where all groups agree, drawing would
    give an interval of no width; there Wilson over the groups stands in.
    """
    alone = len(set(groups)) == len(groups)
    if alone or not hits or all(hits) or not any(hits):
        count = len(set(groups))
        return wilson(count if hits and all(hits) else sum(hits), count)
    return ratio_interval([float(hit) for hit in hits], [1.0] * len(hits), groups, seed)


def ratio_interval(
    above: Sequence[float], below: Sequence[float], groups: Sequence[str], seed: int = 0, digits: int = 4
) -> list[float]:
    """The bootstrap interval of sum(above) / sum(below), whole groups drawn with replacement (Efron, 1979)."""
    names = sorted(set(groups))
    if not names or not sum(below):
        return [0.0, 0.0]
    place = {name: number for number, name in enumerate(names)}
    rows = np.array([place[group] for group in groups])
    tops = np.bincount(rows, weights=np.asarray(above, dtype=float), minlength=len(names))
    bottoms = np.bincount(rows, weights=np.asarray(below, dtype=float), minlength=len(names))
    drawn = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), size=DRAWS)
    totals = drawn @ bottoms
    ratios = (drawn @ tops)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(ratios, LEVEL)
    return [round(float(low), digits), round(float(high), digits)]
