"""Courtesies are told from requests."""

import pytest

from agents.triage.courtesy import closes, introduces, introduces_first, only_agrees, settles, thanks_only


@pytest.mark.parametrize(
    "text",
    [
        "Guten Tag, Nora Field, Bakery North, accounts payable",
        "Nora Field, Bakery North",
        "hi its nora field",
        "hello, this is Nora from the bakery",
        "Bonjour, Nora Field of Bakery North",
    ],
)
def test_who_only_says_who_writes_asks_for_nothing(text: str) -> None:
    assert introduces(text)


@pytest.mark.parametrize(
    "text",
    [
        "hi its broken",
        "Nora Field needs a seat",
        "Hello, Nora Field is locked",
        "old-db",
        "Remove Nora Field please",
        "Nora",
    ],
)
def test_who_says_more_is_heard(text: str) -> None:
    assert not introduces(text)


@pytest.mark.parametrize(
    "text",
    [
        "Right, then that paper can go to the old ones. Much obliged",
        "phew. you saved my sunday",
        "Ah so. My mistake then, nothing needs to be sent back.",
        "hm ok, with that it isn't possible then. Leave all as it is",
        "well I never. the cleaning firm took that card. cheers",
        "capito, it was only curiosity",
    ],
)
def test_what_rounds_a_matter_off_asks_for_nothing(text: str) -> None:
    assert closes(text)


@pytest.mark.parametrize(
    "text",
    [
        "ok, but Tom still can't sign in",
        "great, now send me the bill of may",
        "right. what does it cost?",
        "fine, the database is broken though",
        "Tom would like to read along too, thanks",
        "I see. Then only the ones that nobody sits on",
        "fair enough. then let me have it and I pass it on",
    ],
)
def test_what_goes_on_is_not_taken_for_an_end(text: str) -> None:
    assert not closes(text)


def test_thanks_that_ask_for_nothing_are_only_that() -> None:
    for text in ("merci, Paul will see to it", "thx!! the boss is happy", "ok good to know, then there's no hurry"):
        assert thanks_only(text), text
    for text in ("thanks, and please send it again", "good to know, but i meant may", "can you thank him?",
                 "got it, then just the two"):  # fmt: skip
        assert not thanks_only(text), text


def test_who_says_who_writes_and_tells_no_harm_is_greeted() -> None:
    assert introduces_first("god dag, Ove from Fjord Fish, we tidy a bit before the season")
    assert introduces_first("Nora Field, Bakery North. New on this desk, bear with me.")
    for text in (
        "Nora here, Bakery North. Thursday cost us a customer",
        "the app, the new one, is slow",
        "we, not you, pay",
    ):
        assert not introduces_first(text), text


@pytest.mark.parametrize("text", ["yes", "Yes please!", "do it", "yes, go ahead please", "yep, do that now"])
def test_a_yes_and_nothing_else(text: str) -> None:
    assert only_agrees(text)


@pytest.mark.parametrize("text", ["ok", "no", "yes, delete it", "please", "great"])
def test_what_is_more_or_less_than_a_yes(text: str) -> None:
    assert not only_agrees(text)


def test_a_matter_may_settle_itself() -> None:
    assert settles("ah dollars, ok my mistake")
    assert settles("vale, so nobody owes nothing. perdon for the noise")
    assert not settles("my mistake, I meant invoice 41, can you send that?")
    assert not settles("thanks")
