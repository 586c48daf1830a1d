"""The demo: a fresh home, the real service on a free port, recorded tickets played over HTTP by their customers."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from app.identity import customer_token, staff_token
from app.logs import configure
from app.runtime import cost_model
from app.settings import Settings
from evals.customer import SimulatedCustomer
from evals.demo_home import home_for, leave
from evals.grading import Grade, Played, grade
from evals.report import write_report
from evals.runner import MAX_EXCHANGES, exchange, played_from
from evals.serving import serving
from evals.summary import summarise
from evals.tickets import Ticket, load_tickets
from evals.world import clock_from
from tools.tool import IdentityLevel

TICKETS = Path(__file__).parent / "tickets" / "development.jsonl"
ENOUGH = 36
ROUNDS = 2


async def play_demo(settings: Settings, out: Path, *, quiet: bool) -> dict[str, Any]:
    """Play tickets of many kinds, each of another customer, and return the summary."""
    configure(quiet=True)
    console = Console(stderr=quiet, highlight=False)
    tickets = _a_few_of_each_kind(load_tickets([TICKETS])[0])
    home = home_for(settings, out)
    own = settings.model_copy(update={"home": home, "database_url": None})
    begin = time.monotonic()
    console.print(f"[bold]Handrail demo[/]: {len(tickets)} recorded tickets over HTTP; home {home}")
    results: list[tuple[Ticket, Played, Grade]] = []
    async with serving(own, clock_from(tickets[0].opened_at)) as (url, app):
        runtime = app.state.runtime
        before = await runtime.sandbox.dump()
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            for ticket in tickets:
                played = await _play(ticket, client, runtime.key)
                after = await runtime.sandbox.dump()
                played.changed = after != before
                before = after
                verdict = grade(ticket, played)
                results.append((ticket, played, verdict))
                _print(console, ticket, played, verdict)
    leave(home, settings, out, conversations=len(results))
    summary = summarise(results, time.monotonic() - begin, costs=cost_model(settings))
    (out / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False, default=str), encoding="utf-8")
    write_report(summary, out / "report.html", "Handrail demo")
    return summary


def _a_few_of_each_kind(tickets: list[Ticket]) -> list[Ticket]:
    """One ticket a customer, so that no ticket meddles with another's records; all of the same month.

    First one of each kind, then second ones, until there are enough.
    """
    month = tickets[0].opened_at.strftime("%Y-%m")
    left = [ticket for ticket in tickets if ticket.opened_at.strftime("%Y-%m") == month]
    chosen: dict[str, Ticket] = {}
    for _ in range(ROUNDS):
        kinds: set[str] = set()
        for ticket in left:
            kind = ticket.expected.intent or f"none, {ticket.expected.dispositions}"
            if kind not in kinds and ticket.customer not in chosen and len(chosen) < ENOUGH:
                kinds.add(kind)
                chosen[ticket.customer] = ticket
    order = {ticket.id: position for position, ticket in enumerate(tickets)}
    return sorted(chosen.values(), key=lambda ticket: order[ticket.id])


async def _play(ticket: Ticket, client: httpx.AsyncClient, key: str) -> Played:
    signed = {"Authorization": f"Bearer {customer_token(key, ticket.customer, IdentityLevel(ticket.level))}"}
    staff = {"Authorization": f"Bearer {staff_token(key, 'demo@example.com', 'admin')}"}
    opened = await client.post("/v1/conversations", json={"channel": ticket.channel}, headers=signed)
    opened.raise_for_status()
    conversation_id = opened.json()["id"]
    customer = SimulatedCustomer(ticket)
    text: str | None = customer.opening()
    exchanges: list[dict[str, str]] = []
    milliseconds: list[float] = []
    for number in range(MAX_EXCHANGES):
        if text is None:
            break
        begin = time.perf_counter()
        answer = await client.post(
            f"/v1/conversations/{conversation_id}/messages",
            json={"text": text, "client_message_id": f"{ticket.id}-{number}"},
            headers={**signed, "Prefer": "wait=30"},
        )
        answer.raise_for_status()
        milliseconds.append((time.perf_counter() - begin) * 1000)
        body = answer.json()
        if answer.status_code != 200:  # still at it after half a minute: there is nothing to answer yet
            exchanges.append({"customer": text, "handrail": "", "disposition": ""})
            break
        exchanges.append(exchange(text, body))
        text = customer.next_message(body)
    record = await client.get(f"/v1/conversations/{conversation_id}", headers=staff)
    record.raise_for_status()
    return played_from(ticket, record.json(), exchanges, milliseconds)


def _print(console: Console, ticket: Ticket, played: Played, verdict: Grade) -> None:
    mark = "[green]right[/]" if verdict.correct else "[red]WRONG[/]"
    ended = f"{played.disposition}" + (f" to {played.queue}" if played.queue else "")
    console.print(
        f"\n[bold]{ticket.id}[/] {ticket.customer} [cyan]{played.intent or 'no intent'}[/] -> {ended} "
        f"({sum(played.turn_ms):.0f} ms) {mark}"
    )
    for said in played.exchanges:
        console.print(f"  [dim]customer[/] {escape(_short(said['customer']))}")
        console.print(f"  [dim]handrail[/] {escape(_short(said['handrail']))}")
    console.print(f"  [dim]decided [/] {escape(_short(played.reason))}")
    for effect in played.effects:
        result = ", ".join(f"{name} {value}" for name, value in list((effect["result"] or {}).items())[:4])
        console.print(f"  [dim]effect  [/] {effect['tool']}: {effect['state']}, read back: {escape(_short(result))}")
    for problem in verdict.problems:
        console.print(f"  [red]problem [/] {escape(problem)}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:197] + "..."
