"""What people taught: one example for a matter, versions that a person decides on, and the chain that says who did."""

from typing import Any

import pytest
from sqlalchemy import text

from records import audit, learning
from records.database import Database
from records.learning import LabelledExample, ModelVersion, NotPossible


def example(clock: Any, source: str = "handoff", intent: str | None = None, **columns: Any) -> LabelledExample:
    row: dict[str, Any] = {
        "id": learning.example_id(),
        "text": "we are exempt from VAT",
        "intent": intent,
        "source": source,
        "source_id": f"{source}_1",
        "conversation_id": "conv_1",
        "episode_id": "epi_1",
        "state": "accepted" if intent else "new",
        "at": clock(),
    }
    return LabelledExample(**row | columns)


def version(clock: Any, **columns: Any) -> ModelVersion:
    row: dict[str, Any] = {
        "id": learning.version_id(),
        "examples": {"lex_1": "tax_exemption"},
        "matters": {"tax_exemption": "billing"},
        "base_hash": "base",
        "model_hash": "model",
        "created_at": clock(),
        "created_by": "ann@example.com",
    }
    return ModelVersion(**row | columns)


async def gathered(database: Database, *found: LabelledExample) -> list[LabelledExample]:
    for one in found:
        async with database.write() as session:
            await learning.gather(session, one)
    async with database.read() as session:
        return await learning.examples_in(session)


async def test_the_same_source_twice_adds_nothing(database: Database, clock: Any) -> None:
    (row,) = await gathered(database, example(clock), example(clock))
    assert row.intent is None


async def test_one_matter_gives_one_example_and_the_source_with_more_say_names_it(
    database: Database, clock: Any
) -> None:
    (row,) = await gathered(
        database,
        example(clock, "suggestion", "refund_request"),
        example(clock, "handoff", "tax_exemption", text="other words", queue="billing"),
        example(clock, "suggestion", "invoice_copy", source_id="suggestion_2"),
        example(clock, "feedback"),
    )
    assert (row.intent, row.source, row.queue, row.text) == (
        "tax_exemption", "handoff", "billing", "we are exempt from VAT",
    )  # fmt: skip


async def test_two_matters_of_one_conversation_are_two_examples(database: Database, clock: Any) -> None:
    rows = await gathered(database, example(clock), example(clock, source_id="handoff_2", episode_id="epi_2"))
    assert len(rows) == 2


async def test_what_a_person_reviewed_stays_but_for_a_correction(database: Database, clock: Any) -> None:
    (row,) = await gathered(database, example(clock, "suggestion"))
    async with database.write() as session:
        await learning.review(session, [row.id], "ann@example.com", clock())
    (row,) = await gathered(database, example(clock, "handoff", "tax_exemption"))
    assert (row.state, row.usable) == ("rejected", False)
    (row,) = await gathered(database, example(clock, "correction", "tax_exemption"))
    assert (row.state, row.intent, row.usable) == ("accepted", "tax_exemption", True)


async def test_labelling_what_does_not_exist_changes_nothing(database: Database, clock: Any) -> None:
    (row,) = await gathered(database, example(clock))
    with pytest.raises(LookupError, match="lex_none"):
        async with database.write() as session:
            await learning.review(session, [row.id, "lex_none"], "ann@example.com", clock(), intent="tax_exemption")
    (row,) = await gathered(database)
    assert row.intent is None


async def proposed(database: Database, clock: Any, **columns: Any) -> ModelVersion:
    row = version(clock, **columns)
    async with database.write() as session:
        await learning.propose(session, row)
    return row


async def promote(database: Database, clock: Any, row: ModelVersion, base: str = "base") -> ModelVersion:
    async with database.write() as session:
        return await learning.promote(
            session, row.id, "lead@example.com", clock(), {"triage": base, "confidence": base}
        )


async def serving(database: Database) -> str | None:
    async with database.read() as session:
        row = await learning.champion(session)
    return row.id if row else None


