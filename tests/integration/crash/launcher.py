"""Starts the real service in processes of its own, each of which may kill itself at a named step of a turn.

One process imports everything, loads the classifier of a prepared home (its one argument, for which it waits) and then
forks, so that a service starts in a fraction of a second. It reads a JSON line for each order and answers with one:
{"start": {"settings", "lease", "die"}} gives {"pid"}; {"await": pid} gives the {"signal"} that ended or stopped it.

`die` is {"step", "when", "count", "signal"}. A step is one call of one method. "before" kills ahead of it, "after"
behind it, and "inside" in the middle of its transaction: all is written, nothing is committed. `lease` is how many
seconds a turn's lease lasts; it is renewed four times in that time, and what is left undone is looked for ten times.
"""

import asyncio
import functools
import gc
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401  (what the service imports when it first needs it is imported here, once)
import httpx
import langgraph.checkpoint.postgres.aio
import langgraph.checkpoint.sqlite.aio
import scipy.special  # noqa: F401
import uvicorn
from sqlalchemy.ext.asyncio import AsyncSession

import agents.graph
import agents.models.chain
import app.handoffs
import app.jobs.turns
import app.logs
import records.database
import records.transcript
from agents.knowledge.embed import CachedEmbedder, EmbeddingCache, MiniLmEmbedder
from agents.knowledge.index import KnowledgeIndex
from agents.triage.classifier import IntentClassifier
from app.identity import customer_token
from app.main import create_app
from app.runtime import Shared, load_content
from app.settings import POLICIES, Settings
from records.database import Database
from records.effect import EffectRecord, EffectState
from records.offer import Approval
from records.transcript import Transcript
from tools.ledger import Ledger
from tools.policy import PolicyEngine
from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.toolset import sandbox_tools
from tools.tool import IdentityLevel

Matches = Callable[..., bool]
WAIT_SECONDS = 30.0
STOP = int(signal.SIGSTOP)


def always(*_args: Any, **_named: Any) -> bool:
    """Every call is meant."""
    return True


def writes(table: type) -> Matches:
    """Calls of `Transcript.record` that write a row of this table."""
    return lambda _self, _conversation, rows, *_args, **_named: any(isinstance(row, table) for row in rows)


def moves_to(state: EffectState) -> Matches:
    """Calls of `Ledger._move` to this state."""
    return lambda _self, _row, to, **_named: to == state


STEPS: dict[str, tuple[Any, str, Matches]] = {
    "message stored": (Transcript, "_receive", always),
    "turn begun": (app.jobs.turns, "begin", always),
    "triage": (agents.graph, "triage", always),
    "backend asked": (SandboxBackend, "ask", lambda _self, operation, *_: operation == "billing.find_duplicates"),
    "proposal": (agents.models.chain.EmbeddedProposer, "propose", always),
    "decision written": (Transcript, "record", writes(EffectRecord)),
    "effect sent": (Ledger, "_move", moves_to(EffectState.SENT)),
    "backend call": (SandboxBackend, "act", always),
    "read-back": (SandboxBackend, "find", always),
    "effect verified": (Ledger, "_move", moves_to(EffectState.VERIFIED)),
    "turn finished": (Transcript, "finish_turn", always),
    "approval requested": (Transcript, "record", writes(Approval)),
    "approval decided": (app.handoffs, "decide_approval", always),
    "parked turn taken up": (Transcript, "take_up_parked", always),
    "checkpoint": (langgraph.checkpoint.sqlite.aio.AsyncSqliteSaver, "aput", always),
}


