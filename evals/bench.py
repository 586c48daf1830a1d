"""Side by side with a bare LangGraph agent, in one run: ratios, never times, are what counts.

Ours: the whole turn with two tool calls, everything recorded (message, triage, decisions, steps, audit chain, reply),
embedding aside. The peer: two nodes (model, tools), `AsyncSqliteSaver`, default durability, the same scripted model
without delay, the same tools over the same sandbox backend; it judges and records nothing.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from agents.services import ModelAnswer
from app.runtime import Runtime, Shared, running
from app.settings import Settings

CALLS = (("billing.get_subscription", {}), ("provisioning.get_quota", {}))
QUESTION = "how much of our storage quota have we used this month?"
REPLY = "You are within your quota. Is there anything else?"
CUSTOMER = "cus_004"
WARM_UP = 3
PARALLEL = 8


class ScriptedModel:
    """Two tool calls, then a reply, for whatever was asked."""

    async def propose(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        """The next line of the script."""
        return ModelAnswer(scripted(messages), "scripted")


def scripted(messages: Sequence[BaseMessage]) -> AIMessage:
    """What the model says after as many tool results as this turn holds."""
    last = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
    done = sum(isinstance(message, ToolMessage) for message in messages[last:])
    if done < len(CALLS):
        tool, arguments = CALLS[done]
        return AIMessage("", tool_calls=[{"name": tool.replace(".", "__"), "args": arguments, "id": f"call_{done}"}])
    return AIMessage(REPLY)


class FixedIntent:
    """Stands in for the classifier: the bench leaves embedding aside."""

    def predict_many(self, texts: list[str]) -> list[Any]:
        """Always the same, at once."""
        from agents.triage.classifier import IntentPrediction

        ranking = [("usage_quota", 0.97), ("knowledge_question", 0.01)]
        return [IntentPrediction("usage_quota", 0.97, ranking, 0.01, 0.96) for _ in texts]


async def measure(settings: Settings, turns: int) -> dict[str, Any]:
    """Run both agents and compare."""
    with tempfile.TemporaryDirectory(prefix="handrail-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        own = settings.model_copy(update={"home": home, "model": "embedded"})
        shared = Shared(None, FixedIntent(), None)
        async with running(own, background=False, shared=shared, proposer=ScriptedModel()) as runtime:
            async with _bare_agent(runtime, home / "bare.db") as bare:
                ours, theirs = await _times(await _our_conversation(runtime), await _bare_conversation(bare), turns)
                stages = await _stages(runtime)
                our_rate = await _throughput(lambda: _our_conversation(runtime))
                their_rate = await _throughput(lambda: _bare_conversation(bare))
            policy = _policy_milliseconds(runtime)
    return {
        "ratio_p50": round(median(ours) / median(theirs), 3),
        "ratio_p95": round(_p95(ours) / _p95(theirs), 3),
        "growth_ratio": round(median(ours[-10:]) / median(ours[:10]), 3),
        "growth_ratio_peer": round(median(theirs[-10:]) / median(theirs[:10]), 3),
        "throughput_ratio": round(our_rate / their_rate, 3),
        "ours_p50_ms": round(median(ours), 2),
        "peer_p50_ms": round(median(theirs), 2),
        "policy_p50_ms": policy,
        "turns": turns,
        "stages": stages,
    }


Turn = Callable[[], Awaitable[None]]


async def _times(ours: Turn, theirs: Turn, turns: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each turn. Ours and theirs alternate, so that whatever else the machine does hits both alike."""
    both: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + turns):
        for turn, times in zip((ours, theirs), both, strict=True):
            begin = time.perf_counter()
            await turn()
            if number >= WARM_UP:
                times.append((time.perf_counter() - begin) * 1000)
    return both


async def _throughput(conversation: Callable[[], Awaitable[Turn]], turns: int = 5) -> float:
    conversations = [await conversation() for _ in range(PARALLEL)]
    begin = time.perf_counter()

    async def talk(turn: Turn) -> None:
        for _ in range(turns):
            await turn()

    await asyncio.gather(*(talk(turn) for turn in conversations))
    return PARALLEL * turns / (time.perf_counter() - begin)


async def _our_conversation(runtime: Runtime) -> Turn:
    conversation = await runtime.services.transcript.open(CUSTOMER, "verified", "bench")

    async def turn() -> None:
        _, task = await runtime.turns.receive(conversation.id, QUESTION)
        await task

    return turn


async def _stages(runtime: Runtime) -> dict[str, float]:
    """The share of each stage in our turns, of medians: the first turn loads what the others find."""
    from sqlmodel import select

    from records.turn import Turn as TurnRow

    async with runtime.services.database.read() as session:
        rows = list(await session.scalars(select(TurnRow)))
    finished = [row for row in rows if row.finished_at is not None]
    whole = median((row.finished_at - row.started_at).total_seconds() * 1000 for row in finished)  # type: ignore[operator]
    names = dict.fromkeys(name for row in finished for name in row.stages_ms)
    shares = {name: round(median(row.stages_ms.get(name, 0.0) for row in finished) / whole, 3) for name in names}
    return {**shares, "rest": round(1 - sum(shares.values()), 3)}


def _policy_milliseconds(runtime: Runtime) -> float:
    from tools.policy import decision_milliseconds

    return round(decision_milliseconds(runtime.services.gate.policy)["p50"], 3)


class BareState(TypedDict):
    """The peer's state: all messages, as the usual agent keeps them."""

    messages: Annotated[list[AnyMessage], add_messages]


class _bare_agent:
    """The peer, over a checkpointer file of its own."""

    def __init__(self, runtime: Runtime, path: Path) -> None:
        self.runtime, self.path = runtime, path

    async def __aenter__(self) -> Any:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        registry = self.runtime.services.registry

        async def model(state: BareState) -> dict[str, Any]:
            return {"messages": [scripted(state["messages"])]}

        async def tools(state: BareState) -> dict[str, Any]:
            last = state["messages"][-1]
            assert isinstance(last, AIMessage)
            answers = []
            for call in last.tool_calls:
                tool = registry.get(call["name"].replace("__", "."))
                result = await tool.call(CUSTOMER, tool.arguments.model_validate(call["args"]), "")
                answers.append(ToolMessage(result.model_dump_json(), tool_call_id=call["id"] or ""))
            return {"messages": answers}

        def more(state: BareState) -> str:
            last = state["messages"][-1]
            return "tools" if isinstance(last, AIMessage) and last.tool_calls else END

        graph = StateGraph(BareState)
        graph.add_node("model", model)
        graph.add_node("tools", tools)
        graph.add_edge(START, "model")
        graph.add_conditional_edges("model", more)
        graph.add_edge("tools", "model")
        self._saver = AsyncSqliteSaver.from_conn_string(str(self.path))
        return graph.compile(checkpointer=await self._saver.__aenter__())

    async def __aexit__(self, *exception: object) -> None:
        await self._saver.__aexit__(None, None, None)


async def _bare_conversation(agent: Any) -> Turn:
    config = {"configurable": {"thread_id": str(time.perf_counter_ns())}}

    async def turn() -> None:
        await agent.ainvoke({"messages": [HumanMessage(QUESTION)]}, config)

    return turn


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]
