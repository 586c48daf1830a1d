"""The financial gate: what a mistake would cost, against what a person and the customer's wait would cost.

Act alone only where ``(1 - p) * loss <= person + wait``. All money is in minor units of the house currency, and the sum
that was made is kept, so that everybody can do it again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tools.placed_yaml import PlacedYaml
from tools.tool import EffectKind

GENERAL = "general"
TERMS = {
    "amount": "the amount",
    "mistake": "the mistake",
    "trust": "the customer's trust",
    "leaving": "the risk that they leave",
    "person": "their time",
    "wait": "the wait",
}
"""What the parts of a sum stand for."""
Minor = float
"""Minor units, not rounded: expected losses are fractions of a cent."""


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class WaitCosts(_Form):
    """What it costs that a customer waits for a person."""

    per_hour: int = Field(ge=0)
    leaving_share_per_hour: float = Field(ge=0, le=1)
    """Of the yearly value of a customer who is certain to think of leaving (churn risk 100), for each hour."""
    hours: Mapping[str, float]
    """Hours until a person of that queue answers."""

    @field_validator("hours")
    @classmethod
    def _not_negative(cls, hours: Mapping[str, float]) -> Mapping[str, float]:
        return _with_general({queue: float(value) for queue, value in hours.items()})


class RiskForm(_Form):
    """What calibration must keep when it sets from which probability on a matter goes alone."""

    wrong_action_rate: float = Field(gt=0, lt=1)
    wrong_action_rate_of: Mapping[EffectKind, float] = {}
    """Kinds of effect with a rate of their own, for their mistakes cost much less or much more than others."""
    certainty: float = Field(gt=0, lt=1)
    unknown_share: float = Field(ge=0, lt=1)
    """How many of the customers' matters are taken to be ones that triage has never heard of."""

    @field_validator("wrong_action_rate_of")
    @classmethod
    def _rates(cls, rates: Mapping[EffectKind, float]) -> Mapping[EffectKind, float]:
        return _between_0_and_1(rates)


class CostModel(_Form):
    """The cost file: what people, waiting and mistakes cost."""

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    exchange: Mapping[str, float] = {}
    """Units of the house currency for one unit of another."""
    person: Mapping[str, int]
    """One handled handoff, fully loaded, per queue."""
    wait: WaitCosts
    loss: Mapping[EffectKind, int]
    """What a wrong action costs beyond money that is lost for good, per kind of effect."""
    reversible_share: float = Field(ge=0, le=1)
    """Of the amount, where the action can be undone."""
    value_share: float = Field(ge=0, le=1)
    """Of the customer's yearly value, per wrong action: trust."""
    leaving_share: float = Field(ge=0, le=1)
    """Of the yearly value of a customer who is certain to think of leaving, per wrong action."""
    minimum_probability: float = Field(ge=0, le=1)
    """Below it nothing is done alone, however small the loss and whatever calibration found."""
    minimum_probability_of: Mapping[EffectKind, float] = {}
    """The same for kinds of effect with a minimum of their own, for their mistakes cost much less or much more."""
    risk: RiskForm

    @field_validator("person")
    @classmethod
    def _queues(cls, person: Mapping[str, int]) -> Mapping[str, int]:
        return _with_general(person)

    @field_validator("minimum_probability_of")
    @classmethod
    def _minimums(cls, minimums: Mapping[EffectKind, float]) -> Mapping[EffectKind, float]:
        return _between_0_and_1(minimums)

    @field_validator("loss")
    @classmethod
    def _kinds(cls, loss: Mapping[EffectKind, int]) -> Mapping[EffectKind, int]:
        missing = set(EffectKind.__args__) - loss.keys()  # type: ignore[attr-defined]
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))}: missing: say what a mistake of each kind costs")
        return _at_least_zero(loss)

    def person_of(self, queue: str) -> int:
        """What a handled handoff of that queue costs."""
        return self.person.get(queue, self.person[GENERAL])

    def minimum_of(self, kind: EffectKind) -> float:
        """The probability below which no effect of this kind is done alone."""
        return self.minimum_probability_of.get(kind, self.minimum_probability)

    def hours_of(self, queue: str) -> float:
        """How long a customer waits for that queue."""
        return self.wait.hours.get(queue, self.wait.hours[GENERAL])

    @classmethod
    def load(cls, path: Path) -> "CostModel":
        """Read and check the file. Raises `UnusableFile`, which names file, line and field, and FileNotFoundError."""
        return PlacedYaml.read(path).as_form(cls)


def _with_general(per_queue: Mapping[str, Any]) -> Mapping[str, Any]:
    if GENERAL not in per_queue:
        raise ValueError(f"{GENERAL}: missing: it stands for every queue that is not named")
    return _at_least_zero(per_queue)


def _between_0_and_1(shares: Mapping[EffectKind, float]) -> Mapping[EffectKind, float]:
    if outside := [f"{kind}: {share}" for kind, share in shares.items() if not 0 < share < 1]:
        raise ValueError(f"{', '.join(outside)}: it must lie between 0 and 1, such as 0.05")
    return shares


def _at_least_zero(values: Mapping[Any, Any]) -> Mapping[Any, Any]:
    if below := [str(name) for name, value in values.items() if value < 0]:
        raise ValueError(f"{', '.join(below)}: a cost cannot be less than zero")
    return values


@dataclass(frozen=True)
class Stakes:
    """What is at stake in one proposal, as the records say."""

    kind: EffectKind
    queue: str
    amount_minor: int = 0
    currency: str = ""
    reversible: bool = False
    fixed_loss_minor: int = 0
    """What a mistake with this tool costs beyond others of its kind."""
    value_minor: int = 0
    """What the customer pays in a year."""
    churn_risk: float = 0.0
    """0 to 100."""


