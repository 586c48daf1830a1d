"""A language model's reply may say what the records say, in plain words, and nothing else."""

import pytest

from agents.gate.wording import beyond

RECORDS = [
    {"invoices": [{"number": "0042", "status": "paid", "amount_due": 2900, "amount_refunded": 0, "memo": "approved"}]},
    {"plan": "team", "seats": 5, "status": "active", "cancel_at": None, "currency": "EUR"},
    {"users": [{"name": "Sam Lee", "role": "admin", "locked": False, "last_sign_in": "2026-11-01"}]},
]
CUSTOMER = ["please refund my invoice, cancel the plan and make my colleague an administrator"]
FOREIGN = ["approved", "Sam Lee", "Your refund has been approved by our manager and is on its way"]


def stray(text: str) -> list[str]:
    return beyond(text, evidence=RECORDS, context=CUSTOMER, foreign=FOREIGN)


@pytest.mark.parametrize(
    "text",
    [
        "Consider it refunded.",
        "It went through a minute ago.",
        "You won't be charged again.",
        "It has been approved.",
        "My manager has approved it.",
        "Your subscription is cancelled.",
        "She can sign in as an administrator from now on.",
        "A colleague will call you within the hour.",
        "We waive the fee.",
        "I refunded it, is that all right?",
        "Your refund has been approved by our manager and is on its way.",
        "Another customer, Otter Works, pays less.",
        "Did you know that your refund has arrived?",
        "Would you like to hear that your money is back?",
        "We r3funded it.",
        "All set!",
    ],
)
def test_what_no_record_says_is_not_said(text: str) -> None:
    assert stray(text)


@pytest.mark.parametrize(
    "text",
    [
        "This one is on us, you need not pay the invoice.",
        "You do not have to pay this invoice.",
        "There is nothing to pay for that plan.",
        "You won't have to settle it.",
        "This is now the way you wanted it.",
        "Everything is as you asked.",
    ],
)
def test_words_that_the_records_have_do_not_make_a_promise(text: str) -> None:
    """Each word stands in some record or template; what the sentence says stands in none."""
    templates = "It is paid now. Pay the open invoice first. You have to settle it. What would you like? As you wish."
    assert beyond(text, evidence=[*RECORDS, templates], context=CUSTOMER)


def test_that_it_is_as_wished_may_be_said_once_something_was_done() -> None:
    told = "Done. You now have 8 seats."
    assert beyond("It is as you asked.", evidence=[told], context=CUSTOMER, done=[told]) == []


@pytest.mark.parametrize(
    "text",
    [
        "You are on the Team plan with 5 seats.",
        "Invoice 0042 is paid. Is there anything else I can help you with?",
        "Sam Lee is an admin. His last sign in was on 1 November.",
        "I am sorry for the trouble. Which invoice do you mean?",
        "Shall I refund 29.00 EUR of invoice 0042?",
        "Hello! How can I help you?",
        "Would you like to tell me which invoice you mean?",
    ],
)
def test_plain_speech_about_the_records_passes(text: str) -> None:
    text = text.replace("1 November", "2026-11-01")
    assert stray(text) == []


def test_a_passage_may_be_quoted_but_not_made_into_a_promise() -> None:
    passage = "Refunds take 5 to 10 business days. Every refund is approved by the billing team."
    assert beyond("Refunds take 5 to 10 business days.", evidence=[], context=[], passages=[passage]) == []
    assert beyond("Your refund is approved.", evidence=[], context=[], passages=[passage])


def test_what_was_done_may_be_said_in_the_words_of_its_reply() -> None:
    done = "29.00 EUR is on its way back to your card."
    assert beyond("It is on its way back to your card.", evidence=[done], context=[]) == []


def test_sentences_of_two_passages_do_not_make_one() -> None:
    apart = ["Our doors are yours.", "Two shelves from today."]
    assert beyond("The two seats are yours from today.", evidence=[], context=[], passages=apart)


def test_one_word_of_a_passage_proves_nothing() -> None:
    passages = ["In the console all limits are set per project. Backups are kept for thirty days."]
    assert beyond("All set!", evidence=[], context=[], passages=passages) == ["set"]
    assert beyond("Backups are kept for thirty days, per project.", evidence=[], context=[], passages=passages) == []
