"""Tool names on the wire: OpenAI's protocol allows no dot, so ``billing.refund`` travels as ``billing__refund``."""

HAND_OVER = "handoff.to_person"
"""The control tool with which a model passes the conversation to people. It takes `queue` and `why`."""


def to_wire(name: str) -> str:
    """The name that a model sees."""
    return name.replace(".", "__")


def from_wire(name: str) -> str:
    """The tool's own name."""
    return name.replace("__", ".")
