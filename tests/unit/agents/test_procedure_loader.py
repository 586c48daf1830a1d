"""A procedure that could not work is refused with its file and line."""

from pathlib import Path

import pytest

from agents.procedures.loader import BrokenProcedure, load_procedures
from agents.procedures.procedure import ProcedureLibrary
from agents.procedures.replies import TemplateProblem, Templates

TOOLS = {"billing.get_invoice": frozenset({"invoice_id"}), "billing.list_invoices": frozenset[str]()}
EXAMPLES = "\n".join(f"  - example number {n}" for n in range(12))
HEAD = f"""---
name: look
intent: look
title: Look
risk: information
examples:
{EXAMPLES}
"""
SLOTS = """slots:
  invoice:
    type: invoice
    ask: "Which?"
    from: billing.list_invoices
"""
LAST = "  - reply: done\n---\nGuidance.\n"


@pytest.fixture
def load(tmp_path: Path):
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "done.md").write_text("Done.")
    (tmp_path / "replies" / "which.md").write_text("It is {{ slots.invoice }}.")
    templates = Templates(tmp_path / "replies")
    folder = tmp_path / "procedures"
    folder.mkdir()

    def read(*texts: str) -> ProcedureLibrary:
        for number, text in enumerate(texts):
            (folder / f"p{number}.md").write_text(text)
        return load_procedures(folder, templates, TOOLS, frozenset({"general"}))

    return read


def test_a_sound_procedure_is_read_with_its_guidance(load) -> None:
    library = load(
        HEAD + SLOTS + "steps:\n  - call: billing.get_invoice\n    with: {invoice_id: slots.invoice}\n" + LAST
    )
    procedure = library.get("look")
    assert procedure.guidance == "Guidance."
    assert procedure.tools == {"billing.get_invoice", "billing.list_invoices"}


def test_a_reply_that_speaks_of_a_slot_has_it_filled_first(load) -> None:
    library = load(HEAD + SLOTS + "steps:\n  - say: which\n" + LAST)
    assert library.get("look").steps[0].speaks_of == ("invoice",)


@pytest.mark.parametrize(
    ("steps", "line", "problem"),
    [
        ("steps:\n  - call: billing.refund\n" + LAST, 25, "unknown tool 'billing.refund'"),
        ("steps:\n  - call: billing.get_invoice\n    with: {id: slots.invoice}\n" + LAST, 26, "has no argument 'id'"),
        ("steps:\n  - when: slots.reason == 1\n    reply: done\n" + LAST, 25, "unknown slot 'reason'"),
        ("steps:\n  - reply: nowhere\n---\n", 25, "unknown reply 'nowhere'"),
        ("steps:\n  - escalate: legal\n---\n", 25, "unknown queue 'legal'"),
        ("steps:\n  - goto: there\n---\n", 25, "unknown label 'there'"),
        ("steps:\n  - procedure: other\n---\n", 25, "unknown procedure 'other'"),
        ("steps:\n  - reply: done\n    invites: other\n---\n", 25, "no procedure serves 'other'"),
        ("steps:\n  - reply: done\n" + LAST, 26, "can never be reached"),
        ("steps:\n  - say: done\n---\n", 25, "the last step must end"),
        ("steps:\n  - when: slots.invoice ==\n    reply: done\n" + LAST, 25, "does not parse"),
        ("steps:\n  - say: done\n    reply: done\n---\n", 25, "exactly one of"),
        ("steps:\n  - shout: done\n---\n", 25, "shout"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(load, steps: str, line: int, problem: str) -> None:
    with pytest.raises(BrokenProcedure) as refused:
        load(HEAD + SLOTS + steps)
    assert f"p0.md line {line}: " in str(refused.value)
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_too_few_examples_are_refused(load) -> None:
    with pytest.raises(BrokenProcedure, match=r"p0\.md line 7: examples"):
        load(HEAD.replace("  - example number 3\n", "") + "steps:\n" + LAST)


def test_broken_yaml_is_refused_with_its_line(load) -> None:
    with pytest.raises(BrokenProcedure, match=r"p0\.md line [34]: not valid YAML"):
        load(HEAD.replace("intent: look", "intent: [look") + "steps:\n" + LAST)


def test_two_procedures_cannot_serve_one_intent(load) -> None:
    text = HEAD + "steps:\n" + LAST
    with pytest.raises(BrokenProcedure, match="another file already has"):
        load(text, text.replace("name: look", "name: look_again"))


def test_a_reply_template_that_does_not_parse_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.md").write_text("Hello {{ name")
    with pytest.raises(TemplateProblem, match=r"broken\.md line 1"):
        Templates(tmp_path)


def test_templates_are_sandboxed_and_miss_nothing_silently(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    for source in ("{{ ''.__class__.__mro__ }}", "{{ name }}", "{{ record.keys() }}"):
        with pytest.raises(TemplateProblem):
            templates.text(source, {"record": {"a": 1}})
    assert templates.text("{{ record.update }}", {"record": {"update": "the field"}}) == "the field"


def test_a_situation_makes_its_matter_likelier_or_less_likely(load) -> None:
    head = HEAD.replace("examples:", "likelier: customer.locked > 0\nunlikelier: customer.locked == 0\nexamples:", 1)
    library = load(head + "steps:\n" + LAST)
    assert library.odds({"locked": 2}) == {"look": 3.0}
    assert library.odds({"locked": 0}) == {"look": 1 / 3}
    assert library.odds({"plan": "team"}) == {}


@pytest.mark.parametrize(
    ("head", "slots", "problem"),
    [
        ("likelier: user.locked > 0", "", "unknown: user"),
        ("", "slots:\n  topic: {type: text, ask: What?}\n", "cannot be called 'topic'"),
        ("", "slots:\n  what: {type: text, ask: What?, total: total}\n", "only a count or a direction"),
        ("", "slots:\n  what: {type: count, ask: What?, in_use: '3'}\n", "needs a `total`"),
        ("", "slots:\n  what: {type: text, ask: What?, when_many: {extent: all}}\n", "no choice extent: all"),
    ],
)
def test_a_situation_and_slots_that_could_not_work_are_refused(load, head: str, slots: str, problem: str) -> None:
    with pytest.raises(BrokenProcedure, match=problem):
        load(HEAD.replace("examples:", f"{head}\nexamples:", 1) + slots + "steps:\n" + LAST)
