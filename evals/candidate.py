"""A candidate for triage: trained on what people taught, compared with the champion, kept for a person to decide on."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.triage.comparison import FOLDS, Judged, Labelled, compare, mislabelled
from agents.triage.version import SHIPPED, Version
from app.champion import OUT_OF_SCOPE_INTENT, Base, digest_of, learned_by
from app.commands.learning import without_classifier
from app.embeddings import lasting_embedder, passing_embedder
from app.runtime import Shared, make_answers, make_classifier
from app.settings import Settings
from evals.comparison import mcnemar
from evals.grading import Grade, Played
from evals.runner import play_all
from evals.tickets import Ticket
from evals.world import ingest_articles
from records import learning
from records.learning import LabelledExample, ModelVersion

FEW = 5
"""Examples under which an intent is hardly learnt."""
LOSS = 0.01
"""Accuracy that the intents known before may not lose."""
LEARNT = 0.8
"""Accuracy from which a new intent counts as learnt."""

Advance = Callable[[], None]
Results = list[tuple[Ticket, Played, Grade]]


class NothingToLearn(Exception):
    """No example has come since the champion was trained; the message says what there is."""


@dataclass(frozen=True)
class Learned:
    """The examples that people taught, and what the champion knows of them."""

    rows: list[LabelledExample]
    champion: ModelVersion | None
    champion_pairs: list[tuple[str, str]]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(text, intent) of all of them."""
        return [(row.text, str(row.intent)) for row in self.rows]

    @property
    def new(self) -> list[LabelledExample]:
        """What the champion has not learnt, or learnt otherwise."""
        known = self.champion.examples if self.champion else {}
        return [row for row in self.rows if known.get(row.id) != row.intent]


@dataclass(frozen=True)
class Proposal:
    """What was found, and the row that waits for a person."""

    version: ModelVersion
    figures: dict[str, Any]


async def propose(
    settings: Settings,
    tickets: Sequence[Ticket],
    by: str,
    *,
    workers: int = 2,
    folds: int = FOLDS,
    folded: Advance = lambda: None,
    played: Advance = lambda: None,
) -> Proposal:
    """Train, compare, replay and write down. Raises `NothingToLearn`. Nothing changes for customers.

    `folded` is called after each fold, `played` after each ticket of either side.
    """
    async with without_classifier(settings) as runtime:
        database, clock, base = runtime.services.database, runtime.services.clock, runtime.champion.base
        content = runtime.shared.content
        assert content is not None
        learned = await _learned(database)
        embedder = passing_embedder(settings)
        judged = await asyncio.to_thread(_compared, base, learned, settings, folds, folded)
        matters, homeless = _matters(learned.rows, base)
        version = ModelVersion(
            id=learning.version_id(),
            examples={row.id: str(row.intent) for row in learned.rows},
            matters=matters,
            base_hash=base.hash,
            model_hash=_hash_with(base, learned.pairs),
            previous_id=learned.champion.id if learned.champion else None,
            created_at=clock(),
            created_by=by,
        )
        known = base.known | {intent for _, intent in learned.champion_pairs}
        figures = figures_of(judged, known, matters, learned.champion)
        figures |= {"folds": folds, "id": version.id, "examples": len(learned.rows), "new_examples": len(learned.new)}
        if tickets:
            serving = (
                Version(learned.champion.id, base.matters(learned.champion.matters)) if learned.champion else SHIPPED
            )
            sides = []
            answers = await asyncio.to_thread(make_answers, settings, content, embedder)
            for pairs, name in ((learned.champion_pairs, serving), (learned.pairs, Version(version.id, matters))):
                machine = await asyncio.to_thread(make_classifier, settings, content, embedder, pairs)
                sides.append(Shared(embedder, machine, None, content, None, name, answers))
            figures["replay"] = await replay(settings, tickets, sides, workers, played)
        figures["warnings"] = _warnings(judged, learned, homeless)
        figures["objections"] = objections(figures)
        figures["advice"] = "look closely before promoting" if figures["objections"] else "promote"
        version.report = {name: value for name, value in figures.items() if name not in ("moved", "replay")}
        version.report["replay"] = {
            name: value if isinstance(value, int | float) else len(value)
            for name, value in figures.get("replay", {}).items()
        }
        async with database.write() as session:
            await learning.propose(session, version)
    return Proposal(version, figures)


