"""Spelling mends slips in the words of the examples and leaves alone what somebody knows."""

import pytest

from agents.triage.spelling import Spelling

EXAMPLES = ["cancel my subscription", "the subscription and the password", "my password please", "Larkspur invoice"] * 3


@pytest.fixture
def spelling() -> Spelling:
    return Spelling.learn(EXAMPLES, frozenset({"subscription", "password", "cancel", "invoice", "invoke", "please"}))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("stop my subcription", "stop my subscription"),
        ("subscirptoin", "subscription"),
        ("PASWORD gone", "password gone"),
        ("passowrd", "password"),
        ("larkspr", "larkspur"),
    ],
)
def test_a_slip_in_a_word_of_the_examples_is_mended(spelling: Spelling, written: str, read: str) -> None:
    assert spelling.mended(written) == read


@pytest.mark.parametrize("written", ["invoke", "Larkspur", "cncl", "zzzzzz", "passing words", "it's", ""])
def test_words_that_somebody_knows_and_words_that_are_too_far_away_stay(spelling: Spelling, written: str) -> None:
    assert spelling.mended(written) == written
