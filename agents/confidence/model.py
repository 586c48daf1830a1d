"""How likely an action is right, and whether that is likely enough for what is at stake.

`p_correct` is a logistic model over named features. `weigh` is the financial gate: act alone only where the expected
loss of acting is at most what a person and the customer's wait would cost.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

DEFAULT_WEIGHTS = Path(__file__).parent / "weights.json"


@dataclass(frozen=True)
class Features:
    """What the confidence model sees of a proposal. Shares and probabilities are between 0 and 1."""

    intent_probability: float
    intent_margin: float
    out_of_scope: float
    grounded_arguments: float
    consented: float
    relevance: float
    tool_errors: int
    failed_turns: int
    repeats: int


class ConfidenceModel:
    """Logistic regression with named weights, read from a JSON file that calibration writes."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.weights = weights

    @classmethod
    def load(cls, path: Path = DEFAULT_WEIGHTS) -> "ConfidenceModel":
        """Read the weights; the file maps feature names, and `intercept`, to numbers."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def p_correct(self, features: Features) -> float:
        """The probability that acting on this proposal is right."""
        values = asdict(features)
        score = self.weights["intercept"] + sum(self.weights[name] * value for name, value in values.items())
        return 1 / (1 + math.exp(-score))


class CostModel(BaseModel):
    """`prompts/costs.yaml`: what people, waiting and mistakes cost, in minor units of the house currency."""

    model_config = ConfigDict(extra="forbid")
    currency: str
    person: dict[str, int]
    wait_per_handoff: int
    loss: dict[str, int]
    reversible_share: float
    value_share: float
    minimum_probability: float

    @classmethod
    def load(cls, path: Path) -> "CostModel":
        """Read and check the file."""
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Weighing:
    """The sum that the financial gate made, in minor units."""

    p_correct: float
    loss: float
    expected_loss: float
    cost_of_person: float
    minimum_probability: float

    @property
    def act_alone(self) -> bool:
        """Whether acting alone is worth the risk."""
        return self.expected_loss <= self.cost_of_person and self.p_correct >= self.minimum_probability

    def as_json(self) -> dict[str, Any]:
        """The figures as they are recorded."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def weigh(
    costs: CostModel,
    p: float,
    *,
    kind: str,
    amount_minor: int,
    reversible: bool,
    fixed_loss: int,
    queue: str,
    value_minor: int,
) -> Weighing:
    """Compare ``(1 - p) * loss`` with what a person and the customer's wait cost."""
    at_stake = amount_minor * (costs.reversible_share if reversible else 1.0)
    loss = at_stake + costs.loss.get(kind, 0) + fixed_loss + value_minor * costs.value_share
    person = costs.person.get(queue, costs.person["general"]) + costs.wait_per_handoff
    return Weighing(p, loss, (1 - p) * loss, float(person), costs.minimum_probability)
