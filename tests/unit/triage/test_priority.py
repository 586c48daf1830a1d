"""Which handoffs go before others of their queue, and what of the customer's words and records says so."""

from typing import Any

import pytest

from agents.triage.escalation import BrokenEscalation, EscalationRules
from agents.triage.tone import felt_words, sentiment, urgency, urgent_signs
from app.settings import PROMPTS

SHIPPED = PROMPTS / "escalation.yaml"
RULES = EscalationRules.load(SHIPPED)


def raised(text: str, **customer: Any) -> list[tuple[str, str]]:
    known = {"plan": "team", "yearly_value_minor": 0, "churn_risk": 10, "overdue_invoices": 0, "open_handoffs": 0}
    names = {"customer": {**known, **customer}, "urgency": urgency(text), "sentiment": sentiment(text)}
    return list(RULES.raised(names))


CALM = "Could you tell me which plan has more storage?"
PRESSING = "Production is down, we are blocked, please help immediately!"


def test_a_calm_question_is_not_put_before_others() -> None:
    assert raised(CALM) == []


def test_urgent_words_raise_and_the_customers_worth_raises_further() -> None:
    assert [priority for priority, _ in raised(PRESSING)] == ["high"]
    most = raised(PRESSING, yearly_value_minor=4_800_000)
    assert most[0] == ("urgent", "it is urgent to a customer who is worth 25,000.00 a year or more")


def test_who_is_upset_and_likely_to_leave_goes_first() -> None:
    upset = "This is terrible, I am really angry and disappointed with your awful service"
    assert raised(upset) == []
    assert raised(upset, churn_risk=70) == [("high", "the customer is upset and likely to leave")]


def test_what_raised_it_is_told_in_the_customers_own_words() -> None:
    assert urgent_signs(PRESSING) == ["production", "down", "blocked", "immediately", "exclamation marks"]
    assert urgent_signs(CALM) == []
    hating = "I hate this awful, useless thing. Thanks."
    assert felt_words(hating, sentiment(hating))[:2] == ["hate", "awful"]
    assert felt_words("the invoice of May", 0.0) == []


def test_a_rule_that_cannot_be_evaluated_raises_nothing_and_one_that_is_none_is_refused(tmp_path) -> None:
    assert RULES.raised({"urgency": 1.0}) == [("high", "it is urgent to the customer")]
    path = tmp_path / "escalation.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").replace("urgency >= 0.65\n", "urgency >>= 0.65\n"), "utf-8")
    with pytest.raises(BrokenEscalation, match="priority 2"):
        EscalationRules.load(path)
