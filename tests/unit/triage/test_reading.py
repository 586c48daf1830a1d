"""What the classifier reads of a message: no courtesies, a direction for numbers, long messages by sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.triage.parts import without_ruled_out
from agents.triage.phrasing import points_back, proposes_another
from agents.triage.questions import asks_how_to, asks_terms, concludes
from agents.triage.reading import core_of, directed, sentences_of

MAIL = (
    "Dear support team,\n\nI hope you are all well. We moved to the new office on Monday. Since then nobody "
    "can open the console from there, while it works from home. Is something wrong on your side?\n\n"
    "Many thanks and best regards\nTom Miller\nHead of IT"
)


@pytest.mark.parametrize(
    ("message", "core"),
    [
        ("Hi there, please send me the last invoice. Thanks, Ana", "please send me the last invoice."),
        ("hey guys the api is down again", "the api is down again"),
        ("make me admin please thx", "make me admin please"),
        ("Could you unlock my user?\nCheers\nTim\nSent from my phone", "Could you unlock my user?"),
        ("Good morning everybody, two more seats please. Looking forward to your answer.", "two more seats please."),
    ],
)
def test_greeting_and_signature_are_not_read(message: str, core: str) -> None:
    assert core_of(message) == core


@pytest.mark.parametrize(
    "message", ["hi there", "thanks a lot", "hello, small question", "which plan is best for us", "ok, thanks, bye"]
)
def test_a_message_that_is_only_courtesy_or_has_none_stays_whole(message: str) -> None:
    assert core_of(message) == message


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ("go from 8 to 11 seats", "go from 8 to 11 (more) seats"),
        ("7 users instead of 10 please", "7 users instead of 10 (fewer) please"),
        ("licences 5 -> 4", "licences 5 -> 4 (fewer)"),
        ("from 5 to 5", "from 5 to 5"),
        ("it was down from 9:30 to 11 am", "it was down from 9:30 to 11 am"),
        ("from 12.00 to 29.00 EUR", "from 12.00 to 29.00 EUR"),
    ],
)
def test_a_change_of_a_number_is_read_with_its_direction(message: str, read: str) -> None:
    assert directed(message) == read


def test_a_long_message_is_read_by_sentence_too() -> None:
    core = core_of(MAIL)
    assert core.startswith("We moved") and core.endswith("on your side?")
    assert sentences_of(core)[-1] == "Is something wrong on your side?"
    assert sentences_of("Is something wrong? Please tell me soon.") == []


@given(st.text(alphabet="hi thanks,.!?\n best regards dear 12>-", max_size=400))
def test_something_is_always_left_to_read(message: str) -> None:
    assert bool(core_of(message)) == bool(message.strip(" \n,"))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("repeated", [".", "oh, ", "then just ", "no ", " ", "what about the "])
def test_what_says_nothing_for_thousands_of_characters_is_read_quickly(repeated: str) -> None:
    message = (repeated * 8000)[:8000]
    assert without_ruled_out(message) and not asks_terms(message) and not asks_how_to(message)
    assert proposes_another(message) is False
    assert not concludes(message) and not points_back(message)
    assert core_of("can you double-check our seats") == "can you check our seats"


@pytest.mark.timeout(10)
def test_a_pasted_log_is_read_quickly() -> None:
    log = "\n".join(f"2026-01-05 10:00:{n % 60:02} thanks, from {n} to {n + 1} -> timeout, hi" for n in range(5_000))
    assert len(sentences_of(directed(core_of(log)))) == 12
    assert core_of("\n" * 100_000 + "thanks, " * 10_000 + "hi " * 10_000)


@pytest.mark.parametrize(
    ("message", "core"),
    [
        (
            "Buenos días. Diego Soto, Mirador Health, administration. We would pass to Starter",
            "We would pass to Starter",
        ),
        ("Rob Carver, Atlas Freight. drop us to Starter please", "drop us to Starter please"),
        ("Sam Ortiz, our designer, is locked out. Please help", "Sam Ortiz, our designer, is locked out. Please help"),
        ("Refund please, invoice 3301. Not used.", "Refund please, invoice 3301. Not used."),
    ],
)
def test_who_writes_is_not_read(message: str, core: str) -> None:
    assert core_of(message) == core
