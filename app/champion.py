"""The classifier that triage asks: as shipped, or the version that a person promoted; taken up without a restart."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlmodel import col, select

from agents.triage.route import Guess
from agents.triage.version import SHIPPED, Version
from records.database import Database
from records.learning import LabelledExample, ModelVersion, champion

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


class Champion:
    """Asks the serving version. `build` makes the classifier with learned examples beside the shipped ones."""

    def __init__(
        self,
        database: Database,
        base: Base,
        classifier: Any,
        build: Callable[[Learned], Any],
        version: Version = SHIPPED,
    ) -> None:
        self.base = base
        self._database, self._build = database, build
        self._started_with = (classifier, version)
        self._serving: str | None = None
        self.classifier, self.version = classifier, version
        self._classify = make_classify(classifier, version)

    async def classify(self, texts: list[str]) -> list[Guess]:
        """What the serving version says of these texts; one call is answered by one version."""
        return await self._classify(texts)

    async def refresh(self) -> None:
        """Take up the version that was promoted, or go back to what this process started with."""
        async with self._database.read() as session:
            row = await champion(session)
        if (row.id if row else None) == self._serving:
            return
        classifier, version = self._started_with
        if row is not None:
            classifier = await asyncio.to_thread(self._build, await learned_by(self._database, row))
            version = Version(row.id, self.base.matters(row.matters))
            if row.base_hash != self.base.hash:
                log.warning("champion_on_other_examples", version=row.id)
        self.classifier, self.version = classifier, version
        self._classify, self._serving = make_classify(classifier, version), row.id if row else None
        log.info("triage_serves", version=version.name)

    async def try_refresh(self) -> bool:
        """As `refresh`; where the version cannot be built, the former one serves on. Returns whether it went well."""
        try:
            await self.refresh()
        except Exception:
            log.exception("champion_not_taken_up", serves=self.version.name)
            return False
        return True

    async def keep_fresh(self) -> None:
        """Look again and again, until cancelled; what fails is tried again, ever more seldom."""
        pause = LOOK_EVERY
        while True:
            await asyncio.sleep(pause)
            pause = LOOK_EVERY if await self.try_refresh() else min(2 * pause, LONGEST_PAUSE)


async def learned_by(database: Database, version: ModelVersion) -> list[tuple[str, str]]:
    """The learned examples of a version, in their order. What was erased since is left out."""
    query = select(LabelledExample.id, LabelledExample.text).where(col(LabelledExample.id).in_(version.examples))
    async with database.read() as session:
        rows = [(row.id, row.text) for row in await session.execute(query.order_by(col(LabelledExample.id)))]
    return [(text, version.examples[example]) for example, text in rows]
