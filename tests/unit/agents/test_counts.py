"""Telling how many more from how many in all."""

import pytest

from agents.procedures.counts import change_in, direction_in, move_in, wanted_in_all, wants_unused_gone

TOTALS = [
    ("Seats today: 50. Seats required from today: 54.", 54),
    ("take both off, which makes ten", 10),
    ("please raise our seats to 20", 20),
    ("reduce to 38 seats please", 38),
    ("seats: we have 12 but want 14", 14),
    ("we have 12, make it 16", 16),
    ("from 6 to 9 seats please", 9),
    ("take us from 10 up to fourteen users please", 14),
    ("18 users instead of 15, we're growing", 18),
    ("i need 15 seats in all", 15),
    ("a total of 25 seats", 25),
    ("we're paying for 20 but 13 would do", 13),
    ("only 3 of us left here", 3),
    ("bring the licences down from 50 to 35", 35),
    ("get our head count up to 40", 40),
    ("12 -> 15", 15),
    ("we'd need to be 30 instead of 24", 30),
    ("we have 40 seats but need 25", 25),
    ("Currently we have 50 places. Make 56 of it, the new line needs its people.", 56),
    ("we'd be fine with 27 seats from now on", 27),
    ("so in place of three we will be five to work with it", 5),
    ("a nurse left us, so 39 in place of 40", 39),
    ("instead of 8 we only need 6 places", 6),
    ("the bill says 15 seats but we are only 11, please put it right", 11),
]
CHANGES = [
    ("add 3 seats", 3),
    ("Two colleagues are joining on Monday, we need seats for them.", 2),
    ("increase our seats by 10", 10),
    ("bump seats +6", 6),
    ("seats -3", 3),
    ("one of the 15 left but two new ones come, so we'd need one more", 1),
    ("we have 12 and need 3 more", 3),
    ("there are 12 of us now and 3 are starting next week", 3),
    ("pls add an extra license", 1),
    ("another 4 seats", 4),
    ("no wait, four", 4),
    ("remove 2 seats from invoice 0412", 2),
    ("plus one please", 1),
    ("of our 12 seats 2 can go", 2),
    ("actually make it 3, my boss just told me of another one", 3),
    ("another one please", 1),
    ("31 people use it and we pay for 35 seats. Please remove the four that nobody uses", 4),
    ("wir zahlen 30, sorry, we pay for 30 places and have 28 people, so the two empty ones can go", 2),
]


@pytest.mark.parametrize(("text", "total"), TOTALS)
def test_how_many_in_all(text: str, total: int) -> None:
    assert wanted_in_all(text, None, opening=True) == total


@pytest.mark.parametrize(("text", "change"), CHANGES)
def test_how_many_more_or_fewer(text: str, change: int) -> None:
    assert wanted_in_all(text, None, opening=True) is None
    assert change_in(text) == change


@pytest.mark.parametrize(
    "text", ["from 8 to 10 am", "we pay 20 euros", "invoice 0042", "from 3 to 5 December", "hello"]
)
def test_other_numbers_are_no_counts(text: str) -> None:
    assert wanted_in_all(text, None, opening=True) is None


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("add 2 seats", "more"),
        ("seats -3", "fewer"),
        ("+6 please", "more"),
        ("don't remove any seats, we need two more!", "more"),
        ("we removed too many seats, put 2 back", "more"),
        ("take 2 seats off", "fewer"),
        ("no need to add any, please drop 3 seats", "fewer"),
        ("we gave up three last month, please add 3", "more"),
        ("reduce by 3, we added too many", "fewer"),
        ("give two of them back", "fewer"),
        ("5 seats", None),
    ],
)
def test_whether_it_is_more_or_fewer(text: str, way: str | None) -> None:
    assert direction_in(text) == way


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("no, 15", 15),
        ("one more than that", 17),
        ("half of it", 8),
        ("2 are enough", 2),
        ("take the card that ends", 16),
        ("3 more then", None),
    ],
)
def test_a_correction_of_how_many_in_all(text: str, total: int | None) -> None:
    assert wanted_in_all(text, 16, opening=False) == total


def test_in_a_correction_of_how_many_more_enough_is_not_all() -> None:
    assert wanted_in_all("2 are enough", None, opening=True) == 2
    assert wanted_in_all("2 are enough", None, opening=False) is None


def test_a_number_that_shall_become_another() -> None:
    move = move_in("go from ten to 8 seats")
    assert move is not None
    assert (move.old, move.new) == (10, 8)


def test_two_numbers_between_which_the_writer_decides_are_none_yet() -> None:
    assert change_in("hmm 30 people or 3, let me think.. 3 is right") == 3
    assert change_in("2 or 3 seats") is None


def test_an_hour_is_no_count() -> None:
    assert change_in("they sit here since 8, please add seats") is None


@pytest.mark.parametrize(
    ("text", "way", "count"),
    [
        ("would you take the two extra ones off?", "fewer", 2),
        ("45 booked, 43 in use, so please drop the two spare ones", "fewer", 2),
        ("two extra seats please", "more", 2),
        ("we pay for 11 places and only 9 people sit in them. get rid of the two spare ones pls", "fewer", 2),
    ],
)
def test_the_extra_ones_may_be_those_that_go(text: str, way: str, count: int) -> None:
    assert (direction_in(text), change_in(text)) == (way, count)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("we pay for 12 seats but we're 3", 3),
        ("we only need 5 seats", 5),
        ("we only need 3 seats for the new people", None),
        ("we only need four seats from now on instead of five, so please take one off", 4),
        ("Two, they get their badges at 8", None),
        ("please set us at 8", 8),
        ("I'd want to end up at 13, with one spare chair", 13),
    ],
)
def test_how_many_in_all_a_request_means(text: str, total: int | None) -> None:
    assert wanted_in_all(text, None, opening=True) == total


@pytest.mark.parametrize(
    "text",
    [
        "remove all unused seats please",
        "then only the ones that nobody sits on",
        "cut us down to what we actually use",
        "take the empty places off",
        "everything that is not in use can go",
    ],
)
def test_all_that_nobody_uses_may_go(text: str) -> None:
    assert wants_unused_gone(text)


@pytest.mark.parametrize(
    "text", ["remove 2 of the unused seats", "drop an unused seat", "nobody uses the cache bucket"]
)
def test_some_that_nobody_uses_are_not_all_of_them(text: str) -> None:
    assert not wants_unused_gone(text)


def test_a_number_beside_people_who_are_named_is_not_how_many_are_wanted() -> None:
    assert change_in("Yasmin and the two from Lyon") is None
    assert change_in("the two from Lyon") == 2
    assert change_in("remove these and the two of them upstairs") == 2
