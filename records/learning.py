"""What people taught: labelled examples, and the versions of triage and of the gate's confidence.

An example is a customer's words (redacted before they come here) with the intent that people gave it. A version of
triage is the shipped examples and some learned ones; a version of the confidence is a fitted model with its bounds. At
most one version of a kind is the champion; without one, what was shipped serves.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col, select

from records import audit
from records.columns import Row, document, moment
from records.identifiers import new_id

Source = Literal["feedback", "reopened", "suggestion", "handoff", "correction"]
SOURCES: tuple[Source, ...] = ("feedback", "reopened", "suggestion", "handoff", "correction")
"""Where an example comes from; of two that name the same matter, the later in this list has the say."""
STATES = ("new", "accepted", "rejected")
Kind = Literal["triage", "confidence"]
TRIAGE, CONFIDENCE = "triage", "confidence"
KINDS: tuple[Kind, ...] = ("triage", "confidence")
SHIPPED_AS: dict[str, str] = {TRIAGE: "triage as shipped", CONFIDENCE: "the confidence model as set"}


class LabelledExample(Row, table=True):
    """A customer's words and what they were about. State: new, accepted or rejected. The text never changes."""

    __tablename__ = "labelled_examples"
    __table_args__ = (UniqueConstraint("source", "source_id"), UniqueConstraint("episode_id"))

    id: str = Field(primary_key=True)
    text: str
    intent: str | None = Field(default=None, index=True)
    """None: nobody has named it yet."""
    queue: str | None = None
    """The team that solved it."""
    source: str
    source_id: str
    """The handoff, suggestion, feedback or (for a correction) episode that it comes from."""
    conversation_id: str | None = Field(default=None, index=True)
    episode_id: str | None = None
    """The matter: one example for each."""
    hint: dict[str, Any] = document(default_factory=dict)
    """What triage took it for: `intent` and `probability`; `edge` says why a person should look at it."""
    state: str = Field(default="new", index=True)
    by: str | None = None
    at: datetime = moment()

    @property
    def usable(self) -> bool:
        """Whether a classifier may learn from it."""
        return self.intent is not None and self.state != "rejected"


class ModelVersion(Row, table=True):
    """What was trained and compared: triage, or the confidence. State: proposed, champion, retired or rejected."""

    __tablename__ = "model_versions"

    id: str = Field(primary_key=True)
    kind: str = TRIAGE
    state: str = Field(default="proposed", index=True)
    examples: dict[str, str] = document(default_factory=dict)
    """Id of each learned example -> the intent with which it was learnt."""
    matters: dict[str, str] = document(default_factory=dict)
    """Intent that no procedure serves -> the queue of the people who solve it."""
    content: dict[str, Any] = document(default_factory=dict)
    """What it computes, where that is not built from examples: the confidence model."""
    report: dict[str, Any] = document(default_factory=dict)
    base_hash: str
    """Of the shipped examples that it was trained on as well; of the confidence model that was set."""
    model_hash: str
    """Of all examples that it was trained on; of the confidence model."""
    previous_id: str | None = None
    """The champion that it was compared with; None for what was shipped."""
    created_at: datetime = moment()
    created_by: str = ""
    decided_at: datetime | None = moment(default=None)
    decided_by: str | None = None


class NotPossible(Exception):
    """A version cannot be promoted, declined or rolled back; the message says why in a line."""


async def gather(session: AsyncSession, found: LabelledExample) -> LabelledExample | None:
    """Keep an example, unless it is known: what was added or changed, None where nothing was.

    One matter of a conversation gives one example. A source that has more say renames it; what a person accepted or
    rejected in review stays, except for a correction.
    """
    same = select(LabelledExample).where(
        LabelledExample.source == found.source, LabelledExample.source_id == found.source_id
    )
    known = (await session.scalars(same)).first()
    if known is None and found.episode_id is not None:
        of_matter = select(LabelledExample).where(LabelledExample.episode_id == found.episode_id)
        known = (await session.scalars(of_matter.order_by(col(LabelledExample.id)))).first()
    if known is None:
        session.add(found)
        await session.flush()
        return found
    if not _has_more_say(found, known):
        return None
    known.intent, known.state, known.by, known.at = found.intent, found.state, found.by, found.at
    known.queue = found.queue or known.queue
    known.source, known.source_id = found.source, found.source_id
    known.hint = {**known.hint, **found.hint}
    return known


def _has_more_say(found: LabelledExample, known: LabelledExample) -> bool:
    if found.intent is None or (found.intent == known.intent and found.state == known.state):
        return False
    if found.source == "correction":
        return True
    if known.hint.get("reviewed"):
        return False
    return known.intent is None or SOURCES.index(found.source) > SOURCES.index(known.source)  # type: ignore[arg-type]


async def examples_in(
    session: AsyncSession, state: str | None = None, source: str | None = None
) -> list[LabelledExample]:
    """The examples, oldest first."""
    query = select(LabelledExample).order_by(col(LabelledExample.id))
    if state is not None:
        query = query.where(LabelledExample.state == state)
    if source is not None:
        query = query.where(LabelledExample.source == source)
    return list(await session.scalars(query))


