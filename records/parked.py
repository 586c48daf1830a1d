"""Turns that wait for a person's approval: how they end without one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from records import audit
from records.conversation import Conversation
from records.handoff import Handoff
from records.offer import Approval, Offer
from records.turn import Turn


async def end_parked(session: AsyncSession, conversation: Conversation, now: datetime, but: str = "") -> list[Approval]:
    """End the waiting turns of a conversation that is held for writing, except the turn `but`.

    What they wait for is no longer wanted, or a person sees to it: nothing of it is done, approved or not. Returns the
    approvals, which are `withdrawn` now.
    """
    query = select(Turn.id).where(Turn.conversation_id == conversation.id, Turn.state == "awaiting_approval")
    turns = [turn for turn in await session.scalars(query) if turn != but]
    if not turns:
        return []
    await session.execute(update(Turn).where(col(Turn.id).in_(turns)).values(state="superseded", finished_at=now))
    standing = select(Approval).where(
        col(Approval.turn_id).in_(turns), col(Approval.state).in_(["pending", "approved"])
    )
    approvals = list(await session.scalars(standing.order_by(col(Approval.id)).with_for_update()))
    for approval in approvals:
        approval.state, approval.decided_at = "withdrawn", now
        event = {"approval": approval.id, "state": approval.state, "by": "", "tool": approval.tool}
        audit.append(session, conversation, [("approval", event)], now)
    wanted = {(approval.tool, str(approval.arguments)) for approval in approvals}
    given = select(Offer).where(Offer.conversation_id == conversation.id, Offer.state == "accepted")
    for offer in await session.scalars(given):
        if (offer.tool, str(offer.arguments)) in wanted:
            offer.state = "withdrawn"
    return approvals


def left_to(handoff: Handoff, approvals: Sequence[Approval]) -> None:
    """Tell the person who takes over what had waited for an approval until then."""
    if not approvals:
        return
    waited = [{"approval": a.id, "tool": a.tool, "arguments": a.arguments, "summary": a.summary} for a in approvals]
    what = "; ".join(approval.summary for approval in approvals)
    detail = f"{handoff.packet.get('detail', '')}. It no longer waits for an approval, and was not done: {what}"
    handoff.packet = {**handoff.packet, "detail": detail.lstrip(". "), "withdrawn": waited}
