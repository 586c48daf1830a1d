"""Messages that name a subject and no wish: the customer is asked, and nothing is guessed from the word 'problem'."""

import pytest

from agents.triage.subjects import only_subject

SUBJECTS = {
    "payment": ("duplicate_charge", "payment_method_update"),
    "direct debit": ("payment_method_update",),
    "user": ("unlock_account", "change_role"),
    "login": ("unlock_account", "password_reset"),
    "seat": ("add_seats", "remove_seats"),
}


@pytest.mark.parametrize(
    ("message", "about"),
    [
        ("there is a problem with our payment", "payment"),
        ("Hi! There's a problem with our payments.", "payment"),
        ("Hello team, we have some trouble with a payment, can you help?", "payment"),
        ("payment issue", "payment"),
        ("question about the direct debit", "direct debit"),
        ("We've got an issue with one of our users", "user"),
        ("One of our users has a problem", "user"),
        ("something is off with our seats", "seat"),
        ("there’s something wrong with the login", "login"),
        ("need help with the seats please", "seat"),
        ("hello, it's about our seats", "seat"),
        ("login problems again", "login"),
    ],
)
def test_a_subject_without_a_wish_is_found(message: str, about: str) -> None:
    assert only_subject(message, SUBJECTS) == SUBJECTS[about]


@pytest.mark.parametrize(
    "message",
    [
        "there is a problem with our server",
        "there is a problem with our payment, it was taken twice",
        "payment",
        "we need help with removing seats",
        "there is a problem with our payment since you changed the card reader, and now the seats are gone as well",
        "no problem with the payment",
        "no issues with our users",
        "I have no questions about the payment",
        "the payment is no problem",
        "our payment has no problem",
        "one of our users has a problem to sign in",
        "a question about how seats are billed",
        "",
    ],
)
def test_a_wish_another_subject_or_no_trouble_is_left_to_the_classifier(message: str) -> None:
    assert only_subject(message, SUBJECTS) == ()
