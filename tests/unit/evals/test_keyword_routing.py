"""Keyword routing as the report compares with it."""

from pathlib import Path

import pytest
from played import result, ticket

from evals.keyword_routing import KeywordRules, Routed
from evals.summary import summarise
from evals.tickets import Expected
from tools.placed_yaml import UnusableFile

RULES = KeywordRules.load()


@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("I want a refund for October", Routed(action="refund_request")),
        ("we were charged twice, refund one of them", Routed(action="duplicate_charge")),
        ("our lawyer will ask for a refund", Routed(queue="contracts")),
        ("Somebody HACKED us", Routed(queue="security")),
        ("add two seats", Routed(action="add_seats")),
        ("two more users please", Routed(queue="general")),
        ("suede shoes", Routed(queue="general")),
    ],
)
def test_routes_by_words(text: str, to: Routed) -> None:
    assert RULES.route(text) == to


def test_several_flows_may_be_left_to_a_person() -> None:
    strict = RULES.model_copy(update={"when_several": "person"})
    assert strict.route("we were charged twice, refund one of them") == Routed(queue="general")
    assert strict.route("refund please") == Routed(action="refund_request")


def test_is_judged_like_handrail() -> None:
    person = Expected(intent="security_incident", disposition="escalated", queue="security")
    results = [
        result(ticket("a", "refund please")),
        result(ticket("b", "the thing does not do what I want")),
        result(ticket("c", "someone looks at our files", expected=person), "escalated", queue="security"),
        result(ticket("d", "how do I get my money, password?", expected=person), "escalated", queue="security"),
    ]
    found = summarise(results, 0.0)["baseline"]
    keyword = found["keyword_routing"]
    assert (keyword["escalated"], keyword["self_service"], keyword["self_service_right"]) == (2, 2, 1)
    assert (keyword["unnecessary_escalations"], keyword["missed_escalations"]) == (1, 1)
    assert keyword["unnecessary_escalations_change"] == -1.0
    assert keyword["missed_escalations_change"] == -1
    assert found["recorded"]["unnecessary_escalations"] == 2
    assert found["escalated"] == 4 and found["cost"] == 2000


def test_every_flow_and_queue_of_the_rules_exists() -> None:
    from app.settings import PROMPTS
    from evals.keyword_routing import RULES as FILE

    intents = {
        line.split(":")[1].strip()
        for path in (PROMPTS / "procedures").glob("*.md")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("intent:")
    }
    assert {rule.action for rule in RULES.self_service} <= intents, FILE


def test_a_bad_rule_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("tier_1: general\nwhen_several: first\npeople: []\nself_service:\n  - action: x\n    wrods: [a]\n")
    with pytest.raises(UnusableFile, match=r"rules\.yaml:5: self_service\.0\.words: it is missing"):
        KeywordRules.load(file)
