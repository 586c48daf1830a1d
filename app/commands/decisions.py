"""`handrail decisions`: why something was done, asked, refused or handed on, in plain words."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import BadInput, Json, emit
from app.settings import Settings

if TYPE_CHECKING:
    from app.commands.explanation import Explained
    from records.decision import DecisionRecord

commands = typer.Typer(no_args_is_help=True)


@commands.command()
def show(
    decision: Annotated[str, typer.Argument(help="A decision's id: dec_...")],
    as_json: Json = False,
) -> None:
    """Explain one decision: what was proposed, each check, the policies, where each value came from, the figures."""
    from app.commands.explanation import as_document, as_text

    explained = asyncio.run(_explained(Settings.read(), decision))
    emit(as_document(explained), as_json, "" if as_json else as_text(explained))


@commands.command("list")
def list_decisions(
    conversation: Annotated[str, typer.Option(help="A conversation's id: conv_...")],
    as_json: Json = False,
) -> None:
    """List a conversation's decisions, in order."""
    rows = asyncio.run(of_conversation(Settings.read(), conversation))
    document = {"conversation_id": conversation, "decisions": [row.model_dump(mode="json") for row in rows]}
    emit(document, as_json, "" if as_json else _table(rows))


async def _explained(settings: Settings, decision_id: str) -> "Explained":
    """The decision with all that belongs to it."""
    from sqlmodel import col, select

    from app.commands.explanation import Explained
    from app.connectors import policies
    from app.runtime import cost_model
    from records.conversation import Conversation
    from records.database import Database
    from records.decision import DecisionRecord
    from records.effect import EffectRecord
    from records.offer import Approval
    from tools.policy import PolicyError

    database = await Database.open(settings.database)
    try:
        async with database.read() as session:
            row = await session.get(DecisionRecord, decision_id)
            if row is None:
                raise BadInput(
                    f"there is no decision {decision_id}: `handrail decisions list --conversation ID` shows those of a "
                    "conversation"
                )
            conversation = await session.get_one(Conversation, row.conversation_id)
            effects = await session.scalars(
                select(EffectRecord).where(EffectRecord.decision_id == row.id).order_by(col(EffectRecord.id))
            )
            approvals = await session.scalars(
                select(Approval).where(Approval.decision_id == row.id).order_by(col(Approval.id))
            )
            found = list(effects), list(approvals)
    finally:
        await database.close()
    try:
        sentences = {policy.id: policy.reason for policy in policies(settings).policies.values()}
    except PolicyError:  # `handrail policy check` says what is wrong; what was recorded can be told without them
        sentences = {}
    house = cost_model(settings).currency
    return Explained(row, conversation.customer_id, *found, sentences=sentences, house_currency=house)


async def of_conversation(settings: Settings, conversation_id: str) -> list["DecisionRecord"]:
    """A conversation's decisions, in order. Raises `UnknownConversation`."""
    from sqlmodel import col, select

    from records.conversation import Conversation
    from records.database import Database
    from records.decision import DecisionRecord
    from records.transcript import UnknownConversation

    database = await Database.open(settings.database)
    try:
        async with database.read() as session:
            if await session.get(Conversation, conversation_id) is None:
                raise UnknownConversation(conversation_id)
            query = select(DecisionRecord).where(DecisionRecord.conversation_id == conversation_id)
            return list(await session.scalars(query.order_by(col(DecisionRecord.id))))
    finally:
        await database.close()


def _table(rows: list["DecisionRecord"]) -> str:
    from rich import box
    from rich.table import Table

    from app.commands.explanation import VERDICTS, proposed
    from app.commands.tables import rendered
    from app.commands.values import moment

    if not rows:
        return "nothing was decided in this conversation yet"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("decision", "at", "proposed", "verdict", "why"):
        table.add_column(name, no_wrap=name == "decision", overflow="fold")
    for row in rows:
        why: Any = row.reason or ("" if not row.check else row.check)
        table.add_row(row.id, moment(row.at), proposed(row), VERDICTS.get(row.verdict, row.verdict), why)
    return f"{rendered(table)}\n{len(rows)} decisions; `handrail decisions show ID` explains one"
