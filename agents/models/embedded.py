"""The embedded model: a chat model with tool calling that follows procedures. No key, no network, deterministic.

It reads the brief that travels with the system message, carries out the procedures of `agents.procedures.run` and
proposes their tool calls one by one. It keeps nothing between calls: what it proposed before in this turn is replayed
from the tool messages, so any replica can continue a turn.
"""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

from agents.brief import Brief
from agents.models.names import HAND_OVER, from_wire, to_wire
from agents.procedures.procedure import ProcedureLibrary
from agents.procedures.replies import Templates
from agents.procedures.run import ProcedureRun
from agents.procedures.under_way import Call, Outcome, Speech

BRIEF = "brief"
CHANGED = "changed"
"""Set on the outcome of a call that may have changed something."""


class EmbeddedModel(BaseChatModel):
    """Executes procedures as a chat model."""

    library: Any
    templates: Any

    def __init__(self, library: ProcedureLibrary, templates: Templates) -> None:
        super().__init__(library=library, templates=templates)  # type: ignore[call-arg]

    @property
    def _llm_type(self) -> str:
        return "handrail-embedded"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Any], **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        """Procedures already name their tools; the gate decides which of them are offered."""
        return self  # type: ignore[return-value]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self._propose(messages)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _propose(self, messages: list[BaseMessage]) -> AIMessage:
        brief = _brief(messages)
        outcomes = _outcomes(messages)
        changes = [outcome for queue in outcomes.values() for outcome in queue if outcome.changed]
        carried_out = bool(changes) and all(outcome.result is not None for outcome in changes)
        run = ProcedureRun(brief, self.library, self.templates, carried_out=carried_out)
        proposals = run.turn()
        calls = 0
        known: dict[str, Outcome] = {}
        """What was looked up, as long as nothing was changed since."""
        try:
            proposal = next(proposals)
            while outcomes[key := _key(proposal)] or key in known:
                outcome = outcomes[key].popleft() if outcomes[key] else known[key]
                known = {} if outcome.changed else {**known, key: outcome}
                calls += 1
                proposal = proposals.send(outcome)
        except StopIteration as end:
            return _spoken(end.value, run)
        return AIMessage(
            content="",
            tool_calls=[{"name": to_wire(proposal.tool), "args": proposal.arguments, "id": f"call_{calls + 1}"}],
            response_metadata={"frame": run.frame.model_dump(mode="json"), "said": run.spoken},
        )


def _brief(messages: list[BaseMessage]) -> Brief:
    for message in messages:
        if isinstance(message, SystemMessage) and BRIEF in message.additional_kwargs:
            return message.additional_kwargs[BRIEF]
    raise ValueError("the embedded model needs a system message that carries the brief of the turn")


def _outcomes(messages: list[BaseMessage]) -> dict[str, deque[Outcome]]:
    """What became of the calls of this turn, in order, by tool and arguments."""
    calls: dict[str, str] = {}
    found: dict[str, deque[Outcome]] = defaultdict(deque)
    for message in messages:
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                calls[call["id"] or ""] = _key(Call(from_wire(call["name"]), call["args"]))
        elif isinstance(message, ToolMessage):
            changed = bool(message.additional_kwargs.get(CHANGED))
            if message.status == "error":
                outcome = Outcome(problem=str(message.content), changed=changed)
            else:
                outcome = Outcome(result=json.loads(str(message.content)), changed=changed)
            found[calls.get(message.tool_call_id, "")].append(outcome)
    return found


def _key(call: Call) -> str:
    return f"{call.tool} {json.dumps(call.arguments, sort_keys=True, ensure_ascii=False)}"


def _spoken(speech: Speech, run: ProcedureRun) -> AIMessage:
    metadata = {
        "frame": run.frame.model_dump(mode="json"),
        "kind": speech.kind,
        "citations": list(speech.citations),
        "said": run.spoken,
    }
    if speech.kind == "escalate":
        call = {"name": to_wire(HAND_OVER), "args": {"queue": speech.queue, "why": speech.why}, "id": "call_hand_over"}
        return AIMessage(content="", tool_calls=[call], response_metadata=metadata)  # type: ignore[list-item]
    return AIMessage(content=speech.text, response_metadata=metadata)
