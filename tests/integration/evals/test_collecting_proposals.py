"""What the gate would be asked to decide, collected from recorded tickets in processes of their own."""

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr
from served import KEY

from app.settings import Settings
from evals.calibration.proposals import collect
from evals.tickets import Ticket, load_tickets

pytestmark = pytest.mark.slow

DEVELOPMENT = Path(__file__).parents[3] / "evals" / "tickets" / "development.jsonl"


def some(*intents: str) -> list[Ticket]:
    """The first ticket on each matter that ends with an effect."""
    acting = [ticket for ticket in load_tickets([DEVELOPMENT])[0] if ticket.expected.effects]
    return [next(ticket for ticket in acting if ticket.expected.intent == intent) for intent in intents]


def test_each_ticket_is_played_knowing_its_matter_and_not_knowing_it(whole_home: Path) -> None:
    tickets = some("add_seats", "invoice_copy")
    steps: list[None] = []
    settings = Settings(home=whole_home, secret_key=SecretStr(KEY))
    came = collect(tickets, settings, 2, threading.Event(), lambda: steps.append(None))
    known = [proposal for proposal in came.proposals if not proposal.unknown]
    assert [proposal.ticket for proposal in known] == [one.id for one in tickets], "in the order of the tickets"
    assert [(proposal.intent, proposal.right) for proposal in known] == [("add_seats", True), ("invoice_copy", True)]
    assert all(proposal.intent != "add_seats" for proposal in came.proposals if proposal.unknown)
    assert came.not_played == [] and len(steps) == 4, "each of them twice"


def test_what_is_stopped_ends(tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    came = collect(some("invoice_copy"), Settings(home=tmp_path, secret_key=SecretStr(KEY)), 2, stopped)
    assert came.proposals == [] == came.not_played
