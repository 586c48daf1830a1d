"""The commands of `evals`. They join the `handrail` command through the entry-point group ``handrail.commands``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.output import BadInput, Json, emit
from evals.run_commands import WORKERS, compare_runs, import_recordings, run_tickets, summary_lines

commands = typer.Typer(help="Play recorded tickets and judge the results.", no_args_is_help=True)
commands.command("run")(run_tickets)
commands.command("compare")(compare_runs)
commands.command("import")(import_recordings)
ROOT = Path(__file__).resolve().parent


def register(cli: typer.Typer) -> None:
    """Add `eval`, `demo`, `bench` and `gate simulate` to the command."""
    from app.commands.gate import commands as gate
    from evals.simulation_command import simulate

    cli.add_typer(commands, name="eval")
    cli.command()(demo)
    cli.command()(bench)
    gate.command()(simulate)


@commands.command("openings")
def openings(
    files: Annotated[list[Path], typer.Argument(help='Files of first messages, one {"text": "..."} a line.')],
    out: Annotated[Path, typer.Option(help="Folder for openings.csv.")],
    sample: Annotated[int | None, typer.Option(min=1, help="Draw at most so many of each file.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    as_json: Json = False,
) -> None:
    """Send strangers' first messages over HTTP and tabulate what happened: for messages without a right answer here."""
    import asyncio
    import tempfile

    from app.commands.output import progress
    from app.logs import configure
    from app.settings import Settings
    from evals.openings import UnusableOpenings, play_openings, read_openings, tabulate

    configure(quiet=True)
    try:
        texts = read_openings(files, sample, seed)
    except UnusableOpenings as error:
        raise BadInput(str(error)) from None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, progress("Openings", len(texts)) as advance:
        settings = Settings.read().model_copy(update={"home": Path(home), "database_url": None})
        figures = tabulate(asyncio.run(play_openings(texts, settings, advance)), out)
    emit(figures, as_json, "\n".join(f"{name}: {value}" for name, value in figures.items()))


@commands.command("attack")
def attack_service(
    calls: Annotated[int, typer.Option(min=1, help="Hostile tool calls to make.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the hostile model.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for attack.json with every finding.")] = None,
    as_json: Json = False,
) -> None:
    """Drive the service with a hostile model, and search the backends and the messages for harm."""
    import asyncio

    from app.commands.output import progress
    from app.logs import configure
    from app.settings import Settings
    from evals.attack import attack
    from evals.world import backends, prepared

    configure(quiet=True)

    async def play() -> dict[str, Any]:
        async with backends(Settings.read()) as settings:
            shared = await prepared(settings)
            with progress("Hostile calls", calls) as advance:

                def on_calls(made: int) -> None:
                    for _ in range(made):
                        advance()

                return await attack(settings, shared, calls, seed, on_calls)

    figures = asyncio.run(play())
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "attack.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    emit(figures, as_json, "\n".join(_attack_lines(figures)))
    raise typer.Exit(1 if figures["unauthorised_effects"] or figures["leaks"] or figures["false_promises"] else 0)


@commands.command("calibrate")
def calibrate_confidence(
    recorded: Annotated[
        list[Path], typer.Argument(help="Our recorded tickets, or one file of recordings with `outcome.correct`.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for confidence.json.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the splits.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that play our own tickets.")] = WORKERS,
    as_json: Json = False,
) -> None:
    """Learn how sure one may be: before an action, from our own tickets; of a whole conversation, from others'."""
    from evals.calibration.own import are_own

    if all(are_own(path) for path in recorded):
        _calibrate_gate(recorded, out, seed, workers, as_json)
    elif len(recorded) > 1:
        raise BadInput(f"{recorded[1]}: of recordings without `expected`, give one file")
    else:
        _calibrate_outcomes(recorded[0], out, seed, as_json)


