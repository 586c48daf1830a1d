"""The same customer in other words."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import ticket

from evals.tickets import Expected, ExpectedEffect
from evals.wording import KEPT, reworded, varied

TEXTS = [
    "Please refund invoice in_0042 for 29.00 EUR, Marta Okafor never ordered it.",
    "we've got 18 seats at the moment and need 25 in total, could somebody arrange that",
    "Make bob.smith@example.com an admin on prod-db-7 before 2026-11-30!",
    "No, I do not want that subscription cancelled under any circumstances",
]


def values(text: str) -> list[str]:
    """What the request hangs on: everything with a figure or sign in it, names, and what denies."""
    words = [word.strip(".,!?") for word in text.split()]
    kept = [w for w in words[1:] if re.search(r"[\d@_]", w) or re.fullmatch(r"[A-Z]\w+", w)]
    return kept + [w.lower() for w in words if w.lower() in {"no", "not", "never", "don't", "yes"}]


@pytest.mark.parametrize("text", TEXTS)
@given(seed=st.integers(0, 10_000))
def test_values_names_and_denials_stay(text: str, seed: int) -> None:
    said = varied(text, random.Random(seed), KEPT, first=True)
    found = values("x " + said)
    for value in values(text):
        assert value in found or value in said.lower().split(), (value, said)


@pytest.mark.parametrize("text", ["yes, please go ahead", "No.", "ok do it", "none of these", "don't"])
def test_an_answer_stays_as_it_is(text: str) -> None:
    assert all(varied(text, random.Random(seed), KEPT, first=False) == text for seed in range(50))


def test_the_same_seed_and_repeat_give_the_same_words_and_others_differ() -> None:
    recorded = ticket(text=TEXTS[1])
    told = [reworded(recorded, 1, repeat).customer_messages[0] for repeat in range(1, 9)]
    assert told == [reworded(recorded, 1, repeat).customer_messages[0] for repeat in range(1, 9)]
    assert len(set(told)) >= 6
    assert reworded(recorded, 2, 1).customer_messages != reworded(recorded, 1, 1).customer_messages
    assert recorded.customer_messages == [TEXTS[1]]


def test_words_that_facts_and_effects_hold_are_not_mistyped() -> None:
    effect = ExpectedEffect(tool="provisioning.create_resource", arguments={"size": "medium"})
    expected = Expected(disposition="resolved", effects=[effect])
    recorded = ticket(text="medium warehouse sensors", facts={"name": "warehouse sensors"}, expected=expected)
    for repeat in range(1, 40):
        said = reworded(recorded, 0, repeat).customer_messages[0]
        assert "edium warehouse sensors" in said
