"""`handrail learn`: what people taught, for review; and the versions of what serves that a person decides on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from app.commands.output import BadInput, Json, emit
from app.settings import Settings

if TYPE_CHECKING:
    from app.runtime import Runtime
    from records.database import Database
    from records.learning import LabelledExample, ModelVersion

commands = typer.Typer(no_args_is_help=True)
T = TypeVar("T")

By = Annotated[str, typer.Option(help="Who decides: an e-mail address.")]
DOUBTFUL = 0.05
"""What triage must give the intent of an example, or a person should look at it again."""

LIKE_KNOWN = 0.5
"""From here on a group is proposed as an intent that has a name already."""


@commands.command()
def examples(
    state: Annotated[str | None, typer.Option(help="new, accepted or rejected.")] = None,
    source: Annotated[str | None, typer.Option(help="handoff, suggestion, reopened, correction or feedback.")] = None,
    as_json: Json = False,
) -> None:
    """List the labelled examples, oldest first."""
    from records.learning import SOURCES, STATES, examples_in

    for name, value, known in (("--state", state, STATES), ("--source", source, SOURCES)):
        if value is not None and value not in known:
            raise BadInput(f"{name}: {value!r} is none of {', '.join(known)}")

    async def read(database: "Database") -> "list[LabelledExample]":
        async with database.read() as session:
            return await examples_in(session, state, source)

    rows = in_database(read)
    counts = Counter(row.intent or "" for row in rows if row.state != "rejected")
    document = {
        "examples": [row.model_dump(mode="json") for row in rows],
        "total": len(rows),
        "unnamed": counts.pop("", 0),
        "by_intent": dict(counts.most_common()),
    }
    emit(document, as_json, "" if as_json else _example_table(rows))


@commands.command()
def review(as_json: Json = False) -> None:
    """Group what nobody has named, name each group by its words, and say how to label it; then what looks doubtful."""
    from app.logs import configure

    configure(quiet=True)
    document = asyncio.run(_reviewed(Settings.read()))
    emit(document, as_json, "" if as_json else _review_text(document))


@commands.command()
def label(
    example: Annotated[list[str], typer.Argument(help="Examples: lex_...")],
    intent: Annotated[str, typer.Option(help="What they are about: a known intent or a new name.")],
    by: By = "",
    queue: Annotated[str | None, typer.Option(help="The team that solves it, where it is another.")] = None,
    as_json: Json = False,
) -> None:
    """Name examples; the next proposal learns from them."""
    from app.learning import name_problem

    if (problem := name_problem(intent)) is not None:
        raise BadInput(f"--intent: {problem.rstrip('.')}")
    if queue is not None and queue not in (known := _queues()):
        raise BadInput(f"--queue: {queue!r} is none of {', '.join(sorted(known))}")
    rows = _decided(example, by, intent, queue)
    emit(
        {"labelled": [row.id for row in rows], "intent": intent},
        as_json,
        f"{_counted(rows)} labelled {intent}",
    )


@commands.command()
def reject(
    example: Annotated[list[str], typer.Argument(help="Examples: lex_...")],
    by: By = "",
    as_json: Json = False,
) -> None:
    """Leave examples out: nothing is learnt from them."""
    rows = _decided(example, by, None, None)
    emit({"rejected": [row.id for row in rows]}, as_json, f"{_counted(rows)} rejected")


@commands.command("list")
def list_versions(as_json: Json = False) -> None:
    """List the versions of triage and of the confidence, newest first, and which ones serve."""
    from records.learning import CONFIDENCE, TRIAGE, serving_of, versions_in

    async def read(database: "Database") -> "list[ModelVersion]":
        async with database.read() as session:
            return await versions_in(session)

    rows = in_database(read)
    serving = serving_of(rows)
    document = {
        "serving": serving[TRIAGE],
        "serving_confidence": serving[CONFIDENCE],
        "versions": [row.model_dump(mode="json") for row in rows],
    }
    emit(document, as_json, "" if as_json else _version_table(rows, serving))


@commands.command()
def show(version: Annotated[str, typer.Argument(help="A version: mdl_...")], as_json: Json = False) -> None:
    """Show one version: what it learnt, what gets better and worse with it, what became of it."""
    from records.learning import ModelVersion

    async def read(database: "Database") -> "ModelVersion | None":
        async with database.read() as session:
            return await session.get(ModelVersion, version)

    row = in_database(read)
    if row is None:
        raise _unknown(version)
    page = report_folder(Settings.read(), row.id) / "report.md"
    written = page.read_text(encoding="utf-8") if page.exists() else f"(the report is not on this machine: {page})"
    decided = f"{row.state} by {row.decided_by}, {row.decided_at}" if row.decided_by else row.state
    text = f"{row.id}: {decided}; proposed by {row.created_by or 'somebody'}, {row.created_at}\n\n{written}"
    emit({**row.model_dump(mode="json"), "report_file": str(page)}, as_json, text)


@commands.command()
def promote(version: Annotated[str, typer.Argument(help="A version: mdl_...")], by: By, as_json: Json = False) -> None:
    """Make a proposed version the one of its kind that serves; running services take it up within seconds."""
    from records import learning

    async def decide(runtime: "Runtime") -> "ModelVersion":
        services = runtime.services
        async with services.database.write() as session:
            return await learning.promote(session, version, by, services.clock(), runtime.bases)

    row = _with_content(decide, by, version)
    told = f"{row.id} serves now; `handrail learn roll-back` takes it back"
    emit({"id": row.id, "state": row.state, "serving": row.id, "previous": row.previous_id}, as_json, told)


@commands.command("roll-back")
def roll_back(
    by: By,
    what: Annotated[str, typer.Option(help="triage or confidence.")] = "triage",
    as_json: Json = False,
) -> None:
    """Let the version before the one that serves serve again."""
    from records import learning
    from records.clock import system_clock

    checked_kind(what)

    async def decide(database: "Database") -> "tuple[ModelVersion, ModelVersion | None]":
        async with database.write() as session:
            return await learning.roll_back(session, by, system_clock(), what)

    row, before = _decision(lambda: in_database(decide), by, "")
    serving = before.id if before else "shipped"
    told = f"{row.id} is taken back; {serving if before else learning.SHIPPED_AS[what]} serves again"
    emit({"id": row.id, "state": row.state, "serving": serving}, as_json, told)


@commands.command()
def decline(version: Annotated[str, typer.Argument(help="A version: mdl_...")], by: By, as_json: Json = False) -> None:
    """Turn a proposed version down."""
    from records import learning
    from records.clock import system_clock

    async def decide(database: "Database") -> "ModelVersion":
        async with database.write() as session:
            return await learning.decline(session, version, by, system_clock())

    row = _decision(lambda: in_database(decide), by, version)
    emit({"id": row.id, "state": row.state}, as_json, f"{row.id} is declined")


def checked_kind(what: str) -> None:
    """Raises `BadInput` where there are no versions of that."""
    from records.learning import KINDS

    if what not in KINDS:
        raise BadInput(f"--what: {what!r} is none of {', '.join(KINDS)}")


def report_folder(settings: Settings, version: str) -> Path:
    """Where the report of a version lies."""
    return settings.artefacts / "learning" / version


def in_database(work: "Callable[[Database], Coroutine[Any, Any, T]]") -> T:
    """Do something with the records."""
    from records.database import Database

    async def run() -> T:
        database = await Database.open(Settings.read().database)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


@asynccontextmanager
async def without_classifier(settings: Settings) -> "AsyncIterator[Runtime]":
    """Everything but what takes long to load."""
    from app.logs import configure
    from app.runtime import Shared, running

    configure(quiet=True)
    async with running(settings, background=False, shared=Shared(None, None, None)) as runtime:
        yield runtime


def _with_content(work: "Callable[[Runtime], Coroutine[Any, Any, T]]", by: str, version: str) -> T:
    async def run() -> T:
        async with without_classifier(Settings.read()) as runtime:
            return await work(runtime)

    return _decision(lambda: asyncio.run(run()), by, version)


def _decision(work: Callable[[], T], by: str, version: str) -> T:
    """What cannot be done becomes one line."""
    from records.learning import NotPossible

    _checked_email(by)
    try:
        return work()
    except LookupError:
        raise _unknown(version) from None
    except NotPossible as error:
        raise BadInput(str(error)) from None


def _checked_email(by: str) -> None:
    name, _, host = by.partition("@")
    if not name or not host or any(letter.isspace() for letter in by):
        raise BadInput(f"--by: {by!r} is no e-mail address")


def _unknown(version: str) -> BadInput:
    return BadInput(f"there is no version {version}: `handrail learn list` shows those that are")


def _decided(ids: Sequence[str], by: str, intent: str | None, queue: str | None) -> "list[LabelledExample]":
    from records import learning
    from records.clock import system_clock

    if by:
        _checked_email(by)

    async def decide(database: "Database") -> "list[LabelledExample]":
        async with database.write() as session:
            return await learning.review(session, ids, by or "command line", system_clock(), intent=intent, queue=queue)

    try:
        return in_database(decide)
    except LookupError as error:
        raise BadInput(f"there is no example {error}: `handrail learn examples` shows those that are") from None


def _counted(rows: "Sequence[LabelledExample]") -> str:
    return "1 example" if len(rows) == 1 else f"{len(rows)} examples"


def _queues() -> frozenset[str]:
    from agents.triage.escalation import EscalationRules
    from app.settings import PROMPTS

    return frozenset(EscalationRules.load(PROMPTS / "escalation.yaml").queues)


async def _reviewed(settings: Settings) -> dict[str, Any]:
    from agents.triage.classifier import IntentClassifier
    from agents.triage.clusters import TYPICAL, clusters_of
    from app.champion import OUT_OF_SCOPE_INTENT
    from app.embeddings import lasting_embedder
    from records.learning import examples_in

    async with without_classifier(settings) as runtime:
        async with runtime.services.database.read() as session:
            rows = [row for row in await examples_in(session) if row.state != "rejected"]
        base, unnamed = runtime.champion.base, [row for row in rows if row.intent is None]
        if not rows:
            return {"unnamed": 0, "clusters": [], "alone": [], "doubtful": []}
        classifier = await _serving_classifier(settings, runtime)
        guesses = dict(zip([r.id for r in rows], classifier.predict_many([r.text for r in rows]), strict=True))
    lasting = lasting_embedder(settings)
    groups, alone = clusters_of([row.text for row in unnamed], lasting)
    named = [(row.text, str(row.intent)) for row in rows if row.intent is not None]
    if named and unnamed:  # what others named since counts as known here
        pairs = [*zip(base.texts, base.intents, strict=True), *named]
        machine = await asyncio.to_thread(IntentClassifier.fit, [t for t, _ in pairs], [i for _, i in pairs], lasting)
        seen = zip([r.id for r in unnamed], machine.predict_many([r.text for r in unnamed]), strict=True)
        guesses |= dict(seen)
    clusters = []
    for group in groups:
        members = [unnamed[place] for place in group.members]
        nearest = Counter[str]()
        for row in members:
            nearest.update(dict(guesses[row.id].ranking))  # type: ignore[dict-item]
        intent, weight = nearest.most_common(1)[0]
        queues = Counter(row.queue for row in members if row.queue)
        name = intent if weight / len(members) >= LIKE_KNOWN and intent != OUT_OF_SCOPE_INTENT else group.name
        clusters.append(
            {
                "words": list(group.words),
                "proposed_name": name,
                "size": len(members),
                "nearest_intent": intent,
                "nearest_probability": round(weight / len(members), 3),
                "queue": queues.most_common(1)[0][0] if queues else None,
                "typical": [row.text for row in members[:TYPICAL]],
                "examples": [row.id for row in members],
                "command": f"handrail learn label {' '.join(row.id for row in members)} --intent {name}",
            }
        )
    doubtful = [
        {"id": row.id, "text": row.text, "intent": row.intent, "looks_like": guesses[row.id].intent}
        for row in rows
        if row.intent in base.known
        and not row.hint.get("reviewed")
        and dict(guesses[row.id].ranking).get(str(row.intent), 0.0) < DOUBTFUL
    ]
    singles = [
        {"id": unnamed[n].id, "text": unnamed[n].text, "nearest_intent": guesses[unnamed[n].id].intent} for n in alone
    ]
    return {"unnamed": len(unnamed), "clusters": clusters, "alone": singles, "doubtful": doubtful}


async def _serving_classifier(settings: Settings, runtime: "Runtime") -> Any:
    """The classifier as shipped, or as promoted."""
    from app.champion import learned_by
    from app.embeddings import plain_embedder
    from app.runtime import make_classifier
    from records.learning import champion

    database, content = runtime.services.database, runtime.shared.content
    assert content is not None
    async with database.read() as session:
        row = await champion(session)
    learned = await learned_by(database, row) if row else []
    return await asyncio.to_thread(make_classifier, settings, content, plain_embedder(settings), learned)


def _example_table(rows: "Sequence[LabelledExample]") -> str:
    from rich import box
    from rich.table import Table

    from app.commands.tables import rendered

    if not rows:
        return "no such example; they come from resolved handoffs, verdicts on suggestions, feedback and corrections"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("example", "source", "state", "intent", "queue", "triage took it for", "the customer's words"):
        table.add_column(name, no_wrap=name == "example", overflow="fold")
    for row in rows:
        hint = f"{row.hint['intent']} ({row.hint['probability']:.0%})" if row.hint.get("intent") else ""
        table.add_row(row.id, row.source, row.state, row.intent or "-", row.queue or "", hint, row.text)
    unnamed = sum(row.intent is None and row.state != "rejected" for row in rows)
    return f"{rendered(table)}\n{_counted(rows)}, {unnamed} without a name (`handrail learn review`)"


def _review_text(document: dict[str, Any]) -> str:
    count = document["unnamed"]
    lines = [f"{count} {'example has' if count == 1 else 'examples have'} no name yet."]
    for number, cluster in enumerate(document["clusters"], 1):
        lines += [
            "",
            f"{number}. {', '.join(cluster['words']) or 'no word of their own'} ({cluster['size']} messages"
            + (f", solved by {cluster['queue']})" if cluster["queue"] else ")"),
            f"   nearest known intent: {cluster['nearest_intent']} ({cluster['nearest_probability']:.0%})",
            *(f"   “{text}”" for text in cluster["typical"]),
            f"   {cluster['command']}",
        ]
    if document["alone"]:
        lines += ["", "Like no other:"]
        lines += [f"   {one['id']} (nearest: {one['nearest_intent']}) “{one['text']}”" for one in document["alone"]]
    if document["doubtful"]:
        lines += ["", "Named, but triage sees something else:"]
        for one in document["doubtful"]:
            lines.append(f"   {one['id']} {one['intent']}, looks like {one['looks_like']}: “{one['text']}”")
            lines.append(f"   handrail learn label {one['id']} --intent {one['looks_like']}")
    return "\n".join(lines)


def _version_table(rows: "Sequence[ModelVersion]", serving: dict[str, str]) -> str:
    from rich import box
    from rich.table import Table

    from app.commands.tables import rendered
    from app.commands.values import moment
    from records.learning import SHIPPED_AS

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (
        "version",
        "of",
        "state",
        "proposed",
        "learned examples",
        "matters for people",
        "advice",
        "decided by",
    ):
        table.add_column(name, no_wrap=name == "version", overflow="fold")
    for row in rows:
        matters = ", ".join(f"{name} -> {queue}" for name, queue in row.matters.items())
        learned = str(len(row.examples)) if row.kind == "triage" else ""
        advice, decided = row.report.get("advice", ""), row.decided_by or ""
        table.add_row(row.id, row.kind, row.state, moment(row.created_at), learned, matters, advice, decided)
    named = [SHIPPED_AS[kind] if name == "shipped" else name for kind, name in serving.items()]
    head = f"serving: {', '.join(named)}"
    return f"{rendered(table)}\n{head}" if rows else f"{head}; nothing has been proposed"
