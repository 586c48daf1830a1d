"""What the tests of models read from the record of a conversation."""

from typing import Any

DOUBLE_CHARGE = "I was charged twice this month"
"""What a customer says whom the embedded model and a well-behaved scripted one both serve well."""


def model_steps(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The recorded model calls, in order."""
    return [step["payload"] for step in record["steps"] if step["kind"] == "model"]


def served_by(record: dict[str, Any]) -> list[str]:
    """Which model gave each proposal."""
    return [step["model"] for step in model_steps(record)]


def refusals(record: dict[str, Any]) -> list[str]:
    """Why the gate refused what it refused."""
    return [d["reason"] for d in record["decisions"] if d["verdict"] == "refused"]


def agent_texts(record: dict[str, Any]) -> str:
    """All that the customer was told."""
    return "\n".join(message["text"] for message in record["messages"] if message["role"] == "agent")
