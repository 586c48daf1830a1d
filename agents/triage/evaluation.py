"""How good the intent classifier is on labelled messages: accuracy, cross-validated too, latency, out of scope."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.knowledge.embed import Embedder, Progress
from agents.triage.classifier import IntentClassifier

SLIP = 0.05  # the share of out-of-scope messages that may pass as in scope
TIMED_MESSAGES = 200


class BadExample(Exception):
    """A line of a file of examples that cannot be used."""

    def __init__(self, path: Path, line: int, field: str, problem: str) -> None:
        super().__init__(f'{path} line {line}, field "{field}": {problem}')
        self.path = path
        self.line = line
        self.field = field


@dataclass(frozen=True)
class Example:
    """A message and the intent that a person gave it."""

    text: str
    intent: str


@dataclass(frozen=True)
class CrossValidation:
    """Accuracy on messages that the machine had not seen (0 to 1), over so many folds."""

    accuracy: float
    folds: int


@dataclass(frozen=True)
class Evaluation:
    """What a classifier did on labelled messages. The last two need out-of-scope messages."""

    accuracy: float
    p50_ms: float
    """Median time of one prediction, its embedding included."""
    p95_ms: float
    messages: int
    out_of_scope_auroc: float | None = None
    """Area under the ROC curve of the out-of-scope score."""
    escalated_at_5pct_slip: float | None = None
    """Share of in-scope messages that score over the threshold under which 5 % of the out-of-scope ones stay."""


def read_examples(path: Path, *, labelled: bool = True) -> list[Example]:
    """One JSON object a line with `text` and, where `labelled`, `intent`; blank lines are passed over.

    Raises `BadExample` at the first line that has not the form, OSError where the file cannot be read.
    """
    lines = path.read_bytes().split(b"\n")
    examples = [_example(path, n, line, labelled) for n, line in enumerate(lines, start=1) if line.strip()]
    if not examples:
        raise BadExample(path, 1, "text", "the file holds no examples")
    return examples


def _example(path: Path, number: int, line: bytes, labelled: bool) -> Example:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadExample(path, number, "text", f"not JSON ({error})") from error
    if not isinstance(row, dict):
        raise BadExample(path, number, "text", "the line is not a JSON object")
    for field in ("text", "intent") if labelled else ("text",):
        if field not in row:
            raise BadExample(path, number, field, "missing")
        if not isinstance(row[field], str) or not row[field].strip():
            raise BadExample(path, number, field, "must be text and not empty")
    return Example(row["text"], row["intent"] if labelled else "")


def cross_validate(
    examples: Sequence[Example], embedder: Embedder, folds: int = 5, seed: int = 0, progress: Progress | None = None
) -> CrossValidation:
    """Fits on all folds but one and predicts that one, in turn. Each intent is spread evenly over the folds.

    Give a caching embedder: every text is embedded `folds` times. Raises ValueError for fewer than 2 folds or examples.
    """
    if folds < 2 or len(examples) < folds:
        raise ValueError(f"{len(examples)} examples cannot be split into {folds} folds (2 or more are needed)")
    fold = _stratified(examples, folds, seed)
    right = 0
    for k in range(folds):
        if progress:
            progress(k, folds)
        train = [example for example, of in zip(examples, fold, strict=True) if of != k]
        held_out = [example for example, of in zip(examples, fold, strict=True) if of == k]
        machine = IntentClassifier.fit([e.text for e in train], [e.intent for e in train], embedder)
        predictions = machine.predict_many([e.text for e in held_out])
        right += sum(p.intent == e.intent for p, e in zip(predictions, held_out, strict=True))
    if progress:
        progress(folds, folds)
    return CrossValidation(right / len(examples), folds)


def _stratified(examples: Sequence[Example], folds: int, seed: int) -> list[int]:
    shuffled = np.random.default_rng(seed).permutation(len(examples))
    by_intent = sorted(shuffled, key=lambda i: examples[i].intent)
    fold = [0] * len(examples)
    for position, i in enumerate(by_intent):
        fold[i] = position % folds
    return fold


def evaluate(
    machine: IntentClassifier,
    examples: Sequence[Example],
    out_of_scope: Sequence[Example] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Predicts each message by itself, as in service. The machine's embedder must not cache, or `p50_ms` misleads."""
    seconds, right, inside, outside = [], 0, [], []
    machine.predict(examples[0].text)  # loads the embedding model
    total = len(examples) + len(out_of_scope)
    for example in examples:
        start = time.perf_counter()
        prediction = machine.predict(example.text)
        seconds.append(time.perf_counter() - start)
        right += prediction.intent == example.intent
        inside.append(prediction.out_of_scope)
        if progress:
            progress(len(inside), total)
    for example in out_of_scope:
        outside.append(machine.predict(example.text).out_of_scope)
        if progress:
            progress(len(inside) + len(outside), total)
    p50_ms, p95_ms = (float(ms) for ms in np.percentile(seconds, [50, 95]) * 1000)
    auroc = separation(inside, outside) if outside else None
    escalated = escalated_at_slip(inside, outside, SLIP) if outside else None
    return Evaluation(right / len(examples), p50_ms, p95_ms, len(examples), auroc, escalated)


def separation(inside: Sequence[float], outside: Sequence[float]) -> float:
    """AUROC: how often a message from outside scores higher than one from inside (ties count half)."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score([0] * len(inside) + [1] * len(outside), [*inside, *outside]))


def escalated_at_slip(inside: Sequence[float], outside: Sequence[float], slip: float) -> float:
    """Share of the inside scores over the threshold under which the share `slip` of the outside scores lies."""
    threshold = np.quantile(outside, slip)
    return float(np.mean(np.asarray(inside) > threshold))


def median_latency_ms(machine: IntentClassifier, texts: Sequence[str]) -> float:
    """Median milliseconds of one prediction over the first texts, after one that does not count."""
    machine.predict(texts[0])
    seconds = []
    for text in texts[:TIMED_MESSAGES]:
        start = time.perf_counter()
        machine.predict(text)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds) * 1000)
