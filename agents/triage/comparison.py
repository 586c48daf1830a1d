"""Two classifiers over the same labelled messages: the one that serves, and the same with what people taught beside it.

Both are judged out of fold: each message by machines that were fitted without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.knowledge.embed import Embedder
from agents.triage.classifier import IntentClassifier

FOLDS = 5


@dataclass(frozen=True)
class Labelled:
    """A message with its intent. `id` is empty for a shipped example; `served` says that the champion learnt it."""

    text: str
    intent: str
    id: str = ""
    served: bool = True


@dataclass(frozen=True)
class Judged:
    """What both say of one message."""

    example: Labelled
    before: str
    after: str
    odds: Mapping[str, float]
    """The candidate's ranking."""

    @property
    def was_right(self) -> bool:
        """Whether the champion knows it."""
        return self.before == self.example.intent

    @property
    def is_right(self) -> bool:
        """Whether the candidate knows it."""
        return self.after == self.example.intent


def compare(
    examples: Sequence[Labelled],
    embedder: Embedder,
    folds: int = FOLDS,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> list[Judged]:
    """What champion and candidate say of each example, in the order of the examples. Give a caching embedder.

    The candidate learns all examples, the champion those that are `served`. `progress` is called after each fold.
    """
    fold = spread_over_folds(examples, folds, seed)
    judged: list[Judged | None] = [None] * len(examples)
    for held in range(folds):
        train = [example for example, of in zip(examples, fold, strict=True) if of != held]
        places = [place for place, of in enumerate(fold) if of == held]
        texts = [examples[place].text for place in places]
        after = _fitted(train, embedder).predict_many(texts)
        served = [example for example in train if example.served]
        before = after if len(served) == len(train) else _fitted(served, embedder).predict_many(texts)
        for place, old, new in zip(places, before, after, strict=True):
            judged[place] = Judged(examples[place], old.intent, new.intent, dict(new.ranking))
        progress()
    return [one for one in judged if one is not None]


def spread_over_folds(examples: Sequence[Labelled], folds: int, seed: int) -> list[int]:
    """The fold of each example: each intent is spread evenly, learned examples apart from shipped ones.

    The same words are always in one fold, or one would be learnt from the other.
    """
    order = np.random.default_rng(seed).permutation(len(examples))
    first: dict[str, int] = {}
    for n in order:
        first.setdefault(" ".join(examples[n].text.lower().split()), int(n))
    dealt = sorted(first.values(), key=lambda n: (examples[n].intent, bool(examples[n].id)))
    of = {n: position % folds for position, n in enumerate(dealt)}
    return [of[first[" ".join(example.text.lower().split())]] for example in examples]


def _fitted(examples: Sequence[Labelled], embedder: Embedder) -> IntentClassifier:
    return IntentClassifier.fit([e.text for e in examples], [e.intent for e in examples], embedder)


def mislabelled(judged: Sequence[Judged]) -> list[tuple[Judged, str]]:
    """Learned examples whose label looks wrong, with the intent that they look like.

    Confident learning (Northcutt, Jiang and Chuang 2021): an example counts for another intent where its probability
    out of fold reaches what messages of that intent usually reach.
    """
    own: dict[str, list[float]] = {}
    for one in judged:
        own.setdefault(one.example.intent, []).append(one.odds.get(one.example.intent, 0.0))
    usual = {intent: sum(odds) / len(odds) for intent, odds in own.items()}
    found = []
    for one in judged:
        given = one.odds.get(one.example.intent, 0.0)
        over = {i: p for i, p in one.odds.items() if i != one.example.intent and p >= usual.get(i, 1.0) and p > given}
        if one.example.id and over:
            found.append((one, max(over, key=lambda intent: over[intent])))
    return found
