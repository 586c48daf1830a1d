"""What serves: triage and the gate's confidence, as shipped or as promoted; taken up without a restart."""

import asyncio
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlmodel import col, select

from agents.confidence.model import ConfidenceModel
from agents.gate.call import CallGate
from agents.triage.route import Guess
from agents.triage.version import SHIPPED, Version
from records.database import Database
from records.learning import Kind, LabelledExample, ModelVersion, champion

log = structlog.get_logger(__name__)

OUT_OF_SCOPE_INTENT = "out_of_scope"
LOOK_EVERY = 2.0
"""Seconds between two looks at which version is the champion."""
LONGEST_PAUSE = 300.0
"""Seconds at most until a version that could not be built is tried again; each try waits twice as long."""

Learned = Sequence[tuple[str, str]]
"""(text, intent) of learned examples."""


def digest_of(texts: Sequence[str], intents: Sequence[str]) -> str:
    """Which examples these are, in their order."""
    return hashlib.sha256(json.dumps([*zip(texts, intents, strict=True)]).encode()).hexdigest()[:16]


def make_classify(classifier: Any, version: Version = SHIPPED) -> Callable[[list[str]], Awaitable[list[Guess]]]:
    """The classifier as triage calls it: several texts at once, off the event loop."""

    def guesses(texts: list[str]) -> list[Guess]:
        predictions = classifier.predict_many(texts)
        return [guess_of(text, prediction, version) for text, prediction in zip(texts, predictions, strict=True)]

    async def classify(texts: list[str]) -> list[Guess]:
        return await asyncio.to_thread(guesses, texts)

    return classify


def guess_of(text: str, prediction: Any, version: Version = SHIPPED) -> Guess:
    """What was learnt as out of scope is a sign of it, not an intent of its own."""
    foreign = dict(prediction.ranking).get(OUT_OF_SCOPE_INTENT, 0.0)
    ranking = tuple((intent, p) for intent, p in prediction.ranking if intent != OUT_OF_SCOPE_INTENT)
    return Guess(text, ranking, max(foreign, prediction.out_of_scope), version)


@dataclass(frozen=True)
class Base:
    """What a deployment starts from: the shipped examples, and what is known without learning."""

    texts: Sequence[str]
    intents: Sequence[str]
    served: frozenset[str]
    """Intents that a procedure serves."""
    queues: frozenset[str]

    @property
    def hash(self) -> str:
        """Which shipped examples these are."""
        return digest_of(self.texts, self.intents)

    @property
    def known(self) -> frozenset[str]:
        """The shipped intents."""
        return frozenset(self.intents)

    def matters(self, learned: dict[str, str]) -> dict[str, str]:
        """Of what people taught, what still goes straight to a queue: no procedure and no trigger stands for it."""
        return {name: queue for name, queue in learned.items() if name not in self.known and queue in self.queues}


class Serving(ABC):
    """One kind of what serves: looks which version is the champion, and takes it up."""

    kind: Kind

    def __init__(self, database: Database) -> None:
        self._database = database
        self._serving: str | None = None

    @property
    def name(self) -> str:
        """The version that serves, or `shipped`."""
        return self._serving or SHIPPED.name

    @abstractmethod
    async def _take_up(self, row: ModelVersion | None) -> None:
        """Serve this version; None: what this process started with."""

    async def refresh(self) -> None:
        """Take up the version that was promoted, or go back to what this process started with."""
        async with self._database.read() as session:
            row = await champion(session, self.kind)
        if (row.id if row else None) == self._serving:
            return
        await self._take_up(row)
        self._serving = row.id if row else None
        log.info("version_serves", kind=self.kind, version=self.name)

    async def try_refresh(self) -> bool:
        """As `refresh`; where the version cannot be built, the former one serves on. Returns whether it went well."""
        try:
            await self.refresh()
        except Exception:
            log.exception("champion_not_taken_up", kind=self.kind, serves=self.name)
            return False
        return True

    async def keep_fresh(self) -> None:
        """Look again and again, until cancelled; what fails is tried again, ever more seldom."""
        pause = LOOK_EVERY
        while True:
            await asyncio.sleep(pause)
            pause = LOOK_EVERY if await self.try_refresh() else min(2 * pause, LONGEST_PAUSE)


class Champion(Serving):
    """Asks the serving version. `build` makes the classifier with learned examples beside the shipped ones."""

    kind = "triage"

    def __init__(
        self,
        database: Database,
        base: Base,
        classifier: Any,
        build: Callable[[Learned], Any],
        version: Version = SHIPPED,
    ) -> None:
        super().__init__(database)
        self.base = base
        self._build = build
        self._started_with = (classifier, version)
        self.classifier, self.version = classifier, version
        self._classify = make_classify(classifier, version)

    async def classify(self, texts: list[str]) -> list[Guess]:
        """What the serving version says of these texts; one call is answered by one version."""
        return await self._classify(texts)

    async def _take_up(self, row: ModelVersion | None) -> None:
        classifier, version = self._started_with
        if row is not None:
            classifier = await asyncio.to_thread(self._build, await learned_by(self._database, row))
            version = Version(row.id, self.base.matters(row.matters))
            if row.base_hash != self.base.hash:
                log.warning("champion_on_other_examples", version=row.id)
        self.classifier, self.version = classifier, version
        self._classify = make_classify(classifier, version)


class ConfidenceChampion(Serving):
    """Gives the gate the confidence model that serves. `shipped` is the one that the settings name."""

    kind = "confidence"

    def __init__(self, database: Database, shipped: ConfidenceModel, gate: CallGate) -> None:
        super().__init__(database)
        self.shipped, self._gate = shipped, gate

    @property
    def model(self) -> ConfidenceModel:
        """The model that the gate asks now."""
        return self._gate.confidence

    async def _take_up(self, row: ModelVersion | None) -> None:
        self._gate.confidence = self.shipped if row is None else confidence_of(row)
        if row is not None and row.base_hash != self.shipped.id:
            log.warning("confidence_was_compared_with_another", version=row.id)


def confidence_of(version: ModelVersion) -> ConfidenceModel:
    """The confidence model of a version. Raises `UnusableConfidence`."""
    return ConfidenceModel.of_json(version.content, version.id)


async def learned_by(database: Database, version: ModelVersion) -> list[tuple[str, str]]:
    """The learned examples of a version, in their order. What was erased since is left out."""
    query = select(LabelledExample.id, LabelledExample.text).where(col(LabelledExample.id).in_(version.examples))
    async with database.read() as session:
        rows = [(row.id, row.text) for row in await session.execute(query.order_by(col(LabelledExample.id)))]
    return [(text, version.examples[example]) for example, text in rows]
