"""The fitted model: three signs to a probability. One JSON file, readable and without code in it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.calibration.features import SIGNS, Features, Scale, Signs
from evals.calibration.figures import Outcomes, Probabilities

FILE_NAME = "confidence.json"
FORMAT = "handrail-recordings-confidence"
VERSION = 1

STRENGTH = 1.0
"""Inverse strength of the ridge penalty: a coefficient over one or two, on signs of spread one, needs much evidence.

Fixed: choosing it anew for each file, in nested cross-validation, cost more than it gave on a hundred tickets.
"""
LEVELS = 5


class UnusableArtefact(Exception):
    """The folder holds no model that this version can read; the message says what and where."""


@dataclass(frozen=True)
class OutcomeModel:
    """Ridge logistic regression on the three signs of `features`."""

    signs: Signs
    intercept: float
    coefficients: tuple[float, ...]

    @classmethod
    def fit(cls, features: Sequence[Features], correct: Outcomes) -> "OutcomeModel":
        """Fit. Deterministic: nothing is drawn."""
        from sklearn.linear_model import LogisticRegression

        signs = Signs.fit(features)
        if correct.all() or not correct.any():  # no regression to make: Laplace's rule of succession
            share = (int(correct.sum()) + 1) / (len(correct) + 2)
            return cls(signs, float(np.log(share / (1 - share))), (0.0,) * len(SIGNS))
        fitted = LogisticRegression(C=STRENGTH).fit(signs.of(features), correct)
        return cls(signs, float(fitted.intercept_[0]), tuple(map(float, fitted.coef_[0])))

    def probability(self, features: Sequence[Features]) -> Probabilities:
        """The probability that each conversation was handled right, unrounded."""
        return 1 / (1 + np.exp(-(self.intercept + self.signs.of(features) @ np.array(self.coefficients))))

    def as_json(self) -> dict[str, Any]:
        """All that is needed to apply it."""
        return asdict(self) | {"coefficients": dict(zip(SIGNS, self.coefficients, strict=True)), "levels": LEVELS}

    @classmethod
    def of_json(cls, document: dict[str, Any]) -> "OutcomeModel":
        """Take back `as_json`. Raises KeyError, TypeError or ValueError where it is none."""
        signs = document["signs"]
        return cls(
            signs=Signs(
                counts={name: Scale(**scale) for name, scale in signs["counts"].items()},
                load=Scale(**signs["load"]),
                served=Scale(**signs["served"]),
            ),
            intercept=float(document["intercept"]),
            coefficients=tuple(float(document["coefficients"][name]) for name in SIGNS),
        )


def stated(probability: Probabilities) -> Probabilities:
    """Probabilities as they are stated: the middle of the fifth in which each lies (0.1, 0.3, 0.5, 0.7 or 0.9).

    Whether a probability holds can only be checked where many tickets share it, and companies label a hundred tickets,
    not ten thousand (Kumar, Liang, Ma, "Verified Uncertainty Calibration", NeurIPS 2019: outputs without levels cannot
    be verified). Finer figures would claim more than is known.
    """
    fifth = np.minimum(np.floor(probability * LEVELS), LEVELS - 1)
    return np.round((fifth + 0.5) / LEVELS, 4)


def save(model: OutcomeModel, figures: dict[str, Any], folder: Path) -> str:
    """Write the artefact and return its id, a hash of what it computes."""
    parameters = model.as_json()
    name = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]
    document = {"format": FORMAT, "version": VERSION, "id": name, "model": parameters, "figures": figures}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    return name


def load(folder: Path) -> tuple[OutcomeModel, str]:
    """The model and its id. Raises `UnusableArtefact`."""
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        kind = (document["format"], document["version"])
        if kind != (FORMAT, VERSION):
            raise UnusableArtefact(f"{path}: is {kind[0]} version {kind[1]}, this reads {FORMAT} version {VERSION}")
        return OutcomeModel.of_json(document["model"]), str(document["id"])
    except OSError as error:
        raise UnusableArtefact(f"{path}: {error.strerror}; `eval calibrate --out` writes it") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusableArtefact(f"{path}: is no model of `eval calibrate` ({type(error).__name__}: {error})") from error
