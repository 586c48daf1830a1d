"""The intent of a message: a kernel machine over its meaning, its wording (two views of MiniLM) and its words."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.embed import Embedder, english_words
from agents.triage.kernel import CONSTANTS, LEXICAL_WEIGHT, Directions, Matrix, Wording, gain_of, kernel, least_squares
from agents.triage.lexical import LexicalFeatures, NgramWeights
from agents.triage.lexical import cosines as lexical_cosines
from agents.triage.reading import core_of, directed, sentences_of
from agents.triage.spelling import Spelling

FORMAT = 6
MANIFEST = "manifest.json"
ARRAYS = "arrays.npz"
RANKED = 5
MAX_EXAMPLES = 20_000  # the fit holds a square matrix over the examples: 1.6 GB at this size

NEIGHBOURS = 3
CLEAREST = 0.25  # weight of the clearest sentence of a long message beside the whole
TYPICAL_SHARE = 0.05  # this share of the training messages looks more foreign than out_of_scope = 0.5

RECIPE = " ".join(map(str, (FORMAT, *CONSTANTS, NEIGHBOURS, TYPICAL_SHARE)))
"""What a fit depends on beside its examples: another recipe makes another artefact."""


class UnusableModel(Exception):
    """A saved classifier that cannot be loaded here: `path` and `reason`."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class IntentPrediction:
    """What a message is probably about."""

    intent: str
    probability: float
    """Calibrated: of the predictions with probability 0.8, about 80 % are right, for messages within scope."""
    ranking: list[tuple[str, float]]
    """The five likeliest intents with their probabilities, best first."""
    out_of_scope: float
    """0 to 1, higher is more foreign; 0.5 is as foreign as the most foreign 5 % of the training messages."""
    margin: float
    """Probability of the first intent less that of the second."""


