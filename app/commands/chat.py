"""A conversation in the terminal."""

import asyncio

from rich.console import Console
from rich.markdown import Markdown
from sqlmodel import col, select

from app.runtime import running
from app.settings import Settings
from records.conversation import Message


async def converse(settings: Settings, customer_id: str) -> None:
    """Read lines, print replies; an empty line or end of input ends it."""
    from app.logs import configure

    configure(quiet=True)
    console = Console()
    with console.status("Starting"):
        context = running(settings)
        runtime = await context.__aenter__()
    try:
        if not await runtime.services.customer_facts(customer_id):
            console.print(f"[yellow]There is no customer {customer_id}; try cus_001.[/]")
            return
        conversation = await runtime.services.transcript.open(customer_id, "verified", "terminal")
        console.print(f"[dim]You are {customer_id} ({conversation.id}). An empty line ends the conversation.[/]")
        seen = 0
        while text := (await asyncio.to_thread(_ask, console)).strip():
            await runtime.services.transcript.receive(conversation.id, text, None)
            with console.status("Reading your message"):
                await runtime.turns.schedule(conversation.id)
            async with runtime.services.database.read() as session:
                rows = await session.scalars(
                    select(Message)
                    .where(Message.conversation_id == conversation.id, col(Message.number) > seen)
                    .order_by(col(Message.number))
                )
                for row in rows:
                    seen = row.number
                    if row.role != "customer":
                        console.print(Markdown(f"**Handrail** {row.text}"))
    finally:
        await context.__aexit__(None, None, None)


def _ask(console: Console) -> str:
    try:
        return console.input("[bold]You[/] ")
    except (EOFError, KeyboardInterrupt):
        return ""
