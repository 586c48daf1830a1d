"""What is under way in one turn: the matters at hand, those that wait, and the words said so far.

Procedures are carried out in generators that yield each tool call that they propose and are sent what became of it.
They hold no connection and call nothing, so a turn can be replayed from the outcomes so far.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from agents.brief import Brief
from agents.frame import ActiveProcedure, Frame
from agents.procedures.procedure import Procedure, ProcedureLibrary
from agents.procedures.replies import Templates

MAX_ASKED = 2
SURE = 0.6
"""Probability of an intent below which its first question is the only one: then a person, not a guess."""
RELEVANT = 0.5
"""Retrieval relevance from which a passage may be quoted as an answer."""
RELEVANT_IF_ASKED = 0.3
"""The same where triage takes the message for a question: relevance takes what has an answer and what has none for
equally likely, and of such questions at least seven in ten have one (0.3 / 0.7 times 7 / 3 is even)."""


@dataclass(frozen=True)
class Call:
    """A tool call that the procedure proposes."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a proposed call."""

    result: dict[str, Any] | None = None
    problem: str = ""
    changed: bool = False
    """Whether the call may have changed something, so that earlier look-ups no longer count."""


@dataclass(frozen=True)
class Speech:
    """The end of a turn: what to say, and whether it answers, asks or hands over."""

    text: str
    kind: Literal["reply", "question", "escalate"]
    queue: str = ""
    why: str = ""
    citations: tuple[str, ...] = ()


Proposals = Generator[Call, Outcome, Speech]


class Stop(Exception):
    """Ends the turn from within a procedure."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech


class StartOver(Exception):
    """The procedure goes through its steps again, with what it now knows."""


class TopicChange(Exception):
    """The message starts another request instead of answering the question."""


class UnderWay:
    """What is under way in one turn. `frame` is the dialogue state as it stands at the latest proposal."""

    def __init__(
        self, brief: Brief, library: ProcedureLibrary, templates: Templates, *, carried_out: bool = False
    ) -> None:
        """`carried_out`: what the customer agreed to in this message has been done."""
        self.brief, self.library, self.templates = brief, library, templates
        self.carried_out = carried_out
        self.frame: Frame = brief.frame.model_copy(deep=True)
        self.today = date.fromisoformat(brief.today)
        self.spoken: list[str] = []
        self.citations: list[str] = []
        self._asked_for = brief.route.kind == "start"
        """Whether triage, or the customer when asked, says which matter it is."""
        self._only_chose = False
        """Whether the message chooses a matter by its place and says nothing else."""
        self._consumed = False
        """Whether the message was about another matter than the one that waits for an answer."""

    def _start(self, intents: tuple[tuple[str, str], ...]) -> None:
        known = [(intent, words) for intent, words in intents if self.library.for_intent(intent)]
        if not known:
            self._out_of_scope()
            return
        order = {"information": 0, "account": 1, "compliance": 1, "money": 2, "access": 3}
        known.sort(key=lambda pair: order[self.library.for_intent(pair[0]).risk])  # type: ignore[union-attr]
        substantial = [pair for pair in known if not self.library.for_intent(pair[0]).small_talk]  # type: ignore[union-attr]
        first, *rest = substantial or known
        self.frame.pending = [waits for waits in self.frame.pending if not self._opposite(waits[0], known)]
        self.frame.pending += rest
        if rest:
            topics = [self.library.for_intent(intent).title for intent, _ in (first, *rest)]  # type: ignore[union-attr]
            self.spoken.append(self._system("system_several", topics=topics))
        self.frame.clarifying = []
        doubtful = len(known) == 1 and dict(self.brief.ranking).get(first[0], 1.0) < SURE
        self._push(*first, doubtful=doubtful)

    def _opposite(self, intent: str, requests: Sequence[tuple[str, str]]) -> bool:
        """Whether a request that waits ends in what one of these ends in, so that the later one counts."""
        procedure = self.library.for_intent(intent)
        twice = procedure is not None and procedure.risk == "money"  # one refund takes no other one back
        return not twice and any(frozenset((intent, other)) in self.library.topics.kin for other, _ in requests)

    def _push(self, intent: str, words: str, *, doubtful: bool = False) -> None:
        procedure = self.library.for_intent(intent)
        if procedure is None:
            return
        kept = (active for active in self.frame.stack if not self._replaced(active, procedure))
        self.frame.stack = list(kept)[-2:]
        self.frame.stack.append(ActiveProcedure(name=procedure.name, opening=words, doubtful=doubtful))
        self._consumed = True

    def _replaced(self, active: ActiveProcedure, by: Procedure) -> bool:
        """Whether a matter under way ends in what another one ends in, so that the later one takes its place."""
        return active.name == by.name or self._opposite(self._procedure(active).intent, [(by.intent, "")])

    def _starts_another(self, active: ActiveProcedure) -> bool:
        """Whether the message asks for something else than the matter under way, not for the same in other words."""
        here = self._procedure(active).intent
        return self.brief.route.kind == "start" and any(intent != here for intent, _ in self.brief.route.intents)

    def _not_understood(self) -> None:
        """The customer is asked once; whoever is not understood a second time gets a person, not a guess."""
        self.frame.failed_turns += 1
        if self.frame.failed_turns > 1:
            raise Stop(self._hand_over(self._queue(), "the request was not understood, also after a question"))

    def _out_of_scope(self) -> None:
        self._not_understood()
        raise Stop(Speech(self._system("system_out_of_scope"), "question"))

    # Words and names

    def _hand_over(self, queue: str, why: str) -> Speech:
        return Speech("", "escalate", queue, why)

    def _queue(self) -> str:
        return self._procedure(self.frame.active).queue if self.frame.active else self.brief.likely_queue

    def _procedure(self, active: ActiveProcedure) -> Procedure:
        return self.library.get(active.name)

    def _names(self, active: ActiveProcedure) -> dict[str, Any]:
        return {
            **active.saved,
            "slots": active.slots,
            "customer": {**self.brief.customer, "writer": self._writer(active)},
            "company": self.brief.company,
            "today": self.brief.today,
        }

    def _writer(self, active: ActiveProcedure) -> str:
        """The address of whoever writes: of the user who introduced themselves, else of the contact on record."""
        users = (active.saved.get("people") or {}).get("users", [])
        named = [user["email"] for user in users if self.brief.writer and user.get("name") == self.brief.writer]
        return named[0] if len(named) == 1 else str(self.brief.customer.get("contact_email", ""))

    def _system(self, name: str, **names: Any) -> str:
        return self.templates.reply(name, {"company": self.brief.company, "customer": self.brief.customer, **names})

    def _text(self) -> str:
        return "\n\n".join(part for part in self.spoken if part)
