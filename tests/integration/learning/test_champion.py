"""Which version serves: taken up from the records, built from what is left of its examples, kept where a look fails."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from app.champion import Base, Champion
from records import learning
from records.database import Database
from records.learning import LabelledExample, ModelVersion

NOW = datetime(2026, 11, 27, tzinfo=UTC)
BASE = Base(["refund"], ["refund_request"], frozenset({"refund_request"}), frozenset({"billing"}))


@pytest.fixture
async def database(settings: Any) -> Any:
    opened = await Database.open(settings.database)
    yield opened
    await opened.close()


async def promoted(database: Database, base_hash: str = BASE.hash) -> None:
    rows = [
        LabelledExample(id=f"lex_{n}", text=f"text {n}", intent="later", source="handoff", source_id=str(n), at=NOW)
        for n in (2, 1)
    ]
    version = ModelVersion(
        id="mdl_1",
        state="champion",
        examples={"lex_1": "tax", "lex_2": "tax", "lex_gone": "tax"},
        matters={"tax": "billing", "refund_request": "billing"},
        base_hash=base_hash,
        model_hash="",
        created_at=NOW,
    )
    async with database.write() as session:
        session.add_all([*rows, version])


async def test_it_is_built_from_the_examples_that_are_left_as_they_were_learnt(database: Database) -> None:
    built: list[Any] = []
    champion = Champion(database, BASE, "shipped", lambda learned: built.append(learned) or "learned")
    await champion.refresh()
    assert (champion.classifier, champion.version.name, built) == ("shipped", "shipped", [])
    await promoted(database, base_hash="of other examples")
    for _ in range(2):
        await champion.refresh()
    assert (champion.classifier, champion.version.name) == ("learned", "mdl_1")
    assert built == [[("text 1", "tax"), ("text 2", "tax")]]
    assert champion.version.matters == {"tax": "billing"}
    async with database.write() as session:
        await learning.roll_back(session, "lead@example.com", NOW)
    await champion.refresh()
    assert (champion.classifier, champion.version.name) == ("shipped", "shipped")


async def test_where_it_cannot_be_built_the_former_one_serves_on(database: Database) -> None:
    def fail(learned: Any) -> Any:
        raise OSError("no space left")

    champion = Champion(database, BASE, "shipped", fail)
    await promoted(database)
    with pytest.raises(OSError, match="no space"):
        await champion.refresh()
    assert (champion.classifier, champion.version.name) == ("shipped", "shipped")
    assert not await champion.try_refresh()
    assert champion.version.name == "shipped"


async def test_what_failed_is_tried_again_ever_more_seldom(database: Database, monkeypatch: Any) -> None:
    built: list[Any] = []
    pauses: list[float] = []

    def fail_thrice(learned: Any) -> Any:
        built.append(learned)
        if len(built) <= 3:
            raise OSError("no space left")
        return "learned"

    async def pass_at_once(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            raise asyncio.CancelledError

    champion = Champion(database, BASE, "shipped", fail_thrice)
    await promoted(database)
    monkeypatch.setattr("app.champion.asyncio.sleep", pass_at_once)
    with pytest.raises(asyncio.CancelledError):
        await champion.keep_fresh()
    assert pauses == [2.0, 4.0, 8.0, 16.0, 2.0, 2.0]
    assert (champion.version.name, len(built)) == ("mdl_1", 4)
