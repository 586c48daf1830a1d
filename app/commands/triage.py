"""`handrail triage`: fit the intent classifier, ask it, judge it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.commands.counting import counting
from app.commands.output import BadInput, Json, emit, readable
from app.settings import Settings

commands = typer.Typer(no_args_is_help=True)

ModelFolder = Annotated[Path, typer.Option("--model", help="What `triage fit --out` wrote.")]


@commands.command()
def fit(
    file: Annotated[Path, typer.Argument(help='JSON lines: {"text": ..., "intent": ...}')],
    out: Annotated[Path, typer.Option(help="Folder for the fitted classifier.")],
    folds: Annotated[int, typer.Option(min=0, help="Also cross-validate over so many folds (2 or more).")] = 0,
    as_json: Json = False,
) -> None:
    """Learn intents from labelled messages."""
    from agents.triage.classifier import IntentClassifier
    from agents.triage.evaluation import cross_validate, median_latency_ms, read_examples
    from app.embeddings import lasting_embedder, plain_embedder

    settings = Settings.read()
    with one_line_errors():
        examples = read_examples(file)
        texts, intents = [e.text for e in examples], [e.intent for e in examples]
        document = {"examples": len(texts), "intents": len(set(intents)), "out": str(out)}
        embedder = lasting_embedder(settings)
        with counting("Embedding") as count:
            embedder.embed_with_layers(texts, count)
        if folds:
            with counting("Cross-validating") as count:
                document |= asdict(cross_validate(examples, embedder, folds, progress=count))
        with counting("Fitting"):
            IntentClassifier.fit(texts, intents, embedder).save(out)
        document["p50_ms"] = median_latency_ms(IntentClassifier.load(out, plain_embedder(settings)), texts)
    lines = f"{len(texts)} examples of {document['intents']} intents learnt; saved in {out}"
    if folds:
        lines += f"\naccuracy {document['accuracy']:.2%}, cross-validated over {folds} folds"
    emit(document, as_json, f"{lines}\n{document['p50_ms']:.1f} ms a message")


@commands.command()
def predict(
    texts: Annotated[list[str], typer.Argument(help="Messages.")], model: ModelFolder, as_json: Json = False
) -> None:
    """Tell the intent of messages."""
    from agents.triage.classifier import IntentClassifier
    from app.embeddings import plain_embedder

    with one_line_errors():
        predictions = IntentClassifier.load(model, plain_embedder(Settings.read())).predict_many(
            [readable(text) for text in texts]
        )
    rows = [{"text": text, **asdict(prediction)} for text, prediction in zip(texts, predictions, strict=True)]
    line = "{intent} ({probability:.0%}, out of scope {out_of_scope:.2f}): {text}"
    emit({"predictions": rows}, as_json, "\n".join(line.format(**row) for row in rows))


@commands.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help='JSON lines: {"text": ..., "intent": ...}')],
    model: ModelFolder,
    out_of_scope: Annotated[
        Path | None, typer.Option(help='JSON lines with messages that belong to no intent: {"text": ...}')
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge a fitted classifier on labelled messages."""
    from agents.triage import evaluation
    from agents.triage.classifier import IntentClassifier
    from app.embeddings import plain_embedder

    with one_line_errors():
        examples = evaluation.read_examples(file)
        foreign = evaluation.read_examples(out_of_scope, labelled=False) if out_of_scope else []
        machine = IntentClassifier.load(model, plain_embedder(Settings.read()))
        with counting("Predicting") as count:
            result = evaluation.evaluate(machine, examples, foreign, count)
    document = {key: value for key, value in asdict(result).items() if value is not None}
    lines = f"accuracy {result.accuracy:.2%} of {result.messages} messages, {result.p50_ms:.1f} ms a message"
    if foreign:
        lines += (
            f"\nout of scope: AUROC {result.out_of_scope_auroc:.4f}; "
            f"{result.escalated_at_5pct_slip:.2%} escalated where 5 % slip through"
        )
    emit(document, as_json, lines)


@commands.command()
def drift(
    file: Annotated[Path, typer.Argument(help='JSON lines: {"text": ..., "intent": ...}')],
    new: Annotated[int, typer.Option(min=1, help="So many intents appear only after the start.")] = 10,
    examples: Annotated[int, typer.Option(min=1, help="Labelled examples of each that arrive.")] = 20,
    draws: Annotated[int, typer.Option(min=1, help="How often the new intents are drawn.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Judge how well intents are learnt that appear later, and what the others lose by it."""
    from agents.triage import evaluation
    from app.embeddings import lasting_embedder

    with one_line_errors():
        messages = evaluation.read_examples(file)
        embedder = lasting_embedder(Settings.read())
        with counting("Embedding") as count:
            embedder.embed_with_layers([message.text for message in messages], count)
        with counting("Drawing") as count:
            result = evaluation.drift(messages, embedder, new, examples, draws, seed, count)
    lines = (
        f"new intents: accuracy {result.new_accuracy:.2%} after {examples} examples each"
        f" ({result.new_accuracy_worst:.2%} in the worst of {draws} draws)"
        f"\nthe others: {result.old_accuracy_before:.2%} before, {result.old_accuracy_after:.2%} after"
    )
    emit(asdict(result), as_json, lines)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can mend becomes `BadInput`."""
    from agents.knowledge.embed import ModelFilesMissing
    from agents.triage.classifier import UnusableModel
    from agents.triage.evaluation import BadExample

    try:
        yield
    except (BadExample, UnusableModel, ModelFilesMissing, ValueError) as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}") from error
