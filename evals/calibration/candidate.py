"""A candidate for the gate's confidence: fitted on recorded tickets, compared with what serves, kept for a person."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.confidence.model import ConfidenceModel
from agents.confidence.money import Bound, CostModel, weigh
from app.champion import confidence_of
from app.commands.learning import without_classifier
from app.runtime import cost_model
from app.settings import Settings
from evals.calibration import own
from evals.calibration.gate_model import Fitted
from evals.calibration.proposals import Proposal
from evals.tickets import Ticket
from records import learning
from records.learning import CONFIDENCE, ModelVersion

LOSS = 0.01
"""Log loss that a candidate may lose for each action."""
LEAST = 1e-4
"""No probability counts as further from 0 or 1 than this, or one action could decide a comparison."""


@dataclass(frozen=True)
class Compared:
    """One action that somebody would have agreed to, under what serves and under the candidate."""

    proposal: Proposal
    p_before: float
    p_after: float
    alone_before: bool
    alone_after: bool


@dataclass(frozen=True)
class Candidate:
    """What was found, and the row that waits for a person."""

    version: ModelVersion
    figures: dict[str, Any]


async def propose(
    settings: Settings,
    tickets: Sequence[Ticket],
    by: str,
    seed: int,
    workers: int = 2,
    on_step: Callable[[], None] = lambda: None,
) -> Candidate:
    """Fit, compare and write down. Raises `CannotCalibrate`, `WorkersFailed`. Nothing changes for customers."""
    fitted = await own.fit_played(list(tickets), settings, seed, workers, on_step)
    async with without_classifier(settings) as runtime:
        database, clock = runtime.services.database, runtime.services.clock
        async with database.read() as session:
            row = await learning.champion(session, CONFIDENCE)
        serving = confidence_of(row) if row else runtime.confidence.shipped
        figures = compared(fitted, serving, cost_model(settings))
        version = ModelVersion(
            id=learning.version_id(),
            kind=CONFIDENCE,
            content=fitted.model.as_json(),
            base_hash=runtime.confidence.shipped.id,
            model_hash=fitted.model.hash,
            previous_id=row.id if row else None,
            created_at=clock(),
            created_by=by,
        )
        figures |= {"id": version.id, "champion": row.id if row else f"as set ({serving.id})", "tickets": len(tickets)}
        version.report = {name: value for name, value in figures.items() if name != "moved"}
        async with database.write() as session:
            await learning.propose(session, version)
    return Candidate(version, {**figures, "not_played": list(fitted.not_played)})


def compared(fitted: Fitted, serving: ConfidenceModel, costs: CostModel) -> dict[str, Any]:
    """What gets better and what gets worse with the candidate.

    The candidate's probabilities are out of fold. What serves may have learnt from some of the same tickets: that makes
    the comparison harder for the candidate, not easier.
    """
    actions = []
    for proposal, p_after in fitted.judged:
        p_before = serving.p_correct(proposal.features)
        alone = [
            weigh(costs, p, bound, proposal.stakes).act_alone
            for p, bound in ((p_before, _bound(serving, proposal)), (p_after, _bound(fitted.model, proposal)))
        ]
        actions.append(Compared(proposal, p_before, p_after, *alone))
    figures = {
        "actions": len(actions),
        "wrong": sum(not action.proposal.right for action in actions),
        "before": _side([(a.proposal.right, a.p_before, a.alone_before) for a in actions]),
        "after": _side([(a.proposal.right, a.p_after, a.alone_after) for a in actions]),
        "calibration": {
            name: fitted.figures[name]
            for name in ("auroc", "calibration_error", "calibration_error_by_chance", "promise", "splits", "kept")
        },
        **fitted.model.bounds.as_json(),
        "of_kinds": {kind: bounds.as_json() for kind, bounds in fitted.model.bounds_of.items()},
        "moved": [_moved(action) for action in actions if action.alone_before != action.alone_after],
    }
    figures["objections"] = objections(figures)
    figures["advice"] = "look closely before promoting" if figures["objections"] else "promote"
    return figures


def _bound(model: ConfidenceModel, proposal: Proposal) -> Bound:
    return model.bound(proposal.intent, proposal.stakes.kind)


def _side(actions: Sequence[tuple[bool, float, bool]]) -> dict[str, Any]:
    alone = [right for right, _, goes_alone in actions if goes_alone]
    losses = [-math.log(max(LEAST, p if right else 1 - p)) for right, p, _ in actions]
    return {
        "log_loss": round(sum(losses) / len(losses), 4) if losses else None,
        "alone": len(alone),
        "alone_wrong": sum(not right for right in alone),
        "to_people": len(actions) - len(alone),
        "to_people_right": sum(right for right, _, goes_alone in actions if not goes_alone),
    }


def _moved(action: Compared) -> dict[str, Any]:
    proposal = action.proposal
    return {
        "ticket": proposal.ticket,
        "intent": proposal.intent,
        "tool": proposal.tool,
        "right": proposal.right,
        "unknown": proposal.unknown,
        "p_before": round(action.p_before, 4),
        "p_after": round(action.p_after, 4),
        "alone_after": action.alone_after,
        "better": action.alone_after == proposal.right,
    }


def objections(figures: Mapping[str, Any]) -> list[str]:
    """What speaks against promoting."""
    found, before, after = [], figures["before"], figures["after"]
    promise = figures["calibration"]["promise"]
    if not figures["calibration"]["kept"]:
        rates = ", ".join([f"{promise['rate']:.0%}", *(f"{k} {rate:.0%}" for k, rate in promise["rate_of"].items())])
        found.append(f"over random splits, more than {rates} wrong more often than was promised")
    if after["alone_wrong"] > before["alone_wrong"]:
        found.append(f"wrong actions done alone: {after['alone_wrong']}, were {before['alone_wrong']}")
    if before["alone"] and not after["alone"]:
        found.append("nothing would be done alone any more")
    if before["log_loss"] is not None and after["log_loss"] > before["log_loss"] + LOSS:
        found.append(f"it foretells worse: log loss {after['log_loss']}, was {before['log_loss']}")
    return found


def report_lines(figures: Mapping[str, Any]) -> list[str]:
    """The report as Markdown."""
    calibration = figures["calibration"]
    promise, splits = calibration["promise"], calibration["splits"]
    of_kinds = figures.get("of_kinds", {})  # older versions were kept without
    certain = f"with {promise['certainty']:.0%} certainty"
    lines = [
        f"# Confidence {figures['id']}",
        "",
        f"Fitted on {figures['actions']} actions of {figures['tickets']} recorded tickets, {figures['wrong']} of them "
        f"wrong. Compared with: {figures['champion']}.",
        "",
        f"**Advice: {figures['advice']}.**",
        *(f"- {line}" for line in figures["objections"]),
        "",
        f"- AUROC {calibration['auroc']}, calibration error {calibration['calibration_error']} (a perfect forecaster: "
        f"{calibration['calibration_error_by_chance']}).",
        f"- Promise: at most {promise['rate']:.0%} wrong {certain}. Alone: {_alone(figures['overall'])}.",
        f"- Over {splits['splits']} random splits the rate was exceeded in {splits['exceeded']:.1%}.",
        *(
            f"- {kind}: at most {promise['rate_of'][kind]:.0%} wrong {certain}. Alone: {_alone(bounds['overall'])}."
            for kind, bounds in of_kinds.items()
        ),
        "",
        "| | before | after |",
        "|---|---|---|",
    ]
    names = {
        "alone": "done alone",
        "alone_wrong": "of these wrong",
        "to_people": "left to people",
        "to_people_right": "of these right",
        "log_loss": "log loss",
    }
    lines += [f"| {title} | {figures['before'][name]} | {figures['after'][name]} |" for name, title in names.items()]
    for kind, bounds in [("", figures), *of_kinds.items()]:
        if bounds["by_intent"]:
            lines += ["", f"## Matters with a bound of their own{f': {kind}' if kind else ''}", ""]
        for intent, bound in bounds["by_intent"].items():
            lines.append(f"- {intent}: {_alone(bound)} ({bound['tickets']} actions, {bound['wrong']} wrong)")
    for better, title in ((False, "Worse"), (True, "Better")):
        moved = [one for one in figures["moved"] if one["better"] is better]
        lines += ["", f"## {title} ({len(moved)})", ""]
        lines += [
            f"- {one['ticket']}{' (as a matter unheard of)' if one['unknown'] else ''}: {one['tool']}, "
            f"{'right' if one['right'] else 'wrong'}: {one['p_before']:.2%} -> {one['p_after']:.2%}, now "
            f"{'done alone' if one['alone_after'] else 'left to people'}"
            for one in moved
        ]
    return lines


def _alone(bound: Mapping[str, Any]) -> str:
    return "nothing" if bound["p_correct"] is None else f"from {bound['p_correct']:.2%} on"
