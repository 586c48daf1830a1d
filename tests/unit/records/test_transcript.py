"""The transcript's store: messages in order, one turn at a time, episodes, and turns that change hands."""

import asyncio
import socket
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from records import audit
from records.conversation import Conversation, ConversationEvent, Disposition, Episode, Message, Role
from records.database import Database
from records.decision import DecisionRecord
from records.effect import EffectRecord, EffectState
from records.handoff import Handoff
from records.offer import Approval
from records.spending import SpentMeanwhile, spent
from records.transcript import (
    LEASE,
    RETURN_AFTER,
    WINDOW,
    Transcript,
    TurnEnd,
    TurnStart,
    TurnTaken,
    UnknownConversation,
    owner_is_gone,
    process_name,
)
from records.turn import Turn

STRANGER = "another-host:4711:cafe"


async def a_conversation(transcript: Transcript) -> str:
    """A customer's new conversation."""
    return (await transcript.open("cus_001", "verified", "chat")).id


async def a_turn(transcript: Transcript, conversation_id: str, text: str = "hello") -> TurnStart:
    """A message and the turn that begins over it."""
    _, _, start = await transcript.receive_and_begin(conversation_id, text, None)
    assert start is not None
    return start


def end_of(start: TurnStart, disposition: Disposition = Disposition.RESOLVED, **more: Any) -> TurnEnd:
    """The end of a turn with a reply."""
    whole: dict[str, Any] = {
        "reply": "done",
        "frame": None,
        "messages_seen": max(message.number for message in start.messages),
        **more,
    }
    return TurnEnd(start.turn.id, start.turn.attempt, start.conversation.id, disposition, **whole)


async def rows(database: Database, table: Any) -> list[Any]:
    """All rows of a table, by id."""
    async with database.read() as session:
        return list(await session.scalars(select(table).order_by(col(table.id))))


async def held_by(database: Database, conversation_id: str, owner: str | None) -> None:
    """Let somebody else hold the lease."""
    async with database.write() as session:
        row = await session.get_one(Conversation, conversation_id)
        row.lease_owner = owner


async def test_a_conversation_is_found_by_its_customer_and_by_nobody_else(transcript: Transcript) -> None:
    conversation_id = await a_conversation(transcript)
    assert (await transcript.get(conversation_id)).customer_id == "cus_001"
    assert (await transcript.get(conversation_id, "cus_001")).id == conversation_id
    for asked, by in ((conversation_id, "cus_002"), ("conv_none", None), ("conv_none", "cus_001")):
        with pytest.raises(UnknownConversation):
            await transcript.get(asked, by)


async def test_the_same_client_message_id_twice_is_one_message(database: Database, transcript: Transcript) -> None:
    conversation_id = await a_conversation(transcript)
    first, first_is_new = await transcript.receive(conversation_id, "hello", "m-1")
    second, second_is_new = await transcript.receive(conversation_id, "hello again", "m-1")
    assert (first_is_new, second_is_new) == (True, False)
    assert (second.id, second.text) == (first.id, "hello")
    assert [message.text for message in await rows(database, Message)] == ["hello"]
    assert (await transcript.get(conversation_id)).messages == 1


async def test_the_same_client_message_id_at_the_same_time_is_one_message(
    database: Database, transcript: Transcript
) -> None:
    conversation_id = await a_conversation(transcript)
    other = Transcript(Database(database.engine), transcript.clock)
    stored = await asyncio.gather(
        *(store.receive(conversation_id, "hello", "m-1") for store in (transcript, other) * 4)
    )
    assert len({message.id for message, _ in stored}) == 1
    assert [new for _, new in stored].count(True) == 1


async def test_one_client_message_id_may_be_used_in_two_conversations(transcript: Transcript) -> None:
    ids = [await a_conversation(transcript) for _ in range(2)]
    stored = [await transcript.receive(conversation_id, "hello", "m-1") for conversation_id in ids]
    assert [new for _, new in stored] == [True, True]


