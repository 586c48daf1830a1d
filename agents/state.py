"""The graph's state: one turn's scratch, small, gone when the turn is finished. The transcript lives in `records`."""

from typing import Any, TypedDict


class TurnState(TypedDict, total=False):
    """What the nodes of one turn pass on. Everything here is plain data, so that a checkpoint can hold it."""

    conversation_id: str
    turn_id: str
    calls: list[dict[str, Any]]
    """Proposed tool calls that wait for the gate: {id, tool, arguments}."""
    reply: dict[str, Any] | None
    """A proposed reply that waits for the gate: {text, kind, citations}."""
    verdict: str
    """Where the gate sends the turn: execute, act, respond, ask, await_approval or escalate."""
    escalation: dict[str, Any] | None
    """{queue, reason, trigger, priority}"""
    approval_id: str | None
    frame: dict[str, Any] | None
    """The dialogue state at which the turn was parked."""
