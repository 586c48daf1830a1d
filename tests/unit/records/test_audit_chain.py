"""The audit chain: whatever is done to a row behind the triggers' back, the verification names it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from records import audit
from records.audit import event_hash
from records.conversation import Conversation
from records.database import Database
from records.transcript import Transcript


@pytest.fixture
async def chains(database: Database, transcript: Transcript) -> list[Conversation]:
    """Two conversations with five events each."""
    made = []
    for customer in ("cus_001", "cus_002"):
        conversation = await transcript.open(customer, "verified", "chat")
        for number in range(4):
            await transcript.receive(conversation.id, f"message {number}", None)
        made.append(await transcript.get(conversation.id))
    await _tamper(database, "DROP TRIGGER audit_events_no_update", "DROP TRIGGER audit_events_no_delete")
    return made


async def _tamper(database: Database, *statements: str, **values: Any) -> None:
    """As somebody with the database's password would: the triggers are out of the way."""
    async with database.write() as session:
        for statement in statements:
            if not database.sqlite and statement.startswith("DROP TRIGGER"):
                statement = "ALTER TABLE audit_events DISABLE TRIGGER ALL"
            await session.execute(text(statement), values)


async def _problems(database: Database) -> list[str]:
    async with database.snapshot() as session:
        return (await audit.verify(session)).problems


async def _id_of(database: Database, conversation: Conversation, number: int) -> str:
    async with database.read() as session:
        query = text("SELECT id FROM audit_events WHERE conversation_id = :c AND number = :n")
        return (await session.execute(query, {"c": conversation.id, "n": number})).scalar_one()


async def test_an_untouched_chain_holds_and_its_events_are_counted(
    database: Database, chains: list[Conversation]
) -> None:
    async with database.snapshot() as session:
        report = await audit.verify(session)
    assert (report.ok, report.events, report.problems) == (True, 10, [])


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'other'",
        'payload = \'{"customer": "cus_009"}\'',
        "at = '2026-03-02 09:00:01.000000'",
    ],
)
async def test_a_changed_row_is_named(database: Database, chains: list[Conversation], change: str) -> None:
    row = await _id_of(database, chains[0], 2)
    await _tamper(database, f"UPDATE audit_events SET {change} WHERE id = :id", id=row)
    (problem,) = await _problems(database)
    assert row in problem
    assert "its content was changed" in problem


async def test_a_changed_row_whose_hash_was_made_to_fit_breaks_the_link_to_the_next(
    database: Database, chains: list[Conversation]
) -> None:
    row, follower = await _id_of(database, chains[0], 2), await _id_of(database, chains[0], 3)
    async with database.read() as session:
        event = await session.get_one(audit.AuditEvent, row)
    forged = event_hash(event.conversation_id, 2, "other", event.payload, event.at, event.previous_hash)
    await _tamper(database, "UPDATE audit_events SET kind = 'other', hash = :hash WHERE id = :id", id=row, hash=forged)
    (problem,) = await _problems(database)
    assert follower in problem
    assert "does not follow from event 2" in problem


async def test_a_removed_row_is_named_by_the_gap_before_its_follower(
    database: Database, chains: list[Conversation]
) -> None:
    follower = await _id_of(database, chains[1], 4)
    await _tamper(database, "DELETE FROM audit_events WHERE conversation_id = :c AND number = 3", c=chains[1].id)
    (problem,) = await _problems(database)
    assert follower in problem
    assert "events 3 to 3 before it are missing" in problem


async def test_cut_off_rows_at_the_end_are_counted(database: Database, chains: list[Conversation]) -> None:
    await _tamper(database, "DELETE FROM audit_events WHERE conversation_id = :c AND number >= 4", c=chains[0].id)
    (problem,) = await _problems(database)
    assert problem == f"conversation {chains[0].id}: events 4 to 5 are missing at the end"


async def test_a_whole_chain_that_was_removed_is_missed(database: Database, chains: list[Conversation]) -> None:
    await _tamper(database, "DELETE FROM audit_events WHERE conversation_id = :c", c=chains[0].id)
    (problem,) = await _problems(database)
    assert problem == f"conversation {chains[0].id}: events 1 to 5 are missing at the end"


async def test_two_rows_that_changed_places_are_both_named(database: Database, chains: list[Conversation]) -> None:
    second, third = await _id_of(database, chains[0], 2), await _id_of(database, chains[0], 3)
    await _tamper(
        database,
        "UPDATE audit_events SET number = 99 WHERE id = :second",
        "UPDATE audit_events SET number = 2 WHERE id = :third",
        "UPDATE audit_events SET number = 3 WHERE id = :second",
        second=second,
        third=third,
    )
    problems = " ".join(await _problems(database))
    assert second in problems
    assert third in problems


async def test_an_inserted_row_is_named(database: Database, chains: list[Conversation]) -> None:
    await _tamper(
        database,
        "INSERT INTO audit_events (id, conversation_id, number, kind, payload, at, previous_hash, hash) "
        "SELECT 'aud_forged', conversation_id, 6, kind, payload, at, hash, 'ff' FROM audit_events "
        "WHERE conversation_id = :c AND number = 5",
        c=chains[0].id,
    )
    problems = " ".join(await _problems(database))
    assert "aud_forged" in problems
    assert "its head does not match event 6" in problems


async def test_events_of_a_conversation_that_was_removed_are_left_over(
    database: Database, chains: list[Conversation]
) -> None:
    if not database.sqlite:
        pytest.skip("PostgreSQL's foreign keys keep the conversation")
    await _tamper(database, "DELETE FROM conversation_events", "DELETE FROM messages")
    await _tamper(database, "DELETE FROM conversations WHERE id = :c", c=chains[0].id)
    (problem,) = await _problems(database)
    assert problem == f"conversation {chains[0].id}: is missing, its events remain"


AT = datetime(2026, 1, 1, tzinfo=UTC)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), plain, max_size=4))
def test_a_payload_hashes_the_same_in_whatever_order_its_keys_were_written(payload: dict[str, Any]) -> None:
    backwards = dict(reversed(list(json.loads(json.dumps(payload)).items())))
    assert event_hash("c", 1, "k", payload, AT, "") == event_hash("c", 1, "k", backwards, AT, "")


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_different_payloads_have_two_hashes(one: str, other: str) -> None:
    same = event_hash("c", 1, "k", {"a": one}, AT, "") == event_hash("c", 1, "k", {"a": other}, AT, "")
    assert same == (one == other)