def arm(step: str, when: str, count: int = 1, signal: int = signal.SIGKILL) -> None:
    """See to it that this process dies (or stops, by another signal) at the count-th pass of the step."""
    owner, name, meant = STEPS[step]
    original = getattr(owner, name)
    passes = 0
    within = ContextVar("within", default=False)  # of this task alone: the sweep writes meanwhile

    @functools.wraps(original)
    async def deadly(*args: Any, **named: Any) -> Any:
        nonlocal passes
        passes += meant(*args, **named)
        now = passes == count and meant(*args, **named)
        if now and when == "before":
            await between_transactions(signal)
            os.kill(os.getpid(), signal)
        inside = within.set(now and when == "inside")
        try:
            result = await original(*args, **named)
        finally:
            within.reset(inside)
        if now and when == "after":
            await between_transactions(signal)
            os.kill(os.getpid(), signal)
        return result

    setattr(owner, name, deadly)
    write, open_now = Database.write, 0

    @asynccontextmanager
    async def cut_short(self: Database) -> AsyncIterator[AsyncSession]:
        nonlocal open_now
        open_now += 1
        try:
            async with write(self) as session:
                yield session
                if within.get():
                    within.set(False)  # once: a process that wakes up may write again before it leaves the step
                    await session.flush()
                    os.kill(os.getpid(), signal)
        finally:
            open_now -= 1

    async def between_transactions(sent: int) -> None:
        """A process that stops while its sweep writes would hold SQLite's lock: another test's matter, not chance's."""
        while sent == STOP and open_now:  # noqa: ASYNC110
            await asyncio.sleep(0)

    Database.write = cut_short  # type: ignore[method-assign]


def load(prepared: Path) -> Shared:
    """What every service needs and none changes. It holds no thread and no open file, so it survives the fork."""
    embedder = CachedEmbedder(MiniLmEmbedder(threads=1), EmbeddingCache())
    (fitted,) = (prepared / "artefacts").glob("triage-*")
    classifier = IntentClassifier.load(fitted, embedder)
    classifier.predict("loads the embedding model")
    with tempfile.TemporaryDirectory() as folder:
        backend = asyncio.run(SandboxBackend.open(Path(folder, "sandbox.db")))  # founds the company, for all forks
        content = load_content(ToolRegistry(sandbox_tools(backend)))
    knowledge = KnowledgeIndex(prepared / "chroma", embedder)
    shared = Shared(embedder, classifier, knowledge, content, PolicyEngine.load(POLICIES))
    asyncio.run(warm_up(shared))
    gc.collect()
    gc.freeze()  # a fork that collected these would copy all of their pages
    return shared


async def warm_up(shared: Shared) -> None:
    """One refund through the whole service, so that no fork imports or reads what all of them need."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), secret_key="k" * 40)  # type: ignore[arg-type]
        server = uvicorn.Server(uvicorn.Config(create_app(settings, shared=shared), port=0, log_config=None))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            assert not serving.done(), "the service does not start"
            await asyncio.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()
        token = customer_token(settings.signing_key(), "cus_001", IdentityLevel("verified"))
        headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=30"}
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers, timeout=60) as customer:
            conversation = (await customer.post("/v1/conversations")).json()["id"]
            for words in ("you took 29 euros twice this month", "yes please"):
                await customer.post(f"/v1/conversations/{conversation}/messages", json={"text": words})
        server.should_exit = True
        await serving


def serve(order: dict[str, Any], shared: Shared) -> None:
    """Be the service. Ends with the process."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    settings = Settings(**order["settings"])
    log = os.open(Path(settings.home) / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    app.logs.configure()
    records.transcript._BORN = secrets.token_hex(4)  # a process that was not forked has a mark of its own as well
    if lease := order.get("lease"):
        records.transcript.LEASE = timedelta(seconds=lease)
        app.jobs.turns.RENEW_EVERY, app.jobs.turns.SWEEP_EVERY = lease / 4, lease / 10
        records.database.IDLE_SECONDS = lease
    if order.get("die"):
        arm(**order["die"])
    uvicorn.run(create_app(settings, shared=shared), host="127.0.0.1", port=settings.port, log_config=None)


def ended(pid: int) -> int | None:
    """The signal that ended or stopped a process (0: it ended by itself), or None where it still runs after a while."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        changed, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if changed and os.WIFSTOPPED(status):
            return os.WSTOPSIG(status)
        if changed:
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        time.sleep(0.005)
    return None


def main() -> None:
    """Follow orders until there are no more."""
    prepared = Path(sys.argv[1])
    while not prepared.exists():
        time.sleep(0.05)
    shared = load(prepared)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "await" in order:
            answer = {"signal": ended(order["await"])}
        else:
            pid = os.fork()
            if pid == 0:
                try:
                    serve(order["start"], shared)
                finally:
                    os._exit(1)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