async def test_messages_and_events_are_numbered_without_a_gap_whoever_writes(
    database: Database, transcript: Transcript
) -> None:
    conversation_id = await a_conversation(transcript)
    other = Transcript(Database(database.engine), transcript.clock)
    await asyncio.gather(
        *(store.receive(conversation_id, f"message {n}", None) for n, store in enumerate((transcript, other) * 5)),
        *(
            store.add_person_message(conversation_id, "from a person", "rep@example.com")
            for store in (transcript, other)
        ),
    )
    assert sorted(message.number for message in await rows(database, Message)) == list(range(1, 13))
    async with database.read() as session:
        told = await session.scalars(select(ConversationEvent.number).order_by(col(ConversationEvent.number)))
        assert list(told) == list(range(1, 13))
    async with database.snapshot() as session:
        assert (await audit.verify(session)).problems == []


async def test_a_turn_takes_up_all_messages_that_wait(transcript: Transcript) -> None:
    conversation_id = await a_conversation(transcript)
    for text in ("hello", "are you there?"):
        await transcript.receive(conversation_id, text, None)
    start = await transcript.begin_turn(conversation_id)
    assert start is not None
    assert [message.text for message in start.waiting] == ["hello", "are you there?"]
    assert {message.turn_id for message in start.waiting} == {start.turn.id}
    assert start.turn.attempt == 1


async def test_no_second_turn_begins_while_one_runs_or_when_nothing_waits(transcript: Transcript) -> None:
    conversation_id = await a_conversation(transcript)
    assert await transcript.begin_turn(conversation_id) is None
    assert await transcript.begin_turn("conv_none") is None
    start = await a_turn(transcript, conversation_id)
    message, new, second = await transcript.receive_and_begin(conversation_id, "one more thing", None)
    assert (new, second, message.turn_id) == (True, None, None)
    assert await transcript.finish_turn(end_of(start)) is True  # more waits
    following = await transcript.begin_turn(conversation_id)
    assert following is not None
    assert [waiting.text for waiting in following.waiting] == ["one more thing"]
    assert await transcript.finish_turn(end_of(following)) is False
    assert await transcript.begin_turn(conversation_id) is None


async def test_of_many_that_want_to_begin_at_once_one_does(database: Database, transcript: Transcript) -> None:
    conversation_id = await a_conversation(transcript)
    await transcript.receive(conversation_id, "hello", None)
    stores = [Transcript(Database(database.engine), transcript.clock) for _ in range(6)]
    begun = await asyncio.gather(*(store.begin_turn(conversation_id) for store in stores))
    assert sum(start is not None for start in begun) == 1


async def test_a_turn_looks_at_the_latest_messages_only_however_long_the_conversation(transcript: Transcript) -> None:
    conversation_id = await a_conversation(transcript)
    for number in range(40):
        start = await a_turn(transcript, conversation_id, f"message {number}")
        await transcript.finish_turn(end_of(start))
    start = await a_turn(transcript, conversation_id, "the last")
    assert WINDOW <= len(start.messages) <= WINDOW + 1
    assert start.messages[-1].text == "the last"
    assert [message.number for message in start.messages] == sorted(message.number for message in start.messages)


async def test_a_heap_of_waiting_messages_larger_than_the_window_is_answered_whole(transcript: Transcript) -> None:
    conversation_id = await a_conversation(transcript)
    for number in range(WINDOW * 2):
        await transcript.receive(conversation_id, f"message {number}", None)
    start = await transcript.begin_turn(conversation_id)
    assert start is not None
    assert [message.text for message in start.waiting] == [f"message {number}" for number in range(WINDOW * 2)]


