"""Plays tickets in several processes. A process that dies loses no ticket: it is played once more, then reported."""

import asyncio
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple, cast

from app.runtime import Shared
from app.settings import Settings
from evals.tickets import Ticket

ATTEMPTS = 2
LOOK_EVERY = 0.5
GRACE = 10.0
LONGEST = 900.0
"""Seconds after which a process that still plays one ticket is taken for dead."""


class Task(NamedTuple):
    """One ticket to be played."""

    ticket: Ticket
    repeat: int

    @property
    def key(self) -> tuple[str, int]:
        """What it is known by in the journal."""
        return self.ticket.id, self.repeat


class WorkersFailed(Exception):
    """No process could begin to play; the message says why."""


Begin = Callable[[Shared, Settings], Callable[[Task], Awaitable[Any]]]
"""What a process calls once, to learn how it plays a task. It and what comes of a task travel between processes."""

OnPlayed = Callable[[Task, Any, str], None]
"""Called with the task and what came of it, or None and the error."""


@dataclass
class _Worker:
    process: SpawnProcess
    line: Connection
    ready: bool = False
    task: Task | None = None
    began: float = field(default_factory=time.monotonic)


class Workers:
    """A fixed number of processes that play tasks. Runs in one thread of the parent; `stop` ends it early."""

    def __init__(
        self, settings: Settings, begin: Begin, count: int, worlds: Path, on_played: OnPlayed, stop: threading.Event
    ) -> None:
        self._settings, self._begin, self._count, self._worlds = settings, begin, count, worlds
        self._on_played, self._stop = on_played, stop
        self._context = multiprocessing.get_context("spawn")
        self._left: deque[Task] = deque()
        self._attempts: dict[tuple[str, int], int] = {}
        self._workers: list[_Worker] = []

    def play(self, tasks: Sequence[Task]) -> None:
        """Play them all. Raises `WorkersFailed`."""
        self._left.extend(tasks)
        try:
            while not self._stop.is_set() and (self._left or any(worker.task for worker in self._workers)):
                self._keep_up_numbers()
                for line in wait([worker.line for worker in self._workers], LOOK_EVERY):
                    self._hear(next(worker for worker in self._workers if worker.line is line))
                for worker in [w for w in self._workers if w.task and time.monotonic() - w.began > LONGEST]:
                    worker.process.kill()  # its line breaks, and that is heard
        finally:
            self._end()

    def _end(self) -> None:
        """Idle processes end when their line does; one that still plays is not waited for."""
        for worker in self._workers:
            worker.line.close()
            if worker.task is not None:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join(GRACE)
            worker.process.kill()
            worker.process.join()

    def _keep_up_numbers(self) -> None:
        busy = sum(worker.task is not None for worker in self._workers)
        while len(self._workers) < min(self._count, busy + len(self._left)):
            ours, theirs = self._context.Pipe()
            given = theirs, self._settings, self._begin, self._worlds
            process = self._context.Process(target=_work, args=given, daemon=True)
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, cast(Connection, ours)))

    def _hear(self, worker: _Worker) -> None:
        try:
            kind, value = worker.line.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        if kind == "unable":
            raise WorkersFailed(value)
        worker.ready = True
        task, worker.task = worker.task, None
        if task is not None and kind == "played":
            self._on_played(task, value, "")
        elif task is not None:
            self._failed(task, value)
        if self._left:
            worker.task, worker.began = self._left.popleft(), time.monotonic()
            try:
                worker.line.send(worker.task)
            except OSError:
                self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.process.join(5)
        worker.line.close()
        if worker.task is not None:
            self._failed(worker.task, f"the process that played it ended ({worker.process.exitcode})")
        elif not worker.ready:
            raise WorkersFailed(f"a process ended before it could play ({worker.process.exitcode})")

    def _failed(self, task: Task, error: str) -> None:
        self._attempts[task.key] = self._attempts.get(task.key, 0) + 1
        if self._attempts[task.key] < ATTEMPTS:
            self._left.append(task)
        else:
            self._on_played(task, None, error)


def _work(line: Connection, settings: Settings, begin: Begin, worlds: Path) -> None:
    """A process: says that it is ready, then plays what it is sent until its parent is gone."""
    tempfile.tempdir = str(worlds)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        asyncio.run(_play_what_comes(line, settings, begin))
    except (EOFError, BrokenPipeError):
        return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


async def _play_what_comes(line: Connection, settings: Settings, begin: Begin) -> None:
    from app.logs import configure
    from evals.world import prepared

    configure(quiet=True)
    try:
        play = begin(await prepared(settings), settings)
    except Exception as error:
        line.send(("unable", f"a process could not begin to play: {error}"))
        return
    line.send(("ready", None))
    while True:
        task: Task = await asyncio.to_thread(line.recv)
        try:
            played = await play(task)
        except Exception as error:  # whatever it was: it belongs to this ticket, and the others go on
            line.send(("failed", f"{type(error).__name__}: {error}"))
        else:
            line.send(("played", played))
