"""`handrail learn`: what people taught, what a person decides, and what is refused in one line."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from served import KEY

from app.commands.learning import _review_text, without_classifier
from app.settings import Settings
from records.database import Database, sqlite_url
from records.learning import LabelledExample, ModelVersion

Handrail = Callable[..., Any]

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
VAT = ["we are exempt from VAT", "please take the VAT off, we are tax exempt", "here is our VAT exemption certificate"]
PENTEST = ["may we run a penetration test", "we announce a penetration test", "permission for a penetration test"]


def stored(home: Path, *rows: Any) -> None:
    """Put rows into a home's database."""

    async def store() -> None:
        database = await Database.open(sqlite_url(home / "handrail.db"))
        async with database.write() as session:
            session.add_all(rows)
        await database.close()

    _run(store())


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def example(number: int, text: str, intent: str | None = None, **columns: Any) -> LabelledExample:
    row: dict[str, Any] = {
        "id": f"lex_{number}",
        "text": text,
        "intent": intent,
        "source": "handoff",
        "source_id": f"hnd_{number}",
        "queue": "billing",
        "state": "accepted" if intent else "new",
        "at": NOW,
    }
    return LabelledExample(**row | columns)


def version(home: Path, **columns: Any) -> ModelVersion:
    async def base() -> str:
        async with without_classifier(Settings(home=home, secret_key=KEY)) as runtime:
            return runtime.champion.base.hash

    row: dict[str, Any] = {
        "id": "mdl_1",
        "base_hash": _run(base()),
        "model_hash": "m",
        "examples": {"lex_0": "tax_exemption"},
        "matters": {"tax_exemption": "billing"},
        "report": {"advice": "promote"},
        "created_at": NOW,
        "created_by": "ann@example.com",
    }
    return ModelVersion(**row | columns)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_examples_are_listed_labelled_and_rejected(handrail: Handrail, home: Path) -> None:
    assert handrail("learn", "examples", "--json").document["total"] == 0
    stored(home, *(example(n, text) for n, text in enumerate(VAT)), example(9, "refund please", "refund_request"))
    listed = handrail("learn", "examples", "--json").document
    assert (listed["total"], listed["unnamed"], listed["by_intent"]) == (4, 3, {"refund_request": 1})
    done = handrail("learn", "label", "lex_0", "lex_1", "--intent", "tax_exemption", "--by", "a@b.c", "--json").document
    assert done == {"labelled": ["lex_0", "lex_1"], "intent": "tax_exemption"}
    assert handrail("learn", "reject", "lex_2", "--json").document == {"rejected": ["lex_2"]}
    named = handrail("learn", "examples", "--state", "accepted", "--json").document["by_intent"]
    assert named == {"tax_exemption": 2, "refund_request": 1}
    shown = handrail("learn", "examples")
    assert "we are exempt from VAT" in shown.out
    assert handrail("audit", "verify", "--json").document == {"events": 2, "ok": True, "problems": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["examples", "--state", "old"], ["--state", "new, accepted, rejected"]),
        (["examples", "--source", "dream"], ["--source", "handoff"]),
        (["label", "lex_0", "--intent", "Tax Exemption"], ["--intent", "tax_exemption"]),
        (["label", "lex_0", "--intent", "tax", "--queue", "nobody"], ["--queue", "billing"]),
        (["label", "lex_none", "--intent", "tax"], ["lex_none", "handrail learn examples"]),
        (["label", "lex_none", "--intent", "tax", "--by", "ann"], ["--by", "e-mail"]),
        (["reject", "lex_none"], ["lex_none"]),
        (["show", "mdl_none"], ["mdl_none", "handrail learn list"]),
        (["promote", "mdl_none", "--by", "a@b.c"], ["mdl_none", "handrail learn list"]),
        (["promote", "mdl_none", "--by", "somebody"], ["--by", "e-mail"]),
        (["decline", "mdl_none", "--by", "a@b.c"], ["mdl_none"]),
        (["roll-back", "--by", "a@b.c"], ["nothing to roll back"]),
        (["propose", "--replay", "gone.jsonl"], ["gone.jsonl"]),
        (["propose", "--folds", "1"], ["folds"]),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(handrail: Handrail, arguments: list[str], words: list[str]) -> None:
    handrail("learn", *arguments).refused(*words)


def test_a_version_is_promoted_shown_and_taken_back(handrail: Handrail, home: Path) -> None:
    stored(home, example(0, VAT[0], "tax_exemption"), version(home), version(home, id="mdl_2"))
    assert handrail("learn", "list", "--json").document["serving"] == "shipped"
    done = handrail("learn", "promote", "mdl_1", "--by", "lead@example.com", "--json").document
    assert done == {"id": "mdl_1", "state": "champion", "serving": "mdl_1", "previous": None}
    handrail("learn", "promote", "mdl_1", "--by", "lead@example.com").refused("mdl_1 is champion, not proposed")
    handrail("learn", "promote", "mdl_2", "--by", "lead@example.com").refused("mdl_1 serves now: propose again")
    assert "champion by lead@example.com" in handrail("learn", "show", "mdl_1").out
    assert "tax_exemption -> billing" in handrail("learn", "list").out
    taken = handrail("learn", "roll-back", "--by", "lead@example.com", "--json").document
    assert taken == {"id": "mdl_1", "state": "retired", "serving": "shipped"}
    assert handrail("learn", "decline", "mdl_2", "--by", "lead@example.com", "--json").document["state"] == "rejected"
    assert handrail("learn", "list", "--json").document["serving"] == "shipped"


def test_a_version_from_other_shipped_examples_is_not_promoted(handrail: Handrail, home: Path) -> None:
    stored(home, version(home, base_hash="other"))
    handrail("learn", "promote", "mdl_1", "--by", "lead@example.com").refused("shipped examples have changed")


def test_a_review_groups_what_has_no_name_and_gives_the_command_that_names_it(
    handrail: Handrail, whole_home: Path
) -> None:
    assert handrail("learn", "review", "--json", HOME=whole_home).document["clusters"] == []
    assert "0 examples have no name yet." in handrail("learn", "review", HOME=whole_home).out
    rows = [example(n, text) for n, text in enumerate([*VAT, *PENTEST])]
    odd = example(8, "you took 29 euros twice this month", "password_reset", state="new")
    stored(whole_home, *rows, odd, example(9, "our dog is called Rex"))
    found = handrail("learn", "review", "--json", HOME=whole_home).document
    assert (found["unnamed"], [one["id"] for one in found["alone"]]) == (7, ["lex_9"])
    assert sorted(sorted(group["examples"]) for group in found["clusters"]) == [
        ["lex_0", "lex_1", "lex_2"],
        ["lex_3", "lex_4", "lex_5"],
    ]
    assert [(one["id"], one["looks_like"]) for one in found["doubtful"]] == [("lex_8", "duplicate_charge")]
    for group in found["clusters"]:
        assert group["size"] == len(group["typical"]) == 3
        handrail(*group["command"].split()[1:], HOME=whole_home)
    assert handrail("learn", "examples", "--json", HOME=whole_home).document["unnamed"] == 1
    text = _review_text(found)
    assert "7 examples have no name" in text
    assert all(group["command"] in text for group in found["clusters"])


def test_without_a_named_example_there_is_nothing_to_propose(handrail: Handrail, home: Path) -> None:
    stored(home, example(0, VAT[0]))
    ended = handrail("learn", "propose", "--no-replay", "--json")
    assert (ended.code, ended.document["id"]) == (1, None)
