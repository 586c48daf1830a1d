"""tau-bench's trajectory files: a list of {task_id, reward, traj, trial, info}; a task's trials are one group."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

RIGHT = 1.0 - 1e-6
"""tau-bench calls a trial passed when its reward is 1."""
ROLES = {"user": "customer", "assistant": "agent", "tool": "tool"}


class _Function(BaseModel):
    name: str = Field(min_length=1)
    arguments: str | dict[str, Any] = "{}"


class _Call(BaseModel):
    id: str = ""
    function: _Function


class _Step(BaseModel):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """What was said; pieces that are no text are left out."""
        if isinstance(self.content, list):
            return "\n".join(str(piece["text"]) for piece in self.content if isinstance(piece.get("text"), str))
        return self.content or ""


class _Trial(BaseModel):
    model_config = ConfigDict(extra="ignore")
    task_id: int | str
    reward: FiniteFloat
    traj: list[_Step] = Field(min_length=1)
    trial: int = 0


def recording_of(entry: Any) -> dict[str, Any]:
    """One trial as a recording. Raises `ValidationError`."""
    trial = _Trial.model_validate(entry)
    return {
        "id": f"{trial.task_id}-{trial.trial}",
        "group": str(trial.task_id),
        "messages": [_message(step) for step in trial.traj if step.role in ROLES],
        "outcome": {"correct": trial.reward >= RIGHT},
    }


def _message(step: _Step) -> dict[str, Any]:
    message: dict[str, Any] = {"role": ROLES[step.role], "text": step.text}
    if step.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "name": call.function.name, "arguments": call.function.arguments or "{}"}
            for call in step.tool_calls
        ]
    if step.role == "tool":
        message |= {"tool_call_id": step.tool_call_id or "", "name": step.name or ""}
    return message
