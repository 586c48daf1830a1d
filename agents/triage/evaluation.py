"""How good the intent classifier is on labelled messages: accuracy, latency, out of scope, intents that come later."""

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
SHOWN_EVERY = 50  # messages: drawing the progress empties the caches that the next message is timed on
HELD_OUT = 5
"""One message in so many judges what was learnt from the others."""


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


@dataclass(frozen=True)
class Drift:
    """What becomes of accuracy (0 to 1) when intents appear that the start did not know: means over several draws."""

    new_accuracy: float
    """On messages of the new intents, once some examples of each are learnt."""
    new_accuracy_worst: float
    """The same in the worst draw."""
    old_accuracy_before: float
    """On messages of the other intents, before the new ones were learnt."""
    old_accuracy_after: float
    old_loss_worst: float
    """By how much the other intents lost in the worst draw; negative where they gained in all."""
    draws: int


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
    right = 0.0
    for k in range(folds):
        if progress:
            progress(k, folds)
        train = [example for example, of in zip(examples, fold, strict=True) if of != k]
        held_out = [example for example, of in zip(examples, fold, strict=True) if of == k]
        right += _accuracy(_fitted(train, embedder), held_out) * len(held_out)
    if progress:
        progress(folds, folds)
    return CrossValidation(right / len(examples), folds)


def drift(
    examples: Sequence[Example],
    embedder: Embedder,
    new: int = 10,
    shown: int = 20,
    draws: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Drift:
    """Lets `new` intents, drawn at random, appear after the start, with `shown` labelled examples of each.

    A fifth of the messages is held out for the judgement. Both machines are fitted anew, as the product does when it
    learns. Raises ValueError where fewer than two old intents would be left, or nothing new is drawn.
    """
    intents = sorted({example.intent for example in examples})
    if new < 1 or shown < 1 or draws < 1 or new > len(intents) - 2:
        raise ValueError(f"{new} new intents with {shown} examples cannot be drawn {draws} times from {len(intents)}")
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, float, float]] = []
    for draw in range(draws):
        if progress:
            progress(draw, draws)
        later = set(rng.choice(intents, new, replace=False))
        fold = _stratified(examples, HELD_OUT, seed + draw)
        train = [example for example, of in zip(examples, fold, strict=True) if of]
        judged = [example for example, of in zip(examples, fold, strict=True) if not of]
        shuffled = [train[i] for i in rng.permutation(len(train))]
        start = [e for e in shuffled if e.intent not in later]
        arrived = [e for name in sorted(later) for e in [e for e in shuffled if e.intent == name][:shown]]
        old_ones, new_ones = [e for e in judged if e.intent not in later], [e for e in judged if e.intent in later]
        taught = _fitted([*start, *arrived], embedder)
        before = _accuracy(_fitted(start, embedder), old_ones)
        rows.append((_accuracy(taught, new_ones), before, _accuracy(taught, old_ones)))
    if progress:
        progress(draws, draws)
    on_new, before, after = np.array(rows).T
    means = (float(on_new.mean()), float(on_new.min()), float(before.mean()), float(after.mean()))
    return Drift(*means, old_loss_worst=float((before - after).max()), draws=draws)


def _fitted(examples: Sequence[Example], embedder: Embedder) -> IntentClassifier:
    return IntentClassifier.fit([e.text for e in examples], [e.intent for e in examples], embedder)


def _accuracy(machine: IntentClassifier, examples: Sequence[Example]) -> float:
    predictions = machine.predict_many([e.text for e in examples])
    return sum(p.intent == e.intent for p, e in zip(predictions, examples, strict=True)) / len(examples)


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
        if progress and len(inside) % SHOWN_EVERY == 0:
            progress(len(inside), total)
    for example in out_of_scope:
        outside.append(machine.predict(example.text).out_of_scope)
    if progress:
        progress(total, total)
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
