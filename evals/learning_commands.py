"""`handrail learn propose`: it replays recorded tickets, so it lives here; the rest of `learn` is in `app`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.learning import checked_kind, commands, report_folder
from app.commands.output import BadInput, Json, emit

RECORDED = Path(__file__).resolve().parent / "tickets"
TICKETS = RECORDED / "development.jsonl"


def register(_cli: typer.Typer) -> None:
    """Add `propose` to `handrail learn`."""
    commands.command()(propose)


def propose(
    replay: Annotated[
        list[Path] | None, typer.Option(help="Files of recorded tickets to play with both. Default: our own.")
    ] = None,
    no_replay: Annotated[bool, typer.Option("--no-replay", help="Compare on labelled examples only.")] = False,
    by: Annotated[str, typer.Option(help="Who asks for it: an e-mail address.")] = "",
    folds: Annotated[
        int, typer.Option(min=2, max=20, help="Parts of which one is judged by what learnt the rest.")
    ] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Tickets played at the same time.")] = 2,
    what: Annotated[
        str, typer.Option(help="triage: learns from labelled examples; confidence: from recorded tickets.")
    ] = "triage",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the splits, for the confidence.")] = 0,
    as_json: Json = False,
) -> None:
    """Train a candidate, compare it with what serves, and keep it for a person to decide on."""
    checked_kind(what)
    if what == "confidence":
        if no_replay:
            raise BadInput("--no-replay: the confidence learns from nothing but recorded tickets")
        _propose_confidence(replay or sorted(RECORDED.glob("development*.jsonl")), by, seed, workers, as_json)
        return
    import asyncio
    from contextlib import ExitStack

    from app.commands.output import progress
    from app.logs import configure
    from app.settings import Settings
    from evals import candidate
    from evals.tickets import load_tickets

    tickets, refused = ([], []) if no_replay else load_tickets(replay or [TICKETS])
    if not no_replay and not tickets:
        raise BadInput(str(refused[0]) if refused else f"{(replay or [TICKETS])[0]}: holds no ticket")
    configure(quiet=True)
    settings = Settings.read()
    try:
        with ExitStack() as bars:
            folded = bars.enter_context(progress("Comparing", folds))
            played = bars.enter_context(progress("Playing tickets", 2 * len(tickets))) if tickets else lambda: None
            made = asyncio.run(
                candidate.propose(settings, tickets, by, workers=workers, folds=folds, folded=folded, played=played)
            )
    except candidate.NothingToLearn as error:
        emit({"id": None, "reason": str(error)}, as_json, f"nothing to propose: {error}")
        raise typer.Exit(1) from None
    folder = report_folder(settings, made.version.id)
    document = {**made.figures, "refused_lines": [str(line) for line in refused], "report": str(folder / "report.md")}
    candidate.write_report(document, candidate.report_lines(document), folder)
    emit(document, as_json, "\n".join(_lines(document)))
    raise typer.Exit(1 if made.figures["objections"] else 0)


def _propose_confidence(paths: list[Path], by: str, seed: int, workers: int, as_json: bool) -> None:
    import asyncio

    from app.commands.output import progress
    from app.logs import configure
    from app.settings import Settings
    from evals.calibration import candidate, own
    from evals.calibration.calibrate import CannotCalibrate
    from evals.candidate import write_report
    from evals.workers import WorkersFailed

    configure(quiet=True)
    tickets, refused = own.read(paths)
    if not tickets:
        raise BadInput(refused[0] if refused else f"{paths[0]}: holds no ticket")
    settings = Settings.read()
    try:
        with progress("Playing tickets", own.steps_of(tickets)) as advance:
            made = asyncio.run(candidate.propose(settings, tickets, by, seed, workers, advance))
    except CannotCalibrate as error:
        raise BadInput(f"{paths[0]}: {error}") from None
    except WorkersFailed as error:
        raise BadInput(str(error)) from None
    folder = report_folder(settings, made.version.id)
    document = {
        **made.figures,
        "refused_lines": [*refused, *made.figures["not_played"]],
        "report": str(folder / "report.md"),
    }
    write_report(document, candidate.report_lines(document), folder)
    before, after = document["before"], document["after"]
    lines = [
        f"{document['id']} waits for a decision; customers get what they got before. Report: {document['report']}",
        f"{document['actions']} actions, {document['wrong']} wrong: done alone {before['alone']} -> {after['alone']}, "
        f"of these wrong {before['alone_wrong']} -> {after['alone_wrong']}; log loss {before['log_loss']} -> "
        f"{after['log_loss']}",
        *(f"against: {line}" for line in document["objections"]),
        _decide(document),
    ]
    emit(document, as_json, "\n".join(lines))
    raise typer.Exit(1 if document["objections"] else 0)


def _decide(figures: dict[str, Any]) -> str:
    name = figures["id"]
    ways = f"`handrail learn promote {name} --by EMAIL` or `handrail learn decline {name} --by EMAIL`"
    return f"advice: {figures['advice']}; {ways}"


def _lines(figures: dict[str, Any]) -> list[str]:
    lines = [f"{figures['id']} waits for a decision; customers get what they got before. Report: {figures['report']}"]
    for name in ("old_intents", "learned_of_old_intents", "new_intents"):
        part = figures[name]
        if part["examples"]:
            lines.append(
                f"{name.replace('_', ' ')}: {part['before']:.2%} -> {part['after']:.2%} of {part['examples']} "
                f"({part['right_to_wrong']} right to wrong, {part['wrong_to_right']} wrong to right)"
            )
    for intent, part in figures["by_learned_intent"].items():
        goes = f" -> {part['queue']}" if part["queue"] else ""
        lines.append(f"  {intent}{goes}: {part['before']:.0%} -> {part['after']:.0%} of {part['examples']}")
    if replayed := figures.get("replay"):
        lines.append(
            f"{replayed['tickets']} tickets: {replayed['right_before']} right before, {replayed['right_after']} after "
            f"({len(replayed['worse'])} worse, {len(replayed['better'])} better); "
            f"wrong actions {replayed['wrong_actions_before']} -> {replayed['wrong_actions_after']}"
        )
    lines += [f"look at: {line}" for line in figures["warnings"]]
    lines += [f"against: {line}" for line in figures["objections"]]
    return [*lines, _decide(figures)]
