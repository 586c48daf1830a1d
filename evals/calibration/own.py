"""`eval calibrate` on our own recorded tickets: they are played, and the gate's model and bounds are fitted."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.confidence.model import DEFAULT
from app.settings import Settings
from evals.calibration.gate_model import REPEATS, Fitted, Promise, fit_gate
from evals.calibration.proposals import Collected, collect
from evals.tickets import Ticket, load_tickets


def are_own(path: Path) -> bool:
    """Whether the file holds tickets with what is expected of them, rather than other systems' recordings."""
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                try:
                    first = json.loads(line)
                except ValueError:
                    return False
                return isinstance(first, dict) and "expected" in first
    return False


def read(paths: list[Path]) -> tuple[list[Ticket], list[str]]:
    """The tickets, and the lines that were refused."""
    tickets, refused = load_tickets(paths)
    return tickets, [str(line) for line in refused]


def steps_of(tickets: list[Ticket]) -> int:
    """How often `on_step` is called."""
    return 2 * len(tickets) + REPEATS


def calibrate_own(
    tickets: list[Ticket], settings: Settings, seed: int, workers: int, on_step: Callable[[], None]
) -> Fitted:
    """Play in `workers` processes, and fit.

    Raises `CannotCalibrate`, `WorkersFailed`, and `BrokenSettings` where the cost file cannot be used.
    """
    return asyncio.run(fit_played(tickets, settings, seed, workers, on_step))


async def fit_played(
    tickets: list[Ticket], settings: Settings, seed: int, workers: int, on_step: Callable[[], None]
) -> Fitted:
    """As `calibrate_own`, in an event loop."""
    from app.runtime import cost_model

    risk = cost_model(settings).risk
    rate_of = {str(kind): rate for kind, rate in risk.wrong_action_rate_of.items()}
    promise = Promise(risk.wrong_action_rate, risk.certainty, risk.unknown_share, rate_of)
    came = await _played(tickets, settings, workers, on_step)
    fitted = await asyncio.to_thread(fit_gate, came.proposals, promise, seed, on_step)
    return replace(fitted, not_played=came.not_played)


async def _played(tickets: list[Ticket], settings: Settings, workers: int, on_step: Callable[[], None]) -> Collected:
    from evals.world import backends, prepared

    stop = threading.Event()
    async with backends(settings) as own:
        await prepared(own)  # once here, so that the processes find it
        try:
            return await asyncio.to_thread(collect, tickets, own, workers, stop, on_step)
        finally:
            stop.set()


def save(fitted: Fitted, out: Path) -> str:
    """Write the model; returns its id."""
    out.mkdir(parents=True, exist_ok=True)
    return fitted.model.save(out / DEFAULT.name, fitted.figures)


def lines(figures: dict[str, Any], out: Path) -> list[str]:
    """The figures as text."""
    promise = figures["promise"]
    unknown = f", one matter in {1 / promise['unknown_share']:.0f} unknown" if promise["unknown_share"] else ""
    told = [
        f"{figures['proposals']} actions in {figures['tickets_with_proposals']} tickets, {figures['wrong']} of them "
        f"wrong, {figures['of_unknown_matters']} on matters that triage had never heard of",
        f"AUROC {figures['auroc']:.3f}; calibration error {figures['calibration_error']:.3f} (a perfect forecaster: "
        f"{figures['calibration_error_by_chance']:.3f})",
        *_bounds("", promise["rate"], f"{promise['certainty']:.0%} certainty{unknown}", figures),
    ]
    for kind, part in figures["of_kinds"].items():
        told += _bounds(f"{kind}: ", promise["rate_of"][kind], f"{promise['certainty']:.0%} certainty", part)
    return [*told, f"model: {out / DEFAULT.name}; HANDRAIL_CONFIDENCE={out} uses it"]


def _bounds(kind: str, rate: float, certainty: str, part: dict[str, Any]) -> list[str]:
    """What one promise came to."""
    splits, least = part["splits"], part["overall"]["p_correct"]
    alone = "nothing is done alone" if least is None else f"alone from {least:.1%} on"
    told = [
        f"{kind}at most {rate:.0%} wrong with {certainty}: {alone}",
        f"over {splits['splits']} random splits the rate was exceeded in {splits['exceeded']:.1%}, and something was "
        f"done alone in {splits['acting']:.0%}",
    ]
    for intent, bound in part["by_intent"].items():
        least = "nothing alone" if bound["p_correct"] is None else f"from {bound['p_correct']:.1%} on"
        told.append(f"  {intent}: {least} ({bound['tickets']} actions, {bound['wrong']} wrong)")
    return told
