"""The simulated customer: says what was recorded, and answers a question about a slot from the ticket's facts.

Customers know what they want: asked which of several matters they mean, they choose the one that the ticket is about;
where it is not among them, they go on with what they had to say, or say that it is none of these. The summary counts
how often they were asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.frame import ASKS_WHICH
from evals.tickets import Ticket

YES = "yes, please go ahead"
NO = "no, please don't"
NONE_OF_THESE = "none of these"


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

    def next_message(self, answer: Mapping[str, Any]) -> str | None:
        """What the customer says to a reply; `answer` is the service's: disposition, asks, topics, offers."""
        if answer["disposition"] in ("escalated", "awaiting_approval"):
            return None
        asks, offers = answer["asks"], answer["offers"]
        if asks == ASKS_WHICH:
            return self._topic(answer["topics"]) or self._recorded()
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

    def _topic(self, topics: list[str]) -> str | None:
        wanted = self.ticket.facts.get(ASKS_WHICH, self.ticket.expected.intent)
        if wanted is None or ASKS_WHICH in self.answered:
            return None
        if wanted not in topics and (more := self._recorded()) is not None:
            return more
        self.answered.add(ASKS_WHICH)
        if wanted not in topics:
            return NONE_OF_THESE
        return "yes" if len(topics) == 1 else str(topics.index(wanted) + 1)

    def _recorded(self) -> str | None:
        messages = self.ticket.customer_messages
        if self.said >= len(messages):
            return None
        self.said += 1
        return messages[self.said - 1]