async def review(
    session: AsyncSession,
    ids: Sequence[str],
    by: str,
    at: datetime,
    *,
    intent: str | None = None,
    queue: str | None = None,
) -> list[LabelledExample]:
    """Name examples, or (without `intent`) reject them. Raises `LookupError` with the ids that do not exist."""
    service = await audit.service_chain(session)
    query = select(LabelledExample).where(col(LabelledExample.id).in_(ids)).with_for_update()
    rows = list(await session.scalars(query.order_by(col(LabelledExample.id))))
    if missing := sorted(set(ids) - {row.id for row in rows}):
        raise LookupError(", ".join(missing))
    for row in rows:
        row.state, row.by, row.at = ("accepted" if intent else "rejected"), by, at
        row.intent, row.queue = intent or row.intent, queue or row.queue
        row.hint = {**row.hint, "reviewed": True}
    event = {"action": "label" if intent else "reject", "examples": sorted(set(ids)), "intent": intent or "", "by": by}
    audit.append(session, service, [("learning", event)], at)
    return rows


async def champion(session: AsyncSession, kind: str = TRIAGE) -> ModelVersion | None:
    """The version that serves; None where it is what was shipped."""
    query = select(ModelVersion).where(ModelVersion.kind == kind, ModelVersion.state == "champion")
    return (await session.scalars(query)).first()


def serving_of(rows: Sequence[ModelVersion]) -> dict[str, str]:
    """Which version of each kind serves, or `shipped`."""
    serving: dict[str, str] = dict.fromkeys(KINDS, "shipped")
    return serving | {row.kind: row.id for row in rows if row.state == "champion"}


async def versions_in(session: AsyncSession) -> list[ModelVersion]:
    """All versions, newest first."""
    return list(await session.scalars(select(ModelVersion).order_by(col(ModelVersion.id).desc())))


async def propose(session: AsyncSession, version: ModelVersion) -> None:
    """Keep a trained version for a person to decide on."""
    service = await audit.service_chain(session)
    session.add(version)
    audit.append(session, service, [_event("propose", version, version.created_by)], version.created_at)


async def promote(
    session: AsyncSession, version_id: str, by: str, at: datetime, bases: Mapping[str, str]
) -> ModelVersion:
    """Make a proposed version the champion of its kind; `bases` are the hashes of what is shipped, by kind.

    Raises `NotPossible`, and `LookupError` where there is none such.
    """
    service = await audit.service_chain(session)
    version = await _found(session, version_id)
    serving = await champion(session, version.kind)
    if version.state != "proposed":
        raise NotPossible(f"{version.id} is {version.state}, not proposed: `handrail learn propose` makes a new one")
    if version.base_hash != bases[version.kind]:
        what = "the shipped examples have" if version.kind == TRIAGE else "the confidence model that is set has"
        raise NotPossible(f"{version.id}: {what} changed since it was proposed: propose again")
    if version.previous_id != (serving.id if serving else None):
        shipped = SHIPPED_AS[version.kind]
        compared, now = version.previous_id or shipped, serving.id if serving else shipped
        raise NotPossible(f"{version.id} was compared with {compared}, but {now} serves now: propose again")
    if serving is not None:
        serving.state = "retired"
        await session.flush()
    version.state, version.decided_at, version.decided_by = "champion", at, by
    audit.append(session, service, [_event("promote", version, by)], at)
    return version


async def roll_back(
    session: AsyncSession, by: str, at: datetime, kind: str = TRIAGE
) -> tuple[ModelVersion, ModelVersion | None]:
    """Take the champion back: (the version that served, the one that serves again; None for what was shipped).

    Raises `NotPossible`.
    """
    service = await audit.service_chain(session)
    serving = await champion(session, kind)
    if serving is None:
        raise NotPossible(f"{SHIPPED_AS[kind]} serves: there is nothing to roll back")
    before = await _found(session, serving.previous_id) if serving.previous_id else None
    serving.state = "retired"
    await session.flush()
    if before is not None:
        before.state = "champion"
    event = ("model", {**_event("roll_back", serving, by)[1], "serves": before.id if before else "shipped"})
    audit.append(session, service, [event], at)
    return serving, before


async def decline(session: AsyncSession, version_id: str, by: str, at: datetime) -> ModelVersion:
    """Reject a proposed version. Raises `NotPossible` and `LookupError`."""
    service = await audit.service_chain(session)
    version = await _found(session, version_id)
    if version.state != "proposed":
        raise NotPossible(f"{version.id} is {version.state}, not proposed")
    version.state, version.decided_at, version.decided_by = "rejected", at, by
    audit.append(session, service, [_event("decline", version, by)], at)
    return version


async def _found(session: AsyncSession, version_id: str) -> ModelVersion:
    version = await session.get(ModelVersion, version_id, with_for_update=True)
    if version is None:
        raise LookupError(version_id)
    return version


def _event(action: str, version: ModelVersion, by: str) -> tuple[str, dict[str, Any]]:
    return "model", {
        "action": action,
        "version": version.id,
        "kind": version.kind,
        "by": by,
        "examples": len(version.examples),
        "base_hash": version.base_hash,
        "model_hash": version.model_hash,
    }


def example_id() -> str:
    """The id of a new example."""
    return new_id("lex")


def version_id() -> str:
    """The id of a new version."""
    return new_id("mdl")
