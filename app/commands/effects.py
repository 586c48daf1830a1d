"""`handrail effects`: what was done at the backends, and what became of what was left open."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import BadInput, Json, emit
from app.settings import Settings

if TYPE_CHECKING:
    from records.decision import DecisionRecord
    from records.effect import EffectRecord

commands = typer.Typer(no_args_is_help=True)


@commands.command("list")
def list_effects(
    state: Annotated[
        str | None, typer.Option(help="intended, sent, verified, failed, unknown or compensated; or open.")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="A customer's id, such as cus_001.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List the effects, newest first. `--state open` shows those whose end is not known yet."""
    from records.effect import EffectState

    if state is not None and state not in (*EffectState, "open"):
        raise BadInput(f"--state: {state!r} is none of {', '.join(EffectState)}, open")
    rows, total = asyncio.run(_read(Settings.read(), state, customer, limit))
    document = {"effects": [row.model_dump(mode="json") for row in rows], "total": total}
    emit(document, as_json, "" if as_json else _table(rows, total))


@commands.command()
def show(
    effect: Annotated[str, typer.Argument(help="An effect's id: eff_...")],
    as_json: Json = False,
) -> None:
    """Show one effect: what was to be done, by which decision, what the backend shows of it, and when."""
    row, decision = asyncio.run(_find(Settings.read(), effect))
    document = {
        "effect": row.model_dump(mode="json"),
        "decision": decision.model_dump(mode="json") if decision else None,
        "read_back": row.result,
    }
    emit(document, as_json, "" if as_json else _shown(row, decision))


