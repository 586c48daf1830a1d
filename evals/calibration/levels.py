"""In which steps probabilities are stated: as many as the tickets can verify, each with as many tickets as the next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.calibration.figures import Probabilities, places_of_equal_mass

MOST = 20


@dataclass(frozen=True)
class Levels:
    """The steps, lowest first.

    Whether a probability holds can only be checked where many tickets share it (Kumar, Liang, Ma, "Verified Uncertainty
    Calibration", NeurIPS 2019: outputs without levels cannot be verified).
    """

    values: tuple[float, ...]
    edges: tuple[float, ...]
    """The least probability of each level but the lowest: one edge fewer than values."""

    @classmethod
    def of(cls, probability: Probabilities) -> "Levels":
        """Levels of equal mass over these probabilities, each valued at its mean; outcomes have no say in it.

        The number is the cube root of that of the tickets. With L levels, the share that is right among the n / L
        tickets of one is known to within a standard error of at most sqrt(L / n) / 2, and half the distance of two
        levels is 1 / (2 L) on average: the former stays within the latter while L^3 <= n. It is also the rate at which
        the bias of a calibration error over bins falls fastest (Futami and Fujisawa, "Information-theoretic
        Generalization Analysis for Expected Calibration Error", NeurIPS 2024).
        """
        count = max(1, min(MOST, int(np.cbrt(len(probability)) + 1e-9)))
        places = places_of_equal_mass(probability, count)
        members = [probability[places == n] for n in np.unique(places)]
        edges = [float(one.min()) for one in members[1:]]
        return cls(tuple(round(float(one.mean()), 2) for one in members), tuple(edges))

    def stated(self, probability: Probabilities) -> Probabilities:
        """Each probability as the value of its level."""
        return np.array(self.values)[np.searchsorted(self.edges, probability, side="right")]

    @classmethod
    def of_json(cls, document: dict[str, Sequence[float]]) -> "Levels":
        """Take back `asdict`. Raises KeyError, TypeError or ValueError where it is none."""
        values, edges = (tuple(map(float, document[name])) for name in ("values", "edges"))
        if len(values) != len(edges) + 1:
            raise ValueError(f"{len(values)} levels with {len(edges)} edges between them")
        return cls(values, edges)
