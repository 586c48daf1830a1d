"""A question that leans on the conversation is searched with its subject; any other is searched as it is."""

import pytest

from agents.knowledge.followup import leans, standalone

ROTATE = "how do I rotate an API key?"


@pytest.mark.parametrize(
    ("earlier", "question"),
    [
        ([ROTATE], "and how long does it take?"),
        ([ROTATE], "how long does it take?"),
        ([ROTATE], "can I do that without downtime?"),
        ([ROTATE], "what about webhooks?"),
        ([ROTATE], "and for annual plans?"),
        ([ROTATE], "how much is it"),
        ([ROTATE], "why?"),
        ([ROTATE], "is it included in business?"),
        ([ROTATE], "do they expire?"),
        ([ROTATE], "ok and how often?"),
        ([ROTATE], "and the webhooks?"),
        ([ROTATE], "what if we are on starter?"),
        ([ROTATE], "thanks! same for secrets?"),
    ],
)
def test_a_question_that_leans_on_the_conversation_is_searched_with_its_subject(
    earlier: list[str], question: str
) -> None:
    assert standalone(question, earlier) == f"{earlier[-1]}\n{question}"


@pytest.mark.parametrize(
    "question",
    [
        "how long are backups kept?",
        "and how long are the nightly backups of a database kept?",
        "is it possible to pay by bank transfer instead of the card?",
        "is it possible to pay yearly",
        "what happens to our data if we cancel this month?",
        "backups",
        "and what are your support hours?",
        "ok thanks. and do you support webhooks?",
        "which plan is for students?",
        "refund policy?",
        "I lost my card, can you block it before somebody uses it?",
        "We want that everybody uses the two factor. Can I as admin make it obligatory?",
        "If I put back the backup of last night, does it overwrite the database that is running now?",
        "does one seat cost extra",
    ],
)
def test_a_question_that_says_what_it_is_about_stays_as_it_is(question: str) -> None:
    assert standalone(question, [ROTATE]) == question


def test_a_chain_of_such_questions_goes_back_to_the_one_that_names_the_subject() -> None:
    earlier = ["do you support webhooks?", ROTATE, "and for webhooks?"]
    assert standalone("how long does it take?", earlier) == f"{ROTATE}\nand for webhooks?\nhow long does it take?"


def test_what_names_no_subject_is_passed_over() -> None:
    earlier = [ROTATE, "ok thanks", "yes please"]
    assert standalone("how long does that take?", earlier) == f"{ROTATE}\nhow long does that take?"


def test_of_a_long_message_the_sentence_that_says_most_is_the_subject() -> None:
    long = (
        "Hi there, I hope that you are all well today and that the weather is nice where you are sitting right now. "
        "We want to restore the nightly backup of our PostgreSQL database in Frankfurt without overwriting it. Thanks!"
    )
    searched = standalone("how long does it take?", [long])
    assert searched.startswith("We want to restore") and "weather" not in searched


def test_without_anything_before_it_a_question_stays_as_it_is() -> None:
    assert leans("how long does it take?")
    assert standalone("how long does it take?", []) == "how long does it take?"
    assert standalone("how long does it take?", ["hello"]) == "how long does it take?"
