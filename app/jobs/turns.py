"""Runs turns: one at a time per conversation, each to its end, also those that another process left unfinished."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from langsmith import tracing_context

from agents.checkpoints import FRESH
from agents.nodes.approval import parked
from agents.nodes.escalate import hand_over_failed
from agents.services import Services
from agents.state import TurnState
from agents.turn import TurnContext, begin
from records.conversation import Message
from records.effect import EffectRecord, EffectState
from records.transcript import TurnStart, TurnTaken
from tools.errors import ToolError
from tools.registry import UnknownTool

log = structlog.get_logger(__name__)

INTERRUPT = "__interrupt__"
"""In what a graph returns: it waits, and its checkpoint is stored."""
RENEW_EVERY = 6.0
SWEEP_EVERY = 2.0
UNSETTLED_FOR = timedelta(seconds=30)
"""After this the sweep settles an effect that no turn of this process is at."""
LOOK_AGAIN, LOOK_AGAIN_MAX = timedelta(seconds=2), timedelta(minutes=1)
"""How long the sweep waits after a look at an effect that settled nothing: ever longer, up to a bound."""


class TurnRunner:
    """Takes turns on conversations of this process, and sweeps up what others dropped."""

    def __init__(self, services: Services, graph: CompiledStateGraph[Any, Any, Any, Any]) -> None:
        self.services, self.graph = services, graph
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._resuming: dict[str, asyncio.Task[None]] = {}
        self._looks: dict[str, tuple[int, datetime]] = {}
        """Open effects: how often the sweep has looked, and when it looks next."""
        self._again: set[str] = set()
        """Conversations that got a message while their task ran."""
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what a stopped process left, then keep sweeping."""
        await self.sweep()
        self._sweeper = asyncio.create_task(self._keep_sweeping())

    async def stop(self) -> None:
        """Let running turns end, briefly; what does not end is taken up at the next start."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if running := [*self._tasks.values(), *self._resuming.values()]:
            await asyncio.wait(running, timeout=10)

    def schedule(self, conversation_id: str, start: TurnStart | None = None) -> asyncio.Task[None]:
        """See to it that waiting messages of a conversation are answered; `start` is a turn that was begun for it."""
        running = self._tasks.get(conversation_id)
        if running is not None and not running.done() and start is None:
            self._again.add(conversation_id)
            return running
        task = asyncio.create_task(self._answer_all(conversation_id, start))
        self._keep(self._tasks, conversation_id, task)
        return task

    async def receive(
        self, conversation_id: str, text: str, client_message_id: str | None = None, level: str | None = None
    ) -> tuple[Message, asyncio.Task[None]]:
        """Store a customer's message and see to its answer: (message, the task that answers)."""
        transcript = self.services.transcript
        running = self._tasks.get(conversation_id)
        if running is not None and not running.done():
            message, _new = await transcript.receive(conversation_id, text, client_message_id, level)
            return message, self.schedule(conversation_id)
        message, _new, start = await transcript.receive_and_begin(conversation_id, text, client_message_id, level)
        return message, self.schedule(conversation_id, start)

    def resume(self, turn_id: str) -> asyncio.Task[None]:
        """Go on with a parked turn whose approval was decided or has run out."""
        running = self._resuming.get(turn_id)
        if running is not None and not running.done():
            return running
        task = asyncio.create_task(self._resume(turn_id))
        self._keep(self._resuming, turn_id, task)
        return task

    async def sweep(self) -> None:
        """Schedule whatever nobody carries on: messages, interrupted turns, decided approvals, open effects."""
        for conversation_id in await self.services.transcript.unfinished():
            self.schedule(conversation_id)
        for turn_id in await self.services.transcript.decided_turns():
            self.resume(turn_id)
        await self._settle_open()
        for row in await self.services.ledger.undoing_rows():
            try:
                await self.services.ledger.finish_undoing(row)
            except ToolError as error:
                log.warning("undoing_refused", effect=row.id, tool=row.tool, error=str(error))

    async def _settle_open(self) -> None:
        """Look after open effects that no turn of this process is at; ever less often where nothing comes of it."""
        held = {name for name, task in {**self._tasks, **self._resuming}.items() if not task.done()}
        now, looks = self.services.clock(), {}
        for row in await self.services.ledger.open_rows():
            count, at = self._looks.get(row.id, (0, row.intended_at + UNSETTLED_FOR))
            if not {row.conversation_id, row.turn_id} & held and now > at:
                row = await self._settle(row)
                count, at = count + 1, now + min(LOOK_AGAIN * 2**count, LOOK_AGAIN_MAX)
            if EffectState(row.state).open:
                looks[row.id] = count, at
        self._looks = looks

    async def _settle(self, row: EffectRecord) -> EffectRecord:
        try:
            return await self.services.ledger.settle(row)
        except UnknownTool as error:
            log.warning("effect_of_unknown_tool", effect=row.id, error=str(error))
            return row

    async def run_one(self, start: TurnStart) -> bool:
        """One turn through the graph; whether more messages wait. Whatever fails, the customer gets a person."""
        if start.turn.attempt > 1:
            await self.graph.checkpointer.adelete_thread(start.turn.id)  # type: ignore[union-attr]
        return await self._run(start, TurnState(), fresh=True)

    async def _run(self, start: TurnStart, entry: TurnState | Command[Any], *, fresh: bool = False) -> bool:
        turn = await begin(self.services, start)
        config = {"configurable": {"thread_id": start.turn.id, FRESH: fresh}, "recursion_limit": 100}
        with tracing_context(enabled=False):  # an operator's LANGSMITH_TRACING must not carry customers' words away
            work = asyncio.ensure_future(
                self.graph.ainvoke(entry, config, context=turn, durability="exit")  # type: ignore[arg-type]
            )
        keeper = asyncio.create_task(self._keep_lease(turn, work))
        try:
            left = await work
            if left is not None and INTERRUPT in left:  # a turn that leaves it to a person changes no state
                await parked(turn, cast(TurnState, left))
        except TurnTaken:
            log.info("turn_taken", turn=start.turn.id)
        except asyncio.CancelledError:
            if not turn.taken:
                raise
            log.info("turn_taken", turn=start.turn.id)
        except Exception as error:
            log.exception("turn_failed", turn=start.turn.id, error=type(error).__name__)
            with suppress(TurnTaken):
                await hand_over_failed(await begin(self.services, start), error)
        finally:
            work.cancel()
            keeper.cancel()
        return turn.more_waits

    async def _answer_all(self, conversation_id: str, start: TurnStart | None) -> None:
        while True:
            self._again.discard(conversation_id)
            start = start or await self.services.transcript.begin_turn(conversation_id)
            if start is None:
                return
            if not await self.run_one(start) and conversation_id not in self._again:
                return
            start = None

    async def _resume(self, turn_id: str) -> None:
        approval = await self.services.transcript.approval_of(turn_id)
        if approval.state == "pending":
            return
        while True:
            try:
                start = await self.services.transcript.take_up_parked(turn_id)
            except TurnTaken:
                return
            if start is not None:
                break
            await asyncio.sleep(0.05)  # another turn of the conversation runs
        decision = {"state": approval.state, "comment": approval.comment, "summary": approval.summary}
        if approval.asked_arguments is not None:
            decision |= {"arguments": approval.arguments}
        await self._run(start, Command(resume=decision))
        self.schedule(start.conversation.id)

    async def _keep_lease(self, turn: TurnContext, work: "asyncio.Future[Any]") -> None:
        """A turn that lost its lease (a person took over, another process took it up) is stopped."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            if not await self.services.transcript.renew_lease(turn.start.turn):
                turn.taken = True
                work.cancel()
                return

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                await self.sweep()
            except Exception:
                log.exception("sweep_failed")

    def _keep(self, tasks: dict[str, asyncio.Task[None]], name: str, task: asyncio.Task[None]) -> None:
        tasks[name] = task

        def forget(done: asyncio.Task[None]) -> None:
            if tasks.get(name) is done:
                del tasks[name]
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("turn_task_failed", task=name, error=repr(error))

        task.add_done_callback(forget)