async def _learned(database: Any) -> Learned:
    async with database.read() as session:
        rows = [row for row in await learning.examples_in(session) if row.usable]
        serving = await learning.champion(session)
    found = Learned(rows, serving, await learned_by(database, serving) if serving else [])
    if not found.new and len(found.rows) == len(found.champion_pairs):
        raise NothingToLearn(f"{len(rows)} examples have a name, and what serves has learnt all of them")
    return found


def _compared(base: Base, learned: Learned, settings: Settings, folds: int, folded: Advance) -> list[Judged]:
    known = learned.champion.examples if learned.champion else {}
    examples = [Labelled(text, intent) for text, intent in zip(base.texts, base.intents, strict=True)]
    examples += [Labelled(r.text, str(r.intent), r.id, known.get(r.id) == r.intent) for r in learned.rows]
    return compare(examples, lasting_embedder(settings), folds, progress=folded)


def _hash_with(base: Base, pairs: Sequence[tuple[str, str]]) -> str:
    return digest_of([*base.texts, *(text for text, _ in pairs)], [*base.intents, *(intent for _, intent in pairs)])


def _matters(rows: Sequence[LabelledExample], base: Base) -> tuple[dict[str, str], list[str]]:
    """(new intent -> the queue that solved most of it, new intents of which no queue is known)."""
    queues: dict[str, Counter[str]] = {}
    for row in rows:
        if row.intent not in base.known:
            known = queues.setdefault(str(row.intent), Counter())
            known.update([row.queue] if row.queue in base.queues else [])
    found = {intent: counted.most_common(1)[0][0] for intent, counted in sorted(queues.items()) if counted}
    return found, sorted(queues.keys() - found.keys())


# What is better and what is worse.


def figures_of(
    judged: Sequence[Judged], known: frozenset[str], matters: Mapping[str, str], champion: ModelVersion | None
) -> dict[str, Any]:
    """Accuracy before and after, out of fold; `known` are the intents that the champion knows."""
    parts = {
        "old_intents": [one for one in judged if not one.example.id],
        "learned_of_old_intents": [one for one in judged if one.example.id and one.example.intent in known],
        "new_intents": [one for one in judged if one.example.intent not in known],
    }
    by_intent: dict[str, list[Judged]] = {}
    for one in judged:
        if one.example.id:
            by_intent.setdefault(one.example.intent, []).append(one)
    shipped = parts["old_intents"]
    return {
        "champion": champion.id if champion else "shipped",
        **{name: _accuracy(part) for name, part in parts.items()},
        "by_learned_intent": {
            intent: {**_accuracy(part), "queue": matters.get(intent)} for intent, part in sorted(by_intent.items())
        },
        "chance": _chance(shipped),
        "moved": {
            "worse": [_moved(one) for one in judged if one.was_right and not one.is_right],
            "better": [_moved(one) for one in judged if one.is_right and not one.was_right],
        },
    }


def _accuracy(part: Sequence[Judged]) -> dict[str, Any]:
    if not part:
        return {"examples": 0}
    before, after = sum(one.was_right for one in part), sum(one.is_right for one in part)
    return {
        "examples": len(part),
        "before": round(before / len(part), 4),
        "after": round(after / len(part), 4),
        "right_to_wrong": sum(one.was_right and not one.is_right for one in part),
        "wrong_to_right": sum(one.is_right and not one.was_right for one in part),
    }


def _chance(part: Sequence[Judged]) -> float:
    """Probability that old intents move so unevenly by chance (McNemar's exact test)."""
    lost = sum(one.was_right and not one.is_right for one in part)
    won = sum(one.is_right and not one.was_right for one in part)
    return mcnemar(won, lost)


