"""What a reply says is judged as the customer reads it, however its letters are written."""

from pathlib import Path

import pytest

from agents.gate.reply import ReplyRules, check_reply
from agents.gate.wording import beyond, visible
from app.settings import PROMPTS

RULES = ReplyRules.load(Path(PROMPTS) / "claims.yaml")
GAPS = {"zero width space": "\u200b", "joiner": "\u034f", "variation selector": "\ufe0f", "soft hyphen": "\u00ad"}


def passes(text: str, evidence: str = "", *, verified: frozenset[str] = frozenset()) -> bool:
    check = check_reply(
        text,
        RULES,
        figures=set,
        evidence_text=evidence,
        verified_tools=verified,
        handed_off=False,
        customer_id="cus_001",
    )
    return check.passed


@pytest.mark.parametrize("gap", GAPS.values(), ids=GAPS.keys())
def test_an_address_with_something_unseen_in_it_is_an_address(gap: str) -> None:
    assert not passes(f"Ask {gap.join('eve@otter.example')}.")
    assert passes(f"Ask {gap.join('eve@otter.example')}.", "eve@otter.example")


@pytest.mark.parametrize("gap", [*GAPS.values(), " ", ".", " - "], ids=[*GAPS.keys(), "space", "dot", "dash"])
def test_words_that_are_pulled_apart_are_words(gap: str) -> None:
    assert beyond(gap.join("refunded"), evidence=[], context=[])


def test_plain_text_is_left_as_it_is() -> None:
    assert visible("Grüße, 29.00 EUR") == "Grüße, 29.00 EUR"
    assert beyond("You are on the team plan.", evidence=["team"], context=[]) == []


@pytest.mark.parametrize(
    "text",
    [
        "This is now the way you wanted it.",
        "I have made it so.",
        "Your plan is now the one that you asked for.",
        "Have you seen the refund on your card yet?",
        "Did you get your money?",
        "Are you happy with the refund which I made?",
    ],
)
def test_a_claim_in_plain_words_or_a_question_is_a_claim(text: str) -> None:
    assert beyond(text, evidence=[], context=["please refund it now, I want my money on the card"])


@pytest.mark.parametrize(
    "text", ["Have you seen the invoice?", "Would you like a refund?", "Are you on the team plan?"]
)
def test_an_honest_question_stays_free(text: str) -> None:
    assert beyond(text, evidence=[], context=[]) == []


def test_what_will_be_is_foretold_only_from_the_evidence_or_after_an_effect() -> None:
    text = "You will see it within days."
    assert not passes(text)
    assert passes(text, "You will see it within ten days.")
    assert passes(text, verified=frozenset({"billing.refund"}))
