"""execute: enters with permitted calls; leaves to act with their outcomes. Only here is a backend changed."""

import json
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.runtime import Runtime

from agents.models.embedded import CHANGED
from agents.models.names import to_wire
from agents.state import TurnState
from agents.turn import TurnContext
from records.effect import EffectState
from tools.errors import BackendTimeout, BackendUnavailable, NotAsked, ToolError
from tools.tool import Result

READ_ATTEMPTS = 2


async def execute(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Run reads directly and effects through the ledger, one after the other."""
    turn = runtime.context
    for call in state.get("calls", []):
        judged = turn.judged[call["id"]]
        assert judged.tool is not None and judged.arguments is not None
        turn.status(judged.tool.status)
        with turn.stage("execute"):
            if judged.tool.effect is None:
                result, problem = await _read(turn, call)
            else:
                result, problem = await _effect(turn, call)
        _note(turn, call, result, problem)
    return {"calls": []}


async def _read(turn: TurnContext, call: dict[str, Any]) -> tuple[Result | None, str]:
    judged = turn.judged[call["id"]]
    assert judged.tool is not None
    problem = ""
    for _ in range(READ_ATTEMPTS):
        try:
            return await judged.tool.call(turn.customer_id, judged.arguments, ""), ""
        except NotAsked as error:
            return None, str(error)
        except (BackendTimeout, BackendUnavailable) as error:
            problem = f"the backend did not answer: {error}"
        except ToolError as error:
            return None, str(error)
    return None, problem


async def _effect(turn: TurnContext, call: dict[str, Any]) -> tuple[Result | None, str]:
    row = await turn.services.ledger.execute(turn.intended[call["id"]])
    turn.start.effects = [row, *(other for other in turn.start.effects if other.id != row.id)]
    tool = turn.services.registry.get(row.tool)
    if row.state == EffectState.VERIFIED and row.result is not None:
        return tool.result.model_validate(row.result), ""
    if row.state == EffectState.FAILED:
        return None, f"it did not happen: {row.error}"
    return None, f"it is not known yet whether it happened ({row.error}); it will be settled, do not repeat it"


def _note(turn: TurnContext, call: dict[str, Any], result: Result | None, problem: str) -> None:
    shown = result.model_dump(mode="json") if result is not None else None
    turn.step("tool", call_id=call["id"], tool=call["tool"], arguments=call["arguments"], result=shown, problem=problem)
    known = any(isinstance(m, AIMessage) and any(c["id"] == call["id"] for c in m.tool_calls) for m in turn.scratch)
    if not known:
        proposed = {"name": to_wire(call["tool"]), "args": call["arguments"], "id": call["id"]}
        turn.scratch.append(AIMessage(content="", tool_calls=[proposed]))  # type: ignore[list-item]
    tool = turn.judged[call["id"]].tool
    marks = {CHANGED: tool is not None and tool.effect is not None}
    if result is not None:
        if marks[CHANGED]:
            _allow_reads_again(turn)
        turn.evidence.add_result(call["tool"], result)
        content = json.dumps(shown, ensure_ascii=False)
        turn.scratch.append(ToolMessage(content, tool_call_id=call["id"], additional_kwargs=marks))
    else:
        turn.tool_errors += 1
        failed = ToolMessage(problem, tool_call_id=call["id"], status="error", additional_kwargs=marks)
        turn.scratch.append(failed)


def _allow_reads_again(turn: TurnContext) -> None:
    """What was looked up before something was done may have changed: looking again is no repetition."""
    effects = {tool.name for tool in turn.services.registry if tool.effect is not None}
    turn.proposed = {mark: times for mark, times in turn.proposed.items() if mark.partition(" ")[0] in effects}
