"""Processes that carry an effect out at a SCIM service, take it back, or recover, and are killed on the way.

This program reads one order a line (JSON, see `work`), forks a process for it and prints how that ended: the signal
that ended it, or 0. It imports once what every process needs.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

import records.tables  # noqa: F401  (every table is known before one is used)
from records.database import Database
from tools.errors import ToolError
from tools.ledger import Ledger
from tools.registry import ToolRegistry
from tools.sandbox.access import access_tools
from tools.sandbox.backend import SandboxBackend
from tools.scim_access.backend import ScimBackend
from tools.scim_access.toolset import scim_access_tools

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)


@dataclass
class Fuse:
    """Kills this process at the point with the number `at`, counted from 0."""

    at: int
    passed: int = 0

    def point(self) -> None:
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


@dataclass(frozen=True)
class FusedLedger(Ledger):
    """A ledger with a point before and after each of its writes."""

    fuse: Fuse = field(default_factory=lambda: Fuse(-1))

    async def _move(self, *given: Any, **more: Any) -> Any:
        self.fuse.point()
        moved = await super()._move(*given, **more)
        self.fuse.point()
        return moved

    async def _mark(self, *given: Any, **more: Any) -> Any:
        self.fuse.point()
        marked = await super()._mark(*given, **more)
        self.fuse.point()
        return marked


async def work(order: dict[str, Any]) -> None:
    """Do `what` ("execute", "undo" or "recover") with `effect`, with a point before and after each write and request.

    `at` is the point at which the process is killed, or -1; `passed` names the file for how many points there were.
    """
    fuse = Fuse(order["at"])

    async def point(_: Any) -> None:
        fuse.point()

    database = await Database.open(order["database"], migrate=False)
    company = await SandboxBackend.open(Path(order["sandbox"]), clock=lambda: NOW)
    backend = ScimBackend(order["url"], token=order["token"], seconds=15, roles_in=order["roles_in"])
    backend._http.event_hooks = {"request": [point], "response": [point]}
    described = {tool.name: tool for tool in access_tools(company)}
    ledger = FusedLedger(database, ToolRegistry(scim_access_tools(backend, described)), lambda: NOW, fuse)
    if order["what"] == "execute":
        await ledger.execute(order["effect"])
    elif order["what"] == "undo":
        await ledger.compensate(order["effect"], "lead@larkspur.example", "a mistake")
    else:  # as the service does at its start and from time to time
        for row in await ledger.undoing_rows():
            try:
                await ledger.finish_undoing(row)
            except ToolError:
                continue
        for row in await ledger.open_rows():
            await ledger.settle(row)
    Path(order["passed"]).write_text(str(fuse.passed), encoding="utf-8")
    await backend.close()
    await company.close()
    await database.close()


def main() -> None:
    """Fork a process for each order. What is to end by itself is done here, so that those after it start warm."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the other side reads stdout
    for line in sys.stdin:
        order = json.loads(line)
        if order["at"] < 0:
            asyncio.run(work(order))
            print(0, flush=True)
            continue
        child = os.fork()
        if child == 0:
            asyncio.run(work(order))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)


if __name__ == "__main__":
    main()