async def test_a_lease_that_ran_out_lets_another_replica_take_the_turn_up_under_the_same_id(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    conversation_id = await a_conversation(transcript)
    start = await a_turn(transcript, conversation_id)
    await held_by(database, conversation_id, STRANGER)
    assert await transcript.begin_turn(conversation_id) is None
    assert await transcript.unfinished() == []
    clock.advance(seconds=LEASE.total_seconds() + 1)
    assert await transcript.unfinished() == [conversation_id]
    again = await transcript.begin_turn(conversation_id)
    assert again is not None
    assert (again.turn.id, again.turn.attempt) == (start.turn.id, 2)
    assert [message.text for message in again.waiting] == ["hello"]


async def test_a_turn_that_was_taken_up_by_another_writes_nothing_more(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    conversation_id = await a_conversation(transcript)
    late = await a_turn(transcript, conversation_id)
    clock.advance(seconds=LEASE.total_seconds() + 1)
    await held_by(database, conversation_id, STRANGER)
    again = await transcript.begin_turn(conversation_id)
    assert again is not None
    with pytest.raises(TurnTaken):
        await transcript.finish_turn(end_of(late, reply="too late"))
    decision = DecisionRecord(
        id="dec_1", conversation_id=conversation_id, turn_id=late.turn.id, kind="call", verdict="ok", at=clock()
    )
    with pytest.raises(TurnTaken):
        await transcript.record(conversation_id, [decision], [("decision", {})], turn=late.turn)
    assert await transcript.renew_lease(late.turn) is False
    assert await rows(database, DecisionRecord) == []
    assert await transcript.renew_lease(again.turn) is True
    await transcript.finish_turn(end_of(again, reply="in time"))
    with pytest.raises(TurnTaken):
        await transcript.finish_turn(end_of(again, reply="twice"))
    texts = [message.text for message in await rows(database, Message) if message.role == Role.AGENT]
    assert texts == ["in time"]
    async with database.snapshot() as session:
        assert (await audit.verify(session)).problems == []


async def test_a_message_that_came_during_an_interrupted_turn_waits_for_the_next_one(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    conversation_id = await a_conversation(transcript)
    await a_turn(transcript, conversation_id, "first")
    await transcript.receive(conversation_id, "second", None)
    clock.advance(seconds=LEASE.total_seconds() + 1)
    await held_by(database, conversation_id, STRANGER)
    again = await transcript.begin_turn(conversation_id)
    assert again is not None
    assert [message.text for message in again.messages] == ["first"]
    assert await transcript.finish_turn(end_of(again)) is True


async def test_a_renewed_lease_holds_on(database: Database, transcript: Transcript, clock: Any) -> None:
    conversation_id = await a_conversation(transcript)
    start = await a_turn(transcript, conversation_id)
    for _ in range(4):
        clock.advance(seconds=LEASE.total_seconds() * 0.6)
        assert await transcript.renew_lease(start.turn) is True
    await held_by(database, conversation_id, STRANGER)
    assert await transcript.begin_turn(conversation_id) is None


def test_a_process_is_gone_when_it_ran_here_and_runs_no_more() -> None:
    here = socket.gethostname()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert owner_is_gone(f"{here}:{ended.pid}:cafe")
    assert not owner_is_gone(process_name())
    assert owner_is_gone(process_name().rsplit(":", 1)[0] + ":cafe"), "an earlier process with our number"
    assert not owner_is_gone(f"{here}:1:cafe")
    assert not owner_is_gone("elsewhere:1:cafe"), "nobody can tell from here"
    assert not owner_is_gone("nonsense")


async def test_the_first_message_opens_an_episode_and_a_return_after_a_resolution_the_next(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    conversation_id = await a_conversation(transcript)
    start = await a_turn(transcript, conversation_id)
    await transcript.finish_turn(end_of(start, frame={"stack": [{"name": "refund_invoice"}]}))
    clock.advance(minutes=5)
    soon = await a_turn(transcript, conversation_id, "one more thing")
    assert soon.turn.episode_id == start.turn.episode_id
    await transcript.finish_turn(end_of(soon))
    clock.advance(minutes=RETURN_AFTER.total_seconds() / 60 + 1)
    later = await a_turn(transcript, conversation_id, "it is me again")
    assert later.turn.episode_id != start.turn.episode_id
    assert later.conversation.frame == {}
    assert [episode.number for episode in await rows(database, Episode)] == [1, 2]


async def test_a_customer_who_is_asked_something_may_take_all_day_to_answer(transcript: Transcript, clock: Any) -> None:
    conversation_id = await a_conversation(transcript)
    start = await a_turn(transcript, conversation_id)
    await transcript.finish_turn(end_of(start, Disposition.AWAITING_CUSTOMER, frame={"clarifying": ["a"]}))
    clock.advance(hours=20)
    answer = await a_turn(transcript, conversation_id, "the first one")
    assert answer.turn.episode_id == start.turn.episode_id
    assert answer.conversation.frame == {"clarifying": ["a"]}


async def test_a_person_who_settled_the_matter_ends_the_episode(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    conversation_id = await a_conversation(transcript)
    start = await a_turn(transcript, conversation_id)
    await transcript.finish_turn(end_of(start, Disposition.ESCALATED, handled_by="person"))
    waiting = await a_turn(transcript, conversation_id, "any news?")
    assert waiting.turn.episode_id == start.turn.episode_id
    await transcript.finish_turn(end_of(waiting, Disposition.ESCALATED))
    async with database.write() as session:
        row = await session.get_one(Conversation, conversation_id)
        row.handled_by, row.handoff_closed = "handrail", True
    back = await a_turn(transcript, conversation_id, "something else now")
    assert back.turn.episode_id != start.turn.episode_id
    assert (await transcript.get(conversation_id)).handoff_closed is False


async def test_a_conversation_that_a_person_has_stays_escalated_whatever_the_turn_says(
    transcript: Transcript,
) -> None:
    conversation_id = await a_conversation(transcript)
    start = await a_turn(transcript, conversation_id)
    await transcript.finish_turn(end_of(start, Disposition.ESCALATED, handled_by="person"))
    waiting = await a_turn(transcript, conversation_id, "any news?")
    await transcript.finish_turn(end_of(waiting, Disposition.RESOLVED))
    assert (await transcript.get(conversation_id)).disposition == Disposition.ESCALATED


async def test_a_person_who_takes_over_ends_the_turn_and_lets_no_other_begin(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    conversation_id = await a_conversation(transcript)
    start = await a_turn(transcript, conversation_id)
    handoff = Handoff(
        id="hnd_1", conversation_id=conversation_id, queue="general", reason="", due_at=clock(), created_at=clock()
    )
    await transcript.take_over(conversation_id, handoff)
    assert await transcript.renew_lease(start.turn) is False
    with pytest.raises(TurnTaken):
        await transcript.finish_turn(end_of(start))
    assert [turn.state for turn in await rows(database, Turn)] == ["superseded"]


async def parked(transcript: Transcript, clock: Any) -> TurnStart:
    """A turn that waits for an approval."""
    start = await a_turn(transcript, await a_conversation(transcript))
    decision = DecisionRecord(
        id="dec_1", conversation_id=start.conversation.id, turn_id=start.turn.id, kind="call", verdict="", at=clock()
    )
    approval = Approval(
        id="apr_1",
        conversation_id=start.conversation.id,
        turn_id=start.turn.id,
        decision_id="dec_1",
        tool="billing.refund",
        requested_at=clock(),
        expires_at=clock() + timedelta(hours=24),
    )
    await transcript.record(start.conversation.id, [decision, approval], [], turn=start.turn)
    await transcript.finish_turn(end_of(start, Disposition.AWAITING_APPROVAL, state="awaiting_approval"))
    return start


async def decide(database: Database, state: str) -> None:
    """An approver's decision."""
    async with database.write() as session:
        (await session.get_one(Approval, "apr_1")).state = state


async def test_a_parked_turn_leaves_the_conversation_free_and_is_taken_up_when_it_is_decided(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    start = await parked(transcript, clock)
    assert await transcript.decided_turns() == []
    meanwhile = await a_turn(transcript, start.conversation.id, "by the way")
    assert meanwhile.turn.id != start.turn.id
    await decide(database, "approved")
    assert await transcript.decided_turns() == [start.turn.id]
    assert await transcript.take_up_parked(start.turn.id) is None, "another turn of the conversation runs"
    await transcript.finish_turn(end_of(meanwhile))
    taken_up = await transcript.take_up_parked(start.turn.id)
    assert taken_up is not None
    assert [message.text for message in taken_up.waiting] == ["hello"]
    await transcript.finish_turn(end_of(taken_up))
    with pytest.raises(TurnTaken):
        await transcript.take_up_parked(start.turn.id)
    assert await transcript.decided_turns() == []


async def test_an_approval_that_nobody_decided_expires(database: Database, transcript: Transcript, clock: Any) -> None:
    start = await parked(transcript, clock)
    clock.advance(hours=23)
    assert await transcript.decided_turns() == []
    assert (await transcript.approval_of(start.turn.id)).state == "pending"
    clock.advance(hours=2)
    assert await transcript.decided_turns() == [start.turn.id]
    assert (await transcript.approval_of(start.turn.id)).state == "expired"
    assert [approval.state for approval in await rows(database, Approval)] == ["expired"]


async def test_unfinished_are_waiting_messages_and_dropped_turns_the_oldest_first(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    dropped, waiting, done, idle = [await a_conversation(transcript) for _ in range(4)]
    await a_turn(transcript, dropped)
    await transcript.finish_turn(end_of(await a_turn(transcript, done)))
    await transcript.receive(waiting, "hello", None)
    assert await transcript.unfinished() == [waiting]
    await held_by(database, dropped, None)
    assert await transcript.unfinished() == [dropped, waiting]
    assert idle not in await transcript.unfinished()


async def test_money_of_the_last_thirty_days_counts_what_may_have_moved(
    database: Database, transcript: Transcript, clock: Any
) -> None:
    start = await a_turn(transcript, await a_conversation(transcript))
    decision = DecisionRecord(
        id="dec_1", conversation_id=start.conversation.id, turn_id=start.turn.id, kind="call", verdict="", at=clock()
    )

    def effect(number: int, state: EffectState, **more: Any) -> EffectRecord:
        whole = {
            "id": f"eff_{number}",
            "conversation_id": start.conversation.id,
            "turn_id": start.turn.id,
            "decision_id": "dec_1",
            "customer_id": "cus_001",
            "tool": "billing.refund",
            "kind": "money",
            "idempotency_key": f"key {number}",
            "state": state,
            "amount_minor": 100 * 2**number,
            "intended_at": clock(),
        }
        return EffectRecord(**{**whole, **more})

    made = [
        *(effect(number, state) for number, state in enumerate(EffectState)),
        effect(6, EffectState.VERIFIED, intended_at=clock() - timedelta(days=31)),
        effect(7, EffectState.VERIFIED, customer_id="cus_002"),
        effect(8, EffectState.VERIFIED, tool="billing.apply_sla_credit"),
        effect(9, EffectState.VERIFIED, amount_minor=None),
    ]
    await transcript.record(start.conversation.id, [decision, *made], [])
    counted = [number for number, state in enumerate(EffectState) if state not in ("failed", "compensated")]
    async with database.read() as session:
        sums = await spent(session, "cus_001", clock())
    assert sums.last_30_days == {
        "billing.refund": sum(100 * 2**number for number in counted),
        "billing.apply_sla_credit": 100 * 2**8,
    }
    assert (
        sum(sums.today.values()) == sum(sums.last_30_days.values()) + 100 * 2**7
    )  # the other customer's counts, last month's does not


async def test_money_that_was_moved_meanwhile_is_noticed_before_more_is(
    transcript: Transcript, database: Database
) -> None:
    """Several conversations of one customer, judged at one instant, each within the limit: one at a time gets in."""
    async with database.read() as session:
        known = await spent(session, "cus_001", transcript.clock())

    async def intend(number: int, **changes: Any) -> None:
        start = await a_turn(transcript, await a_conversation(transcript))
        now = transcript.clock()
        decision = DecisionRecord(
            id=f"dec_{number}",
            conversation_id=start.conversation.id,
            turn_id=start.turn.id,
            kind="call",
            verdict="permitted",
            at=now,
        )
        columns: dict[str, Any] = {"amount_minor": 4500, "currency": "EUR", "tool": "billing.refund", **changes}
        effect = EffectRecord(
            id=f"eff_{number}",
            conversation_id=start.conversation.id,
            turn_id=start.turn.id,
            decision_id=decision.id,
            customer_id="cus_001",
            kind="money",
            idempotency_key=f"key_{number}",
            intended_at=now,
            **columns,
        )
        await transcript.record(start.conversation.id, [decision, effect], [], (), start.turn, known)

    ends = await asyncio.gather(*(intend(number) for number in range(5)), return_exceptions=True)
    assert ends.count(None) == 1
    assert {type(end) for end in ends} == {type(None), SpentMeanwhile}
    async with database.read() as session:
        assert (await spent(session, "cus_001", transcript.clock())).last_30_days == {"billing.refund": 4500}
    await intend(8, tool="billing.apply_sla_credit")  # what other tools moved does not matter to this one
    await intend(9, amount_minor=None, currency=None)
