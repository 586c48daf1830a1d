"""`handrail gate simulate`: what another cost file would change."""

import asyncio
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.output import BadInput, Json, emit


def simulate(
    cost_file: Annotated[Path, typer.Option(help="Costs to try, in the form of prompts/costs.yaml.")],
    tickets: Annotated[
        list[Path] | None, typer.Argument(help="Recorded tickets to play; without them, the service's conversations.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that play tickets.")] = 2,
    as_json: Json = False,
) -> None:
    """Tell what other costs would change in escalations and in money: over recorded tickets, or over what happened."""
    from app.runtime import cost_model
    from app.settings import BrokenSettings, Settings
    from evals.simulation import actions_of, compare, lines

    settings = Settings.read()
    try:
        other = cost_model(settings.model_copy(update={"costs": cost_file}))
    except BrokenSettings as error:
        raise BadInput(str(error).replace("setting HANDRAIL_COSTS", "--cost-file")) from None
    played: dict[str, Any] = {}
    if tickets:
        conversations, played = _played(tickets, settings, cost_file, workers)
    else:
        conversations = asyncio.run(_recorded(settings))
    figures = {**compare(actions_of(conversations, cost_model(settings), other), other), **played}
    emit(figures, as_json, "" if as_json else "\n".join([*lines(figures), *_endings(figures)]))


def _played(
    paths: list[Path], settings: Any, cost_file: Path, workers: int
) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """The decisions of the tickets under today's costs, and how they end under both."""
    from app.logs import configure
    from evals.tickets import load_tickets

    configure(quiet=True)
    loaded, refused = load_tickets(paths)
    if not loaded:
        raise BadInput(str(refused[0]) if refused else f"{paths[0]}: holds no ticket")
    now = _ended(loaded, settings, workers)
    then = _ended(loaded, settings.model_copy(update={"costs": cost_file.resolve()}), workers)
    decisions = {ticket.id: played.decisions for ticket, played, _ in now}
    changed = [
        {"ticket": ticket.id, "now": before.disposition, "then": after.disposition}
        for (ticket, before, _), (_, after, _) in zip(now, then, strict=True)
        if before.disposition != after.disposition
    ]
    figures = {
        "tickets": len(loaded),
        "endings_now": _counts(now),
        "endings_then": _counts(then),
        "tickets_that_end_otherwise": changed,
        "refused_lines": [str(line) for line in refused],
    }
    return decisions, figures


def _ended(tickets: list[Any], settings: Any, workers: int) -> list[Any]:
    from app.commands.output import progress
    from evals.campaign import Plan, carry_out

    with tempfile.TemporaryDirectory(prefix="handrail-simulation-") as folder:
        plan = Plan(tickets, Path(folder), workers=workers)
        return asyncio.run(carry_out(plan, settings, lambda total: progress("Playing tickets", total))).results


def _counts(results: list[Any]) -> dict[str, int]:
    """How many tickets ended in which way, and what went wrong."""
    endings = Counter(played.disposition for _, played, _ in results)
    verdicts = [verdict for _, _, verdict in results]
    return {
        **{name: endings[name] for name in ("resolved", "escalated", "awaiting_approval", "awaiting_customer")},
        "wrong_actions": sum(verdict.wrong_actions for verdict in verdicts),
        "missed_escalations": sum(verdict.missed_escalation for verdict in verdicts),
        "unnecessary_escalations": sum(verdict.unnecessary_escalation for verdict in verdicts),
    }


async def _recorded(settings: Any) -> dict[str, list[Any]]:
    from sqlmodel import col, select

    from records.database import Database
    from records.decision import DecisionRecord

    database = await Database.open(settings.database)
    try:
        async with database.read() as session:
            calls = select(DecisionRecord).where(DecisionRecord.kind == "call").order_by(col(DecisionRecord.id))
            rows = list(await session.scalars(calls))
    finally:
        await database.close()
    conversations: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        conversations[row.conversation_id].append(row.model_dump())
    return conversations


def _endings(figures: Mapping[str, Any]) -> list[str]:
    if "tickets" not in figures:
        return []
    told = [f"{figures['tickets']} tickets, played under both:"]
    for name in figures["endings_now"]:
        told.append(
            f"  {name.replace('_', ' ')}: {figures['endings_now'][name]} now, {figures['endings_then'][name]} then"
        )
    told += [f"  {c['ticket']}: {c['now']} now, {c['then']} then" for c in figures["tickets_that_end_otherwise"]]
    return told
