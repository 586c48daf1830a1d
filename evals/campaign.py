"""A run over recorded tickets, from the files to the figures: cut off at any moment, it goes on from there."""

import asyncio
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.runtime import Shared
from app.settings import ROOT, Settings
from evals.grading import Grade, Played, grade
from evals.journal import Journal, journal_in
from evals.runner import play
from evals.tickets import Ticket
from evals.workers import Task, Workers
from evals.world import backends, prepared

WORLDS = ".worlds"
CODE = ("records", "tools", "agents", "app", "evals", "prompts")
NO_CODE = ("evals/tickets", "app/web")
"""Below these nothing steers how a ticket is played."""
ELSEWHERE = frozenset(
    "home database_url chroma_url secret_key host port smtp_url mail_from development stripe_api_key stripe_base_url "
    "stripe_webhook_secret scim_url scim_token openai_api_key stripe_per_second scim_per_second mcp_per_second".split()
)
"""Settings that say where things are, or are secret, and change no result."""


@dataclass(frozen=True)
class Plan:
    """What to play and how."""

    tickets: Sequence[Ticket]
    out: Path
    seed: int = 0
    repeats: int = 1
    workers: int = 2
    fresh: bool = False

    @property
    def tasks(self) -> list[Task]:
        """Every ticket and repeat, in the order of the results."""
        return [Task(ticket, repeat) for ticket in self.tickets for repeat in range(self.repeats)]


@dataclass(frozen=True)
class Run:
    """A run that came to its end: what was played, in the order of the tickets, and how long that took."""

    results: list[tuple[Ticket, Played, Grade]]
    seconds: float
    header: dict[str, Any]


Bar = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Shows progress: takes how many there are, gives what to call for each that is done."""


async def carry_out(plan: Plan, settings: Settings, bar: Bar) -> Run:
    """Play what the journal does not hold yet. Raises `UnusableJournal`, `WorkersFailed`."""
    worlds = plan.out / WORLDS
    async with backends(settings) as own:
        header = depends_on(plan, settings, await prepared(own))
        with journal_in(plan.out, header, fresh=plan.fresh) as journal:
            shutil.rmtree(worlds, ignore_errors=True)
            worlds.mkdir()
            try:
                await _play(plan, own, journal, worlds, bar)
            finally:
                shutil.rmtree(worlds, ignore_errors=True)
            results = [_result(task, journal.records[task.key]) for task in plan.tasks]
            return Run(results, journal.seconds, header)


async def _play(plan: Plan, settings: Settings, journal: Journal, worlds: Path, bar: Bar) -> None:
    missing = [task for task in plan.tasks if task.key not in journal.records]
    if not missing:
        return
    with bar(len(plan.tasks)) as advance:
        for _ in range(len(plan.tasks) - len(missing)):
            advance()
        await _play_missing(plan, missing, settings, journal, worlds, advance)


async def _play_missing(
    plan: Plan, missing: list[Task], settings: Settings, journal: Journal, worlds: Path, on_done: Callable[[], None]
) -> None:
    earlier, begun = journal.seconds, time.monotonic()

    def keep(task: Task, played: dict[str, Any] | None, error: str) -> None:
        elapsed = round(earlier + time.monotonic() - begun, 2)
        journal.append(
            {"ticket": task.ticket.id, "repeat": task.repeat, "elapsed": elapsed, "played": played, "error": error}
        )
        on_done()

    stop = threading.Event()
    workers = Workers(settings, partial(_begin, seed=plan.seed), plan.workers, worlds, keep, stop)
    # Worlds of one day are founded once, then copied: a process plays them one after the other.
    by_day = sorted(missing, key=lambda task: task.ticket.opened_at.date())
    try:
        await asyncio.to_thread(workers.play, by_day)
    finally:
        stop.set()


def _begin(shared: Shared, settings: Settings, *, seed: int) -> Callable[[Task], Awaitable[dict[str, Any]]]:
    async def played(task: Task) -> dict[str, Any]:
        return asdict(await play(task.ticket, shared, settings, seed=seed, repeat=task.repeat))

    return played


def _result(task: Task, record: dict[str, Any]) -> tuple[Ticket, Played, Grade]:
    known = {field.name for field in fields(Played)}
    if record["played"] is None:
        played = _not_played(task, record["error"])
    else:
        played = Played(**{name: value for name, value in record["played"].items() if name in known})
    return task.ticket, played, grade(task.ticket, played)


def _not_played(task: Task, error: str) -> Played:
    return Played(
        ticket_id=task.ticket.id,
        conversation_id="",
        intent=None,
        disposition="open",
        queue=None,
        reason="",
        exchanges=[],
        effects=[],
        changed=False,
        reproduced=None,
        lost=1,
        turn_ms=[],
        model_calls=0,
        error=f"could not be played: {error}",
        repeat=task.repeat,
    )


def depends_on(plan: Plan, settings: Settings, shared: Shared) -> dict[str, Any]:
    """What the results depend on: equal for two runs only if their results may stand in one journal."""
    tickets = [ticket.model_dump(mode="json") for ticket in plan.tickets]
    chosen = settings.model_dump(mode="json", exclude=set(ELSEWHERE))
    for name in ("costs", "confidence", "mcp_config"):
        path = getattr(settings, name)
        chosen[name] = None if path is None else _digest_of_files(path)
    return {
        "tickets": {"count": len(tickets), "sha256": _digest(tickets)},
        "seed": plan.seed,
        "repeats": plan.repeats,
        "product": {"version": version("handrail"), "code": code_digest()},
        "triage": shared.version.name,
        "passages": shared.knowledge.count(),
        "settings": chosen,
    }


@lru_cache(maxsize=1)
def code_digest() -> str:
    """SHA-256 over the product's own files that steer how a ticket is played."""
    sha = hashlib.sha256()
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in name and not name.startswith(NO_CODE):
                sha.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return sha.hexdigest()[:16]


def _digest_of_files(path: Path) -> str:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return _digest([hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
