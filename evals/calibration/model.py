"""The fitted model: three signs to a probability, stated in levels. One JSON file, readable and without code in it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.calibration.features import SIGNS, Features, Matrix, Scale, Signs
from evals.calibration.figures import Outcomes, Probabilities
from evals.calibration.levels import Levels

FILE_NAME = "confidence.json"
FORMAT = "handrail-recordings-confidence"
VERSION = 2

STRENGTH = 1.0
"""Inverse strength of the ridge penalty: a coefficient over one or two, on signs of spread one, needs much evidence.

Fixed: choosing it anew for each file, in nested cross-validation, cost more than it gave on a hundred tickets.
"""


class UnusableArtefact(Exception):
    """The folder holds no model that this version can read; the message says what and where."""


@dataclass(frozen=True)
class OutcomeModel:
    """Ridge logistic regression on the three signs of `features`."""

    signs: Signs
    intercept: float
    coefficients: tuple[float, ...]
    levels: Levels
    """In which steps its probabilities are stated; made from those of the training tickets unless replaced."""

    @classmethod
    def fit(cls, features: Sequence[Features], correct: Outcomes) -> "OutcomeModel":
        """Fit. Deterministic: nothing is drawn."""
        from sklearn.linear_model import LogisticRegression

        signs = Signs.fit(features)
        if correct.all() or not correct.any():  # no regression to make: Laplace's rule of succession
            share = (int(correct.sum()) + 1) / (len(correct) + 2)
            intercept, coefficients = float(np.log(share / (1 - share))), (0.0,) * len(SIGNS)
        else:
            fitted = LogisticRegression(C=STRENGTH).fit(signs.of(features), correct)
            intercept, coefficients = float(fitted.intercept_[0]), tuple(map(float, fitted.coef_[0]))
        return cls(signs, intercept, coefficients, Levels.of(_logistic(signs.of(features), intercept, coefficients)))

    def probability(self, features: Sequence[Features]) -> Probabilities:
        """The probability that each conversation was handled right, unrounded."""
        return _logistic(self.signs.of(features), self.intercept, self.coefficients)

    def as_json(self) -> dict[str, Any]:
        """All that is needed to apply it."""
        return asdict(self) | {"coefficients": dict(zip(SIGNS, self.coefficients, strict=True))}

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
            levels=Levels.of_json(document["levels"]),
        )


def _logistic(signs: Matrix, intercept: float, coefficients: Sequence[float]) -> Probabilities:
    return 1 / (1 + np.exp(-(intercept + signs @ np.array(coefficients))))


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
