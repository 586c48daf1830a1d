"""`handrail eval run`, `compare` and `import`: recorded tickets, from a helpdesk's export to the verdict on a run."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from app.commands.output import BadInput, Json, emit

WORKERS = min(4, os.cpu_count() or 1)


def run_tickets(
    tickets: Annotated[list[Path], typer.Argument(help="Files of recorded tickets, one JSON line each.")],
    out: Annotated[Path, typer.Option(help="Folder for summary.json, report.html and the journal.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes that play tickets.")] = WORKERS,
    repeats: Annotated[int, typer.Option(min=1, help="Play each ticket so often, in other words each time.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of these words, of identifiers and of the intervals.")] = 0,
    baseline: Annotated[
        Path | None, typer.Option(help="The summary.json of an earlier run: nothing may get worse.")
    ] = None,
    gates: Annotated[Path | None, typer.Option(help="YAML: what the figures must reach.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what the folder's journal holds.")] = False,
    as_json: Json = False,
) -> None:
    """Play recorded tickets, each in a fresh world, and grade the backends' end state. Goes on where it stopped."""
    import asyncio

    from app.commands.output import progress
    from app.logs import configure
    from app.runtime import cost_model
    from app.settings import Settings
    from evals.campaign import Plan, carry_out
    from evals.gates import judged
    from evals.journal import UnusableJournal
    from evals.report import write_report
    from evals.summary import summarise
    from evals.tickets import load_tickets
    from evals.workers import WorkersFailed

    configure(quiet=True)
    limits, earlier = _held_to(gates, baseline)
    loaded, refused = load_tickets(tickets)
    if not loaded:
        raise BadInput(str(refused[0]) if refused else f"{tickets[0]}: holds no ticket")
    settings, plan = Settings.read(), Plan(loaded, out, seed, repeats, workers, fresh)
    costs = cost_model(settings)
    try:
        run = asyncio.run(carry_out(plan, settings, lambda count: progress("Playing tickets", count)))
    except (UnusableJournal, WorkersFailed) as error:
        raise BadInput(str(error)) from None
    lines = [str(line) for line in refused]
    summary = summarise(run.results, run.seconds, lines, costs=costs, seed=seed, run=run.header)
    write_whole(out / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False, default=str))
    verdicts = [verdict.as_json() for verdict in _judged(lambda: judged(summary, earlier, limits))]
    title = f"Recorded tickets: {', '.join(path.name for path in tickets)}"
    write_report(summary, out / "report.html", title, verdicts)
    emit({**summary, "gates": verdicts}, as_json, _text(summary, verdicts, out))
    raise typer.Exit(0 if all(verdict["ok"] for verdict in verdicts) else 1)


def compare_runs(
    a: Annotated[Path, typer.Argument(help="summary.json of the run before, or its folder.")],
    b: Annotated[Path, typer.Argument(help="summary.json of the run after, or its folder.")],
    out: Annotated[Path | None, typer.Option(help="An HTML page to write.")] = None,
    gates: Annotated[Path | None, typer.Option(help="YAML: what B must reach, alone and against A.")] = None,
    as_json: Json = False,
) -> None:
    """Set two runs side by side, ticket by ticket. Exit 1: B got worse by more than chance, or misses a gate."""
    from evals.comparison import compare, comparison_lines, regressed
    from evals.gates import Gates, NoSummary, read_summary
    from evals.report import write_comparison

    try:
        before, after = read_summary(a), read_summary(b)
    except NoSummary as error:
        raise BadInput(str(error)) from None
    limits = _judged(lambda: Gates.load(gates, baseline=True)) if gates else None
    figures = compare(before, after)
    if not figures["tickets"]:
        raise BadInput(f"{b}: it has no ticket in common with {a}")
    verdicts = [verdict.as_json() for verdict in _judged(lambda: limits.judge(after, before))] if limits else []
    against = regressed(figures) + [verdict["says"] for verdict in verdicts if not verdict["ok"]]
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_comparison({**figures, "against": against}, out, f"{a} and {b}")
    lines = [*comparison_lines(figures), *(f"against B: {reason}" for reason in against)]
    emit({**figures, "gates": verdicts, "against": against}, as_json, "\n".join(lines))
    raise typer.Exit(1 if against else 0)