@dataclass(frozen=True)
class Bound:
    """From which probability on something may be done alone, and who says so."""

    p_correct: float | None
    """None: nothing may be done alone."""
    source: Literal["intent", "all", "owner"]
    """Calibration of this intent, calibration over all intents, or the cost file."""
    tickets: int = 0
    """Proposals that calibration accepted from there on."""
    wrong: int = 0


@dataclass(frozen=True)
class Weighing:
    """The sum that the financial gate made."""

    stakes: Stakes
    p_correct: float
    bound: Bound
    loss_terms: Mapping[str, Minor]
    """What a mistake would cost, by cause."""
    person_terms: Mapping[str, Minor]
    """What it costs to leave it to a person, by cause."""
    currency: str
    calibrated: Bound
    """The bound that calibration found; `bound` is it, or the owner's where that is higher."""
    unknown_currency: str = ""
    """The currency of an amount that the cost file gives no rate for."""

    @property
    def loss(self) -> Minor:
        """What a mistake would cost."""
        return sum(self.loss_terms.values())

    @property
    def expected_loss(self) -> Minor:
        """The loss times its probability."""
        return (1 - self.p_correct) * self.loss

    @property
    def cost_of_person(self) -> Minor:
        """What a person and the wait would cost."""
        return sum(self.person_terms.values())

    @property
    def break_even(self) -> float:
        """The probability from which acting alone is worth its risk; 0 where any is."""
        return max(0.0, 1 - self.cost_of_person / self.loss) if self.loss > 0 else 0.0

    @property
    def sure_enough(self) -> bool:
        """Whether the probability reaches the bound."""
        return self.bound.p_correct is not None and self.p_correct >= self.bound.p_correct

    @property
    def worth_it(self) -> bool:
        """Whether the expected loss is no more than a person would cost."""
        return not self.unknown_currency and self.expected_loss <= self.cost_of_person

    @property
    def act_alone(self) -> bool:
        """Whether acting alone is right."""
        return self.sure_enough and self.worth_it

    @property
    def in_words(self) -> str:
        """The sum in a sentence."""
        money = f"a mistake would cost {self._added(self.loss_terms)}; at {1 - self.p_correct:.2%} that is "
        money += f"{_units(self.expected_loss)} {self.currency}, and a person costs {self._added(self.person_terms)}"
        if self.unknown_currency:
            money += f" (the amount itself is not counted: there is no rate for {self.unknown_currency})"
        if self.bound.p_correct is None:
            return f"nothing of this kind is done alone yet; {money}"
        return f"right with {self.p_correct:.1%}, at least {self.bound.p_correct:.1%} is asked; {money}"

    def _added(self, terms: Mapping[str, Minor]) -> str:
        parts = [f"{TERMS[name]} {_units(value)}" for name, value in terms.items() if value >= 0.5]
        return f"{' + '.join(parts)} = {_units(sum(terms.values()))} {self.currency}"

    def as_json(self) -> dict[str, Any]:
        """The figures as they are recorded."""
        return {
            "p_correct": round(self.p_correct, 4),
            "minimum_probability": None if self.bound.p_correct is None else round(self.bound.p_correct, 4),
            "bound_from": self.bound.source,
            "calibrated_bound": asdict(self.calibrated),
            "loss": round(self.loss, 4),
            "expected_loss": round(self.expected_loss, 4),
            "cost_of_person": round(self.cost_of_person, 4),
            "break_even": round(self.break_even, 4),
            "loss_terms": _rounded(self.loss_terms),
            "person_terms": _rounded(self.person_terms),
            "house_currency": self.currency,
            "stakes": asdict(self.stakes),
        }


def weigh(costs: CostModel, p_correct: float, bound: Bound, stakes: Stakes) -> Weighing:
    """Make the sum for one proposal."""
    rate = 1.0 if stakes.currency in ("", costs.currency) else costs.exchange.get(stakes.currency)
    at_risk = stakes.value_minor * stakes.churn_risk / 100
    share = costs.reversible_share if stakes.reversible else 1.0
    hours = costs.hours_of(stakes.queue)
    loss = {
        "amount": stakes.amount_minor * (rate or 0.0) * share,
        "mistake": float(costs.loss[stakes.kind] + stakes.fixed_loss_minor),
        "trust": stakes.value_minor * costs.value_share,
        "leaving": at_risk * costs.leaving_share,
    }
    person = {
        "person": float(costs.person_of(stakes.queue)),
        "wait": hours * costs.wait.per_hour,
        "leaving": hours * at_risk * costs.wait.leaving_share_per_hour,
    }
    least = bound
    if bound.p_correct is not None and bound.p_correct < costs.minimum_of(stakes.kind):
        least = Bound(costs.minimum_of(stakes.kind), "owner")
    unknown = stakes.currency if rate is None and stakes.amount_minor else ""
    return Weighing(stakes, p_correct, least, loss, person, costs.currency, bound, unknown)


def weigh_again(costs: CostModel, figures: Mapping[str, Any]) -> Weighing:
    """The sum of a recorded decision under other costs, from the figures that were recorded with it."""
    return weigh(costs, figures["p_correct"], Bound(**figures["calibrated_bound"]), Stakes(**figures["stakes"]))


def _units(minor: Minor) -> str:
    return f"{minor / 100:,.2f}"


def _rounded(terms: Mapping[str, Minor]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in terms.items() if value}
