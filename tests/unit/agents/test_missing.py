"""What customers name that is none of their records is said, and nothing else is taken for it."""

from datetime import date

import pytest

from agents.procedures.missing import not_there
from agents.procedures.procedure import Slot

TODAY = date(2026, 12, 15)
INVOICES = [
    {"id": "in_0042", "number": "0042", "issued_on": "2026-12-01"},
    {"id": "in_0041", "number": "0041", "issued_on": "2026-11-01"},
]
USERS = [{"id": "usr_1", "name": "Sam Lee", "email": "sam.lee@nordlicht.example"}]


@pytest.mark.parametrize(
    ("text", "asked", "missing"),
    [
        ("can you send me the invoice of March?", False, "invoice of March 2026"),
        ("why is the march bill so high", False, "invoice of March 2026"),
        ("refund invoice 4410 please", False, "invoice 4410"),
        ("then March", True, "invoice of March 2026"),
        ("march please", True, "invoice of March 2026"),
        ("the november invoice", False, ""),
        ("not the march invoice, the november one", False, ""),
        ("since March the console is slow, send me the last invoice", False, ""),
        ("invoice 42", False, ""),
    ],
)
def test_invoices_that_are_not_on_the_account(text: str, asked: bool, missing: str) -> None:
    invoice = Slot(name="invoice", type="invoice", ask="?", source="billing.list_invoices")
    assert not_there(invoice, text, INVOICES, asked=asked, today=TODAY) == missing


@pytest.mark.parametrize(
    ("text", "asked", "missing"),
    [
        ("Sam Okafor", True, "user called Sam Okafor"),
        ("it's Petra Holm.", True, "user called Petra Holm"),
        ("Sam Lee", True, ""),
        ("cheers", True, ""),
        ("Tom", True, "user called Tom"),
        ("please unlock Tom", False, "user called Tom"),
        ("unlock tom pls", False, "user called Tom"),
        ("Tom is locked out, can you help him?", False, "user called Tom"),
        ("make petra an admin", False, "user called Petra"),
        ("she can't sign in, please reset Petra's password", False, "user called Petra"),
        ("make Brenda Lee a viewer", False, "user called Brenda Lee"),
        ("please unlock McAllister", False, "user called McAllister"),
        ("unlock sam please", False, ""),
        ("reset the password for Samm", False, ""),
        ("unlock her please", False, ""),
        ("make the billing person an admin", False, ""),
        ("My colleague is locked out", False, ""),
        ("she tried last month's password", False, ""),
        ("unlock Sam, not Tom", False, ""),
        ("Sam Okafor from Nordlicht here, reset a password", False, ""),
    ],
)
def test_users_who_are_not_on_the_account(text: str, asked: bool, missing: str) -> None:
    user = Slot(name="user", type="user", ask="?", source="access.list_users")
    assert not_there(user, text, USERS, asked=asked, today=TODAY) == missing


RESOURCES = [
    {"id": "res_1", "name": "old-uploads", "kind": "bucket", "region": "eu-west"},
    {"id": "res_2", "name": "orders-db", "kind": "database", "region": "us-east"},
]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("delete the bucket called old-logs", "resource called old-logs"),
        ("please delete old-logs", "resource called old-logs"),
        ('the queue "jobs" can go', "resource called jobs"),
        ("remove the bucket old-logs", "resource called old-logs"),
        ("delete old-uploads", ""),
        ("delete the bucket called old_upload", ""),
        ("delete the bucket called uploads", ""),
        ("delete the left-over bucket", ""),
        ("delete the bucket in eu-west", ""),
        ("remove our old database", ""),
    ],
)
def test_resources_that_are_not_on_the_account(text: str, missing: str) -> None:
    resource = Slot(name="resource", type="resource", ask="?", source="provisioning.list_resources")
    assert not_there(resource, text, RESOURCES, asked=False, today=TODAY) == missing