def _calibrate_gate(paths: list[Path], out: Path, seed: int, workers: int, as_json: bool) -> None:
    from app.commands.output import progress
    from app.logs import configure
    from app.settings import Settings
    from evals.calibration import own
    from evals.calibration.calibrate import CannotCalibrate
    from evals.workers import WorkersFailed

    configure(quiet=True)
    tickets, refused = own.read(paths)
    if not tickets:
        raise BadInput(refused[0] if refused else f"{paths[0]}: holds no ticket")
    try:
        with progress("Playing tickets", own.steps_of(tickets)) as advance:
            fitted = own.calibrate_own(tickets, Settings.read(), seed, workers, advance)
    except CannotCalibrate as error:
        raise BadInput(f"{paths[0]}: {error}") from None
    except WorkersFailed as error:
        raise BadInput(str(error)) from None
    refused += fitted.not_played
    document = {"model": own.save(fitted, out), **fitted.figures, "refused_lines": refused, "tickets": fitted.tickets}
    emit(document, as_json, "\n".join([*own.lines(fitted.figures, out), *_refused(refused)]))


def _calibrate_outcomes(recorded: Path, out: Path, seed: int, as_json: bool) -> None:
    from app.commands.output import progress
    from evals.calibration.calibrate import REPEATS, CannotCalibrate, calibrate
    from evals.calibration.model import save
    from evals.recordings import load_recordings

    recordings, refused = load_recordings(recorded)
    if not recordings:
        raise BadInput(str(refused[0]) if refused else f"{recorded}: holds no recording")
    try:
        with progress("Cross-validating", REPEATS) as advance:
            found = calibrate(recordings, seed, advance)
    except CannotCalibrate as error:
        raise BadInput(f"{recorded}: {error}") from None
    refusals = [str(line) for line in refused]
    model = save(found.model, found.figures, out)
    document = {"model": model, **found.figures, "refused_lines": refusals, "tickets": found.tickets}
    emit(document, as_json, "\n".join([*_calibration_lines(found.figures), *_refused(refusals), f"model: {out}"]))


@commands.command("score")
def score_recordings(
    recorded: Annotated[Path, typer.Argument(help="Recordings, one JSON line each.")],
    model: Annotated[Path, typer.Option(help="What `eval calibrate --out` wrote.")],
    as_json: Json = False,
) -> None:
    """Tell how likely each recorded conversation was handled right."""
    from evals.calibration.calibrate import score
    from evals.calibration.model import UnusableArtefact, load
    from evals.recordings import load_recordings

    try:
        fitted, name = load(model)
    except UnusableArtefact as error:
        raise BadInput(str(error)) from None
    recordings, refused = load_recordings(recorded)
    if not recordings:
        raise BadInput(str(refused[0]) if refused else f"{recorded}: holds no recording")
    refusals = [str(line) for line in refused]
    document = {"model": name, "refused_lines": refusals, **score(recordings, fitted)}
    lines = [f"{ticket['p_correct']:.2f}  {ticket['id']}" for ticket in document["tickets"]]
    if document["with_outcome"]:
        lines.append(f"AUROC {document['auroc']}, calibration error {document['calibration_error']}")
    emit(document, as_json, "\n".join([*lines, *_refused(refusals)]))


