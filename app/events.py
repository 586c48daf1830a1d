"""Live listeners: those who listen in this process are told at once; what must last is in the database."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STAFF = "staff"
"""The topic on which every conversation's changes are announced."""

MAX_WAITING = 200


class Broadcaster:
    """Passes events to queues. A listener that falls behind loses status events, never messages: those are stored."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Queue[tuple[str, dict[str, Any]]]]] = defaultdict(set)

    def tell(self, topic: str, kind: str, payload: dict[str, Any]) -> None:
        """Pass an event to those who listen to a topic."""
        for queue in (*self._listeners.get(topic, ()), *self._listeners.get(STAFF, ())):
            if queue.qsize() < MAX_WAITING:
                queue.put_nowait((kind, {**payload, "conversation_id": topic}))

    @contextmanager
    def listen(self, topic: str) -> Iterator[asyncio.Queue[tuple[str, dict[str, Any]]]]:
        """A queue of the topic's events for the length of the block."""
        queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._listeners[topic].add(queue)
        try:
            yield queue
        finally:
            self._listeners[topic].discard(queue)
