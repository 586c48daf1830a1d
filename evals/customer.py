"""The simulated customer: says what was recorded, and answers a question about a slot from the ticket's facts."""

from dataclasses import dataclass, field
from typing import Any

from evals.tickets import Ticket

YES = "yes, please go ahead"
NO = "no, please don't"


@dataclass
class SimulatedCustomer:
    """One ticket's customer. `next_message` gives their next words, or None when they have nothing more to say."""

    ticket: Ticket
    said: int = 0
    answered: set[str] = field(default_factory=set)

    def opening(self) -> str:
        """The first words."""
        self.said = 1
        return self.ticket.customer_messages[0]

    def next_message(self, disposition: str, asks: str | None, offers: list[dict[str, Any]]) -> str | None:
        """What the customer says to a reply that left the conversation in `disposition`."""
        if disposition in ("escalated", "awaiting_approval"):
            return None
        facts = self.ticket.facts
        if offers:
            if "confirm" in facts and "confirm" not in self.answered:
                self.answered.add("confirm")
                return YES if facts["confirm"] else NO
            return self._recorded() or (YES if facts.get("confirm", True) else NO)
        if asks is not None and asks in facts:
            if asks in self.answered:
                return self._recorded()
            self.answered.add(asks)
            value = facts[asks]
            return ("yes" if value else "no") if isinstance(value, bool) else str(value)
        return self._recorded()

    def _recorded(self) -> str | None:
        messages = self.ticket.customer_messages
        if self.said >= len(messages):
            return None
        self.said += 1
        return messages[self.said - 1]
