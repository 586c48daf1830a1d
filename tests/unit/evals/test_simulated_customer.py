"""What the simulated customer answers."""

from datetime import UTC, datetime
from typing import Any

from evals.customer import NONE_OF_THESE, YES, SimulatedCustomer
from evals.tickets import Expected, Ticket, TicketMessage


def customer(*texts: str, intent: str | None = "refund_request", **facts: Any) -> SimulatedCustomer:
    ticket = Ticket(
        id="T-1",
        opened_at=datetime(2026, 1, 5, tzinfo=UTC),
        customer="cus_001",
        messages=[TicketMessage(role="customer", text=text) for text in texts],
        facts=facts,
        expected=Expected(intent=intent, disposition="resolved"),
    )
    someone = SimulatedCustomer(ticket)
    someone.opening()
    return someone


def answer(asks: str | None = None, *topics: str, offered: bool = False) -> dict[str, Any]:
    offers = [{"id": "off_1", "tool": "billing.refund", "text": "Shall I?"}] if offered else []
    return {"disposition": "awaiting_customer", "asks": asks, "topics": list(topics), "offers": offers}


def test_chooses_the_matter_that_the_ticket_is_about() -> None:
    assert customer("hm").next_message(answer("topic", "invoice_copy", "refund_request")) == "2"
    assert customer("hm").next_message(answer("topic", "refund_request")) == "yes"
    assert customer("hm", topic="invoice_copy").next_message(answer("topic", "invoice_copy", "refund_request")) == "1"


def test_goes_on_where_it_is_none_of_them_or_says_so_once() -> None:
    someone = customer("hm", "what I mean")
    assert someone.next_message(answer("topic", "invoice_copy")) == "what I mean"
    assert someone.next_message(answer("topic", "invoice_copy")) == NONE_OF_THESE
    assert someone.next_message(answer("topic", "invoice_copy")) is None


def test_whose_matter_is_unknown_says_what_was_recorded() -> None:
    assert customer("hm", "the other thing", intent=None).next_message(answer("topic", "x")) == "the other thing"


def test_answers_a_slot_once_and_agrees_to_an_offer() -> None:
    someone = customer("hm", invoice="the last one")
    assert someone.next_message(answer("invoice")) == "the last one"
    assert someone.next_message(answer("invoice")) is None
    assert someone.next_message(answer(offered=True)) == YES
