"""Plays recorded tickets, each in a fresh world, and grades where they end."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from app.runtime import Runtime, Shared
from app.settings import Settings
from evals.customer import SimulatedCustomer
from evals.grading import Grade, Played, grade, normalised
from evals.tickets import Ticket
from evals.world import end_state, fresh_world, names_of
from tools.errors import ToolError

MAX_EXCHANGES = 12


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


async def play(ticket: Ticket, shared: Shared, settings: Settings) -> Played:
    """Play one ticket in a world of its own."""
    async with fresh_world(shared, settings, ticket.opened_at, {ticket.customer}) as runtime:
        before = await end_state(runtime)
        conversation = await runtime.services.transcript.open(ticket.customer, ticket.level, ticket.channel)
        exchanges, milliseconds = await _converse(ticket, runtime, conversation.id)
        after = await end_state(runtime)
        played = await _collect(ticket, runtime, conversation.id, exchanges, milliseconds)
    played.changed = normalised(after, before) != normalised(before, before)
    done = [effect for effect in played.effects if effect["state"] == "verified"]
    if done:
        played.reproduced = await _reproduces(ticket, shared, settings, done, normalised(after, before))
    return played


async def _converse(ticket: Ticket, runtime: Runtime, conversation_id: str) -> tuple[list[dict[str, str]], list[float]]:
    from app.api.conversations import turn_answer

    customer, names = SimulatedCustomer(ticket), names_of(runtime)
    text: str | None = customer.opening()
    exchanges: list[dict[str, str]] = []
    milliseconds: list[float] = []
    for _ in range(MAX_EXCHANGES):
        if text is None:
            break
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


async def _collect(
    ticket: Ticket, runtime: Runtime, conversation_id: str, exchanges: list[dict[str, str]], milliseconds: list[float]
) -> Played:
    from app.api.conversations import conversation_record

    conversation = await runtime.services.transcript.get(conversation_id)
    record = names_of(runtime).as_recorded(await conversation_record(runtime, conversation, whole=True))
    return played_from(ticket, record, exchanges, milliseconds)


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
        decisions=[
            {k: d[k] for k in ("kind", "verdict", "check", "reason", "policies", "p_correct", "proposal")}
            for d in record["decisions"]
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
