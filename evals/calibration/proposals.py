"""What the gate would be asked to decide: proposals from recorded tickets, each with whether it was right.

Every ticket is played by a gate that trusts everything the other checks let through, and its customer says yes to
whatever fits their recorded words, as people in a hurry do. So what comes out is what the confidence has to catch.
A ticket is played a second time by a triage that has never heard of its matter: customers ask for things that no
procedure covers, and what is proposed to them then is mostly wrong.
"""

import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agents.confidence.model import NAMES, Bounds, ConfidenceModel, Features
from agents.confidence.money import Bound, Stakes
from app.embeddings import lasting_embedder
from app.runtime import Shared, training_examples
from app.settings import Settings
from evals.runner import converse, record_of
from evals.tickets import Ticket
from evals.workers import Task, Workers
from evals.world import fresh_world

ACTING = ("permitted", "needs_approval")
"""Verdicts after which something happens, or would if a person looked no closer."""
KNOWN, UNKNOWN = 0, 1
"""The two ways in which a ticket is played: by triage as it is, and by one that has never heard of the matter."""


@dataclass(frozen=True)
class Proposal:
    """One action that was proposed in a ticket, and to which the customer agreed where that was needed."""

    ticket: str
    group: str
    intent: str
    """What triage took the matter for."""
    tool: str
    features: Features
    right: bool
    """Whether the ticket expects it."""
    unknown: bool
    """Whether triage had never heard of the ticket's matter."""
    stakes: Stakes
    """What is at stake, for the sum that the gate makes."""


@dataclass(frozen=True)
class Collected:
    """What came out of all tickets, and which could not be played, each with the reason."""

    proposals: list[Proposal]
    not_played: list[str]


def collect(
    tickets: Sequence[Ticket],
    settings: Settings,
    workers: int,
    stop: threading.Event,
    on_done: Callable[[], None] = lambda: None,
) -> Collected:
    """Play all tickets in `workers` processes, each twice where its matter can be unknown, until `stop` is set.

    Deterministic but for clocks and ids. Raises `WorkersFailed`.
    """
    known = [Task(ticket, KNOWN) for ticket in sorted(tickets, key=lambda ticket: ticket.opened_at)]
    # A process learns triage without a matter once, for all its tickets on that matter.
    unknown = [Task(t, UNKNOWN) for t in sorted(tickets, key=lambda ticket: (ticket.expected.intent or "", ticket.id))]
    came: dict[tuple[str, int], list[Proposal]] = {}
    not_played: list[str] = []

    def keep(task: Task, proposals: list[Proposal] | None, error: str) -> None:
        if proposals is None:
            not_played.append(f"{task.ticket.id}: could not be played: {error}")
        came[task.key] = proposals or []
        on_done()

    with TemporaryDirectory(prefix="handrail-calibration-") as folder:
        trusting = settings.model_copy(update={"confidence": _trust_everything(Path(folder))})
        Workers(trusting, _begin, workers, Path(folder), keep, stop).play([*known, *unknown])
    in_order = [(ticket.id, way) for way in (KNOWN, UNKNOWN) for ticket in tickets]
    return Collected([one for key in in_order for one in came.get(key, [])], sorted(not_played))


def _begin(shared: Shared, settings: Settings) -> Callable[[Task], Awaitable[list[Proposal]]]:
    ignorant = Ignorance(shared, settings)

    async def proposals(task: Task) -> list[Proposal]:
        knowing = shared if task.repeat == KNOWN else ignorant.of(task.ticket.expected.intent)
        if knowing is None:
            return []
        return await _proposals(task.ticket, knowing, settings, unknown=task.repeat == UNKNOWN)

    return proposals


class Ignorance:
    """Triage that has never heard of one matter."""

    def __init__(self, shared: Shared, settings: Settings) -> None:
        assert shared.content is not None
        self._shared, self._settings = shared, settings
        self._pairs = list(zip(*training_examples(shared.content), strict=True))
        self._latest: tuple[str, Shared] | None = None

    def of(self, intent: str | None) -> Shared | None:
        """The same world without the matter's examples; None where triage never learns it."""
        from agents.triage.classifier import IntentClassifier

        rest = [(text, other) for text, other in self._pairs if other != intent]
        if intent is None or len(rest) == len(self._pairs):
            return None
        if self._latest is None or self._latest[0] != intent:
            texts, intents = [text for text, _ in rest], [other for _, other in rest]
            classifier = IntentClassifier.fit(texts, intents, lasting_embedder(self._settings))
            self._latest = intent, replace(self._shared, classifier=classifier)
        return self._latest[1]


def _trust_everything(folder: Path) -> Path:
    model = ConfidenceModel(100.0, dict.fromkeys(NAMES, 0.0), Bounds(Bound(0.0, "all"), {}))
    model.save(folder / "confidence.json", {})
    return folder


async def _proposals(ticket: Ticket, shared: Shared, settings: Settings, *, unknown: bool) -> list[Proposal]:
    async with fresh_world(shared, settings, ticket.opened_at, {ticket.customer}) as runtime:
        conversation = await runtime.services.transcript.open(ticket.customer, ticket.level, ticket.channel)
        await converse(ticket, runtime, conversation.id)
        record = await record_of(runtime, conversation.id)
    return proposals_of(ticket, record, unknown=unknown)


def proposals_of(ticket: Ticket, record: dict[str, Any], *, unknown: bool = False) -> list[Proposal]:
    """The weighed actions of a conversation's record: those that went to the end, not the offers before."""
    from app.commands.gate import weighed

    found = []
    for decision in record["decisions"]:
        figures = weighed(decision)
        if figures is None or decision["verdict"] not in ACTING:
            continue
        proposal = decision["proposal"]
        found.append(
            Proposal(
                ticket=ticket.id,
                group=ticket.group or ticket.id,
                intent=figures["intent"] or "",
                tool=proposal["tool"],
                features=Features(**figures["features"]),
                right=any(effect.fits(proposal["tool"], proposal["arguments"]) for effect in ticket.expected.effects),
                unknown=unknown,
                stakes=Stakes(**figures["stakes"]),
            )
        )
    return found
