"""Keeps a backend from being asked too much, and from being waited for while it is down.

Each backend has one guard per process: a limit of calls a second, and a circuit breaker. A call that a guard holds back
was never made, which is worth knowing of an effect: it did not happen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog
from aiolimiter import AsyncLimiter
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OpenedState

from tools.errors import BackendTimeout, BackendUnavailable, NotAsked, ToolError
from tools.tool import Tool

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How much one backend is asked, and when it is left alone."""

    per_second: float | None = None
    """Calls a second on average, this process alone; a second's worth may come at once. None: as many as there are."""
    wait: float = 5.0
    """Seconds that a call may wait for its turn."""
    failures: int = 5
    """Failures in a row after which the backend is left alone."""
    rest: float = 30.0
    """Seconds for which it is then left alone; after them one call tries whether it is back."""


class Guard:
    """Stands before one backend."""

    def __init__(self, backend: str, limits: Limits) -> None:
        self.backend, self.limits = backend, limits
        rate = limits.per_second
        self._limiter = None if rate is None else AsyncLimiter(max(rate, 1.0), max(1.0, 1.0 / rate))
        self._breakers = AsyncCircuitBreakerFactory(limits.failures, limits.rest)

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` answers. Raises `NotAsked` where it was not made, and whatever `call` raises.

        Only silence and failures of the backend count against it; a refusal is an answer.
        """
        await self._turn()
        breaker = await self._breakers.get_breaker(self.backend)
        if breaker.context.state == HALF_OPENED:
            raise NotAsked(f"the {self.backend} backend is being tried again by another call")
        refusal: ToolError
        try:
            async with breaker:
                try:
                    return await call()
                except (BackendTimeout, BackendUnavailable) as fault:
                    log.warning("backend_failed", backend=self.backend, error=type(fault).__name__)
                    raise
                except ToolError as answer:
                    refusal = answer
        except OpenedState:
            raise NotAsked(
                f"the {self.backend} backend failed too often of late and is left alone for a while"
            ) from None
        raise refusal

    async def _turn(self) -> None:
        if self._limiter is None:
            return
        try:
            async with asyncio.timeout(self.limits.wait):
                await self._limiter.acquire()
        except TimeoutError:
            raise NotAsked(f"the {self.backend} backend is asked more than its limit allows at the moment") from None


def guarded(tools: Iterable[Tool], guard: Guard) -> list[Tool]:
    """The same tools, each call of which passes the guard: the call itself, look-ups, read-backs and undoing."""
    return [_guarded(tool, guard) for tool in tools]


def _guarded(tool: Tool, guard: Guard) -> Tool:
    effect = tool.effect
    if effect is not None:
        undo = _passing(effect.undo, guard) if effect.undo is not None else None
        effect = replace(effect, read_back=_passing(effect.read_back, guard), undo=undo)
    return replace(tool, call=_passing(tool.call, guard), resource=_passing(tool.resource, guard), effect=effect)


def _passing(function: Callable[..., Awaitable[T]], guard: Guard) -> Callable[..., Awaitable[T]]:
    async def passing(*given: Any) -> T:
        return await guard.ask(lambda: function(*given))

    return passing
