"""What stands before a backend: so many calls a second, none while it is down, and no doubt about which were made."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable, NotAsked
from tools.guard import Guard, Limits, guarded
from tools.tool import Arguments, Effect, Resource, Result, Tool


class Answer(Result):
    """What the backend says."""

    text: str = "done"


@dataclass
class Backend:
    """Answers as it is told to, and counts how often it was asked."""

    faults: list[Exception] = field(default_factory=list)
    asked: int = 0

    async def answer(self, *_: object) -> Answer:
        """The next fault, or an answer."""
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return Answer()

    async def resource(self, *_: object) -> Resource:
        """The record."""
        await self.answer()
        return Resource("Account", "cus_001", "cus_001")

    def tool(self) -> Tool:
        """A tool over this backend that changes something and can be undone."""
        effect = Effect("account", self.answer, "do it", reversible=True, undo=self.answer)
        return Tool("test.do", "", "", "test:write", Arguments, Answer, self.answer, self.resource, effect=effect)


async def fail(guard: Guard, backend: Backend, times: int) -> None:
    """Let the backend fail so often."""
    backend.faults = [BackendTimeout("silence") for _ in range(times)]
    for _ in range(times):
        with pytest.raises(BackendTimeout):
            await guard.ask(backend.answer)


async def test_a_backend_that_fails_again_and_again_is_left_alone_and_then_tried_by_one_call() -> None:
    backend, guard = Backend(), Guard("billing", Limits(failures=3, rest=1.0))
    await fail(guard, backend, 3)
    with pytest.raises(NotAsked, match="billing backend failed too often of late"):
        await guard.ask(backend.answer)
    assert backend.asked == 3
    await asyncio.sleep(1.05)

    release = asyncio.Event()

    async def slow() -> Answer:
        await release.wait()
        return await backend.answer()

    trying = asyncio.create_task(guard.ask(slow))
    await asyncio.sleep(0.01)
    with pytest.raises(NotAsked, match="being tried again by another call"):
        await guard.ask(backend.answer)
    release.set()
    assert await trying == Answer()
    assert await guard.ask(backend.answer) == Answer()
    assert backend.asked == 5


async def test_a_refusal_is_an_answer_and_counts_for_a_backend_that_works() -> None:
    backend, guard = Backend(), Guard("billing", Limits(failures=2))
    backend.faults = [BackendTimeout("silence"), *(BackendRefused("no") for _ in range(4)), BackendTimeout("silence")]
    with pytest.raises(BackendTimeout):
        await guard.ask(backend.answer)
    for _ in range(4):
        with pytest.raises(BackendRefused, match="no"):
            await guard.ask(backend.answer)
    with pytest.raises(BackendTimeout):  # one failure in a row, not two
        await guard.ask(backend.answer)
    assert await guard.ask(backend.answer) == Answer()


async def test_calls_over_the_rate_wait_for_their_turn_or_are_not_made() -> None:
    backend, guard = Backend(), Guard("billing", Limits(per_second=1, wait=0.1))
    made = await asyncio.gather(*(guard.ask(backend.answer) for _ in range(6)), return_exceptions=True)
    assert [one for one in made if isinstance(one, Answer)] == [Answer()]
    assert {type(one) for one in made} == {Answer, NotAsked}
    assert backend.asked == 1
    await asyncio.sleep(1.05)
    assert await guard.ask(backend.answer) == Answer()


async def test_every_way_to_the_backend_passes_the_guard() -> None:
    backend = Backend(faults=[BackendUnavailable("down")])
    (tool,) = guarded([backend.tool()], Guard("billing", Limits(failures=1)))
    assert tool.effect is not None
    assert tool.effect.undo is not None
    with pytest.raises(BackendUnavailable):
        await tool.call("cus_001", Arguments(), "key")
    for ask in (
        tool.call("cus_001", Arguments(), "key"),
        tool.resource("cus_001", Arguments()),
        tool.effect.read_back("cus_001", "key"),
        tool.effect.undo("cus_001", "key", "other key"),
    ):
        with pytest.raises(NotAsked):
            await ask
    assert backend.asked == 1
