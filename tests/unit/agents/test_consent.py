"""A yes binds; anything less than a plain yes does not."""

import pytest

from agents.consent import (
    after_yes,
    agrees_and_orders,
    asks_price,
    declines,
    leans_to_yes,
    orders_at_last,
    orders_it,
    read_answer,
    refuses_at_last,
    remarks_on_yes,
    requests,
    restates,
    rules_out,
    takes_value,
)
from agents.triage.questions import only_wonders
from agents.withdrawal import (
    begins_by_dropping,
    denies,
    drops_request,
    sets_aside,
    speaks_of,
    turns_down,
    undoes,
    undoes_change,
)

OFFER = "refund 29.00 EUR of invoice 0042 to the card ending in 4242"


ACCEPTING = """
yes
Yes please
yes pls!!
ok go ahead
sure, do it
y
👍
yep that works for me
please proceed
yes, refund the 29.00 EUR
sounds good, thanks
I confirm
Yes, to the card ending in 4242
"""
NOT_ACCEPTING = """
yes but only 10 euros
yes if it is free
ok, 39 EUR
yes? what does it cost
sure, but the other invoice
yes and also cancel my plan
yes to 5000
maybe
what happens then?
ok wait
yes no
how long?
"""


@pytest.mark.parametrize("text", ACCEPTING.strip().splitlines())
def test_a_plain_yes_accepts(text: str) -> None:
    assert read_answer(text, OFFER) == "yes"


@pytest.mark.parametrize("text", NOT_ACCEPTING.strip().splitlines())
def test_a_yes_with_a_condition_another_figure_or_a_question_is_none(text: str) -> None:
    assert read_answer(text, OFFER) != "yes"


@pytest.mark.parametrize("text", ["no", "No thanks", "nope", "don't", "please stop", "never mind", "rather not", "n"])
def test_a_plain_no_declines(text: str) -> None:
    assert read_answer(text, OFFER) == "no"


@pytest.mark.parametrize("text", ["no, the other one", "no i meant invoice 0041", "not that, 2 instead"])
def test_a_no_that_names_something_else_is_a_correction(text: str) -> None:
    assert read_answer(text, OFFER) == "other"


def test_an_empty_message_is_no_answer() -> None:
    assert read_answer("", OFFER) == "other"
    assert read_answer("...", OFFER) == "other"


def test_taking_a_request_back_is_told_from_asking_for_a_cancellation() -> None:
    assert drops_request("never mind, forget it")
    assert drops_request("oh wait, my brother has found it. forget i asked")
    assert drops_request(
        "hang on, my partner tells me that the order for the fair has come in after all. Forget it, leave all as it is"
    )
    assert not drops_request(
        "Never mind the invoice of March, I have found it. But please add two seats for the new ones in sales"
    )
    assert not drops_request("please cancel our subscription")


def test_a_conditional_yes_leans_to_yes_and_a_ruling_out_does_not() -> None:
    assert leans_to_yes("yes but only if it goes to the same card")
    assert not leans_to_yes("hm, well")
    assert rules_out("hold on, dont cancel. just take 2 seats off instead")
    assert not rules_out("what does it cost?")


REFUSING = """
actually don't bother, tom says we did have the phones running through it
hm, can't be undone? then I'd rather look inside first. don't delete it
hmm no. she can use my login, leave it
Actually leave it as it is, there are two freelancers coming in January.
no thanks, we have decided to wait until the new manager is here and has seen it
"""


@pytest.mark.parametrize("text", REFUSING.strip().splitlines())
def test_a_refusal_stays_one_however_much_is_said_around_it(text: str) -> None:
    assert read_answer(text, OFFER) == "no"


@pytest.mark.parametrize("text", ["no, i meant invoice 0041", "don't refund it, 39 EUR would be right"])
def test_a_no_with_another_value_is_no_refusal(text: str) -> None:
    assert read_answer(text, OFFER) == "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no, that's all", True), ("no thanks", True), ("I don't think that my top-up worked.", False), ("yes", False)],
)
def test_a_no_where_nothing_was_offered(text: str, expected: bool) -> None:
    assert declines(text) is expected


def test_what_is_no_longer_needed_is_dropped_however_long_the_reason() -> None:
    text = "No need to do anything about the lost invoice any more, Ruth has found it. Thanks anyway and sorry!"
    assert drops_request(text)
    assert not drops_request("There is no need to upgrade, but please add two seats for the trainees of next week")