def import_recordings(
    file: Annotated[Path, typer.Argument(help="What another system wrote.")],
    form: Annotated[str, typer.Option("--format", help="tau-bench, csv or zendesk.")],
    out: Annotated[Path, typer.Option(help="The file of recordings to write, one JSON line each.")],
    columns: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN of a CSV, such as text=Body.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Stands before each id and group, where files are put together.")] = "",
    as_json: Json = False,
) -> None:
    """Turn another system's records into recordings. What cannot be used is refused with its line and counted."""
    from evals.imports.importing import Format, read_foreign
    from evals.imports.table import UnusableTable

    if form not in get_args(Format):
        raise BadInput(f"--format {form}: choose one of {', '.join(get_args(Format))}")
    pairs = [entry.partition("=") for entry in columns or ()]
    if wrong := [entry for entry, (_, sign, _) in zip(columns or (), pairs, strict=True) if not sign]:
        raise BadInput(f"--map {wrong[0]}: write FIELD=COLUMN, such as text=Body")
    try:
        imported = read_foreign(file, cast(Format, form), {name: column for name, _, column in pairs}, prefix)
    except UnusableTable as error:
        raise BadInput(str(error)) from None
    if not imported.recordings:
        raise BadInput(str(imported.refused[0]) if imported.refused else f"{file}: holds no {form} entry")
    imported.write(out)
    document = {
        "recordings": len(imported.recordings),
        "entries": imported.entries,
        "refused": len(imported.refused),
        "refused_lines": [str(line) for line in imported.refused],
        "with_outcome": sum("correct" in recording["outcome"] for recording in imported.recordings),
        "groups": len({recording["group"] for recording in imported.recordings}),
        "private_comments": imported.private_comments,
        "columns": dict(imported.columns),
        "out": str(out),
    }
    lines = [
        f"{document['recordings']} recordings in {document['groups']} groups, "
        f"{document['with_outcome']} with an outcome; "
        f"{document['refused']} refused of {document['entries']} entries: {out}",
        *(f"column {column}: {name}" for name, column in imported.columns.items()),
        *([f"{imported.private_comments} private comments left out"] if imported.private_comments else []),
        *(f"refused {line}" for line in imported.refused),
    ]
    emit(document, as_json, "\n".join(lines))


def _held_to(gates: Path | None, baseline: Path | None) -> tuple[Any, dict[str, Any] | None]:
    """The gate file and the earlier summary, both read before anything is played."""
    from evals.gates import Gates, NoSummary, read_summary

    try:
        earlier = read_summary(baseline) if baseline else None
    except NoSummary as error:
        raise BadInput(str(error)) from None
    return _judged(lambda: Gates.load(gates, baseline=baseline is not None)) if gates else None, earlier


def _judged(judge: Any) -> Any:
    from tools.placed_yaml import UnusableFile

    try:
        return judge()
    except UnusableFile as error:
        raise BadInput(str(error)) from None


def write_whole(path: Path, content: str) -> None:
    """Write a file so that nobody ever finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.new")
    half.write_text(content, encoding="utf-8")
    half.replace(path)


def _text(summary: dict[str, Any], verdicts: list[dict[str, Any]], out: Path) -> str:
    keyword = summary["baseline"]["keyword_routing"]
    cost = summary["cost"]
    lines = [
        *summary_lines(summary),
        f"keyword routing: {keyword['unnecessary_escalations']} unnecessary escalations, "
        f"{keyword['missed_escalations']} missed; "
        f"a ticket costs {cost['per_ticket'] / 100:.2f} {cost['currency']} here, "
        f"{keyword['cost']['per_ticket'] / 100:.2f} there",
        *(f"pass^{k}: {one['share']:.3f}" for k, one in summary["pass_k"].items() if len(summary["pass_k"]) > 1),
        *(f"missed: {verdict['says']}" for verdict in verdicts if not verdict["ok"]),
        f"digest {summary['digest'][:16]}; report: {out / 'report.html'}",
    ]
    return "\n".join(lines)


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """A run in a few lines, and each ticket that ended wrong."""
    lines = [
        f"{summary['conversations']} tickets in {summary['seconds']} s: {100 * summary['correct']:.1f} % right, "
        f"{summary['resolved']} resolved, {summary['escalated']} escalated, "
        f"{summary['awaiting_approval']} awaiting approval",
        f"effects verified {summary['effects_verified']}, wrong actions {summary['wrong_actions']}, "
        f"missed escalations {summary['missed_escalations']}, unnecessary {summary['unnecessary_escalations']}, "
        f"lost {summary['lost']}",
    ]
    lines += [f"  {_named(t)}: {'; '.join(t['problems'])}" for t in summary["tickets"] if not t["correct"]]
    return [*lines, *(f"refused {line}" for line in summary["refused_lines"])]


def _named(row: dict[str, Any]) -> str:
    return row["id"] if not row["repeat"] else f"{row['id']} repeat {row['repeat']}"
