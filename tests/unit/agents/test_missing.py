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
        ("Sam Okafor from Nordlicht here, reset a password", False, ""),
    ],
)
def test_users_who_are_not_on_the_account(text: str, asked: bool, missing: str) -> None:
    user = Slot(name="user", type="user", ask="?", source="access.list_users")
    assert not_there(user, text, USERS, asked=asked, today=TODAY) == missing