def test_a_request_is_taken_back_by_the_first_words_unless_something_is_asked_after_them() -> None:
    assert drops_request("haha nvm. my partner found it under the sofa together with everything else we lost in may")
    later = "never mind that one. We have looked again and would like you to cancel the whole plan as of next month"
    assert not drops_request(later)


def test_what_there_shall_be_none_of_refuses_nothing() -> None:
    assert read_answer("so no june invoice please, end it with this month", "Shall I cancel your plan?") == "other"
    assert read_answer("no changes please", "Shall I cancel your plan?") == "no"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ah scratch that, the boss says it's a no until autumn", True),
        ("hold on!! she meant the phone company. don't change anything with you", True),
        ("sorry, leave us as we are for the moment, it was a misunderstanding", True),
        ("no rush with it, the new colleague starts in a week or two", False),
        ("what would it cost, and no hidden fees?", False),
        ("yes, but only from next month on", False),
        ("so no june invoice please, end it with this month", False),
    ],
)
def test_a_no_in_many_words(text: str, expected: bool) -> None:
    assert turns_down(text) is expected


LINK = "send a link to change the card that pays for your subscription to ann@bakery.example"


@pytest.mark.parametrize("text", ["I see. Then please send me the link", "so send on that link", "please send it"])
def test_an_order_in_the_words_of_the_offer_restates_it(text: str) -> None:
    assert restates(text, LINK)


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ("send me the invoice", LINK),
        ("send the link to bob@other.example", LINK),
        ("then send me the link for a new password", LINK),
        ("why send me a link?", LINK),
        ("who shall send the link", LINK),
        ("don't send the link", LINK),
        ("please remove 10 seats", "remove 2 seats, so that you have 10 and pay less"),
        ("please change the role to member", "change the role of Ann Lee from member to viewer"),
        ("please change the role from viewer", "change the role of Ann Lee from member to viewer"),
    ],
)
def test_an_order_of_anything_else_restates_nothing(text: str, offer: str) -> None:
    assert not restates(text, offer)


@pytest.mark.parametrize(
    "text",
    [
        "ok i don't understand",
        "sure, i don't know",
        "right, we don't use it",
        "ok no nothing else, just the card",
        "fine, they don't pay for it",
    ],
)
def test_a_yes_beside_a_no_that_refuses_nothing_is_no_yes(text: str) -> None:
    assert read_answer(text, LINK) == "other"


def test_a_request_is_taken_back_however_long_the_reason_after_a_comma() -> None:
    assert drops_request(
        "nvm, paul tells me that the people in the warehouse still take their lists out of it every day"
    )
    assert not drops_request(
        "nvm, paul tells me that the people in the warehouse would like to have it moved to Dublin, can you?"
    )
    assert turns_down("hold up, ann waves at me. We keep it. She only wants two seats gone")


def test_what_need_not_be_bothered_with_is_no_request_taken_back() -> None:
    assert not drops_request("we close in December so terminate our account. Don't bother with rebates.")
    assert begins_by_dropping("ah nvm, found it")
    assert not begins_by_dropping("the invoice is here, forget what I asked")


def test_nothing_else_is_no_refusal_of_what_is_offered() -> None:
    assert read_answer("no no nothing else, only the card", LINK) == "other"
    assert read_answer("no, nothing else", LINK) == "no"


def test_a_matter_is_denied_by_its_name() -> None:
    assert denies("It isn't the invoices, those she has", "Send a copy of an invoice")
    assert not denies("the invoice isn't here yet", "Send a copy of an invoice")


def test_a_statement_with_a_not_in_it_refuses_nothing() -> None:
    assert read_answer("we don't owe you anything, turn it on", "start your suspended service again") == "other"
    assert read_answer("i don't want it", "start your suspended service again") == "no"


def test_what_is_left_as_it_is_needs_nothing_done() -> None:
    assert drops_request("OK, I see. Then we leave it as it is for now, I have to talk with the boss first")
    assert not drops_request("we leave it to you which one it is")


SEATS = "add 3 seats for 96.00 USD a month (52.65 USD now for the rest of this period)"


