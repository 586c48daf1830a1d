"""How likely it is that what was proposed should be done: a calibrated model, and the bounds that it must reach.

`handrail eval calibrate` fits both on recorded tickets and writes the file that this reads.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from agents.confidence.money import Bound
from tools.tool import Effect

DEFAULT = Path(__file__).parent / "confidence.json"
FORMAT = "handrail-gate-confidence"
VERSION = 1
CEILING = 0.9995
"""No probability over it is stated: so much could not be known from any number of tickets that a company labels."""


class UnusableConfidence(ValueError):
    """The file holds no model that this version can read; the message says what and where."""


@dataclass(frozen=True)
class Features:
    """What the model sees of a proposal. Shares and probabilities are between 0 and 1."""

    intent_probability: float
    intent_margin: float
    """Probability of the first intent less that of the second."""
    out_of_scope: float
    chosen: float
    """1 where the customer chose the matter when they were asked which."""
    grounded_arguments: float
    """Share of the arguments that the customer, a record or the operator gave."""
    relevance: float
    """How likely the passages that were found answer the message."""
    tool_errors: float
    failed_turns: float
    """Earlier turns of the conversation in which the customer was not understood."""
    declined_offers: float
    """Offers that the customer declined before in this conversation."""
    repeats: float
    """How often the same call was proposed before in this turn."""
    agreed: float = 0.0
    """1 where it is done only after a yes to exactly these values."""
    changes: float = 0.0
    """1 where it changes something, 0 where it only sends something to the address on record."""

    def of_call(self, effect: Effect, *, grounded_arguments: float = 1.0) -> "Features":
        """The same for a call that does this."""
        changes = effect.kind != "information"
        return replace(
            self, grounded_arguments=grounded_arguments, agreed=float(effect.consent), changes=float(changes)
        )


NAMES = tuple(feature.name for feature in fields(Features))
PROBABILITIES = frozenset({"intent_probability", "out_of_scope"})
MOST_ODDS = 7.0
"""Log-odds beyond which a classifier's word is not taken more seriously: 999 to 1."""


MOST_TIMES = 2.0
"""What happens more often says no more: long conversations are no worse for being long."""


def inputs_of(features: Features) -> list[float]:
    """What the regression is made over, in the order of `NAMES`: probabilities as log-odds, counts up to a bound."""
    return [
        _log_odds(value) if name in PROBABILITIES else min(float(value), MOST_TIMES)
        for name, value in asdict(features).items()
    ]


def _log_odds(p: float) -> float:
    if p <= 0.0 or p >= 1.0:
        return MOST_ODDS if p >= 1.0 else -MOST_ODDS
    return max(-MOST_ODDS, min(MOST_ODDS, math.log(p / (1 - p))))


@dataclass(frozen=True)
class Bounds:
    """Per intent the probability from which acting alone is safe."""

    overall: Bound
    by_intent: Mapping[str, Bound]

    def of(self, intent: str | None) -> Bound:
        """The bound of an intent; where too few tickets speak for it alone, that over all intents."""
        return self.by_intent.get(intent or "", self.overall)

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        by_intent = {intent: asdict(bound) for intent, bound in self.by_intent.items()}
        return {"overall": asdict(self.overall), "by_intent": by_intent}

    @classmethod
    def of_json(cls, kept: Any) -> "Bounds":
        """Take back `as_json`. Raises KeyError, TypeError and AttributeError where it is none."""
        by_intent = {intent: Bound(**bound) for intent, bound in kept["by_intent"].items()}
        return cls(Bound(**kept["overall"]), by_intent)


@dataclass(frozen=True)
class ConfidenceModel:
    """Logistic regression over named features, and the bounds that the probability must reach."""

    intercept: float
    weights: Mapping[str, float]
    bounds: Bounds
    bounds_of: Mapping[str, Bounds] = field(default_factory=dict)
    """Of the kinds of effect that the cost file gives a rate of their own."""
    id: str = ""

    def p_correct(self, features: Features) -> float:
        """The probability that this proposal is right, given that the customer says yes to it."""
        inputs = zip(NAMES, inputs_of(features), strict=True)
        score = self.intercept + sum(self.weights.get(name, 0.0) * value for name, value in inputs)
        return min(CEILING, 1 / (1 + math.exp(-score)))

    def bound(self, intent: str | None, kind: str) -> Bound:
        """The bound of an effect of this kind in a matter."""
        return self.bounds_of.get(kind, self.bounds).of(intent)

    def as_json(self) -> dict[str, Any]:
        """All that is needed to apply it."""
        of_kinds = {kind: bounds.as_json() for kind, bounds in self.bounds_of.items()}
        return {
            "intercept": self.intercept,
            "weights": dict(self.weights),
            **self.bounds.as_json(),
            **({"of_kinds": of_kinds} if of_kinds else {}),
        }

    @property
    def hash(self) -> str:
        """A hash of what it computes."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:12]

    def save(self, path: Path, figures: Mapping[str, Any]) -> str:
        """Write it with the figures of its calibration; returns its id, a hash of what it computes."""
        model, name = self.as_json(), self.hash
        document = {"format": FORMAT, "version": VERSION, "id": name, "model": model, "figures": figures}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return name

    @classmethod
    def load(cls, path: Path = DEFAULT) -> "ConfidenceModel":
        """Read what `eval calibrate` wrote: the file, or the folder that holds it. Raises `UnusableConfidence`."""
        path = path / DEFAULT.name if path.is_dir() else path
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            kind = (document["format"], document["version"])
        except OSError as error:
            raise UnusableConfidence(f"{path}: {error.strerror}: `handrail eval calibrate --out` writes it") from error
        except (KeyError, TypeError, ValueError) as error:
            raise _unusable(str(path), error) from error
        if kind != (FORMAT, VERSION):
            raise UnusableConfidence(f"{path}: is {kind[0]} version {kind[1]}: this reads {FORMAT} {VERSION}")
        return cls.of_json(document.get("model"), str(document.get("id", "")), str(path))

    @classmethod
    def of_json(cls, model: Any, id: str, place: str = "") -> "ConfidenceModel":
        """Take back `as_json`. Raises `UnusableConfidence`; `place` is where it was read."""
        place = place or f"version {id}"
        try:
            weights = {name: float(weight) for name, weight in model["weights"].items()}
            if unknown := set(weights) - set(NAMES):  # one that is not there was not looked at yet
                raise UnusableConfidence(f"{place}: weights: {', '.join(sorted(unknown))}: calibrate anew")
            of_kinds = {kind: Bounds.of_json(kept) for kind, kept in model.get("of_kinds", {}).items()}
            return cls(float(model["intercept"]), weights, Bounds.of_json(model), of_kinds, id)
        except UnusableConfidence:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _unusable(place, error) from error


def _unusable(place: str, error: Exception) -> UnusableConfidence:
    return UnusableConfidence(f"{place}: is no model of `eval calibrate` ({type(error).__name__}: {error})")
