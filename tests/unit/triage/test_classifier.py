"""The intent classifier: learning from a dozen examples, foreign messages, and what it refuses to load."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from agents.knowledge.embed import CachedEmbedder, OpenAIEmbedder
from agents.triage.classifier import ARRAYS, MANIFEST, IntentClassifier, UnusableModel
from agents.triage.kernel import MOST_GAIN, PRICE, gain_of

THINGS = ["invoice 1042", "last month", "the March order", "my team plan", "two extra seats", "the annual contract"]
WAYS = {
    "refund": ["please refund {}", "I want my money back for {}"],
    "address": ["change the billing address on {}", "{} must show our new street address"],
    "password": ["I forgot my password and cannot see {}", "reset my password, I need {}"],
}
TEXTS = [way.format(thing) for ways in WAYS.values() for way in ways for thing in THINGS]
LABELS = [intent for intent, ways in WAYS.items() for _ in ways for _ in THINGS]


@pytest.fixture(scope="module")
def machine(embedder: CachedEmbedder) -> IntentClassifier:
    return IntentClassifier.fit(TEXTS, LABELS, embedder)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("could you give me my money back", "refund"),
        ("we moved to another street, update the invoices", "address"),
        ("Hello team, I can't log in because I lost my pasword. Thanks, Ann", "password"),
    ],
)
def test_a_dozen_examples_are_enough(machine: IntentClassifier, text: str, intent: str) -> None:
    prediction = machine.predict(text)
    assert prediction.intent == intent
    assert prediction.ranking[0] == (intent, prediction.probability)
    assert sum(p for _, p in prediction.ranking) == pytest.approx(1)
    assert prediction.margin == pytest.approx(prediction.probability - prediction.ranking[1][1])


def test_an_intent_with_few_examples_is_found_among_those_with_many(embedder: CachedEmbedder) -> None:
    seats = ["add a seat for Ann", "remove the seat of Bob"]
    billed = [f"{way} {thing}" for way in ("charge a seat for", "refund a seat for") for thing in THINGS * 4]
    machine = IntentClassifier.fit(billed + seats, ["billing"] * len(billed) + ["seats"] * 2, embedder)
    even = IntentClassifier.fit(billed[:2] + seats, ["billing"] * 2 + ["seats"] * 2, embedder)
    text = "give a seat to Cleo"
    assert machine.predict(text).intent == even.predict(text).intent == "seats"


def test_a_foreign_message_scores_over_half_and_its_own_examples_below(machine: IntentClassifier) -> None:
    foreign = machine.predict_many(["what is the capital of Peru?", "my cat likes warm milk"])
    assert all(prediction.out_of_scope > 0.5 for prediction in foreign)
    own = np.array([prediction.out_of_scope for prediction in machine.predict_many(TEXTS)])
    assert np.mean(own < 0.5) >= 0.95


def test_a_message_is_read_the_same_alone_and_among_others(machine: IntentClassifier) -> None:
    texts = [*TEXTS[:5], "!!", "", "refund " * 300]
    for alone, among in zip(map(machine.predict, texts), machine.predict_many(texts), strict=True):
        assert alone.intent == among.intent
        assert alone.probability == pytest.approx(among.probability, abs=1e-4)
        assert alone.out_of_scope == pytest.approx(among.out_of_scope, abs=1e-4)


def test_what_is_saved_predicts_the_same(machine: IntentClassifier, embedder: CachedEmbedder, tmp_path: Path) -> None:
    machine.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [ARRAYS, MANIFEST]
    assert IntentClassifier.load(tmp_path, embedder).predict_many(TEXTS[:3]) == machine.predict_many(TEXTS[:3])


def test_an_endpoint_without_earlier_layers_will_do(
    embedder: CachedEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = OpenAIEmbedder("small", dimension=embedder.dimension)
    monkeypatch.setattr(endpoint, "embed", embedder.embed)
    machine = IntentClassifier.fit(TEXTS, LABELS, endpoint)
    assert machine.predict("could you give me my money back").intent == "refund"
    machine.save(tmp_path)
    assert IntentClassifier.load(tmp_path, endpoint).predict_many(TEXTS[:3]) == machine.predict_many(TEXTS[:3])


def test_the_hash_tells_other_examples_apart(machine: IntentClassifier, embedder: CachedEmbedder) -> None:
    assert IntentClassifier.fit(TEXTS, LABELS, embedder).training_hash == machine.training_hash
    assert IntentClassifier.fit(TEXTS[1:], LABELS[1:], embedder).training_hash != machine.training_hash


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("format", 1, "format"),
        ("embedder", "another", "was fitted with another"),
        ("arrays_sha256", "0", "does not match"),
        ("labels", ["refund"], "other labels"),
        ("calibration", {"temperature": 1}, "cannot be read"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    machine: IntentClassifier, embedder: CachedEmbedder, tmp_path: Path, field: str, value: object, reason: str
) -> None:
    machine.save(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {field: value}))
    with pytest.raises(UnusableModel, match=reason):
        IntentClassifier.load(tmp_path, embedder)


@pytest.mark.parametrize(
    ("name", "axis"),
    [("classes", 0), ("meaning", 0), ("wording", 0), ("weights", 0), ("weights", 1), ("gain", 0), ("ngrams", 0)],
)
def test_parts_that_do_not_fit_together_are_refused(
    machine: IntentClassifier, embedder: CachedEmbedder, tmp_path: Path, name: str, axis: int
) -> None:
    machine.save(tmp_path)
    with np.load(tmp_path / ARRAYS) as saved:
        arrays = dict(saved)
    arrays[name] = np.delete(arrays[name], 0, axis=axis)
    np.savez(tmp_path / ARRAYS, **arrays)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    digest = hashlib.sha256((tmp_path / ARRAYS).read_bytes()).hexdigest()
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"arrays_sha256": digest}))
    with pytest.raises(UnusableModel, match="other labels or examples"):
        IntentClassifier.load(tmp_path, embedder)


@pytest.mark.parametrize(
    ("name", "content"), [(MANIFEST, b"{"), (MANIFEST, b"[]"), (ARRAYS, b"PK\x03\x04"), (ARRAYS, b"")]
)
def test_a_broken_file_is_refused(
    machine: IntentClassifier, embedder: CachedEmbedder, tmp_path: Path, name: str, content: bytes
) -> None:
    machine.save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableModel):
        IntentClassifier.load(tmp_path, embedder)
    (tmp_path / name).unlink()
    with pytest.raises(UnusableModel):
        IntentClassifier.load(tmp_path, embedder)


@pytest.mark.parametrize(("texts", "labels"), [([], []), (["a"], ["x", "y"])])
def test_nothing_to_learn_from_is_refused(embedder: CachedEmbedder, texts: list[str], labels: list[str]) -> None:
    with pytest.raises(ValueError, match="at least one text"):
        IntentClassifier.fit(texts, labels, embedder)


def test_a_scarce_intent_gains_only_while_that_costs_the_others_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), [200, 200, 20]).astype(np.int32)
    held_out = np.where(classes[:, None] == np.arange(3), 0.4, -0.9).astype(np.float32)
    held_out[classes == 2, 2] = -0.6  # few examples: a timid output
    held_out += rng.normal(0, 0.3, held_out.shape).astype(np.float32)
    gain = gain_of(held_out, classes)
    assert gain[0] == gain[1] == 0 < gain[2] < MOST_GAIN
    common = classes < 2
    right = [((held_out + added).argmax(axis=1) == classes)[common].mean() for added in (0, gain)]
    assert 0 <= right[0] - right[1] <= PRICE + 1e-9
    clear = np.where(classes[:, None] == np.arange(3), 5, -5).astype(np.float32)
    assert not gain_of(clear, classes).any(), "nothing is to be won"


def test_nothing_is_gained_among_intents_with_like_numbers_of_examples() -> None:
    classes = np.repeat(np.arange(4), [10, 12, 9, 11]).astype(np.int32)
    assert not gain_of(np.zeros((42, 4), np.float32), classes).any()