@pytest.mark.parametrize(
    "text",
    [
        "ok later",
        "sure, next week",
        "fine tomorrow then",
        "great service",
        "perfect weather today",
        "of course you would say that",
        "yes, I have seen your message",
        "ok, that is too much",
        "we go on holiday",
        "ok, I don't understand",
        "sure, I'd have to ask my boss",
    ],
)
def test_friendly_words_and_a_yes_put_off_are_no_yes(text: str) -> None:
    assert read_answer(text, SEATS) == "other"


@pytest.mark.parametrize(
    "text", ["go on then", "yes, go on", "by all means", "fine by me", "I'm good with that", "gladly"]
)
def test_a_yes_has_many_words(text: str) -> None:
    assert read_answer(text, SEATS) == "yes"


@pytest.mark.parametrize("text", ["absolutely not", "certainly not!", "by no means", "not really"])
def test_a_no_may_begin_with_the_word_for_a_yes(text: str) -> None:
    assert read_answer(text, SEATS) == "no"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Lovely, yes. And the same for Polly, she's on that bus", "And the same for Polly, she's on that bus"),
        ("do so please, and send me the invoice of November", "and send me the invoice of November"),
        (
            "yes. Also mail me the bill please, my adviser hasn't got it",
            "Also mail me the bill please, my adviser hasn't got it",
        ),
        ("yes please", ""),
        ("yes, and make it five", "and make it five"),
        ("yes and not more than that", ""),
        ("yes. But send me the price first", ""),
        ("yes. what does it cost?", ""),
        ("k. and sign-in with our Okta, what do I need for that", ""),
        ("ok good to know. Max says it waits", ""),
        ("sure. And then wait for Ben", ""),
        ("yes please. Have a great weekend, greetings from rainy Hamburg", ""),
        ("yes. Ben is looking at it tonight", ""),
    ],
)
def test_what_goes_on_after_a_plain_yes(text: str, rest: str) -> None:
    assert after_yes(text, SEATS) == rest


@pytest.mark.parametrize(
    ("text", "offer", "ordered"),
    [
        ("no need for an offer, please just cancel it", "cancel your starter subscription", True),
        ("no no nothing else, only the card", "send a link to change the card", True),
        ("please don't cancel it", "cancel your starter subscription", False),
        ("please cancel nothing", "cancel your starter subscription", False),
        ("we stay", "cancel your starter subscription", False),
    ],
)
def test_the_offers_own_verb_is_no_refusal(text: str, offer: str, ordered: bool) -> None:
    assert orders_it(text, offer) is ordered


@pytest.mark.parametrize(
    "text",
    [
        "today we cancel nothing",
        "so we stay on team",
        "keep him how he is",
        "let's say no more about it",
        "it was only an idea. those two stay put",
        "Sure, I was only thinking aloud. So those two stay put",
        "skip that",
    ],
)
def test_a_refusal_without_its_word(text: str) -> None:
    assert turns_down(text) or begins_by_dropping(text)


def test_a_yes_that_leaves_another_thing_alone_is_not_turned_down() -> None:
    assert not turns_down("yes please")
    assert not turns_down("That's off my list then, lovely")


@pytest.mark.parametrize(
    ("text", "asks"),
    [("please end it", True), ("please do", True), ("please don't", False), ("please leave it", False)],
)
def test_a_please_may_ask_to_leave_things(text: str, asks: bool) -> None:
    assert requests(text) is asks


@pytest.mark.parametrize(
    ("text", "undo"),
    [
        ("undo that please", True),
        ("oh no, change it back", True),
        ("can you revert this", True),
        ("how do I undo a deletion in the console", False),
        ("change the plan", False),
    ],
)
def test_undoing_is_asked_for_in_few_words(text: str, undo: bool) -> None:
    assert undoes(text) is undo


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("great, and what does that cost over the year?", True),
        ("is that per month?", True),
        ("how much is it", True),
        ("which region is that in?", False),
        ("that is how much we have argued about this for years and years with everybody in the office", False),
    ],
)
def test_a_question_for_the_price_of_what_is_offered(text: str, price: bool) -> None:
    assert asks_price(text, SEATS) is price
    assert not asks_price(text, 'delete the bucket "reports"')


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("Yes, that one, she's standing next to me and nodding", True),
        ("Yes please, my colleague from finance agrees", True),
        ("yes and how are you", False),
        ("yes, but only the small one", False),
        ("yes, and send me the invoice", False),
        ("yes, 3 of them", False),
        ("Sure, I'd like to know more about it", False),
        ("she is nodding", False),
    ],
)
def test_a_yes_with_a_remark_beside_it(text: str, remark: bool) -> None:
    assert remarks_on_yes(text, 'delete the queue "mail-queue"') is remark


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Two will do nicely. So no, don't add any. Thank you kindly.", "Thank you kindly."),
        ("Ten? No. Make it 12.", "Make it 12."),
        ("no wait, business is enough", None),
        ("Two will do. Then add 2, no more than that.", None),
    ],
)
def test_a_no_after_a_value(text: str, after: str | None) -> None:
    assert refuses_at_last(text) == after