def _calibration_lines(figures: dict[str, Any]) -> list[str]:
    repeats, unrounded = figures["repeats"], figures["unrounded"]
    low, high = figures["auroc_interval"]
    lines = [
        f"{figures['recordings']} recordings in {figures['groups']} groups, {figures['correct']:.0%} right; "
        f"{figures['folds']} folds by group, {repeats['auroc']['repeats']} times over",
        f"AUROC {figures['auroc']:.3f} (other groups: {low:.2f} to {high:.2f}); one cross-validation "
        f"{repeats['auroc']['mean']:.3f} ± {repeats['auroc']['sd']:.3f}, unrounded {unrounded['auroc']:.3f}",
        f"calibration error {figures['calibration_error']:.3f} (10 bins of equal mass, equal probabilities in one bin; "
        f"a perfect forecaster: {figures['calibration_error_by_chance']:.3f}); one cross-validation "
        f"{repeats['calibration_error']['mean']:.3f} ± {repeats['calibration_error']['sd']:.3f}",
    ]
    lines += [
        f"  said {row['p_correct']:.2f}, was right {row['correct']:.2f} ({row['tickets']} tickets)"
        for row in figures["bins"]
    ]
    for rule in figures["risk_control"]:
        alone = "nothing alone"
        if rule["threshold"] is not None:
            alone = f"alone from {rule['threshold']:.1f} on ({rule['accepted']} tickets, {rule['wrong']} of them wrong)"
        lines.append(
            f"at most {rule['alpha']:.0%} wrong with {1 - rule['delta']:.0%} certainty: {alone}; exceeded in "
            f"{rule['splits']['exceeded']:.1%} of {rule['splits']['splits']} splits by ticket, "
            f"{rule['splits_by_group']['exceeded']:.1%} by group"
        )
    return lines


def _refused(lines: list[str]) -> list[str]:
    return [f"refused {line}" for line in lines]


@commands.command("agentdojo")
def agentdojo(
    suite: Annotated[str, typer.Option(help="banking, workspace or all.")] = "all",
    seed: Annotated[int, typer.Option(help="Seed of the customer who confirms in 1 of 10 cases.")] = 0,
    as_json: Json = False,
) -> None:
    """Put AgentDojo's tools behind the gate: what obeys injections, and what its own solutions still get done."""
    import asyncio
    from importlib.util import find_spec

    from app.commands.output import progress
    from app.logs import configure
    from app.settings import PROMPTS
    from evals.agentdojo.benchmark import SUITES, measure, steps_of, summary_lines

    if suite not in (*SUITES, "all"):
        raise BadInput(f"--suite {suite}: choose one of {', '.join((*SUITES, 'all'))}")
    if find_spec("agentdojo") is None:
        raise BadInput("AgentDojo is not installed: uv sync --inexact --group dojo")
    configure(quiet=True)
    suites = SUITES if suite == "all" else (suite,)
    with progress("AgentDojo", steps_of(suites)) as advance:
        figures = asyncio.run(measure(suites, PROMPTS / "costs.yaml", seed, lambda: advance()))
    emit(figures, as_json, "\n".join(summary_lines(figures)))
    raise typer.Exit(0 if figures["targets_met"] else 1)


def _attack_lines(figures: dict[str, Any]) -> list[str]:
    lines = [f"{name}: {value}" for name, value in figures.items() if name != "findings"]
    for kind, findings in figures["findings"].items():
        lines += [
            f"  {kind}: {found['problem']} (customer {found['customer']}: {found['opening']})" for found in findings
        ]
    return lines


def demo(
    out: Annotated[Path | None, typer.Option(help="Folder for summary.json and report.html.")] = None,
    as_json: Json = False,
) -> None:
    """The main job, end to end: a fresh home, the service on a free port, recorded tickets played over HTTP."""
    import asyncio

    from app.settings import Settings
    from evals.demo import play_demo

    settings = Settings.read()
    summary = asyncio.run(play_demo(settings, out or settings.home / "demo", quiet=as_json))
    folder = out or settings.home / "demo"
    emit(summary, as_json, "\n".join([*summary_lines(summary), f"report: {folder / 'report.html'}"]))
    raise typer.Exit(0 if summary["lost"] == 0 and summary["wrong_actions"] == 0 else 1)


def bench(
    turns: Annotated[int, typer.Option(min=10, help="Turns of each kind.")] = 60,
    as_json: Json = False,
) -> None:
    """Time our whole turn beside a bare LangGraph agent in the same run."""
    import asyncio

    from app.logs import configure
    from app.settings import Settings
    from evals.bench import measure

    configure(quiet=True)
    figures = asyncio.run(measure(Settings.read(), turns))
    lines = [f"{name}: {value}" for name, value in figures.items()]
    emit(figures, as_json, "\n".join(lines))
