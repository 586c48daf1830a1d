"""Plays recorded tickets, each in a fresh world, and grades where they end."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.commands.gate import weighed
from app.runtime import Runtime, Shared
from app.settings import Settings
from evals.customer import SimulatedCustomer
from evals.grading import Grade, Played, grade, normalised
from evals.tickets import Ticket
from evals.wording import reworded
from evals.world import StandingClock, end_state, fresh_world, names_of, replayed_identifiers
from records.identifiers import identifiers_from
from tools.errors import ToolError

MAX_EXCHANGES = 12
BETWEEN = timedelta(seconds=30)
"""How long a customer takes to write."""


TOLD = ("id", "kind", "verdict", "check", "reason", "policies", "p_correct", "proposal")
"""What is kept of a decision, beside the sum of the financial gate."""


async def play_all(
    tickets: list[Ticket],
    shared: Shared,
    settings: Settings,
    *,
    workers: int = 2,
    on_done: Callable[[Ticket, Played, Grade], None] = lambda ticket, played, grade: None,
) -> list[tuple[Ticket, Played, Grade]]:
    """Play every ticket; the results are in the order of the tickets."""
    limit = asyncio.Semaphore(workers)

    async def one(ticket: Ticket) -> tuple[Ticket, Played, Grade]:
        async with limit:
            played = await play(ticket, shared, settings)
        verdict = grade(ticket, played)
        on_done(ticket, played, verdict)
        return ticket, played, verdict

    return list(await asyncio.gather(*(one(ticket) for ticket in tickets)))


async def play(ticket: Ticket, shared: Shared, settings: Settings, *, seed: int = 0, repeat: int = 0) -> Played:
    """Play one ticket in a world of its own.

    Its times and identifiers follow from the ticket, `seed` and `repeat`, so that it can be played again. In repeats
    after the first the customer puts the same words differently.
    """
    said = ticket if repeat == 0 else reworded(ticket, seed, repeat)
    clock = StandingClock(ticket.opened_at)
    source = replayed_identifiers(f"{seed} {ticket.id} {repeat}", ticket.opened_at)
    with identifiers_from(source):
        async with fresh_world(shared, settings, ticket.opened_at, {ticket.customer}, clock) as runtime:
            before = await end_state(runtime)
            conversation = await runtime.services.transcript.open(ticket.customer, ticket.level, ticket.channel)
            exchanges, milliseconds = await converse(said, runtime, conversation.id, lambda: clock.move_on(BETWEEN))
            after = await end_state(runtime)
            played = played_from(ticket, await record_of(runtime, conversation.id), exchanges, milliseconds)
    played.repeat = repeat
    played.changed = normalised(after, before) != normalised(before, before)
    done = [effect for effect in played.effects if effect["state"] == "verified"]
    if done:
        played.reproduced = await _reproduces(ticket, shared, settings, done, normalised(after, before))
    return played


async def converse(
    ticket: Ticket, runtime: Runtime, conversation_id: str, pause: Callable[[], None] = lambda: None
) -> tuple[list[dict[str, str]], list[float]]:
    """(what was said, milliseconds of each turn). `pause` is called while the customer writes the next message."""
    from app.api.conversations import turn_answer

    customer, names = SimulatedCustomer(ticket), names_of(runtime)
    text: str | None = customer.opening()
    exchanges: list[dict[str, str]] = []
    milliseconds: list[float] = []
    for _ in range(MAX_EXCHANGES):
        if text is None:
            break
        pause()
        begin = time.perf_counter()
        message, task = await runtime.turns.receive(conversation_id, names.as_here(text))
        await task
        milliseconds.append((time.perf_counter() - begin) * 1000)
        answer = await turn_answer(runtime, message.id)
        exchanges.append(exchange(text, answer))
        text = customer.next_message(answer)
    return exchanges, milliseconds


def exchange(text: str, answer: dict[str, Any]) -> dict[str, str]:
    """One message and what the service answered; `asks` where it asked back."""
    asks = {"asks": answer["asks"]} if answer["asks"] else {}
    return {"customer": text, "handrail": answer["reply"], "disposition": answer["disposition"] or "", **asks}


async def record_of(runtime: Runtime, conversation_id: str) -> dict[str, Any]:
    """The whole record of a conversation, with ids as the tickets call them."""
    from app.api.conversations import conversation_record

    conversation = await runtime.services.transcript.get(conversation_id)
    return names_of(runtime).as_recorded(await conversation_record(runtime, conversation, whole=True))


def played_from(
    ticket: Ticket, record: dict[str, Any], exchanges: list[dict[str, str]], milliseconds: list[float]
) -> Played:
    """What became of a ticket, from the service's whole record of its conversation."""
    handoff = record["handoffs"][-1] if record["handoffs"] else None
    turns = record["turns"]
    answered = {turn["id"] for turn in turns if turn["state"] in ("finished", "awaiting_approval")}
    lost = [m for m in record["messages"] if m["role"] == "customer" and m["turn_id"] not in answered]
    deciding = [d for d in record["decisions"] if d["verdict"] != "permitted"] or record["decisions"]
    return Played(
        ticket_id=ticket.id,
        conversation_id=record["id"],
        intent=next((turn["intent"] for turn in turns if turn["intent"]), None),
        disposition=record["disposition"],
        queue=handoff["queue"] if handoff else None,
        reason=(handoff["reason"] if handoff else deciding[-1]["reason"] if deciding else "") or "answered",
        exchanges=exchanges,
        effects=[{k: e[k] for k in ("id", "tool", "arguments", "state", "result")} for e in record["effects"]],
        changed=False,
        reproduced=None,
        lost=len(lost),
        turn_ms=milliseconds,
        model_calls=sum(turn["model_calls"] for turn in turns),
        model_cost=sum(turn["cost_micros"] for turn in turns) / 1_000_000,
        decisions=[
            {**{name: decision[name] for name in TOLD}, "weighed": weighed(decision)}
            for decision in record["decisions"]
        ],
    )


async def _reproduces(
    ticket: Ticket, shared: Shared, settings: Settings, done: list[dict[str, Any]], reached: dict[str, list[str]]
) -> bool:
    """Do the same effects straight at the backends of a second world, and compare the states."""
    async with fresh_world(shared, settings, ticket.opened_at, {ticket.customer}) as reference:
        names, before = names_of(reference), await end_state(reference)
        for number, effect in enumerate(done):
            tool = reference.services.registry.get(effect["tool"])
            arguments = tool.arguments.model_validate(names.as_here(effect["arguments"]))
            try:
                await tool.call(ticket.customer, arguments, f"reference-{number}")
            except ToolError:
                return False
        after = await end_state(reference)
    return normalised(after, before) == reached