async def test_a_proposal_serves_nobody_until_it_is_promoted_and_roll_back_goes_one_step_back(
    database: Database, clock: Any
) -> None:
    first = await proposed(database, clock)
    assert await serving(database) is None
    await promote(database, clock, first)
    second = await proposed(database, clock, previous_id=first.id)
    await promote(database, clock, second)
    assert await serving(database) == second.id
    for expected in (first.id, None):
        async with database.write() as session:
            await learning.roll_back(session, "lead@example.com", clock())
        assert await serving(database) == expected
    with pytest.raises(NotPossible, match="nothing to roll back"):
        async with database.write() as session:
            await learning.roll_back(session, "lead@example.com", clock())


async def test_what_was_proposed_from_other_examples_or_against_another_champion_is_not_promoted(
    database: Database, clock: Any
) -> None:
    first, second = await proposed(database, clock), await proposed(database, clock)
    with pytest.raises(NotPossible, match="shipped examples have changed"):
        await promote(database, clock, first, base="other")
    await promote(database, clock, first)
    with pytest.raises(NotPossible, match=f"compared with triage as shipped, but {first.id} serves now"):
        await promote(database, clock, second)
    with pytest.raises(NotPossible, match="is champion, not proposed"):
        await promote(database, clock, first)
    async with database.write() as session:
        await learning.decline(session, second.id, "lead@example.com", clock())
    with pytest.raises(NotPossible, match="is rejected"):
        await promote(database, clock, second)
    with pytest.raises(LookupError):
        await promote(database, clock, version(clock))


async def test_each_kind_has_a_champion_of_its_own(database: Database, clock: Any) -> None:
    triage, confidence = await proposed(database, clock), await proposed(database, clock, kind="confidence")
    with pytest.raises(NotPossible, match="the confidence model that is set has changed"):
        await promote(database, clock, confidence, base="other")
    for row in (triage, confidence):
        await promote(database, clock, row)
    async with database.read() as session:
        rows = await learning.versions_in(session)
    assert learning.serving_of(rows) == {"triage": triage.id, "confidence": confidence.id}
    async with database.write() as session:
        await learning.roll_back(session, "lead@example.com", clock(), "confidence")
    assert await serving(database) == triage.id
    with pytest.raises(NotPossible, match="the confidence model as set serves"):
        async with database.write() as session:
            await learning.roll_back(session, "lead@example.com", clock(), "confidence")


async def decided(database: Database, clock: Any) -> None:
    """Three events in the chain of the service."""
    row = await proposed(database, clock)
    await promote(database, clock, row)
    async with database.write() as session:
        await learning.roll_back(session, "lead@example.com", clock())


async def problems(database: Database, *statements: str) -> list[str]:
    """What the verification finds after somebody with the database's password was at it."""
    triggers = ["DROP TRIGGER audit_events_no_update", "DROP TRIGGER audit_events_no_delete"]
    off = triggers if database.sqlite else ["ALTER TABLE audit_events DISABLE TRIGGER ALL"]
    async with database.write() as session:
        for statement in (*(off if statements else ()), *statements):
            await session.execute(text(statement))
    async with database.snapshot() as session:
        return (await audit.verify(session)).problems


async def test_each_decision_is_an_event_of_the_services_own_chain(database: Database, clock: Any) -> None:
    await decided(database, clock)
    async with database.read() as session:
        rows = await session.execute(text("SELECT kind, payload FROM audit_events ORDER BY number"))
        kinds = [(kind, str(payload)) for kind, payload in rows]
    assert [kind for kind, _ in kinds] == ["model", "model", "model"]
    assert "lead@example.com" in kinds[2][1]
    assert await problems(database) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE audit_events SET kind = 'other' WHERE number = 2",
            "(chain service, event 2): its content was changed",
        ),
        ("DELETE FROM audit_events WHERE number = 2", "events 2 to 2 before it are missing"),
        ("DELETE FROM audit_events WHERE number = 3", "chain service: events 3 to 3 are missing at the end"),
        ("UPDATE audit_chains SET audit_hash = 'ff'", "chain service: its head does not match event 3"),
        ("DELETE FROM audit_chains", "chain service: is missing, its events remain"),
    ],
)
async def test_tampering_with_the_services_chain_is_named(
    database: Database, clock: Any, statement: str, said: str
) -> None:
    await decided(database, clock)
    (problem,) = await problems(database, statement)
    assert said in problem
