"""One-time codes within a turn: sent with an offer that policy gives only to a customer who types one, and read back.

A code steps the conversation up for access only, and only for a while. Where policy knows another way, a yes without a
code takes it: a colleague is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import SQLModel

from agents.gate.call import Judged
from agents.nodes.finish import finish
from agents.turn import TurnContext
from records.conversation import Disposition
from records.offer import Offer
from records.step_up import LASTS, Entry, StepUpCode, code_in, masked, wants_code
from tools.tool import IdentityLevel


@dataclass(frozen=True)
class Code:
    """What a code adds to an offer: words, and the rows that are written with it."""

    words: list[str] = field(default_factory=list)
    rows: list[SQLModel] = field(default_factory=list)


async def code_for(turn: TurnContext, offers: Sequence[Offer]) -> Code:
    """The code that these offers wait for, if they wait for one. `offers` stand in the order of `turn.asking`."""
    asking = [(offer, judged) for offer, (_, judged) in zip(offers, turn.asking, strict=True) if _waits(turn, judged)]
    address = str(turn.facts.get("contact_email", ""))
    if turn.services.step_up is None or not asking or not address:
        return Code()
    otherwise = all(_a_colleague_may(judged) for _, judged in asking)
    return await _send(turn, [offer.id for offer, _ in asking], address, otherwise)


async def code_answered(turn: TurnContext) -> bool:
    """Read a code that the customer typed, or asks for again. Whether that was all, and the turn has ended."""
    step_up = turn.services.step_up
    if step_up is None:
        return False
    text = turn.text
    typed = code_in(text)
    row = await _open_code(turn) if typed or wants_code(text) else None
    if row is None:
        return False
    if typed:
        entered = await step_up.enter(turn.conversation_id, typed, turn.start.waiting[-1].id)
        if entered is None:
            return False
        if entered.entry is Entry.RIGHT:
            turn.code = entered
            turn.start.conversation.stepped_up_until = turn.services.clock() + LASTS
            return False
        await _end(turn, turn.services.templates.reply(f"system_code_{entered.entry}", {"left": entered.tries_left}))
        return True
    code = await _send(turn, row.offers, row.sent_to, otherwise=False)
    await _end(turn, " ".join(code.words), code.rows)
    return True


async def _send(turn: TurnContext, offers: list[str], address: str, otherwise: bool) -> Code:
    step_up, templates = turn.services.step_up, turn.services.templates
    assert step_up is not None
    if not await step_up.may_send(turn.customer_id):
        return Code([templates.reply("system_code_not_now", {"otherwise": otherwise})])
    names = {"company": turn.services.company}
    letter = templates.reply("system_code_letter", names)
    subject = f"Your code for {turn.services.company}"
    rows = step_up.make(turn.conversation_id, turn.customer_id, address, offers, subject, letter)
    words = templates.reply("system_code_sent", {"address": masked(address), "otherwise": otherwise})
    return Code([words], list(rows))


async def _open_code(turn: TurnContext) -> StepUpCode | None:
    """The code that an open offer waits for, or one that this very message answered before its turn was interrupted."""
    assert turn.services.step_up is not None
    mine = {message.id for message in turn.start.waiting}
    waiting = {o.id for o in turn.start.offers if o.state == "offered" or o.answer_message_id in mine}
    row = await turn.services.step_up.last(turn.conversation_id) if waiting else None
    return row if row is not None and waiting & set(row.offers) else None


async def _end(turn: TurnContext, reply: str, rows: Sequence[SQLModel] = ()) -> None:
    await finish(turn, Disposition.AWAITING_CUSTOMER, reply, frame=None, rows=rows)


def _waits(turn: TurnContext, judged: Judged) -> bool:
    return not turn.stepped_up and _policy(judged).get("needs_level") == IdentityLevel.STEPPED_UP


def _a_colleague_may(judged: Judged) -> bool:
    return any(check.name == "policy" and check.ruling.value == "needs_approval" for check in judged.verdict.checks)


def _policy(judged: Judged) -> dict[str, Any]:
    return next((check.figures for check in judged.verdict.checks if check.name == "policy"), {})
