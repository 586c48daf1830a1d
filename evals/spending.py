"""What the tickets cost: people, the customer's wait, second contacts, the model. Minor units of the house currency."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.confidence.money import GENERAL, CostModel
from evals.intervals import ratio_interval
from evals.results import WITH_PERSON, Result, Results, group_of


@dataclass(frozen=True)
class Spent:
    """What one ticket cost, and whether it was settled without a person."""

    people: float = 0.0
    waiting: float = 0.0
    second_contact: float = 0.0
    """It ended wrong without a person: the customer writes again, and a person takes it."""
    model: float = 0.0
    settled_alone: bool = False

    @property
    def total(self) -> float:
        """All of it."""
        return self.people + self.waiting + self.second_contact + self.model


def with_person(costs: CostModel, queue: str | None) -> Spent:
    """A ticket that a person of this queue handles."""
    name = queue or GENERAL
    return Spent(people=costs.person_of(name), waiting=costs.hours_of(name) * costs.wait.per_hour)


def returns(costs: CostModel) -> Spent:
    """A ticket that ended wrong without a person."""
    later = with_person(costs, None)
    return Spent(second_contact=later.total)


def spent_here(result: Result, costs: CostModel) -> Spent:
    """What one conversation with Handrail cost. An approval is a person's work like a handoff."""
    _, played, verdict = result
    model = played.model_cost * 100
    if played.disposition in WITH_PERSON:
        one = with_person(costs, played.queue)
        return Spent(one.people, one.waiting, 0.0, model)
    if not verdict.correct:
        return Spent(0.0, 0.0, returns(costs).second_contact, model)
    return Spent(model=model, settled_alone=True)


def cost_figures(spent: Sequence[Spent], groups: Sequence[str], currency: str, seed: int) -> dict[str, Any]:
    """Sums, and the cost of a ticket and of one that was settled without a person, with bootstrap intervals."""
    totals = [one.total for one in spent]
    alone = [float(one.settled_alone) for one in spent]
    ones = [1.0] * len(spent)
    return {
        "currency": currency,
        "people": round(sum(one.people for one in spent), 2),
        "waiting": round(sum(one.waiting for one in spent), 2),
        "second_contacts": round(sum(one.second_contact for one in spent), 2),
        "model": round(sum(one.model for one in spent), 2),
        "total": round(sum(totals), 2),
        "settled_alone": int(sum(alone)),
        "per_ticket": round(sum(totals) / len(spent), 2) if spent else None,
        "per_ticket_interval": ratio_interval(totals, ones, groups, seed, 2),
        "per_resolution": round(sum(totals) / sum(alone), 2) if sum(alone) else None,
        "per_resolution_interval": ratio_interval(totals, alone, groups, seed, 2),
    }


def costs_here(results: Results, costs: CostModel, seed: int) -> dict[str, Any]:
    """What a run cost."""
    spent = [spent_here(result, costs) for result in results]
    return cost_figures(spent, [group_of(result) for result in results], costs.currency, seed)
