"""The made-up company: the same every time, fast to found, and described for those who write tickets."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

from sqlmodel import SQLModel

from tools.sandbox.backend import SandboxBackend
from tools.sandbox.company import seed_company
from tools.sandbox.guide import SITUATIONS, sandbox_guide
from tools.sandbox.stories import STORIES
from tools.sandbox.tables import Invoice, SandboxTable


def described(seed: int, today: date) -> list[dict]:
    return [row.model_dump() for row in seed_company(seed, today)]


def test_the_company_is_the_same_for_the_same_seed_and_day():
    assert described(3, date(2026, 1, 15)) == described(3, date(2026, 1, 15))


def test_identifiers_and_amounts_do_not_depend_on_day_or_seed():
    def stable(seed: int, today: date) -> list[tuple]:
        return [
            (row.id, row.number, row.status, row.amount_due, row.amount_paid)
            for row in seed_company(seed, today)
            if isinstance(row, Invoice)
        ]

    assert stable(0, date(2026, 1, 1)) == stable(9, date(2027, 8, 31)) == stable(1, date(2028, 2, 29))


def test_nothing_that_has_happened_lies_in_the_future():
    for today in (date(2026, 1, 1), date(2026, 3, 31), date(2028, 2, 29)):
        for row in described(0, today):
            for name in ("paid_on", "issued_on", "since"):
                assert row.get(name, today) <= today


def test_there_are_customers_on_every_plan_in_every_currency_and_each_situation_is_explained():
    assert len(STORIES) >= 46
    assert len({story.id for story in STORIES}) == len(STORIES)
    assert {story.plan for story in STORIES} == {"trial", "starter", "team", "business", "enterprise"}
    assert {story.currency for story in STORIES} == {"EUR", "USD", "GBP"}
    assert {story.situation for story in STORIES} == set(SITUATIONS)


def test_the_page_for_ticket_writers_is_up_to_date():
    page = Path(__file__).parents[3] / "docs" / "sandbox.md"
    assert page.read_text(encoding="utf-8") == sandbox_guide()


def test_the_sandbox_shares_no_metadata_with_the_records():
    assert SandboxTable.metadata is not SQLModel.metadata
    assert not set(SandboxTable.metadata.tables.values()) & set(SQLModel.metadata.tables.values())


async def test_the_state_is_json_with_an_owner_on_every_row_that_has_one(world):
    state = await world.backend.dump()
    assert json.loads(json.dumps(state)) == state
    assert {row["id"] for row in state["customers"]} == {story.id for story in STORIES}
    unowned = {"customers", "plans", "resource_prices", "incidents"}
    for table in state.keys() - unowned:
        assert all(row["customer_id"].startswith("cus_") for row in state[table])


async def test_an_existing_company_is_opened_as_it_stands(world):
    await world.call("billing.send_payment_update_link", "cus_001")
    again = await SandboxBackend.open(world.backend.path, seed=5, today=date(2030, 1, 1))
    assert await again.dump() == await world.backend.dump()
    await again.close()


async def test_a_fresh_world_is_copied_and_not_built_again(tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(
        "tools.sandbox.backend.seed_company", lambda *asked: built.append(asked) or seed_company(*asked)
    )
    now = datetime(2026, 1, 15, tzinfo=UTC)
    for number in range(3):
        backend = await SandboxBackend.open(tmp_path / f"{number}.db", clock=lambda: now, seed=77)
        await backend.ask("first question", "cus_001", lambda account: account.customer())
        await backend.close()
    assert built == [(77, now.date())]