class IntentClassifier:
    """Regularised least squares with one output per intent (Rifkin, Yeo and Poggio 2003), on a sum of three kernels.

    One kernel is Gaussian in the distance of the embeddings, one in that of the states of earlier layers, which keep
    more of how a thing is put (Tenney, Das and Pavlick 2019, "BERT rediscovers the classical NLP pipeline"); the third
    is the cosine of tf-idf vectors. The leave-one-out
    outputs exist in closed form (Rifkin and Lippert 2007): they set the softmax temperature (Guo et al. 2017) and the
    scale of the out-of-scope score without any folds, so a dozen examples per intent are enough. How many examples
    there are of an intent says little of how often customers mean it, so outputs are adjusted for that (logit
    adjustment, Menon et al. 2021): an intent that appeared lately is found among those with many examples. By how much
    follows from the same leave-one-out outputs: as far as it costs the other intents next to nothing.
    """

    def __init__(
        self,
        embedder: Embedder,
        spelling: Spelling,
        labels: Sequence[str],
        classes: NDArray[np.int32],
        meaning: Directions,
        wording: Wording,
        lexical: LexicalFeatures,
        ngrams: NgramWeights,
        weights: Matrix,
        gain: Matrix,
        calibration: "Calibration",
        training_hash: str,
    ) -> None:
        """Use `fit` or `load`. Per example: class number, meaning, wording and weights over the labels.

        `ngrams`: what the words of a message add. `gain`: what is added to the output of each label.
        """
        self.labels = list(labels)
        self.training_hash = training_hash
        self._embedder = embedder
        self._spelling = spelling
        self._classes = classes
        self._meaning = meaning
        self._wording = wording
        self._lexical = lexical
        self._ngrams = ngrams
        self._weights = weights
        self._gain = gain
        self._calibration = calibration

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[str], embedder: Embedder) -> "IntentClassifier":
        """Learns from one label per text. Raises ValueError without examples, or with more than `MAX_EXAMPLES`."""
        if not texts or len(texts) != len(labels):
            raise ValueError("a classifier needs at least one text, and one label for each")
        if len(texts) > MAX_EXAMPLES:
            raise ValueError(f"at most {MAX_EXAMPLES} examples can be learnt from, not {len(texts)}")
        names = sorted(set(labels))
        number = {name: i for i, name in enumerate(names)}
        classes = np.array([number[label] for label in labels], dtype=np.int32)
        cores = [directed(core_of(text)) for text in texts]
        spelling = Spelling.learn(cores, english_words())
        vectors, layers = embedder.embed_with_layers(cores)
        meaning, wording = Directions.fit(vectors), Wording.fit(layers)
        lexical, words = LexicalFeatures.fit(cores)
        cosines = meaning.own_cosines()
        likeness = kernel(cosines, wording.own_cosines())
        likeness += LEXICAL_WEIGHT * lexical_cosines(words)
        weights, held_out = least_squares(likeness, classes, len(names))
        gained = gain_of(held_out, classes)
        held_out += gained
        np.fill_diagonal(cosines, -1.0)  # an example is not its own neighbour
        foreign = _foreignness(held_out, cosines, classes)
        calibration = Calibration.fit(held_out, classes, foreign)
        training_hash = _hash_of(texts, labels)
        ngrams = NgramWeights.fit(words, LEXICAL_WEIGHT * weights)
        fitted = (classes, meaning, wording, lexical, ngrams, weights, gained, calibration, training_hash)
        return cls(embedder, spelling, names, *fitted)

    def predict(self, text: str) -> IntentPrediction:
        """The prediction for one message."""
        return self.predict_many([text])[0]

    def predict_many(self, texts: Sequence[str]) -> list[IntentPrediction]:
        """The predictions for several messages, each as `predict` alone would give it."""
        if not texts:
            return []
        cores = [self._spelling.mended(directed(core_of(text))) for text in texts]
        sentences = [sentences_of(core) for core in cores]
        pieces = list(dict.fromkeys([*cores, *chain.from_iterable(sentences)]))
        vectors, layers = self._embedder.embed_with_layers(pieces)
        cosines = self._meaning.cosines(vectors)
        outputs = kernel(cosines, self._wording.cosines(layers)) @ self._weights
        outputs += self._ngrams.outputs(self._lexical.transform(pieces)) + self._gain
        row = {piece: i for i, piece in enumerate(pieces)}
        whole, parts = [row[core] for core in cores], [[row[s] for s in those] for those in sentences]
        near = np.array([cosines[[i, *those]].max(axis=0) for i, those in zip(whole, parts, strict=True)])
        said = np.array([_with_clearest(outputs[i], outputs[those]) for i, those in zip(whole, parts, strict=True)])
        probabilities = self._calibration.probabilities(said)
        out_of_scope = self._calibration.out_of_scope(_foreignness(said, near, self._classes))
        return [self._prediction(*each) for each in zip(probabilities, out_of_scope, strict=True)]

    def _prediction(self, probabilities: NDArray[np.float64], out_of_scope: float) -> IntentPrediction:
        best = np.argsort(-probabilities, kind="stable")[:RANKED]
        ranking = [(self.labels[i], float(probabilities[i])) for i in best]
        second = ranking[1][1] if len(ranking) > 1 else 0.0
        return IntentPrediction(ranking[0][0], ranking[0][1], ranking, float(out_of_scope), ranking[0][1] - second)

    def save(self, folder: Path) -> None:
        """Writes arrays.npz into the folder and, last, manifest.json; nothing in them is executable."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            "classes": self._classes,
            "meaning_axes": self._meaning.axes,
            "meaning": self._meaning.examples,
            "wording_centres": self._wording.centres,
            "wording_axes": self._wording.directions.axes,
            "wording": self._wording.directions.examples,
            "weights": self._weights,
            "gain": self._gain,
            "ngrams": self._ngrams.ngrams,
            "ngram_weights": self._ngrams.weights,
            "idf": self._lexical.idf,
        }
        np.savez(folder / ARRAYS, allow_pickle=False, **arrays)
        manifest = {
            "format": FORMAT,
            "embedder": self._embedder.name,
            "labels": self.labels,
            "vocabulary": self._spelling.counts,
            "examples": len(self._classes),
            "training_hash": self.training_hash,
            "arrays_sha256": hashlib.sha256((folder / ARRAYS).read_bytes()).hexdigest(),
            "calibration": asdict(self._calibration),
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, embedder: Embedder) -> "IntentClassifier":
        """Reads what `save` wrote. Raises `UnusableModel`, also when it was fitted with another embedder."""
        manifest = _read_manifest(folder)
        if manifest["embedder"] != embedder.name:
            raise UnusableModel(folder / MANIFEST, f"was fitted with {manifest['embedder']}, not {embedder.name}")
        path = folder / ARRAYS
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() != manifest["arrays_sha256"]:
                raise UnusableModel(path, "does not match its manifest")
            with np.load(path, allow_pickle=False) as arrays:
                lexical = LexicalFeatures(arrays["idf"])
                meaning = Directions(arrays["meaning_axes"], arrays["meaning"])
                wording = Wording(arrays["wording_centres"], Directions(arrays["wording_axes"], arrays["wording"]))
                ngrams = NgramWeights(arrays["ngrams"], arrays["ngram_weights"])
                classes, weights, gain = arrays["classes"], arrays["weights"], arrays["gain"]
                fitted = (classes, meaning, wording, lexical, ngrams, weights, gain)
                calibration = Calibration(**manifest["calibration"])
                width = len(manifest["labels"])
                rows = {len(classes), len(meaning.examples), len(wording.directions.examples), len(weights)}
                wide = {weights.shape[1], ngrams.weights.shape[1], len(gain), width}
                if len(rows) > 1 or len(wide) > 1 or len(ngrams.ngrams) != len(ngrams.weights):
                    raise UnusableModel(path, "holds other labels or examples than its manifest")
                spelling = Spelling(manifest["vocabulary"], english_words())
                return cls(embedder, spelling, manifest["labels"], *fitted, calibration, manifest["training_hash"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise UnusableModel(path, f"cannot be read ({error})") from error


@dataclass(frozen=True)
class Calibration:
    """How raw outputs become probabilities."""

    temperature: float
    """Outputs are multiplied by it before the softmax."""
    foreign_centre: float
    """The foreignness that becomes out_of_scope = 0.5."""
    foreign_scale: float

    @classmethod
    def fit(cls, held_out: Matrix, classes: NDArray[np.int32], foreign: NDArray[np.floating]) -> "Calibration":
        """From outputs for examples that the machine had not seen."""
        from scipy.optimize import minimize_scalar
        from scipy.special import logsumexp

        rows = np.arange(len(classes))

        def loss(log_temperature: float) -> float:
            scaled = np.exp(log_temperature) * held_out.astype(np.float64)
            return float(np.mean(logsumexp(scaled, axis=1) - scaled[rows, classes]))

        found: Any = minimize_scalar(loss, bounds=(np.log(0.5), np.log(50.0)), method="bounded")
        centre = float(np.quantile(foreign, 1 - TYPICAL_SHARE))
        spread = centre - float(np.median(foreign))
        return cls(float(np.exp(found.x)), centre, max(spread / 4, 1e-3))

    def probabilities(self, outputs: Matrix) -> NDArray[np.float64]:
        """Softmax over the intents, row by row."""
        from scipy.special import softmax

        return softmax(self.temperature * outputs.astype(np.float64), axis=1)

    def out_of_scope(self, foreign: NDArray[np.floating]) -> NDArray[np.float64]:
        """Into 0..1, in the same order."""
        from scipy.special import expit

        return expit((foreign.astype(np.float64) - self.foreign_centre) / self.foreign_scale)


def _with_clearest(whole: Matrix, sentences: Matrix) -> Matrix:
    """The outputs for a message: an intent gains by how clearly the clearest of its sentences says it."""
    return whole + CLEAREST * (sentences.max(axis=0) + 1) if len(sentences) else whole


def _foreignness(outputs: Matrix, cosines: Matrix, classes: NDArray[np.int32]) -> NDArray[np.float64]:
    """How unlike the examples a message is: a low best output, and far from the nearest examples of that intent."""
    best = outputs.argmax(axis=1)
    nearest = np.empty(len(outputs))
    for row, intent in enumerate(best):
        same = cosines[row, classes == intent]
        nearest[row] = np.sort(same)[-NEIGHBOURS:].mean()
    return -(outputs.max(axis=1) + nearest)


def _hash_of(texts: Sequence[str], labels: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for pair in zip(texts, labels, strict=True):
        digest.update(json.dumps(pair).encode() + b"\n")
    return digest.hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableModel(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UnusableModel(path, f"is not JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UnusableModel(path, f"is not a classifier of format {FORMAT}")
    missing = {"embedder", "labels", "vocabulary", "training_hash", "arrays_sha256", "calibration"} - manifest.keys()
    if missing:
        raise UnusableModel(path, f"lacks {', '.join(sorted(missing))}")
    return manifest
