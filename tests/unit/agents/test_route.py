"""Which request a message is about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from agents.brief import Route
from agents.frame import ActiveProcedure, Frame
from agents.triage.parts import halves_of, parts_of, without_ruled_out
from agents.triage.phrasing import leans, merely_states
from agents.triage.questions import asks_how_it_is, supposes
from agents.triage.route import Guess, Reading, Topics
from agents.triage.route import route as route_of

TOPICS = Topics(
    served=frozenset(
        {"refund", "add_seats", "remove_seats", "invoice_copy", "change_role", "thanks", "upgrade", "downgrade"}
    ),
    small_talk=frozenset({"thanks"}),
    kin=frozenset({frozenset({"add_seats", "remove_seats"}), frozenset({"upgrade", "downgrade"})}),
    acting=frozenset({"refund", "add_seats", "remove_seats", "upgrade", "downgrade"}),
    twins=frozenset({frozenset({"upgrade", "downgrade"})}),
)
IDLE = Frame()
BUSY = Frame(stack=[ActiveProcedure(name="add_seats", waiting_for="count")])


def guess(text: str, ranking: Mapping[str, float], out_of_scope: float = 0.1) -> Guess:
    return Guess(text, tuple(sorted(ranking.items(), key=lambda item: -item[1])), out_of_scope)


def route(
    whole: Guess,
    parts: Sequence[Guess],
    frame: Frame,
    topics: Topics,
    answers: bool = False,
    halves: Sequence[tuple[Guess, Guess]] = (),
) -> Route:
    return route_of(Reading(whole, tuple(parts), tuple(halves)), frame, topics, answers=answers)


def test_a_clear_request_starts() -> None:
    found = route(guess("refund me", {"refund": 0.9}), [], IDLE, TOPICS)
    assert (found.kind, found.intents) == ("start", (("refund", "refund me"),))


def test_an_unclear_one_is_asked_about() -> None:
    found = route(guess("the thing", {"refund": 0.3, "add_seats": 0.2, "thanks": 0.1}), [], IDLE, TOPICS)
    assert (found.kind, [intent for intent, _ in found.intents]) == ("clarify", ["refund", "add_seats"])


def test_a_foreign_one_is_not_served() -> None:
    assert route(guess("book me a flight", {"refund": 0.4}, 0.9), [], IDLE, TOPICS).kind != "start"
    assert route(guess("book me a flight", {"refund": 0.1}, 0.9), [], IDLE, TOPICS).kind == "out_of_scope"


def test_two_requests_in_one_message_are_both_taken_up_with_their_own_words() -> None:
    whole = guess("refund 0042. and add 3 seats please", {"refund": 0.5, "add_seats": 0.45})
    parts = [guess("refund 0042.", {"refund": 0.99}), guess("add 3 seats please", {"add_seats": 0.99})]
    found = route(whole, parts, IDLE, TOPICS)
    assert found.intents == (("refund", "refund 0042."), ("add_seats", "add 3 seats please"))


def test_background_is_no_request_of_its_own() -> None:
    whole = guess("refund part of it. two seats were used for a week", {"refund": 0.99, "remove_seats": 0.001})
    parts = [
        guess("refund part of it.", {"refund": 0.99}),
        guess("two seats were used for a week", {"remove_seats": 0.95}),
    ]
    assert [intent for intent, _ in route(whole, parts, IDLE, TOPICS).intents] == ["refund"]


def test_two_intents_that_end_in_the_same_effect_are_one_request() -> None:
    whole = guess("we are out of seats. please drop the old ones", {"remove_seats": 0.92, "add_seats": 0.07})
    parts = [
        guess("can we get new seats", {"add_seats": 0.9}),
        guess("please drop the old ones", {"remove_seats": 0.9}),
    ]
    assert [intent for intent, _ in route(whole, parts, IDLE, TOPICS).intents] == ["remove_seats"]


def test_words_that_are_no_request_stay_with_the_request_before_them() -> None:
    whole = guess("we need fewer seats. please remove 2, and invoice", {"remove_seats": 0.6, "invoice_copy": 0.3})
    parts = [
        guess("we need fewer seats.", {"remove_seats": 0.95}),
        guess("please remove 2", {"change_role": 0.7}),
        guess("send me the invoice", {"invoice_copy": 0.95}),
    ]
    found = dict(route(whole, parts, IDLE, TOPICS).intents)
    assert found["remove_seats"] == "we need fewer seats. please remove 2"


def test_a_request_that_is_ruled_out_is_none() -> None:
    whole = guess("hold on, dont cancel. take 2 seats off", {"remove_seats": 0.9})
    parts = [guess("hold on, dont cancel.", {"refund": 0.99}), guess("take 2 seats off", {"remove_seats": 0.99})]
    assert [intent for intent, _ in route(whole, parts, IDLE, TOPICS).intents] == ["remove_seats"]


def test_a_long_letter_is_served_where_the_whole_and_one_sentence_agree() -> None:
    whole = guess("a long letter about the weather and an invoice", {"invoice_copy": 0.5}, 0.7)
    parts = [
        guess("the weather is bad", {"refund": 0.1}, 0.9),
        guess("september's bill once more", {"invoice_copy": 0.45}, 0.3),
    ]
    assert route(whole, parts, IDLE, TOPICS).kind == "start"


def test_an_answer_to_our_question_is_not_taken_for_a_new_request() -> None:
    whole = guess("4 seats then", {"remove_seats": 0.97})
    assert route(whole, [], BUSY, TOPICS, answers=True).kind == "continue"
    assert route(whole, [], BUSY, TOPICS, answers=False).kind == "start"


def test_a_word_or_two_never_change_the_topic() -> None:
    assert route(guess("no thanks", {"thanks": 0.99}), [], BUSY, TOPICS).kind == "continue"


def test_a_few_thankful_words_are_small_talk_unless_something_was_misunderstood_before() -> None:
    words = guess("oh right, sorry", {"thanks": 0.4})
    assert route(words, [], IDLE, TOPICS).kind == "start"
    assert route(words, [], Frame(failed_turns=1), TOPICS).kind == "out_of_scope"


def test_statements_and_requests_are_told_apart() -> None:
    assert merely_states("two of our seats were only used for a week")
    assert merely_states("hi, our admin Alan set this account up ages ago")
    assert not merely_states("can you send it again?")
    assert not merely_states("please refund invoice 3104")


def test_a_message_is_cut_at_sentences_conjunctions_and_numbers() -> None:
    assert parts_of("Two items: (1) a full export of our data, (2) your data processing agreement") == [
        "a full export of our data",
        "your data processing agreement",
    ]
    assert parts_of("refund me please") == []


def test_what_changes_something_is_asked_about_where_it_could_as_well_be_another_matter() -> None:
    doubtful = guess("do people who only look need one", {"remove_seats": 0.6, "invoice_copy": 0.2})
    assert route(doubtful, [], IDLE, TOPICS).kind == "clarify"
    assert route(guess("copy of it", {"invoice_copy": 0.6, "remove_seats": 0.2}), [], IDLE, TOPICS).kind == "start"


def test_without_a_rival_the_offer_itself_is_the_question() -> None:
    assert (
        route(guess("cancel, too expensive", {"remove_seats": 0.6, "thanks": 0.01}), [], IDLE, TOPICS).kind == "start"
    )


def test_two_intents_with_one_offer_do_not_contest_each_other() -> None:
    assert route(guess("the team plan", {"upgrade": 0.5, "downgrade": 0.45}), [], IDLE, TOPICS).kind == "start"


def test_a_clear_part_is_enough_but_not_one_that_merely_states() -> None:
    whole = guess("no free seat is left. a colleague starts", {"remove_seats": 0.6, "add_seats": 0.2})
    stated = guess("we have no free seat left", {"remove_seats": 0.95})
    asked = guess("please remove two seats", {"remove_seats": 0.95})
    assert route(whole, [stated], IDLE, TOPICS).kind == "clarify"
    assert route(whole, [asked], IDLE, TOPICS).kind == "start"


def test_the_situation_of_the_customer_weighs() -> None:
    before = guess("no seat free", {"remove_seats": 0.6, "add_seats": 0.3})
    after = before.given({"add_seats": 3.0, "remove_seats": 1 / 3})
    assert after.best[0] == "add_seats"
    assert sum(p for _, p in after.ranking) <= 1
    assert before.given({}) is before


def test_what_is_ruled_out_is_not_read() -> None:
    assert without_ruled_out("Refund October please. I have the invoice, no need to send it") == (
        "Refund October please. I have the invoice"
    )
    assert without_ruled_out("hold on, dont cancel. take 2 seats off") == "take 2 seats off"
    assert without_ruled_out("don't send it") == "don't send it"
    assert without_ruled_out("we do not need 3 of the seats any more") == "we do not need 3 of the seats any more"


def test_a_part_that_leans_on_the_one_before_is_no_request_of_its_own() -> None:
    whole = guess("27 seats are enough from now on. Could you take us down to that?", {"remove_seats": 0.97})
    parts = [
        guess("27 seats are enough from now on.", {"remove_seats": 0.81}),
        guess("Could you take us down to that?", {"downgrade": 0.89}),
    ]
    assert [intent for intent, _ in route(whole, parts, IDLE, TOPICS).intents] == ["remove_seats"]


def test_yours_is_what_was_said_before() -> None:
    words = ["Our bank asks for the certificate of our suppliers.", "Could I get yours by mail today?"]
    whole = guess(" ".join(words), {"invoice_copy": 0.99})
    parts = [guess(words[0], {"invoice_copy": 0.99}), guess(words[1], {"refund": 0.75})]
    assert [intent for intent, _ in route(whole, parts, IDLE, TOPICS).intents] == ["invoice_copy"]


def test_a_few_words_are_no_small_talk_where_a_request_is_nearly_as_likely() -> None:
    assert route(guess("then just the two", {"thanks": 0.39, "refund": 0.33}), [], IDLE, TOPICS).kind == "clarify"
    assert route(guess("oh right, thanks", {"thanks": 0.39, "refund": 0.1}), [], IDLE, TOPICS).kind == "start"


def test_who_says_that_there_are_several_things_may_state_one_of_them() -> None:
    words = ["That makes two seats more.", "Besides, Ian can't remember who is an admin, please make him one"]
    whole = guess(" ".join(words), {"change_role": 0.9, "add_seats": 0.04})
    parts = [guess(words[0], {"add_seats": 0.85}), guess(words[1], {"change_role": 0.95})]
    assert [intent for intent, _ in route(whole, parts, IDLE, TOPICS).intents] == ["add_seats", "change_role"]


def test_a_message_that_looks_foreign_is_asked_about_where_one_matter_is_likely_if_any() -> None:
    found = route(guess("1 seat for my cousin, she helps with the orders", {"add_seats": 0.27}, 0.64), [], IDLE, TOPICS)
    assert (found.kind, found.intents[0][0]) == ("clarify", "add_seats")


def test_what_is_so_for_anybody_is_a_question() -> None:
    for text in (
        "can a viewer create a database?",
        "Do members see the invoices?",
        "hi, may an admin remove the owner?",
    ):
        assert asks_how_it_is(text), text
    for text in ("can you make sam a viewer?", "can a seat be added please", "can an admin be added for Lotte?"):
        assert not asks_how_it_is(text), text


def test_a_request_that_is_drowned_by_a_louder_one_is_heard_in_its_half() -> None:
    text = "Karim starts on Sunday. Kindly open one more for him. Our finance lost the bill, please send it again"
    whole = guess(text, {"invoice_copy": 0.99})
    quiet = guess("Karim starts on Sunday. Kindly open one more for him.", {"add_seats": 0.8, "invoice_copy": 0.1})
    loud = guess("Our finance lost the bill, please send it again", {"invoice_copy": 0.99})
    part = guess("Our finance lost the bill", {"invoice_copy": 0.9})
    found = route(whole, [part], IDLE, TOPICS, halves=[(quiet, loud)])
    assert found.intents == (("add_seats", quiet.text), ("invoice_copy", loud.text))


def test_a_part_is_a_request_of_its_own_only_as_clearly_as_the_whole_says_little_of_it() -> None:
    bill = guess("the bill of June please?", {"invoice_copy": 1.0})
    for weight, foreign, of_whole, expected in (
        (0.7, 0.27, 0.0, ["invoice_copy"]),  # "i need to give you the new one" after another matter
        (0.95, 0.05, 0.0, ["invoice_copy", "change_role"]),
        (0.7, 0.27, 0.4, ["invoice_copy", "change_role"]),
    ):
        text = "the bill of June please? could he get the other one"
        whole = guess(text, {"invoice_copy": 0.5, "change_role": of_whole})
        part = guess("could he get the other one", {"change_role": weight}, foreign)
        assert [name for name, _ in route(whole, [bill, part], IDLE, TOPICS).intents] == expected, (weight, of_whole)


def test_halves_that_are_unclear_or_foreign_are_one_request() -> None:
    whole = guess("the whole message", {"invoice_copy": 0.99})
    loud = guess("please send the bill of June", {"invoice_copy": 0.99})
    for other in (
        guess("please add a seat", {"add_seats": 0.6}),  # unclear
        guess("please add a seat", {"add_seats": 0.9}, 0.7),  # foreign
    ):
        assert [i for i, _ in route(whole, [loud], IDLE, TOPICS, halves=[(loud, other)]).intents] == ["invoice_copy"]


def test_a_message_is_cut_where_requests_can_meet() -> None:
    assert halves_of("Please send the bill of June. Then add a seat for Ana and one for Bo") == [
        ("Please send the bill of June.", "Then add a seat for Ana and one for Bo"),
    ]
    assert halves_of("please add two seats") == []


def test_a_message_is_not_cut_where_a_half_asks_for_nothing_or_leans_on_the_other() -> None:
    assert halves_of("Please send the bill of June. We were ten people then") == []
    assert halves_of("Please send the bill of June. Please put a seat on it") == []
    assert halves_of("How much have we used? I will move files and don't want to hit the limit") == []


def test_of_halves_only_those_that_were_taken_as_requests_tell_how_surely_a_message_was_understood() -> None:
    whole, part = guess("both", {"refund": 0.6}), guess("one", {"refund": 0.9})
    first, second, other = (guess(text, {"add_seats": 0.9}) for text in ("first half", "second half", "other cut"))
    reading = Reading(whole, (part,), ((first, second), (other, other)))
    assert reading.pieces((("refund", "first half"), ("add_seats", "second half"))) == (whole, part, first, second)
    assert reading.pieces((("refund", "both"),)) == (whole, part)


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("I don't want the receipt! I want the 129 dollars.", "! I want the 129 dollars"),
        ("I'm not asking for money back. Clause 7.3 is wrong.", "Clause 7.3 is wrong"),
        ("We do not need more seats, move us to Business please", "move us to Business please"),
        ("Please don't export anything, only show the numbers", "only show the numbers"),
        ("I don't want a second one any more", "I don't want a second one any more"),
        ("we don't need the staging database, remove it", "we don't need the staging database, remove it"),
        ("I don't need my seats", "I don't need my seats"),
        ("we are not looking to renew, the team is gone", "we are not looking to renew, the team is gone"),
        ("We don't need more than five seats, so act on it", "We don't need more than five seats, so act on it"),
        ("we don't need any of these servers, all may go", "we don't need any of these servers, all may go"),
    ],
)
def test_what_is_not_wanted_is_left_out_and_what_shall_go_is_not(message: str, left: str) -> None:
    assert without_ruled_out(message).strip(" !") == left.strip(" !")


def test_what_need_not_be_paid_for_any_more_is_the_request() -> None:
    assert without_ruled_out("a nurse left us, no need to pay her place any more") == (
        "a nurse left us, no need to pay her place any more"
    )
    assert without_ruled_out("please add two seats, no need to send a copy") == "please add two seats"


def test_a_sentence_about_what_is_not_meant_is_left_out() -> None:
    message = "Our adviser needs a sheet about the taxes. The invoices we have, they are not what he wants. Thanks"
    assert " ".join(without_ruled_out(message).split()) == "Our adviser needs a sheet about the taxes. Thanks"


def test_what_shall_be_so_from_now_on_is_a_wish() -> None:
    assert not merely_states("Mia is only meant to watch, no touching")
    assert not merely_states("he is a viewer from now on")
    assert merely_states("he is a viewer")


def test_papers_that_the_writer_has_are_not_asked_for() -> None:
    message = "I've got all the invoices right in front of me, please switch the service on again"
    assert without_ruled_out(message) == "please switch the service on again"


def test_who_is_meant_stays_with_what_is_asked_for_them() -> None:
    whole = guess("Ole is in the depot and should only look, Mia needs the last bill", {"invoice_copy": 0.9})
    parts = [
        guess("Ole is in the depot", {"change_role": 0.2}, 0.7),
        guess("should only look", {"change_role": 0.97}),
        guess("Mia needs the last bill", {"invoice_copy": 0.97}),
    ]
    found = dict(route(whole, parts, IDLE, TOPICS).intents)
    assert found == {"change_role": "Ole is in the depot should only look", "invoice_copy": "Mia needs the last bill"}


def test_what_would_be_if_is_a_question() -> None:
    for text in (
        "if we leave in the middle of a month, do we get anything back?",
        "say I added 3 seats today, what would we pay?",
        "what if we go over the limit?",
        "Once a user is removed, is the seat free at once?",
    ):
        assert supposes(text), text
    for text in (
        "if it was paid twice, would you refund it?",
        "if possible, could we have the invoice of may?",
        "if one of us is locked out, is it possible to unlock her?",
        "if we have a seat left, give it to Tom",
    ):
        assert not supposes(text), text


def test_what_would_be_if_is_answered_and_not_done() -> None:
    topics = replace(TOPICS, answering="how")
    text = "if we gave back a seat, would we see money for it?"
    found = route(guess(text, {"refund": 0.95}), [], IDLE, topics)
    assert found.intents == (("how", text),)
    assert route(guess("refund me", {"refund": 0.95}), [], IDLE, topics).intents[0][0] == "refund"


def test_what_somebody_shall_be_able_to_do_is_not_asked_for() -> None:
    text = "Ann has to be able to add people and remove seats while I am away. Please make her an admin"
    assert parts_of(text)[0] == "Ann has to be able to add people and remove seats while I am away."
    assert halves_of(text) == []
    assert len(parts_of("please add two people and remove the old bucket")) == 2


def test_what_hangs_on_a_condition_is_no_request_of_its_own() -> None:
    text = "look whether a refund is due for may. If so, put it on the next invoice"
    parts = [guess("look whether a refund is due for may.", {"refund": 0.95})]
    hanging = guess("If so, put the credit on the next invoice", {"invoice_copy": 0.95})
    assert [i for i, _ in route(guess(text, {"refund": 0.8}), [*parts, hanging], IDLE, TOPICS).intents] == ["refund"]
    own = guess("also send me the next invoice", {"invoice_copy": 0.95})
    assert len(route(guess(text, {"refund": 0.8}), [*parts, own], IDLE, TOPICS).intents) == 2


def test_a_part_that_tells_for_what_is_no_request() -> None:
    text = "can i get the bill of may, just for our own archive of copies"
    whole, part = guess(text, {"invoice_copy": 0.9}), guess("can i get the bill of may", {"invoice_copy": 0.99})
    aside = guess("just for our own archive of seats", {"add_seats": 0.99})
    assert [i for i, _ in route(whole, [part, aside], IDLE, TOPICS).intents] == ["invoice_copy"]


def test_no_complaint_is_none() -> None:
    text = "No complaints at all, you were kind. Please cancel our subscription"
    assert "complaint" not in without_ruled_out(text).lower()
    assert "cancel our subscription" in without_ruled_out(text)


def test_the_new_one_is_what_was_said_before() -> None:
    whole = guess("our card ends. what do you need to bill the new one?", {"refund": 0.95})
    parts = [
        guess("our card ends.", {"refund": 0.9}),
        guess("what do you need to bill the new one?", {"upgrade": 0.95}),
    ]
    assert [i for i, _ in route(whole, parts, IDLE, TOPICS).intents] == ["refund"]


def test_only_so_many_places_are_looked_at_for_a_cut() -> None:
    requests = ["please send the bill of may to us", "please add two seats for the office"]
    told = "the weather was good here"
    assert halves_of("\n".join([told] * 20 + requests))
    assert halves_of("\n".join([told] * 80 + requests)) == []


def test_what_we_call_it_is_no_word_for_what_was_said_before() -> None:
    assert leans("please call it drawing-cache")
    assert not leans("a reader, if that is what you call it")


def test_a_plan_that_makes_no_sense_is_not_asked_for() -> None:
    for text in (
        "lift the limit for three days please. a bigger plan makes no sense for us",
        "ok so what is used up. no no, no bigger plan",
        "it was only a question of ours. no, we don't change the plan for this",
    ):
        assert "plan" not in without_ruled_out(text), text


def test_what_our_people_can_do_is_a_question() -> None:
    assert asks_how_it_is("can our people come in with the account of the company?")
    assert not asks_how_it_is("can our people have two more seats?")


def test_what_shall_not_be_changed_is_not_asked_for() -> None:
    text = "take us down to five places please. The plan itself suits us and shall not be changed."
    assert "plan" not in without_ruled_out(text)


def test_what_there_is_is_only_told() -> None:
    assert merely_states("There's an invoice from you in my inbox.")
    assert not merely_states("is there an invoice of may?")