def _moved(one: Judged) -> dict[str, Any]:
    example = one.example
    return {
        "text": example.text,
        "intent": example.intent,
        "before": one.before,
        "after": one.after,
        "example": example.id or "shipped",
    }


def _warnings(judged: Sequence[Judged], learned: Learned, homeless: Sequence[str]) -> list[str]:
    counts = Counter(row.intent for row in learned.rows)
    shipped = {one.example.intent for one in judged if not one.example.id}
    lines = [
        f"{intent} has {count} of the {FEW} examples that it takes to learn it"
        for intent, count in sorted(counts.items(), key=lambda pair: str(pair[0]))
        if count < FEW and intent not in shipped
    ]
    lines += [
        f"{intent}: which queue solves it is not known: `handrail learn label ... --intent {intent} --queue NAME`"
        for intent in homeless
    ]
    lines += [
        f"{one.example.id} is labelled {one.example.intent} and looks like {other}: “{one.example.text}”"
        for one, other in mislabelled(judged)
    ]
    return lines


def objections(figures: Mapping[str, Any]) -> list[str]:
    """What speaks against promoting."""
    found = []
    old, replayed = figures["old_intents"], figures.get("replay")
    if old["before"] - old["after"] >= LOSS:
        found.append(f"old intents lose {100 * (old['before'] - old['after']):.1f} points")
    for intent, part in figures["by_learned_intent"].items():
        if part["queue"] and part["after"] < LEARNT:
            found.append(f"{intent} is recognised in {part['after']:.0%} of its messages only")
    if replayed:
        if len(replayed["worse"]) > len(replayed["better"]):
            found.append(f"{len(replayed['worse'])} tickets get worse and {len(replayed['better'])} better")
        if replayed["wrong_actions_after"] > replayed["wrong_actions_before"]:
            found.append(f"wrong actions: {replayed['wrong_actions_after']}, were {replayed['wrong_actions_before']}")
    return found


# The same tickets with both.


async def replay(
    settings: Settings, tickets: Sequence[Ticket], sides: Sequence[Shared], workers: int, played: Advance
) -> dict[str, Any]:
    """Play recorded tickets with champion and candidate, against the sandbox and with the embedded model."""
    from agents.knowledge.index import KnowledgeIndex
    from app.connectors import policies
    from evals.world import backends

    own = settings.model_copy(
        update={
            "home": settings.artefacts / "learning" / "replay",
            "database_url": None,
            "chroma_url": None,
            "model": "embedded",
            "billing": "sandbox",
            "provisioning": "sandbox",
            "mcp_config": None,
            "smtp_url": None,
            "default_stage": "autonomous",
        }
    )
    own.home.mkdir(parents=True, exist_ok=True)
    knowledge = KnowledgeIndex(own.home / "chroma", sides[0].embedder, documents=lasting_embedder(own))
    await asyncio.to_thread(ingest_articles, knowledge)
    results: list[Results] = []
    async with backends(own) as world:
        for side in sides:
            shared = replace(side, knowledge=knowledge, policies=policies(settings))
            done = await play_all(list(tickets), shared, world, workers=workers, on_done=lambda *_: played())
            results.append(done)
    return compared_tickets(*results)


def compared_tickets(before: Results, after: Results) -> dict[str, Any]:
    """Which tickets end better, worse, or otherwise than before."""
    pairs = list(zip(before, after, strict=True))
    better = [_ticket(a, b) for a, b in pairs if b[2].correct and not a[2].correct]
    worse = [_ticket(a, b) for a, b in pairs if a[2].correct and not b[2].correct]
    other = [_ticket(a, b) for a, b in pairs if a[2].correct == b[2].correct and _end(a[1]) != _end(b[1])]
    return {
        "tickets": len(pairs),
        "right_before": sum(grade.correct for _, _, grade in before),
        "right_after": sum(grade.correct for _, _, grade in after),
        "wrong_actions_before": sum(grade.wrong_actions for _, _, grade in before),
        "wrong_actions_after": sum(grade.wrong_actions for _, _, grade in after),
        "better": better,
        "worse": worse,
        "otherwise": other,
    }