def test_a_request_is_taken_back_in_a_short_first_sentence() -> None:
    assert drops_request("Scusi, forget it! My wife tells me that we need it for the season. No cancellation please.")
    assert not drops_request("Scusi, forget it! I need 3 seats instead.")


def test_sending_it_to_somebody_else_refuses_nothing() -> None:
    assert not turns_down("please don't send it to me, the link should go to our archivist")
    assert turns_down("please don't send it")


def test_things_may_be_left_as_they_are() -> None:
    assert sets_aside("no thank you haha. we stay where we are")
    assert not sets_aside("we stay where we are, please add 3 seats") and not sets_aside("shall we stay where we are?")


def test_what_is_to_be_undone_is_called_by_its_name() -> None:
    assert undoes_change("Could you take the cancellation back?") and not undoes_change("take the money back please")
    assert speaks_of("take the cancellation back", "Cancel the subscription")
    assert not speaks_of("take the cancellation back", "A payment taken twice")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("repeated", [".", "Yes, ", "no ", "we stay ", "forget it! ", "don't send it "])
def test_thousands_of_characters_are_read_quickly(repeated: str) -> None:
    text = (repeated * 8000)[:8000]
    assert not remarks_on_yes(text, "add 3 seats") and after_yes(text, "add 3 seats") == ""
    assert drops_request(text) is repeated.startswith("forget")
    assert (refuses_at_last(text) is None) is not repeated.startswith("forget")


@pytest.mark.parametrize(
    ("text", "ordered"),
    [
        ("Understood, we've got a copy. Delete it.", True),
        ("Fair enough, delete it", True),
        ("in Ordnung, book it so", True),
        ("not yet. delete it", False),
        ("if nobody needs it, delete it", False),
        ("what happens if you delete it", False),
        ("Henrik shall save it first. Then delete it.", False),
        ("great, cancel it", False),
        ("the bucket of 2019, delete it", False),
    ],
)
def test_an_order_at_the_end_that_nothing_before_limits(text: str, ordered: bool) -> None:
    assert orders_at_last(text, 'delete the bucket "logs" with all its data (this cannot be undone)') is ordered


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("wait, is Paris possible too?", "other"),
        ("Do we stop paying for it as of today?", "other"),
        ("All of them as well? Then stop. Otto shall save it first.", "no"),
        ("wait, no, is it gone then?", "no"),
    ],
)
def test_a_question_is_no_refusal_though_it_begins_with_wait(text: str, answer: str) -> None:
    assert read_answer(text, "delete the bucket") == answer


def test_a_value_is_taken_without_a_yes() -> None:
    offer = "create the small database in eu-central"
    assert takes_value("then take Frankfurt, go", offer) and takes_value("ok let's go with frankfurt", offer)
    assert not takes_value("take Frankfurt only if it is cheaper", offer) and not takes_value("take 2", offer)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("repeated", ["and, ", "then, ", "wait ", "we do "])
def test_fillers_without_end_are_no_question_and_no_answer(repeated: str) -> None:
    text = (repeated * 8000)[:8000]
    assert not only_wonders(text) and not orders_at_last(text, "delete it") and not takes_value(text, "delete it")


def test_a_yes_that_goes_on_with_an_order_is_no_refusal() -> None:
    for text in (
        "right so. yes, mail me that link and I'll get the card in before ten",
        "yes, send it over first thing",
    ):
        assert agrees_and_orders(text), text
    for text in ("yes, I saw it", "no. yes, send nothing", "send it", "yes, we send it tomorrow"):
        assert not agrees_and_orders(text), text
