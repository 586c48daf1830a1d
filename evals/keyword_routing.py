"""Keyword routing, as helpdesks use it: rules with words, and tier 1 for the rest. Handrail is compared with it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.confidence.money import CostModel
from evals.results import Result, Results, group_of, may_reach_person, needs_person
from evals.spending import Spent, cost_figures, returns, with_person
from tools.placed_yaml import PlacedYaml

RULES = Path(__file__).parent / "keyword_routing.yaml"


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))
    words: Sequence[str] = Field(min_length=1)
    with_: Sequence[str] = Field(default=(), alias="with")

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [_pattern(words) for words in (self.words, self.with_) if words]

    def holds(self, text: str) -> bool:
        """Whether the message contains what the rule asks for."""
        return all(pattern.search(text) for pattern in self._patterns)


class PeopleRule(_Rule):
    """Goes to people."""

    queue: str


class SelfServiceRule(_Rule):
    """Goes to a flow that the customer finishes alone: the intent of a procedure."""

    action: str


class KeywordRules(BaseModel):
    """The rule file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tier_1: str
    when_several: Literal["first", "person"]
    people: Sequence[PeopleRule]
    self_service: Sequence[SelfServiceRule]

    @classmethod
    def load(cls, path: Path = RULES) -> "KeywordRules":
        """Raises `UnusableFile`, which names file, line and field."""
        return PlacedYaml.read(path).as_form(cls)

    def route(self, text: str) -> "Routed":
        """Where a message goes."""
        for rule in self.people:
            if rule.holds(text):
                return Routed(queue=rule.queue)
        actions = [rule.action for rule in self.self_service if rule.holds(text)]
        if not actions or (self.when_several == "person" and len(set(actions)) > 1):
            return Routed(queue=self.tier_1)
        return Routed(action=actions[0])


@dataclass(frozen=True)
class Routed:
    """To a queue of people, or to a self-service flow."""

    queue: str | None = None
    action: str | None = None


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    forms = (re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for word in words)
    return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)", re.IGNORECASE)


def keyword_figures(results: Results, costs: CostModel, seed: int, rules: KeywordRules | None = None) -> dict[str, Any]:
    """What keyword routing would have done with the same tickets; it reads what the customer wrote first.

    A flow is taken to work without fault where it is the right one. A wrong one costs a second contact. Tickets that
    nobody gave an intent are right in any flow, as long as they need no person.
    """
    rules = rules or KeywordRules.load()
    routed = [rules.route(_first_words(result)) for result in results]
    pairs = list(zip(results, routed, strict=True))
    spent = [_spent(result, to, costs) for result, to in pairs]
    return {
        "escalated": sum(to.queue is not None for to in routed),
        "self_service": sum(to.action is not None for to in routed),
        "self_service_right": sum(to.action is not None and _right(result, to) for result, to in pairs),
        "wrong_alone": sum(to.action is not None and not _right(result, to) for result, to in pairs),
        "unnecessary_escalations": sum(to.queue is not None and not may_reach_person(r[0]) for r, to in pairs),
        "missed_escalations": sum(to.queue is None and needs_person(r[0]) for r, to in pairs),
        "right_queue": sum(to.queue is not None and to.queue == r[0].expected.queue for r, to in pairs),
        "cost": cost_figures(spent, [group_of(result) for result in results], costs.currency, seed),
    }


def _first_words(result: Result) -> str:
    ticket, played, _ = result
    return played.exchanges[0]["customer"] if played.exchanges else ticket.customer_messages[0]


def _right(result: Result, to: Routed) -> bool:
    expected = result[0].expected
    return not needs_person(result[0]) and (expected.intent is None or to.action == expected.intent)


def _spent(result: Result, to: Routed, costs: CostModel) -> Spent:
    if to.queue is not None:
        return with_person(costs, to.queue)
    if not _right(result, to):
        return returns(costs)
    if result[0].expected.dispositions == ["awaiting_approval"]:
        return with_person(costs, None)
    return Spent(settled_alone=True)


def change(ours: float, theirs: float) -> float | None:
    """How much less or more, as a share of theirs; None where they had none."""
    return None if theirs == 0 else round((ours - theirs) / theirs, 4)


def recorded_figures(results: Results, currency: str) -> dict[str, Any]:
    """What happened to the same tickets before Handrail, as far as it was recorded."""
    known = [(ticket, ticket.baseline) for ticket, _, _ in results]
    escalated = [ticket for ticket, was in known if was.escalated]
    handled = [was.handle_seconds for _, was in known if was.handle_seconds is not None]
    costs = [was.cost for _, was in known if was.cost is not None]
    first = [was.first_contact for _, was in known if was.first_contact is not None]
    said = [ticket for ticket, was in known if was.escalated is not None]
    return {
        "tickets": len(said),
        "escalated": len(escalated),
        "unnecessary_escalations": sum(not may_reach_person(ticket) for ticket in escalated),
        "missed_escalations": sum(needs_person(ticket) and not ticket.baseline.escalated for ticket in said),
        "first_contact": round(sum(first) / len(first), 4) if first else None,
        "mean_handle_seconds": round(sum(handled) / len(handled), 1) if handled else None,
        "cost": {
            "currency": currency,
            "total": sum(costs),
            "per_ticket": round(sum(costs) / len(costs), 2) if costs else None,
        },
    }


def compared(ours: Mapping[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """A baseline's figures with how much Handrail changes them."""
    here, there = ours["cost"]["per_ticket"], theirs["cost"]["per_ticket"]
    return {
        **theirs,
        "unnecessary_escalations_change": change(ours["unnecessary_escalations"], theirs["unnecessary_escalations"]),
        "missed_escalations_change": ours["missed_escalations"] - theirs["missed_escalations"],
        "cost_per_ticket_change": change(here, there) if here is not None and there else None,
    }