def _end(played: Played) -> tuple[str | None, ...]:
    return played.intent, played.disposition, played.queue


def _ticket(before: tuple[Ticket, Played, Grade], after: tuple[Ticket, Played, Grade]) -> dict[str, Any]:
    ticket, was, _ = before
    _, now, verdict = after
    return {
        "ticket": ticket.id,
        "text": ticket.customer_messages[0],
        "expected": ticket.expected.model_dump(exclude_defaults=True, exclude={"effects", "forbidden"}),
        "before": " ".join(filter(None, _end(was))),
        "after": " ".join(filter(None, _end(now))),
        "problems": verdict.problems,
    }


# The report.


def write_report(figures: Mapping[str, Any], lines: Sequence[str], folder: Path) -> None:
    """report.json with every figure and report.md to read."""
    import json

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def report_lines(figures: Mapping[str, Any]) -> list[str]:
    """The report as Markdown."""
    lines = [
        f"# Triage {figures['id']}",
        "",
        f"{figures['examples']} learned examples, {figures['new_examples']} of them new, beside the shipped ones. "
        f"Compared with: {figures['champion']}. Accuracy is out of fold ({figures['folds']} folds): no message is "
        "judged by a classifier that has learnt it.",
        "",
        f"**Advice: {figures['advice']}.**",
        *(f"- {line}" for line in figures["objections"]),
        "",
        *summary_table(figures),
        "",
        f"Old intents moving so unevenly by chance alone: p = {figures['chance']}.",
        "",
        "## What people taught",
        "",
        "| intent | examples | before | after | goes to |",
        "|---|---|---|---|---|",
    ]
    for intent, part in figures["by_learned_intent"].items():
        goes = part["queue"] or ("no route of its own" if intent == OUT_OF_SCOPE_INTENT else "as before")
        lines.append(f"| {intent} | {part['examples']} | {part['before']:.1%} | {part['after']:.1%} | {goes} |")
    if figures["warnings"]:
        lines += ["", "## Look at these", "", *(f"- {line}" for line in figures["warnings"])]
    for name, title in (("worse", "From right to wrong"), ("better", "From wrong to right")):
        moved = figures["moved"][name]
        lines += ["", f"## {title} ({len(moved)})", ""]
        lines += [
            f"- {one['intent']}: {one['before']} -> {one['after']} “{_line(one['text'])}” ({one['example']})"
            for one in moved
        ]
    if "replay" in figures:
        lines += _replay_lines(figures["replay"])
    return lines


def summary_table(figures: Mapping[str, Any]) -> list[str]:
    """Accuracy before and after, as a table."""
    lines = ["| | examples | before | after | right to wrong | wrong to right |", "|---|---|---|---|---|---|"]
    for name in ("old_intents", "learned_of_old_intents", "new_intents"):
        part = figures[name]
        if part["examples"]:
            lines.append(
                f"| {name.replace('_', ' ')} | {part['examples']} | {part['before']:.2%} | {part['after']:.2%} | "
                f"{part['right_to_wrong']} | {part['wrong_to_right']} |"
            )
    return lines


def _replay_lines(replayed: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        "## Recorded tickets",
        "",
        f"{replayed['tickets']} tickets played with both: {replayed['right_before']} right before, "
        f"{replayed['right_after']} after; wrong actions {replayed['wrong_actions_before']} before, "
        f"{replayed['wrong_actions_after']} after.",
    ]
    for name, title in (
        ("worse", "Worse"),
        ("better", "Better"),
        ("otherwise", "Ends otherwise, just as right or wrong"),
    ):
        lines += ["", f"### {title} ({len(replayed[name])})", ""]
        for one in replayed[name]:
            why = f" ({'; '.join(one['problems'])})" if one["problems"] else ""
            lines.append(f"- {one['ticket']}: {one['before']} -> {one['after']}{why} “{_line(one['text'])}”")
    return lines


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else f"{flat[:197]}..."
