"""What a slot takes from the customer's words, and what it leaves."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.frame import ActiveProcedure
from agents.procedures.asides import introduced, without_negated, without_signature
from agents.procedures.candidates import Found, Several, all_named, refers_back
from agents.procedures.dates import months_in
from agents.procedures.expressions import Expression
from agents.procedures.procedure import Procedure, Slot
from agents.procedures.slots import answers, clause_about, find, revisions

TODAY = date(2026, 11, 23)
INVOICES = [
    {"id": "in_0042", "number": "0042", "status": "paid", "amount_due": 2900, "issued_on": "2026-11-01"},
    {"id": "in_0041", "number": "0041", "status": "paid", "amount_due": 3100, "issued_on": "2026-10-01"},
    {"id": "in_0040", "number": "0040", "status": "paid", "amount_due": 2900, "issued_on": "2026-09-01"},
]
USERS = [
    {"id": "usr_1", "name": "Iris Vance", "email": "iris.vance@foundry.example", "role": "admin"},
    {"id": "usr_2", "name": "Duncan Reid", "email": "duncan.reid@foundry.example", "role": "admin"},
    {"id": "usr_3", "name": "Sam Ortiz", "email": "sam.ortiz@foundry.example", "role": "member"},
]
RESOURCES = [
    {"id": "res_1", "name": "bucket-2", "kind": "bucket", "region": "us-west"},
    {"id": "res_2", "name": "menu-photos", "kind": "bucket", "region": "eu-west"},
    {"id": "res_3", "name": "orders", "kind": "database", "region": "eu-west"},
]


def slot(kind: str, **more: Any) -> Slot:
    source = {"invoice": "billing.list_invoices", "user": "access.list_users", "resource": "x.list"}.get(kind)
    return Slot(name=kind, type=kind, ask="?", source=source, **more)  # type: ignore[arg-type]


def value(kind: str, text: str, candidates: Any = None, *, asked: bool = False, **more: Any) -> Any:
    found = find(slot(kind, **more), text, candidates, asked=asked, today=TODAY)
    return found.value if isinstance(found, Found) else found


@pytest.mark.parametrize(
    ("text", "count"),
    [("add 3 seats", 3), ("seats +6", 6), ("-5 seats", 5), ("two more please", 2), ("a couple of seats", 2), ("1", 1),
     ("12 in total i mean, so 3 more", 3), ("add 2, not 3", 2), ("we have 12 now, add 4", 4), ("another seat", 1),
     ("then just the two", 2), ("remove ten of them", 10)],
)  # fmt: skip
def test_a_count_is_the_number_that_is_wanted(text: str, count: int) -> None:
    assert value("count", text) == count


@pytest.mark.parametrize(
    "text", ["we need to be at 12 seats", "a total of 20 seats", "some more seats", "invoice 0042"]
)
def test_a_number_that_says_how_many_there_shall_be_is_no_count(text: str) -> None:
    assert value("count", text) is None


@pytest.mark.parametrize(
    ("text", "invoice"),
    [("invoice 0041", "in_0041"), ("the october one", "in_0041"), ("the latest invoice", "in_0042"),
     ("the 31.00 one", "in_0041"), ("september, not october", "in_0040"), ("in_0040", "in_0040"),
     ("no. 41", "in_0041")],
)  # fmt: skip
def test_an_invoice_is_found_by_number_month_amount_or_place(text: str, invoice: str) -> None:
    assert value("invoice", text, INVOICES) == invoice


def test_an_amount_that_fits_two_invoices_leaves_the_choice_to_the_customer() -> None:
    found = value("invoice", "the 29.00 one", INVOICES)
    assert isinstance(found, Several)
    assert {item["id"] for item in found.candidates} == {"in_0042", "in_0040"}


def test_an_invoice_number_that_is_not_theirs_is_never_replaced_by_another() -> None:
    assert isinstance(value("invoice", "what is invoice 0057 for, the latest?", INVOICES), Several)


def test_the_writers_own_name_at_the_end_names_nobody() -> None:
    text = "Duncan left the committee and should be a member, not an admin. Thank you ever so much. Iris Vance"
    assert value("user", text, USERS) == "usr_2"
    assert "Iris" not in without_signature("Kind regards,\nIris Vance")


def test_a_person_is_found_by_first_name_and_by_a_small_typo() -> None:
    assert value("user", "make sam an admin", USERS) == "usr_3"
    assert value("user", "duncann please", USERS) == "usr_2"


def test_the_kind_of_a_thing_is_not_its_name() -> None:
    found = value("resource", "please delete one of our buckets", RESOURCES)
    assert isinstance(found, Several)
    assert value("resource", "delete bucket-2", RESOURCES) == "res_1"
    assert value("resource", "the database", RESOURCES) == "res_3"


def test_a_yes_or_no_is_read_only_from_an_answer() -> None:
    stay: dict[str, Any] = {"choices": {"yes": ["keep it"], "no": ["cancel anyway"]}}
    assert value("yes_no", "yes", asked=True, **stay) is True
    assert value("yes_no", "cancel anyway", asked=True, **stay) is False
    assert value("yes_no", "keep it then", asked=True, **stay) is True
    assert value("yes_no", "yes we want to cancel", **stay) is None


def test_the_longest_phrase_of_a_choice_wins() -> None:
    choices = {"whole": ["all of it"], "portion": ["not all of it", "part of"]}
    assert value("choice", "not all of it please", choices=choices) == "portion"


def test_free_text_is_quoted_named_or_a_short_answer() -> None:
    assert value("text", "a bucket called menu-photos please") == "menu-photos"
    assert value("text", 'name "orders 2"') == "orders 2"
    assert value("text", "archive", asked=True) == "archive"
    assert value("text", "archive") is None


def test_free_text_never_proves_that_a_message_is_an_answer() -> None:
    assert not answers(slot("text"), "archive", None, today=TODAY)
    assert answers(slot("count"), "4 seats then", None, today=TODAY)
    assert not answers(slot("count"), "is there an outage right now", None, today=TODAY)


def test_months_lie_in_the_past() -> None:
    assert months_in("december", TODAY) == ["2025-12"]
    assert months_in("last month", TODAY) == ["2026-10"]
    assert months_in("we may need it", TODAY) == []


def test_a_correction_changes_only_what_it_names() -> None:
    procedure = Procedure(
        "p", "p", "P", "money", "general", [], {"invoice": slot("invoice"), "count": slot("count")}, [], ""
    )
    active = ActiveProcedure(
        name="p", slots={"invoice": "in_0041", "count": 3}, saved={"_invoice": {"invoices": INVOICES}}
    )
    assert revisions(procedure, active, "sorry I meant september, not october", TODAY) == {"invoice": "in_0040"}
    assert revisions(procedure, active, "make it 2", TODAY) == {"count": 2}
    aside = "oops, not that one, i already have 2 copies. I meant september"
    assert revisions(procedure, active, aside, TODAY) == {"invoice": "in_0040"}
    assert revisions(procedure, active, "hm", TODAY) == {}


def test_what_is_ruled_out_is_taken_out() -> None:
    assert "october" not in without_negated("september, not october")
    assert "admin" not in without_negated("a member instead of an admin")


@given(st.text(max_size=200))
def test_no_text_breaks_a_slot(text: str) -> None:
    for kind, candidates in (("count", None), ("month", None), ("invoice", INVOICES), ("user", USERS), ("text", None)):
        for asked in (True, False):
            find(slot(kind), text, candidates, asked=asked, today=TODAY)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("please add 7 seats. Sorry, 6.", 6),
        ("add 2 seats, no wait, 3", 3),
        ("5 seats - i mean 6", 6),
        ("sorry to bother you, 3 seats please", 3),
        ("I can't wait, add 3 seats", 3),
        ("sorry for the hassle but we need 2 seats", 2),
    ],
)
def test_what_is_taken_back_in_the_same_breath_does_not_count(text: str, count: int) -> None:
    assert value("count", text) == count


ROLES = {"admin": ["an admin", "full access"], "billing": ["accounting"], "member": ["normal"], "viewer": ["read only"]}


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("change Gina from billing to member, she no longer does the accounting", "member"),
        ("she is a member, give her full access", "admin"),
        ("he is a member and needs read only", "viewer"),
        ("make Tom an admin", "admin"),
    ],
)
def test_a_choice_is_what_something_shall_become(text: str, role: str) -> None:
    slot = Slot("role", "choice", "?", choices={name: [name, *phrases] for name, phrases in ROLES.items()})
    found = find(slot, text, None, asked=False, today=TODAY)
    assert found == Found(role)


def test_who_corrects_themselves_means_the_other_of_two_that_they_name() -> None:
    slot = Slot(name="invoice", type="invoice", ask="?", source="billing.list_invoices")
    text = "sorry, i looked in the wrong line. 0041 it is, 0042 is ok"
    assert find(slot, text, INVOICES, asked=False, today=TODAY, current="in_0042") == Found("in_0041")


@pytest.mark.parametrize(
    ("text", "invoice"),
    [
        ("October is fine, it's September that I'd like back", "in_0040"),
        ("oops, the other month. october i meant, november we did need", "in_0041"),
        ("shut from 28 September until the 2nd of this month, so October's fee should come back", "in_0041"),
    ],
)
def test_a_month_that_is_all_right_or_ends_a_time_is_not_the_one_that_is_meant(text: str, invoice: str) -> None:
    assert value("invoice", text, INVOICES) == invoice


def test_records_in_a_story_are_not_a_list() -> None:
    text = "orders is what finance works with and menu-photos went to the agency and bucket-2 is empty. Get rid of that"
    found = find(slot("resource"), text, RESOURCES, asked=False, today=TODAY)
    assert isinstance(found, Several)
    assert all_named(slot("resource"), found, text, TODAY) == []
    listed = "please delete bucket-2, menu-photos and the database orders"
    found = find(slot("resource"), listed, RESOURCES, asked=False, today=TODAY)
    assert isinstance(found, Several)
    assert all_named(slot("resource"), found, listed, TODAY) == ["res_1", "res_2", "res_3"]


def test_what_is_named_where_something_is_asked_for_is_meant() -> None:
    text = "orders is what finance works with and menu-photos went to the agency. Get rid of bucket-2, would you"
    assert value("resource", text, RESOURCES) == "res_1"
    text = "october's is past saving, could you send us that one again? november got dry again, a bit crunchy"
    assert value("invoice", text, INVOICES) == "in_0041"


def test_what_is_still_used_is_not_meant() -> None:
    text = "orders and menu-photos are still used by the shop. The bucket bucket-2 holds nothing, delete that one"
    assert value("resource", text, RESOURCES) == "res_1"


def test_papers_that_somebody_has_are_not_asked_for() -> None:
    text = "Ann already has september and november in the folder, the one that's missing is october"
    assert value("invoice", text, INVOICES) == "in_0041"


def test_a_month_to_be_left_is_not_meant() -> None:
    text = "The $29 for September please. November we're open again, so leave that."
    assert value("invoice", text, INVOICES) == "in_0040"


def test_the_month_of_may_is_told_from_the_verb() -> None:
    assert months_in("May, 156 dollars", TODAY) == ["2026-05"]
    assert months_in("what is missing is may.", TODAY) == ["2026-05"]
    assert months_in("may I ask something, it may be late", TODAY) == []


def test_a_story_changes_nothing_that_was_settled() -> None:
    text = "we were shut since end of october for the works in the kitchen"
    found = find(slot("invoice"), text, INVOICES, asked=False, today=TODAY, current="in_0042")
    assert not isinstance(found, Found)


def test_who_says_ah_no_means_the_one_after_it() -> None:
    assert value("user", "a link for Sam Ortiz. Ah no, Iris Vance, Sam has his again", USERS) == "usr_1"


def test_of_two_months_that_are_named_neither_is_taken() -> None:
    assert isinstance(value("invoice", "something is odd with October and with this month", INVOICES), Several)


def test_papers_that_the_writer_has_are_not_asked_for() -> None:
    text = "I have October and November in my folder, the one before is torn"
    assert find(slot("invoice"), text, INVOICES, asked=False, today=TODAY) is None


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("delete menu-photos for good. Everything else shall stay as it is", None),
        ("bucket-2 can go, keep everything else", None),
        ("keep orders, delete everything else", "the_lot"),
        ("delete everything", "the_lot"),
    ],
)
def test_what_shall_stay_is_not_chosen(text: str, extent: str | None) -> None:
    assert value("choice", text, choices={"the_lot": ["everything", "all of them"]}) == extent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("october and november invoices please", ["in_0042", "in_0041"]),
        ("the ones for September, October and November", ["in_0042", "in_0041", "in_0040"]),
        ("invoices 0042 and 0041", ["in_0042", "in_0041"]),
        ("could I have the invoices for october and november again", ["in_0042", "in_0041"]),
        ("we'd like to have october and november", ["in_0042", "in_0041"]),
        ("we closed in October, and we stayed shut for the whole of November", []),
        ("october or november", []),
    ],
)
def test_records_named_one_by_one_are_all_meant(text: str, expected: list[str]) -> None:
    slot = Slot(name="invoice", type="invoice", ask="?", source="billing.list_invoices")
    found = find(slot, text, INVOICES, asked=False, today=TODAY)
    assert isinstance(found, Several)
    assert all_named(slot, found, text, TODAY) == expected


def test_a_part_of_a_name_beside_another_first_name_is_somebody_else() -> None:
    slot = Slot(name="user", type="user", ask="?", source="access.list_users")
    assert find(slot, "Please give Brenda Vance access", USERS, asked=False, today=TODAY) is None
    assert find(slot, "Brenda Vance, she is new", USERS, asked=True, today=TODAY) is None
    assert find(slot, "Please give Iris Vance access", USERS, asked=False, today=TODAY) == Found("usr_1")
    assert find(slot, "please make Vance admin", USERS, asked=False, today=TODAY) == Found("usr_1")


def test_a_choice_is_not_what_something_is_for() -> None:
    kinds = {"cache": ["cache", "redis"], "cluster": ["cluster", "server"]}
    for text, kind in (
        ("we'd like a redis to take load off the server", "cache"),
        ("a cache instead of the server please", "cache"),
        ("for our redis users we need a server", "cluster"),
        ("something for our server", "cluster"),
    ):
        assert value("choice", text, choices=kinds) == kind, text


def test_a_choice_is_not_what_something_is_like() -> None:
    kinds = {"queue": ["message queue"], "database": ["database"]}
    assert value("choice", "a message queue in the same region as the database", choices=kinds) == "queue"
    assert value("choice", "a message queue, the region the same as the database", choices=kinds) == "queue"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a small one, and as name please orders-2", "orders-2"),
        ("with orders-2 as the name", "orders-2"),
        ("as its name we would like orders", "orders"),
    ],
)
def test_a_name_stands_on_either_side_of_the_word(text: str, name: str) -> None:
    assert value("text", text) == name


def test_of_an_answer_about_two_matters_the_clause_counts_that_names_this_one() -> None:
    answer = "Sam Ortiz for the role, Iris Vance for the password"
    assert clause_about(answer, "Change a user's role") == "Sam Ortiz for the role"
    assert clause_about(answer, "Reset a password") == "Iris Vance for the password"
    assert clause_about("Sam Ortiz", "Change a user's role") == ""


def test_a_choice_is_not_what_was_paid_already() -> None:
    extents = {"every": ["all bills", "every bill", "all our invoices"]}
    for text in (
        "All bills are settled, start us again. And a copy of November's",
        "we paid every bill, now a copy of November's",
        "all our invoices have been paid",
        "have we paid for all our invoices?",
    ):
        assert value("choice", text, choices=extents) is None, text
    for text in (
        "all bills of the year please",
        "every bill you sent us; they are paid",
        "send me all our invoices that were paid",
    ):
        assert value("choice", text, choices=extents) == "every", text


def test_a_choice_that_is_not_wanted_is_not_chosen() -> None:
    slot = Slot(name="role", type="choice", ask="?", choices={"admin": ["administrator"], "member": ["normal one"]})
    text = "i dont want to be the administrator of this thing. put me as a normal one please"
    assert find(slot, text, None, asked=False, today=TODAY) == Found("member")
    only = "I don't want to be the administrator"
    assert find(slot, only, None, asked=False, today=TODAY) == Found("admin")  # nothing else is named: the offer tells


def test_of_several_records_called_by_name_none_is_taken_before_the_others() -> None:
    slot = Slot(name="resource", type="resource", ask="?")
    items = [
        {"id": "res_1", "name": "batch", "kind": "cluster"},
        {"id": "res_2", "name": "mail-queue", "kind": "queue"},
        {"id": "res_3", "name": "reports", "kind": "bucket"},
        {"id": "res_4", "name": "mail", "kind": "cache"},
    ]
    found = find(slot, "batch, reports and mail-queue can go", items, asked=False, today=TODAY)
    assert isinstance(found, Several)
    assert [item["id"] for item in found.candidates] == ["res_1", "res_2", "res_3"]
    assert all_named(slot, found, "batch, reports and mail-queue can go", TODAY) == ["res_1", "res_2", "res_3"]
    assert find(slot, "mail-queue can go", items, asked=False, today=TODAY) == Found("res_2")


def test_names_below_a_letter_name_its_writer() -> None:
    letter = "Please reset the password of Gary Mills.\n\nHelen Ward\nCopper Kettle Catering"
    assert without_signature(letter) == "Please reset the password of Gary Mills."
    assert without_signature("Please reset the password of\nHelen Ward") == "Please reset the password of\nHelen Ward"
    assert without_signature("Helen Ward") == "Helen Ward"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("orders must stay, menu-photos goes", "resource", "res_2"),
        ("menu-photos, please. Keep bucket-2 and orders.", "resource", "res_2"),
        ("drop bucket-2 but leave orders alone", "resource", "res_1"),
        ("bucket-2 and orders must stay!", "resource", None),
        ("sam ortiz, the other one keeps what he has", "user", "usr_3"),
        ("Iris stays admin, Duncan becomes a viewer", "user", "usr_2"),
        ("Sam Ortiz keeps getting locked out", "user", "usr_3"),
        ("Sam Ortiz stays locked out", "user", "usr_3"),
        ("For November all is well, leave it as is. October please", "invoice", "in_0041"),
    ],
)
def test_records_that_shall_stay_as_they_are_are_not_meant(text: str, kind: str, expected: str | None) -> None:
    records: Any = {"resource": RESOURCES, "user": USERS, "invoice": INVOICES}[kind]
    assert value(kind, text, records) == expected


def test_what_shall_stay_changes_nothing_that_was_settled() -> None:
    kept = find(slot("resource"), "orders must stay", RESOURCES, asked=False, today=TODAY, current="res_1")
    assert kept is None


def test_a_phrase_of_a_choice_can_hold_any_number() -> None:
    extents = {"part": ["those {n} days", "last {n} weeks"]}
    for text in ("for those eleven days", "those 3 days only", "the last two weeks"):
        assert value("choice", text, choices=extents) == "part", text
    for text in ("those days", "those many days", "last week"):
        assert value("choice", text, choices=extents) is None, text


def test_months_of_which_it_is_said_that_they_stay_are_not_meant() -> None:
    text = "october and september were normal, those stay how they are"
    assert find(slot("invoice"), text, INVOICES, asked=False, today=TODAY, current="in_0042") is None


def test_a_correction_of_what_somebody_shall_become_means_nobody_else() -> None:
    text = "hm no, viewer is too little for him, make him a plain member"
    iris = "usr_1"
    assert find(slot("user"), text, USERS, asked=False, today=TODAY, current=iris) is None
    roles = slot("choice", choices=ROLES | {"member": ["plain member"]})
    assert find(roles, text, None, asked=False, today=TODAY) == Found("member")
    assert value("user", "reset the password of the member", USERS) == "usr_3"


def test_who_writes_is_not_who_is_meant_unless_nobody_else_is_named() -> None:
    assert value("user", "Iris here. Sam Ortiz is locked out", USERS) == "usr_3"
    assert value("user", "this is iris vance from the foundry, duncan cannot sign in", USERS) == "usr_2"
    assert value("user", "Sam Ortiz is locked out, can you help?\n\nTa,\nIris Vance", USERS) == "usr_3"
    assert value("user", "Iris Vance here, I am locked out", USERS) == "usr_1"


def test_a_plan_is_corrected_by_its_name() -> None:
    plans = [
        {"plan": "team", "price": 1200},
        {"plan": "business", "price": 2900},
        {"plan": "enterprise", "price": 5900},
    ]
    text = "no wait, business is enough for us"
    assert find(slot("plan"), text, plans, asked=False, today=TODAY, current="enterprise") == Found("business")


def test_who_is_fine_is_not_meant() -> None:
    assert value("user", "the Ortiz one, Iris is fine as is", USERS, asked=True) == "usr_3"
    assert value("user", "a link for Sam Ortiz, no for Duncan, his is fine", USERS) == "usr_3"


def test_who_begins_with_name_and_company_is_not_meant() -> None:
    text = "Iris Vance, The Foundry. Duncan leaves the technical side, an ordinary member will do for him"
    assert value("user", text, USERS) == "usr_2"


def test_a_record_that_is_named_again_is_not_changed_for_one_beside_it() -> None:
    text = "delete menu-photos, and only that, orders runs the shop"
    assert find(slot("resource"), text, RESOURCES, asked=False, today=TODAY, current="res_2") is None
    other = find(slot("resource"), "no, orders, not menu-photos", RESOURCES, asked=False, today=TODAY, current="res_2")
    assert other == Found("res_3")


def test_a_choice_that_is_not_the_one_is_not_chosen() -> None:
    kinds = {"overview": ["security overview"], "agreement": ["process data"]}
    text = "the paper on how you process data. The security overview she has, so not that one please"
    assert value("choice", text, choices=kinds) == "agreement"
    assert value("choice", "She won't be needing full access, normal will do", choices=ROLES) == "member"


def test_only_somebody_is_who_was_settled_already() -> None:
    assert find(slot("user"), "Iris is in, only Sam", USERS, asked=False, today=TODAY, current="usr_3") is None
    ruled = "no nothing for duncan, he's fine the way he is. just sam"
    assert find(slot("user"), ruled, USERS, asked=False, today=TODAY, current="usr_3") in (None, Found("usr_3"))


def test_a_number_alone_counts_after_words_that_take_one_back() -> None:
    for text in ("pardon, it's three. the nephew comes too", "oops, 3", "sorry, make it three please"):
        assert value("count", text) == 3, text


def test_what_stays_among_the_rest_is_not_meant() -> None:
    text = "orders can be deleted. All the other things stay where they are, also bucket-2, it only looks dead"
    assert value("resource", text, RESOURCES) == "res_3"


def test_a_plan_is_named_by_its_price() -> None:
    plans = [{"plan": "team", "price_per_seat": 1050}, {"plan": "business", "price_per_seat": 2500}]
    assert value("plan", "the one for £10.50 a head", plans, asked=True) == "team"


def test_a_choice_that_is_ruled_out_is_not_chosen() -> None:
    kinds = {"overview": ["security brochure"], "log": ["sign-ins over"]}
    text = "the list of all sign-ins over three months. Not the security brochure, I have those"
    assert value("choice", text, choices=kinds) == "log"
    assert value("choice", "it was not used", choices={"unused": ["not used"]}) == "unused"


def test_who_writes_from_somewhere_is_not_meant() -> None:
    assert value("user", "Hello,\n\nIris Vance from The Foundry. Our Duncan is shut out", USERS) == "usr_2"


def test_a_month_of_the_story_is_not_the_present_one() -> None:
    text = "September was good, but in October we had the shop closed. Would you pay us back the money of this month?"
    assert isinstance(value("invoice", text, INVOICES), Several)


@pytest.mark.parametrize("text", ["don't refund 0042, refund 0041", "refund 0042? no, 0041 please"])
def test_a_record_that_is_named_to_be_taken_back_is_not_kept(text: str) -> None:
    assert find(slot("invoice"), text, INVOICES, asked=False, today=TODAY, current="in_0042") == Found("in_0041")


def revised(kind: str, text: str, current: Any, candidates: Any) -> dict[str, Any]:
    of = slot(kind)
    procedure = Procedure("p", "p", "P", "account", "general", [], {kind: of}, [], "")
    saved = {f"_{kind}": {"items": candidates}} if candidates else {}
    active = ActiveProcedure(name="p", slots={kind: current}, saved=saved)
    return revisions(procedure, active, text, TODAY)


SAMS = [
    {"id": "usr_1", "name": "Eva Brandt", "email": "eva@nordlicht.example", "role": "admin"},
    {"id": "usr_2", "name": "Sam Lee", "email": "sam.lee@nordlicht.example", "role": "member"},
    {"id": "usr_3", "name": "Sam Ortiz", "email": "sam.ortiz@nordlicht.example", "role": "member"},
]


def test_the_other_one_shares_a_name_with_the_one_so_far() -> None:
    assert revised("user", "it's the other one who stops", "usr_2", SAMS) == {"user": "usr_3"}
    assert revised("user", "it's Lee. the other one is me", "usr_2", SAMS) == {}


def test_a_writer_who_says_who_they_are_is_not_meant() -> None:
    assert value("user", "ortiz obvs, im lee and im in lol", SAMS, asked=True) == "usr_3"


def test_the_invoice_before_that_is_the_next_older_one() -> None:
    assert revised("invoice", "and the one from the month before that", "in_0042", INVOICES) == {"invoice": "in_0041"}
    assert revised("invoice", "and the one from the month before that", "in_0040", INVOICES) == {}


@pytest.mark.parametrize(
    "text", ["Splendid. And what we've paid for those two, does that come back?", "13, is that every month?"]
)
def test_a_question_how_things_are_changes_no_number(text: str) -> None:
    assert revised("count", text, 1, None) == {}


def test_a_question_may_ask_for_another_number() -> None:
    assert revised("count", "could we make it 5?", 2, None) == {"count": 5}


def test_one_less_is_told_from_the_number_before() -> None:
    assert revised("count", "so it's one less that I need", 3, None) == {"count": 2}


def test_users_are_gone_through_one_by_one_where_their_full_names_stand_in_a_list() -> None:
    both = find(slot("user"), "Sam Lee, and Eva Brandt", SAMS, asked=True, today=TODAY)
    assert isinstance(both, Several)
    assert sorted(all_named(slot("user"), both, "Sam Lee, and Eva Brandt", TODAY)) == ["usr_1", "usr_2"]
    sams = find(slot("user"), "Sam and the designer", SAMS, asked=True, today=TODAY)
    assert isinstance(sams, Several)
    assert all_named(slot("user"), sams, "Sam and the designer", TODAY) == []


def test_last_year_is_no_invoice() -> None:
    assert value("invoice", "the invoice for last year", INVOICES) is None
    assert value("invoice", "the last invoice", INVOICES) == "in_0042"


def test_what_somebody_has_everything_of_is_not_all_that_there_is() -> None:
    extent = slot("choice", choices={"the_lot": ["everything", "all of them"]})
    found = find(extent, "We've got everything we need out of it, so delete it", None, asked=False, today=TODAY)
    assert found is None
    assert find(extent, "delete everything", None, asked=False, today=TODAY) == Found("the_lot")


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("can I get that invoice again", True),
        ("please refund what is left of it", True),
        ("send me that one too", True),
        ("send me an invoice please, it's for our books", False),
        ("which invoices are open", False),
    ],
)
def test_what_refers_to_an_invoice_that_was_spoken_of(text: str, back: bool) -> None:
    assert refers_back(slot("invoice"), text) is back


def test_an_address_is_taken_from_the_words() -> None:
    address = slot("email", optional=True)
    found = find(address, "send it to Hello@DustyBoxes.example, please", None, asked=False, today=TODAY)
    assert found == Found("hello@dustyboxes.example")
    assert find(address, "send it @ once", None, asked=False, today=TODAY) is None


def test_of_two_the_one_that_is_not_ruled_out() -> None:
    assert value("user", "Not Ortiz, the other one please", SAMS[1:], asked=True) == "usr_2"
    assert revised("user", "not Ortiz, the other one", "usr_2", SAMS) == {}


def test_what_a_correction_leaves_as_it_was_is_not_looked_for_before_it() -> None:
    said = "and october also maybe? hm no, forget october, we were open then. so only november"
    assert revised("invoice", said, "in_0042", INVOICES) == {}
    assert revised("invoice", "october. hm no, september", "in_0042", INVOICES) == {"invoice": "in_0040"}


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("then take the one in between", "team"),
        ("the next one up then", "team"),
        ("the next one down", None),
        ("take the one in the catalogue", None),
    ],
)
def test_a_plan_by_its_place(text: str, plan: str | None) -> None:
    plans = [{"plan": name} for name in ("starter", "team", "business", "enterprise")]
    by_place = slot("plan", present=Expression("subscription.plan"))
    procedure = Procedure("p", "p", "p", "account", "billing", [], {"plan": by_place}, [], "")
    active = ActiveProcedure(
        name="p", slots={"plan": "starter"}, saved={"_plan": {"plans": plans}, "subscription": {"plan": "business"}}
    )
    assert revisions(procedure, active, text, TODAY) == ({"plan": plan} if plan else {})


def test_who_apologises_names_no_reason() -> None:
    reason = slot("choice", choices={"something_else": ["mistake", "by mistake"], "outage": ["was down"]})
    assert find(reason, "the 15 have arrived already, my mistake.", None, asked=False, today=TODAY) is None
    assert find(reason, "we ordered it by mistake", None, asked=False, today=TODAY) == Found("something_else")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Morning! Neil Baird, Kestrel Insurance, back at my desk", "Neil Baird"),
        ("Hi, this is Ann Lee from the bakery. I forgot my password", "Ann Lee"),
        ("I forgot my password.\n\nBest,\nAnn Lee\nCorner Bakery", "Ann Lee"),
        ("gary here, I forgot my password", ""),
        ("I forgot my password", ""),
        ("Please reset Ann Lee's password", ""),
    ],
)
def test_who_writes_says_so_at_the_beginning_or_the_end(text: str, name: str) -> None:
    assert introduced(text) == name


def test_what_there_is_none_of_changes_no_choice_and_may_be_one() -> None:
    role = slot("choice", choices={"billing": ["invoices"], "viewer": ["look"]})
    text = "no invoices, good, that's how I want it"
    assert find(role, text, None, asked=False, today=TODAY, current="viewer") is None
    correction = slot("choice", choices={"corrected": ["vat number"]})
    assert find(correction, "it is without our VAT number", None, asked=False, today=TODAY) == Found("corrected")
    kind = slot("choice", choices={"database": ["database"], "cache": ["cache"]})
    assert find(kind, "same place as our database", None, asked=False, today=TODAY, current="cache") is None


@pytest.mark.parametrize("text", ["Kai should be billing. Or no, viewer", "billing, or wait, viewer please"])
def test_what_is_taken_back_at_once_does_not_count(text: str) -> None:
    role = slot("choice", choices={"billing": ["billing"], "viewer": ["viewer"]})
    assert find(role, text, None, asked=False, today=TODAY) == Found("viewer")


def test_whether_it_is_paid_does_not_say_which_invoice() -> None:
    invoices = [{**INVOICES[0], "status": "open"}, *INVOICES[1:]]
    assert value("invoice", "has my invoice been paid?", invoices) is None
    assert isinstance(value("invoice", "send me the paid invoices", invoices), Several)
    assert value("invoice", "which one is open", invoices) == "in_0042"
