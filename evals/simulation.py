"""What another cost file would change: in what is done alone, in what people get, and in money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.confidence.money import CostModel, Weighing, weigh_again
from app.commands.gate import weighed
from evals.results import last_words

ALONE, PERSON = "alone", "person"


@dataclass(frozen=True)
class Action:
    """One action that was weighed, under the costs of today and under the others."""

    source: str
    """The ticket or conversation that it belongs to."""
    decision: str
    tool: str
    arguments: Mapping[str, Any]
    now: Weighing
    then: Weighing

    @property
    def changes(self) -> bool:
        """Whether another would do it."""
        return self.now.act_alone != self.then.act_alone

    def as_json(self) -> dict[str, Any]:
        """What changes, and both sums."""
        return {
            "source": self.source,
            "decision": self.decision,
            "tool": self.tool,
            "arguments": dict(self.arguments),
            "p_correct": round(self.now.p_correct, 4),
            "now": _who(self.now),
            "then": _who(self.then),
            "sum_now": self.now.in_words,
            "sum_then": self.then.in_words,
        }


def actions_of(
    conversations: Mapping[str, Sequence[Mapping[str, Any]]], today: CostModel, other: CostModel
) -> list[Action]:
    """The actions among the recorded decisions of tickets or conversations."""
    actions = []
    for source, decisions in conversations.items():
        for decision in last_words(decisions):
            figures = decision["weighed"] if "weighed" in decision else weighed(decision)
            if figures is not None:  # None: decided before sums were recorded
                proposal = decision["proposal"]
                sums = weigh_again(today, figures), weigh_again(other, figures)
                actions.append(Action(source, decision["id"], proposal["tool"], proposal["arguments"], *sums))
    return actions


def compare(actions: Sequence[Action], other: CostModel) -> dict[str, Any]:
    """The figures; money is in minor units of the other file's currency and valued by it, so both sides compare."""
    now = sum(_cost(action.then, alone=action.now.act_alone) for action in actions)
    then = sum(_cost(action.then, alone=action.then.act_alone) for action in actions)
    return {
        "actions": len(actions),
        "conversations": len({action.source for action in actions}),
        "alone_now": sum(action.now.act_alone for action in actions),
        "alone_then": sum(action.then.act_alone for action in actions),
        "to_people_now": sum(not action.now.act_alone for action in actions),
        "to_people_then": sum(not action.then.act_alone for action in actions),
        "expected_cost_now": round(now, 2),
        "expected_cost_then": round(then, 2),
        "saving": round(now - then, 2),
        "currency": other.currency,
        "changes": [action.as_json() for action in actions if action.changes],
    }


def _who(weighing: Weighing) -> str:
    return ALONE if weighing.act_alone else PERSON


def _cost(weighing: Weighing, *, alone: bool) -> float:
    return weighing.expected_loss if alone else weighing.cost_of_person


def lines(figures: Mapping[str, Any]) -> list[str]:
    """The figures as text."""
    money = f"{figures['currency']}"

    def units(name: str) -> str:
        return f"{figures[name] / 100:,.2f} {money}"

    told = [
        f"{figures['actions']} actions in {figures['conversations']} conversations were weighed",
        f"done alone: {figures['alone_now']} now, {figures['alone_then']} then",
        f"to people:  {figures['to_people_now']} now, {figures['to_people_then']} then",
        f"expected cost, by the new file: {units('expected_cost_now')} as decided now, "
        f"{units('expected_cost_then')} as decided then; saving {units('saving')}",
    ]
    for change in figures["changes"]:
        told += [
            f"  {change['source']}: {change['tool']}: {change['now']} now, {change['then']} then",
            f"    now:  {change['sum_now']}",
            f"    then: {change['sum_then']}",
        ]
    return told if figures["changes"] else [*told, "nothing would be decided otherwise"]
