"""The `handrail` command. Heavy parts are imported where they are used, so that `--help` answers at once."""

import asyncio
import sys
from collections.abc import Coroutine
from functools import cache
from importlib.metadata import entry_points
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from app.commands.output import BadInput, Json, emit
from app.settings import BrokenSettings, Settings

cli = typer.Typer(
    name="handrail",
    help="Resolves customers' requests where that is safe, and hands the rest to the right person.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit_cli = typer.Typer(help="The audit chain.", no_args_is_help=True)
sandbox_cli = typer.Typer(help="The sandbox company's backends.", no_args_is_help=True)
cli.add_typer(audit_cli, name="audit")
cli.add_typer(sandbox_cli, name="sandbox")
console = Console(stderr=True)
T = TypeVar("T")


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Run the service: API, chat widget on a sample page, representatives' console."""
    import uvicorn

    from app.logs import configure
    from app.main import create_app

    settings = Settings.read()
    configure()
    if settings.connected:
        run(_reached(settings))
    uvicorn.run(
        create_app(settings), host=host or settings.host, port=settings.port if port is None else port, log_config=None
    )


async def _reached(settings: Settings) -> None:
    """Open what the settings connect, once, so that a wrong one is said in a line. Raises `BrokenSettings`."""
    from app.runtime import Shared, running

    async with running(settings, background=False, shared=Shared(None, None, None)):
        pass


@cli.command()
def worker() -> None:
    """Finish what other processes left: unanswered messages, interrupted turns, open effects."""

    async def work() -> None:
        from app.runtime import running

        async with running(Settings.read()):
            await asyncio.Event().wait()

    run(work())


@cli.command()
def token(
    customer: Annotated[str | None, typer.Option(help="A customer's id, such as cus_001.")] = None,
    staff: Annotated[str | None, typer.Option(help="A staff member's e-mail address.")] = None,
    role: Annotated[str, typer.Option(help="rep, lead, approver, auditor or admin.")] = "rep",
    level: Annotated[str, typer.Option(help="claimed, verified or stepped_up.")] = "verified",
    as_json: Json = False,
) -> None:
    """Print a signed token, for development."""
    from app.identity import STAFF_ROLES, customer_token, staff_token
    from tools.tool import IdentityLevel

    settings = Settings.read()
    if (customer is None) == (staff is None):
        raise BadInput("give either --customer ID or --staff EMAIL")
    if staff is not None:
        if role not in STAFF_ROLES:
            raise BadInput(f"--role: {role!r} is none of {', '.join(STAFF_ROLES)}")
        made = staff_token(settings.signing_key(), staff, role)  # type: ignore[arg-type]
    else:
        if level not in list(IdentityLevel):
            raise BadInput(f"--level: {level!r} is none of {', '.join(IdentityLevel)}")
        made = customer_token(settings.signing_key(), customer or "", IdentityLevel(level))
    emit({"token": made}, as_json, made)


@cli.command()
def chat(
    customer: Annotated[str, typer.Option(help="A customer's id, such as cus_001.")] = "cus_001",
) -> None:
    """Talk to Handrail in the terminal."""
    from app.commands.chat import converse

    run(converse(Settings.read(), customer))


@cli.command()
def doctor(as_json: Json = False) -> None:
    """Check every setting and part, and say in a sentence what is wrong."""
    from app.commands.doctor import examine

    findings = run(examine(Settings.read()))
    lines = "\n".join(f"{'ok  ' if f['ok'] else 'FAIL'}  {f['part']}: {f['says']}" for f in findings)
    ok = all(finding["ok"] for finding in findings)
    emit({"ok": ok, "findings": findings}, as_json, lines)
    raise typer.Exit(0 if ok else 1)


@audit_cli.command("verify")
def audit_verify(as_json: Json = False) -> None:
    """Recompute the audit chain and name any row that was changed, removed, reordered or inserted."""
    from records import audit
    from records.database import Database

    async def check() -> audit.AuditReport:
        database = await Database.open(Settings.read().database)
        try:
            async with database.snapshot() as session:
                return await audit.verify(session)
        finally:
            await database.close()

    report = run(check())
    lines = (
        [f"{report.events} events", *report.problems] if report.problems else [f"{report.events} events, all in order"]
    )
    emit({"events": report.events, "ok": report.ok, "problems": report.problems}, as_json, "\n".join(lines))
    raise typer.Exit(0 if report.ok else 1)


@audit_cli.command("export")
def audit_export(conversation: str, as_json: Json = False) -> None:
    """Print one conversation's evidence: the whole record and its audit chain."""
    from app.commands.export import evidence

    document = run(evidence(Settings.read(), conversation))
    emit(document, True, "")


@sandbox_cli.command("dump")
def sandbox_dump(as_json: Json = False) -> None:
    """Print the whole state of the sandbox backends."""
    from records.clock import system_clock
    from tools.sandbox.backend import SandboxBackend

    async def dump() -> dict[str, Any]:
        settings = Settings.read()
        backend = await SandboxBackend.open(
            settings.sandbox_path, clock=system_clock, seed=settings.seed, today=system_clock().date()
        )
        try:
            return await backend.dump()
        finally:
            await backend.close()

    emit(run(dump()), True, "")


def run(work: "Coroutine[Any, Any, T]") -> "T":
    """Run asynchronous work to its end."""
    return asyncio.run(work)


@cache
def _mount() -> None:
    """Add, once, the command groups that live in files of their own, and those of other packages (`evals`)."""
    from app.commands import decisions, effects, gate, knowledge, learning, policy, triage

    cli.add_typer(triage.commands, name="triage", help="Fit and judge the intent classifier.")
    cli.add_typer(knowledge.commands, name="knowledge", help="Ingest and search the knowledge base.")
    cli.add_typer(policy.commands, name="policy", help="Check what the agent may do, and for whom.")
    cli.add_typer(effects.commands, name="effects", help="What was done at the backends, and what is still open.")
    cli.add_typer(decisions.commands, name="decisions", help="Why something was done, asked, refused or handed on.")
    cli.add_typer(gate.commands, name="gate", help="What was weighed against what, and what other costs would change.")
    cli.add_typer(learning.commands, name="learn", help="What people taught, and the versions of triage made of it.")
    for entry in entry_points(group="handrail.commands"):
        entry.load()(cli)


def main() -> NoReturn:
    """The entry point: bad input and settings become one line on stderr and exit code 2."""
    try:
        _mount()
        code = cli(standalone_mode=False)  # what a command gives to `typer.Exit`, or None
    except (BadInput, BrokenSettings) as error:
        print(f"handrail: {error}", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        if (code := getattr(error, "exit_code", None)) is not None and hasattr(error, "format_message"):
            if message := error.format_message():  # type: ignore[attr-defined]
                print(f"handrail: {message}", file=sys.stderr)
            sys.exit(code)
        from app.commands.output import explain

        line = explain(error)
        if line is None:
            raise
        print(f"handrail: {line}", file=sys.stderr)
        sys.exit(2)
    sys.exit(code or 0)
