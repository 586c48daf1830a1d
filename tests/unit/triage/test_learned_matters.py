"""A matter that people taught triage goes to its queue where the message is clearly about it, and only then."""

from agents.triage.route import Guess, learned_matter
from agents.triage.version import SHIPPED, Version

TAUGHT = Version("mdl_1", {"tax_exemption": "billing"})


def guess(version: Version = TAUGHT, out_of_scope: float = 0.1, **odds: float) -> Guess:
    ranking = tuple(sorted(odds.items(), key=lambda pair: -pair[1]))
    return Guess("we are exempt from VAT, please take it off the invoice", ranking, out_of_scope, version)


def test_a_clear_message_goes_to_the_people_who_solve_it() -> None:
    assert learned_matter(guess(tax_exemption=0.8, invoice_question=0.1), []) == ("tax_exemption", 0.8)


def test_an_unsure_one_a_foreign_one_and_one_about_something_else_do_not() -> None:
    assert learned_matter(guess(tax_exemption=0.4, invoice_question=0.3), []) is None
    assert learned_matter(guess(out_of_scope=0.9, tax_exemption=0.6), []) is None
    assert learned_matter(guess(invoice_question=0.8, tax_exemption=0.1), []) is None


def test_an_intent_that_was_not_taught_has_no_queue() -> None:
    assert learned_matter(guess(SHIPPED, tax_exemption=0.9), []) is None


def test_one_clear_sentence_of_an_unclear_message_is_enough() -> None:
    unclear, clear = guess(tax_exemption=0.3, invoice_question=0.3), guess(tax_exemption=0.9)
    assert learned_matter(unclear, [clear]) == ("tax_exemption", 0.9)
    assert learned_matter(unclear, [clear, guess(refund_request=0.9)]) is None


def test_a_customers_situation_changes_the_odds_and_not_the_version() -> None:
    assert guess(tax_exemption=0.5, refund_request=0.4).given({"refund_request": 3.0}).version is TAUGHT
