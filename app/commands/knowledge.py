"""`handrail knowledge`: ingest documents, search them, judge the search."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.counting import counting
from app.commands.output import BadInput, Json, emit, readable
from app.settings import Settings

if TYPE_CHECKING:
    from agents.knowledge.index import KnowledgeIndex

commands = typer.Typer(no_args_is_help=True)

Audiences = Annotated[
    list[str] | None,
    typer.Option(
        "--audience", help="Who asks: public, customer, plan:NAME, internal; may be repeated. Default: public."
    ),
]


@commands.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: Markdown, HTML, PDF, JSON lines.")],
    audience: Annotated[str, typer.Option(help="For documents that do not name theirs.")] = "public",
    as_json: Json = False,
) -> None:
    """Bring the knowledge base to these documents. What came from these paths before and is gone is removed."""
    from agents.knowledge.documents import AUDIENCE, read_documents

    if not AUDIENCE.fullmatch(audience):
        raise BadInput(f"--audience: {audience!r} is none of public, customer, plan:NAME, internal")
    with one_line_errors():
        documents = read_documents(paths, audience)
        index = _index(lasting=True)
        with counting("Indexing") as count:
            report = index.ingest(documents, count, within=[str(path.resolve()) for path in paths])
    text = (
        f"{report.documents} documents in {report.chunks} passages: {report.added} added, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.removed} removed ({report.seconds:.1f} s)"
    )
    emit(asdict(report), as_json, text)


@commands.command()
def search(
    text: Annotated[str, typer.Argument(help="A question.")],
    audience: Audiences = None,
    k: Annotated[int, typer.Option("--k", min=1, help="How many passages.")] = 10,
    as_json: Json = False,
) -> None:
    """Find the passages that answer a question."""
    with one_line_errors():
        found = _filled_index().search(readable(text), set(audience or ["public"]), k)
    lines = [f"relevance {found.relevance:.2f}"]
    for passage in found.passages:
        lines.append(f"\n{passage.title} ({passage.document_id}, {passage.score:.3f})\n{passage.text}")
    emit(asdict(found), as_json, "\n".join(lines))


@commands.command()
def evaluate(
    queries: Annotated[Path, typer.Argument(help='JSON lines: {"id": ..., "query": ..., "relevant": [ids]}')],
    unanswerable: Annotated[
        Path | None,
        typer.Option(help='Questions that nothing answers, as JSON lines: {"query": ...} or {"text": ...}.'),
    ] = None,
    audience: Audiences = None,
    as_json: Json = False,
) -> None:
    """Judge the search on questions whose relevant documents are known, and on some that have none."""
    from agents.knowledge import evaluation

    with one_line_errors():
        asked = evaluation.read_queries(queries)
        foreign = evaluation.read_unanswerable(unanswerable) if unanswerable else []
        index = _filled_index()
        with counting("Searching") as count:
            result = evaluation.evaluate(index, asked, set(audience or ["public"]), count, foreign)
    text = (
        f"{result.queries} queries: hit rate at 10 {result.hit_rate_at_10:.3f}, "
        f"recall at 10 {result.recall_at_10:.3f}, mean reciprocal rank {result.mean_reciprocal_rank:.3f}, "
        f"{result.p50_ms:.1f} ms a query"
    )
    if foreign:
        text += (
            f"\nagainst {result.unanswerable} questions that nothing answers: AUROC of relevance "
            f"{result.relevance_auroc:.3f}, expected calibration error {result.calibration_error:.3f}"
        )
    emit(asdict(result), as_json, text)


def _index(*, lasting: bool) -> "KnowledgeIndex":
    from agents.knowledge.index import KnowledgeIndex
    from app.embeddings import lasting_embedder, plain_embedder

    settings = Settings.read()
    embedder = lasting_embedder(settings) if lasting else plain_embedder(settings)
    return KnowledgeIndex(settings.home / "chroma", embedder, url=settings.chroma_url)


def _filled_index() -> "KnowledgeIndex":
    index = _index(lasting=False)
    if index.count() == 0:
        raise BadInput("the knowledge base is empty: fill it with `handrail knowledge ingest PATH...`")
    return index


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can mend becomes `BadInput`."""
    from agents.knowledge.documents import UnreadableDocument
    from agents.knowledge.embed import ModelFilesMissing
    from agents.knowledge.index import KnowledgeUnavailable

    try:
        yield
    except (UnreadableDocument, KnowledgeUnavailable, ModelFilesMissing) as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}") from error
