"""`handrail policy check`: its exit code is the answer."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.settings import POLICIES

Handrail = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the policies in use, to be changed."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    return tmp_path / "policies"


def add(folder: Path, text: str) -> None:
    (folder / "zz.cedar").write_text(text, encoding="utf-8")


def test_the_policies_in_use_are_in_order_and_shown_as_a_table(handrail: Handrail) -> None:
    ended = handrail("policy", "check")
    assert ended.code == 0
    assert re.search(r"^\d+ policies, \d+ tools: nothing to mend$", ended.out, re.MULTILINE)
    row = next(line for line in ended.out.splitlines() if line.strip().startswith("billing.refund"))
    assert "never" in row and "refund-own-paid-invoice up to 50.00" in row


def test_the_document_says_what_each_level_may_do_and_by_which_policies(handrail: Handrail) -> None:
    document = handrail("policy", "check", "--json").document
    assert document["ok"] is True
    levels = {tool["tool"]: tool["levels"] for tool in document["tools"]}["billing.refund"]
    assert list(levels) == ["anonymous", "claimed", "verified", "stepped_up"]
    assert (levels["claimed"]["may"], levels["claimed"]["policies"]) == ("never", ["default-deny"])
    assert "refund-with-approval" in levels["verified"]["with_approval"]


def test_a_permit_that_nobody_reaches_ends_with_one_and_is_named(handrail: Handrail, folder: Path) -> None:
    add(
        folder,
        '@id("refund-void")\n@reason("A void invoice goes back too.")\n'
        'permit (principal, action == Action::"billing.refund", resource)\nwhen { resource.status == "void" };',
    )
    ended = handrail("policy", "check", "--policies", folder, "--json")
    assert ended.code == 1
    [found] = ended.document["unreachable"]
    assert (found["policy"], Path(found["file"]).name, found["line"]) == ("refund-void", "zz.cedar", 1)
    assert "refund-paid-invoices-only" in found["says"]
    assert "zz.cedar:1: refund-void: " in handrail("policy", "check", "--policies", folder).out


def test_a_policy_without_a_reason_ends_with_one(handrail: Handrail, folder: Path) -> None:
    add(folder, '@id("quiet")\npermit (principal, action == Action::"billing.refund", resource);')
    ended = handrail("policy", "check", "--policies", folder)
    assert ended.code == 1
    assert "quiet: it has no @reason" in ended.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('@id("bad")\npermit (principal, action == , resource);', ["zz.cedar:1: bad", "unexpected token", "mend"]),
        (
            '\n@id("bad")\npermit (principal, action == Action::"billing.refund", resource)\n'
            "when { resource.hue == 1 };",
            ["zz.cedar:2: bad", "`hue`", "schema.cedarschema"],
        ),
        ('@id("bad")\npermit (principal == ?principal, action, resource);', ["zz.cedar:1: bad", "template"]),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_in_one_line(
    handrail: Handrail, folder: Path, text: str, words: list[str]
) -> None:
    add(folder, text)
    handrail("policy", "check", "--policies", folder, "--json").refused(*words)


def test_a_folder_without_policies_is_refused(handrail: Handrail, folder: Path, tmp_path: Path) -> None:
    handrail("policy", "check", "--policies", tmp_path / "none").refused("--policies", "none", "*.cedar")
    handrail("policy", "check", "--policies", tmp_path).refused("schema.cedarschema", "no schema")
    (folder / "latin.cedar").write_bytes(b"// caf\xe9\n")
    handrail("policy", "check", "--policies", folder).refused("latin.cedar", "UTF-8")
    for path in folder.glob("*.cedar"):
        path.unlink()
    handrail("policy", "check", "--policies", folder).refused("policies", "no policy")
