"""What the nodes work with: handed to the graph as LangGraph's runtime context, wired together in `app/runtime.py`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_core.messages import AIMessage, BaseMessage

from agents.gate.call import CallGate
from agents.gate.reply import ReplyRules
from agents.knowledge.passage import Passage
from agents.procedures.procedure import ProcedureLibrary
from agents.procedures.replies import Templates
from agents.triage.answers import ReadAnswers
from agents.triage.escalation import EscalationRules
from agents.triage.route import Guess
from records.clock import Clock
from records.database import Database
from records.step_up import StepUp
from records.transcript import Transcript
from tools.ledger import Ledger
from tools.registry import ToolRegistry


@dataclass(frozen=True)
class Budgets:
    """What one turn may use before it is ended and handed to a person."""

    model_calls: int = 12
    repeats: int = 3
    """How often one call with the same arguments may be proposed."""
    seconds: float = 60.0


@dataclass(frozen=True)
class ModelAnswer:
    """A model's proposal with what it cost."""

    message: AIMessage
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_micros: int = 0
    note: str = ""
    """What went wrong before this answer, where a fallback gave it."""


class Proposer(Protocol):
    """Proposes the next step of a turn."""

    async def propose(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        """The next proposal. Raises `agents.errors.ModelUnavailable`."""
        ...


Emit = Callable[[str, str, dict[str, Any]], None]
"""``(conversation id, kind, payload)``: tells live listeners something that need not be remembered."""


@dataclass(frozen=True)
class Services:
    """The parts that all turns share."""

    database: Database
    transcript: Transcript
    registry: ToolRegistry
    gate: CallGate
    ledger: Ledger
    rules: ReplyRules
    escalation: EscalationRules
    library: ProcedureLibrary
    templates: Templates
    classify: Callable[[list[str]], Awaitable[list[Guess]]]
    answers: ReadAnswers
    """What kind of answer to an offer a message is."""
    search: Callable[[str, frozenset[str]], Awaitable[tuple[list[Passage], float]]]
    customer_facts: Callable[[str], Awaitable[Mapping[str, Any]]]
    """What the records say about a customer; empty where there is none."""
    stage_of: Callable[[str], Awaitable[tuple[str, float]]]
    """The rollout stage of an intent and its canary share."""
    proposer: Proposer
    system_prompt: str
    company: str
    emit: Emit
    clock: Clock
    budgets: Budgets = Budgets()
    step_up: StepUp | None = None
    """Makes and checks one-time codes; None where nothing can be sent."""
