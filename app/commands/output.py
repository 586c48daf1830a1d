"""How commands speak: text for people, or with `--json` one JSON document on stdout and nothing else."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


class BadInput(Exception):
    """What the user gave cannot be used. The message is one line that says what, where and how to mend it."""


def emit(document: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result."""
    typer.echo(json.dumps(document, ensure_ascii=False, default=str) if as_json else text)


def readable(text: str) -> str:
    """An argument, where it is text. Python passes bytes that are none on as half characters."""
    if not text.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadInput("an argument holds bytes that are not UTF-8 text")
    return text


def explain(error: Exception) -> str | None:
    """One line for an error that an operator can mend, or None where it is a fault of ours."""
    from agents.procedures.loader import BrokenProcedure
    from agents.procedures.replies import TemplateProblem
    from agents.triage.escalation import BrokenEscalation
    from records.database import NewerDatabase
    from records.transcript import UnknownConversation

    if isinstance(error, BrokenProcedure | BrokenEscalation | TemplateProblem | NewerDatabase):
        return str(error)
    if isinstance(error, UnknownConversation):
        return f"there is no conversation {error}"
    if isinstance(
        error, FileNotFoundError | FileExistsError | IsADirectoryError | NotADirectoryError | PermissionError
    ):
        return f"{error.filename}: {error.strerror}"
    if type(error).__module__.startswith("sqlalchemy"):
        return f"the database cannot be used ({type(error).__name__}): check HANDRAIL_DATABASE_URL and HANDRAIL_HOME"
    return None


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr; call what it yields once for each thing done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
