"""The working memory of one turn: what was loaded, what has been found out, what will be written down.

It lives in the runtime context, not in the graph's state, so that a checkpoint stays small. What a turn must not lose
(decisions, effects) is written by the gate and the ledger as it happens; the rest is written once, at the end.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage

from agents.brief import Brief
from agents.frame import Frame
from agents.gate.call import Judged, fingerprint
from agents.services import Services
from agents.triage.answers import UNREAD, AnswerOdds
from agents.triage.route import Guess
from records.decision import DecisionRecord
from records.effect import EffectState
from records.identifiers import new_id
from records.offer import Offer
from records.step_up import Entered, without_code
from records.transcript import TurnStart
from tools.provenance import Evidence, typed_values
from tools.tool import IdentityLevel

_BLANKS = re.compile(r"[^\S\n]{3,}")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]{0,2}\n){2,}")
"""They say nothing, and thousands of them would keep the patterns busy that look for what a message says."""


@dataclass
class TurnContext:
    """One turn under way."""

    services: Services
    start: TurnStart
    frame: Frame
    """The dialogue state that the turn starts from."""
    evidence: Evidence
    started: float = field(default_factory=time.monotonic)
    stages_ms: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    guess: Guess | None = None
    answers: AnswerOdds = UNREAD
    """What kind of answer to an offer the message is, where one waits or a matter has just been settled."""
    triage: dict[str, Any] = field(default_factory=dict)
    wish_probability: float = 0.0
    """How sure triage is of what the customer asks for; in a message with several requests, of the clearest."""
    brief: Brief | None = None
    offered_tools: frozenset[str] = frozenset()
    queue: str = "general"
    intent: str | None = None
    scratch: list[BaseMessage] = field(default_factory=list)
    """Proposals and their outcomes in this turn, as the model is shown them."""
    new_frame: dict[str, Any] | None = None
    """The dialogue state that the model proposes for the next turn."""
    said: list[str] = field(default_factory=list)
    judged: dict[str, Judged] = field(default_factory=dict)
    intended: dict[str, str] = field(default_factory=dict)
    """Call id -> effect id."""
    asking: list[tuple[str, Judged]] = field(default_factory=list)
    proposed: dict[str, int] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[DecisionRecord] = field(default_factory=list)
    accepted: dict[str, Offer] = field(default_factory=dict)
    """Fingerprint -> the offer that the customer said yes to."""
    approvals: set[str] = field(default_factory=set)
    declined_note: str = ""
    tool_errors: int = 0
    model: str = ""
    model_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_micros: int = 0
    reply_retries: int = 0
    more_waits: bool = True
    """Whether messages that came during the turn wait for the next one; known when the turn is finished."""
    taken: bool = False
    """Whether a person or another process has taken the turn over: what it finds out no longer counts."""
    code: Entered | None = None
    """The right code that the customer typed in this turn."""
    approval_changed: bool = False
    """Whether the approver approved something else than what was asked for."""
    parked: bool = False
    """Whether the turn waited for an approval: its dialogue state is no longer the conversation's."""

    async def kind_of_answer(self) -> AnswerOdds:
        """What kind of answer to an offer the message is, read once a turn."""
        if self.answers is UNREAD:
            self.answers = await self.services.answers(self.text)
        return self.answers

    @property
    def conversation_id(self) -> str:
        """The conversation's id."""
        return self.start.conversation.id

    @property
    def customer_id(self) -> str:
        """The customer's id."""
        return self.start.conversation.customer_id

    @property
    def turn_id(self) -> str:
        """The turn's id."""
        return self.start.turn.id

    @property
    def text(self) -> str:
        """What the customer wrote since the last turn, less runs of blanks.

        A right code alone is a yes to the offer that asked for it.
        """
        written = "\n".join(message.text for message in self.start.waiting)
        text = _BLANK_LINES.sub("\n\n", _BLANKS.sub("  ", written))
        if self.code is None:
            return text
        open_offers = {offer.id for offer in self.start.offers if offer.state in ("offered", "accepted", "used")}
        return without_code(text) or ("yes" if open_offers & set(self.code.offers) else "here is the code")

    @property
    def stepped_up(self) -> bool:
        """Whether a code that was typed lately still counts."""
        until = self.start.conversation.stepped_up_until
        return until is not None and self.services.clock() < until

    @property
    def told_facts(self) -> dict[str, Any]:
        """What may be told of the customer's records: nothing to a caller of whom the service is not sure."""
        sure = IdentityLevel(self.start.conversation.level).rank >= IdentityLevel.VERIFIED.rank
        return dict(self.facts) if sure else {}

    @property
    def overdue(self) -> bool:
        """Whether the turn has used up its wall time."""
        return time.monotonic() - self.started > self.services.budgets.seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the block's milliseconds to a stage of the turn."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.stages_ms[name] = round(self.stages_ms.get(name, 0.0) + (time.perf_counter() - begin) * 1000, 3)

    def status(self, text: str) -> None:
        """Tell listeners what is being done."""
        self.services.emit(self.conversation_id, "status", {"text": text, "turn_id": self.turn_id})

    def step(self, kind: str, **payload: Any) -> None:
        """Note something for the turn's record."""
        self.steps.append({"kind": kind, "payload": payload})

    def vouch_for(self, tool: str, arguments: dict[str, Any], source: str) -> None:
        """Take values that an approver gave as the house's own."""
        for leaf in typed_values(self.services.registry.get(tool).arguments.model_validate(arguments)):
            if leaf.kind is not None and leaf.value is not None:
                self.evidence.constants.setdefault((leaf.kind, leaf.value), source)

    def verified_tools(self) -> frozenset[str]:
        """Tools with a verified effect in this conversation."""
        return frozenset(row.tool for row in self.start.effects if row.state == EffectState.VERIFIED)

    def decide(self, kind: str, proposal: dict[str, Any], **columns: Any) -> DecisionRecord:
        """A decision record of this turn, not yet written."""
        return DecisionRecord(
            id=new_id("dec"),
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            kind=kind,
            proposal=proposal,
            at=self.services.clock(),
            **columns,
        )


def decision_event(decision: DecisionRecord) -> tuple[str, dict[str, Any]]:
    """A decision as the audit chain holds it: everything but the customer's words."""
    event = {
        "decision": decision.id,
        "kind": decision.kind,
        "verdict": decision.verdict,
        "check": decision.check,
        "policies": list(decision.policies),
    }
    if decision.kind == "call":
        event["tool"] = decision.proposal.get("tool", "")
        event["arguments_sha256"] = fingerprint(event["tool"], decision.proposal.get("arguments", {}))
    return "decision", event


async def begin(services: Services, start: TurnStart) -> TurnContext:
    """Prepare the working memory of a turn from what the records hold."""
    evidence = Evidence()
    for message in start.messages:
        if message.role == "customer":
            evidence.customer_texts.append((message.id, message.text))
    for step in start.steps:
        name, result = step.payload.get("tool", ""), step.payload.get("result")
        if result is not None and name in services.registry:
            evidence.add_earlier(name, services.registry.get(name).result, result)
    frame = Frame.model_validate(start.conversation.frame or {})
    return TurnContext(services=services, start=start, frame=frame, evidence=evidence)