@commands.command()
def settle(
    effect: Annotated[str | None, typer.Argument(help="An effect's id; without it, all that are open.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the backend what became of open effects. Nothing is repeated that it may have done."""
    settled = asyncio.run(_settle(Settings.read(), effect))
    still = sum(one["open"] for one in settled)
    text = "\n".join(
        [
            *(f"{one['id']}  {one['tool']}: {one['was']} -> {one['state']}{_why(one['says'])}" for one in settled),
            f"{len(settled)} looked at, {still} still open" if settled else "no effect is open",
        ]
    )
    emit({"settled": len(settled) - still, "open": still, "effects": settled}, as_json, text)
    raise typer.Exit(1 if still else 0)


@commands.command()
def undo(
    effect: Annotated[str, typer.Argument(help="An effect's id: eff_...")],
    reason: Annotated[str, typer.Option(help="Why; the audit chain keeps it.")],
    by: Annotated[str, typer.Option(help="Who takes it back: an e-mail address.")],
    as_json: Json = False,
) -> None:
    """Take a verified effect back, where its backend can."""
    row = asyncio.run(_undo(Settings.read(), effect, by, reason))
    done = row.state == "compensated"
    says = "taken back" if done else "begun: the backend does not answer, and the service carries it to its end"
    emit(row.model_dump(mode="json"), as_json, f"{row.id}  {row.tool}: {says}")
    raise typer.Exit(0 if done else 1)


async def _undo(settings: Settings, effect_id: str, by: str, reason: str) -> "EffectRecord":
    await _find(settings, effect_id)
    from app.logs import configure
    from app.runtime import Shared, running
    from tools.errors import ToolError

    configure(quiet=True)
    async with running(settings, background=False, shared=Shared(None, None, None)) as runtime:
        try:
            return await runtime.services.ledger.compensate(effect_id, by, reason)
        except ToolError as error:
            raise BadInput(f"{effect_id}: {error}") from None


async def _read(
    settings: Settings, state: str | None, customer: str | None, limit: int
) -> tuple[list["EffectRecord"], int]:
    """(the rows asked for, newest first; how many there are in all)."""
    from sqlmodel import col, func, select

    from records.database import Database
    from records.effect import EffectRecord, EffectState

    conditions = []
    if state is not None:
        wanted = [one for one in EffectState if one.open] if state == "open" else [state]
        conditions.append(col(EffectRecord.state).in_(wanted))
    if customer is not None:
        conditions.append(col(EffectRecord.customer_id) == customer)
    query = select(EffectRecord).where(*conditions).order_by(col(EffectRecord.id).desc()).limit(limit)
    database = await Database.open(settings.database)
    try:
        async with database.read() as session:
            total = (await session.scalars(select(func.count()).select_from(EffectRecord).where(*conditions))).one()
            return list(await session.scalars(query)), total
    finally:
        await database.close()


async def _find(settings: Settings, effect_id: str) -> tuple["EffectRecord", "DecisionRecord | None"]:
    from records.database import Database
    from records.decision import DecisionRecord
    from records.effect import EffectRecord

    database = await Database.open(settings.database)
    try:
        async with database.read() as session:
            row = await session.get(EffectRecord, effect_id)
            if row is None:
                raise _unknown(effect_id)
            return row, await session.get(DecisionRecord, row.decision_id)
    finally:
        await database.close()


async def _settle(settings: Settings, effect_id: str | None) -> list[dict[str, Any]]:
    """What each open row, or the one that is named, became."""
    if effect_id is not None:
        row, _ = await _find(settings, effect_id)
        if not _open(row):
            return [_became(row, row, "it was settled before")]
    elif not (await _read(settings, "open", None, 1))[0]:
        return []
    from app.jobs.turns import UNSETTLED_FOR
    from app.logs import configure
    from app.runtime import Shared, running
    from tools.registry import UnknownTool

    configure(quiet=True)
    nothing_to_classify = Shared(None, None, None)
    settled = []
    async with running(settings, background=False, shared=nothing_to_classify) as runtime:
        ledger = runtime.services.ledger
        for row in await ledger.open_rows():
            if effect_id not in (None, row.id):
                continue
            now, says = row, ""
            left = row.intended_at + UNSETTLED_FOR - runtime.services.clock()
            if left.total_seconds() >= 0:
                says = f"it may be under way: try again in {left.total_seconds():.0f} seconds"
            else:
                try:
                    now = await ledger.settle(row)
                    says = now.error
                except UnknownTool as error:
                    says = (
                        f"{error}: set the connector with which it was sent (HANDRAIL_BILLING, HANDRAIL_PROVISIONING)"
                    )
            settled.append(_became(row, now, says))
    return settled


def _became(before: "EffectRecord", now: "EffectRecord", says: str) -> dict[str, Any]:
    """What a row was and is."""
    return {
        "id": now.id,
        "tool": now.tool,
        "customer_id": now.customer_id,
        "was": before.state,
        "state": now.state,
        "open": _open(now),
        "attempts": now.attempts,
        "result": now.result,
        "says": says,
    }


def _open(row: "EffectRecord") -> bool:
    from records.effect import EffectState

    return EffectState(row.state).open


def _unknown(effect_id: str) -> BadInput:
    return BadInput(f"there is no effect {effect_id}: `handrail effects list` shows those that are")


def _why(says: str) -> str:
    return f" ({says})" if says else ""


def _table(rows: list["EffectRecord"], total: int) -> str:
    from rich import box
    from rich.table import Table

    from app.commands.tables import rendered
    from app.commands.values import moment, money

    if not rows:
        return "no such effect"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("effect", "intended", "customer", "tool", "amount", "state", "error"):
        table.add_column(name, no_wrap=name == "effect", overflow="fold")
    for row in rows:
        amount = money(row.amount_minor, row.currency) if row.amount_minor is not None else ""
        table.add_row(row.id, moment(row.intended_at), row.customer_id, row.tool, amount, row.state, row.error)
    return f"{rendered(table)}\n{len(rows)} of {total} effects"


def _shown(row: "EffectRecord", decision: "DecisionRecord | None") -> str:
    from app.commands.values import aligned, lines_of, moment, money, words

    lines = [
        f"Effect {row.id}: {row.tool} for {row.customer_id}, {row.state}{_why(row.error)}",
        f"Conversation {row.conversation_id}, turn {row.turn_id}",
        "",
        "What was to be done:",
        *aligned([(words(name), value) for name, value in lines_of(row.arguments, row.currency)]),
    ]
    if row.amount_minor is not None:
        lines.append(f"  money that moves: {money(row.amount_minor, row.currency)}")
    if decision is not None:
        verdict = words(decision.verdict)
        lines += ["", f"Decision {decision.id}: {verdict}{_why(decision.reason)}, at {moment(decision.at)}"]
        if decision.policies:
            lines.append(f"  policies: {', '.join(decision.policies)}")
        lines.append(f"  `handrail decisions show {decision.id}` explains it")
    lines += ["", "What the backend shows of it:"]
    if row.result:
        lines += aligned([(words(name), value) for name, value in lines_of(row.result, row.currency)])
    else:
        asks = f": `handrail effects settle {row.id}` asks" if _open(row) else ""
        lines.append(f"  nothing has been read back{asks}")
    times = [("intended", row.intended_at), ("sent", row.sent_at), ("settled", row.settled_at)]
    lines += ["", "Times:", *aligned([(name, moment(at)) for name, at in times])]
    lines.append(f"  attempts: {row.attempts}, idempotency key {row.idempotency_key}")
    return "\n".join(lines)
