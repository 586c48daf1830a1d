"""The knowledge base: passages in Chroma, searched by meaning and by words, limited to what the asker may see."""

import asyncio
import hashlib
import re
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.chunk import Chunk, chunks_of
from agents.knowledge.documents import Document
from agents.knowledge.embed import Embedder, Progress
from agents.knowledge.passage import Passage
from agents.knowledge.relevance import relevance_of
from agents.knowledge.words import WordIndex

if TYPE_CHECKING:
    import chromadb
    from chromadb.api import ClientAPI

CHUNKING = "2"  # goes up when documents are cut in another way, so that they are indexed anew
CANDIDATES = 100  # passages that each of the two searches puts forward
RANK_OFFSET = 10
LEXICAL_WEIGHT = 0.5
RELEVANCE_PASSAGES = 5  # the first of each search that the verdict on relevance looks at
WRITE_CHUNKS = 64
PAGE = 2000


class KnowledgeUnavailable(Exception):
    """The Chroma server does not answer, or its address is wrong."""


@dataclass(frozen=True)
class IngestReport:
    """What an ingestion did, in documents; `chunks` is what the index holds now of the documents given."""

    documents: int
    chunks: int
    added: int
    updated: int
    unchanged: int
    removed: int
    seconds: float


@dataclass(frozen=True)
class SearchResult:
    """Passages, best first, and whether anything relevant is among them."""

    passages: list[Passage] = field(default_factory=list)
    relevance: float = 0.0
    """0 to 1: how likely the passages answer the question at all."""


@dataclass(frozen=True)
class _Stored:
    """What the lexical side keeps of Chroma's passages, and the state that it was read at."""

    state: str
    positions: dict[str, int]
    """By Chroma's id, where in the lists a passage stands."""
    texts: list[str]
    metadatas: list[dict[str, Any]]
    audiences: NDArray[np.str_]
    words: WordIndex


class KnowledgeIndex:
    """Hybrid retrieval. Safe to use from several threads, and by several processes on one Chroma server."""

    def __init__(
        self, folder: Path, embedder: Embedder, url: str | None = None, documents: Embedder | None = None
    ) -> None:
        """Kept in `folder`, or on the Chroma server at `url`. Each embedding model has a collection of its own.

        `documents` is the same model for documents, where their vectors are cached elsewhere than those of questions.
        """
        self._folder = folder
        self._url = url
        self._embedder = embedder
        self._documents = documents or embedder
        self._lock = threading.RLock()
        self._client: ClientAPI | None = None
        self._stored: _Stored | None = None

    def ingest(
        self, documents: Sequence[Document], progress: Progress | None = None, within: Collection[str] = ()
    ) -> IngestReport:
        """Brings the index to these documents; what is unchanged costs no embedding.

        `within` names files and folders (absolute paths): documents that came from there and are not given any more
        are removed. An interrupted ingestion is finished by the next one.
        """
        start = time.perf_counter()
        with self._lock:
            collection = self._collection()
            known = self._known(collection)
            due = [d for d in documents if known.get(d.id, _Known()).fingerprint != _fingerprint(d)]
            added = sum(d.id not in known for d in due)
            given = {d.id for d in documents}
            gone = [id_ for id_, entry in known.items() if id_ not in given and _came_from(entry.file, within)]
            if due or gone:
                self._mark_changed(collection)
            self._remove(collection, [*gone, *(d.id for d in due if d.id in known)])
            chunks = {d.id: entry.chunks for d in documents if (entry := known.get(d.id))}
            chunks |= self._add(collection, due, progress)
            if due or gone:
                self._mark_changed(collection)
        return IngestReport(
            documents=len(documents),
            chunks=sum(chunks.values()),
            added=added,
            updated=len(due) - added,
            unchanged=len(documents) - len(due),
            removed=len(gone),
            seconds=time.perf_counter() - start,
        )

    def search(self, query: str, audiences: Collection[str], k: int = 10) -> SearchResult:
        """The k best passages that one of the audiences may see: the best of each document first, then further ones.

        The two rankings are merged by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).
        """
        if not query.strip() or not audiences or k < 1:
            return SearchResult()
        stored = self._passages()
        if not stored.texts:
            return SearchResult()
        allowed = np.isin(stored.audiences, sorted(audiences))
        found = self._dense(query, audiences)
        dense = {stored.positions[id_]: cosine for id_, cosine in found if id_ in stored.positions}
        lexical = _best_lexical(stored.words.scores(query) * allowed)
        order = _fused(stored, dense, lexical)[:k]
        passages = [_passage(stored, i, score, dense.get(i, 0.0), lexical.get(i, 0.0)) for i, score in order]
        return SearchResult(passages, self._relevance(query, stored, dense, lexical))

    async def search_async(self, query: str, audiences: Collection[str], k: int = 10) -> SearchResult:
        """`search` in a thread: Chroma's client and the embedding block."""
        return await asyncio.to_thread(self.search, query, audiences, k)

    def count(self) -> int:
        """How many passages there are."""
        return self._collection().count()

    def remove(self, document_ids: Collection[str]) -> None:
        """Takes documents out of the index, for instance when a source is withdrawn."""
        with self._lock:
            collection = self._collection()
            self._remove(collection, list(document_ids))
            self._mark_changed(collection)

    def _dense(self, query: str, audiences: Collection[str]) -> Iterable[tuple[str, float]]:
        """The nearest passages by meaning, with their cosines."""
        found = self._collection().query(
            query_embeddings=self._embedder.embed([query]),
            n_results=CANDIDATES,
            where={"audience": {"$in": sorted(audiences)}},
            include=["distances"],
        )
        distances = found["distances"]
        assert distances is not None
        return zip(found["ids"][0], (1.0 - distance for distance in distances[0]), strict=True)

    def _relevance(self, query: str, stored: _Stored, dense: dict[int, float], lexical: dict[int, float]) -> float:
        first = {*list(dense)[:RELEVANCE_PASSAGES], *list(lexical)[:RELEVANCE_PASSAGES]}
        coverage = max((stored.words.coverage(query, i) for i in first), default=0.0)
        return relevance_of(max(dense.values(), default=0.0), coverage)

    def _passages(self) -> _Stored:
        """All passages with their word index: read again whenever somebody has changed the collection."""
        with self._lock:
            collection = self._collection()
            state = str((collection.metadata or {}).get("state", ""))
            if self._stored is None or self._stored.state != state:
                self._stored = _read_all(collection, state)
            return self._stored

    def _collection(self) -> "chromadb.Collection":
        """The collection as it is now; its metadata tell whether somebody changed it."""
        with self._lock:
            if self._client is None:
                self._client = _connected(self._folder, self._url)
            return self._client.get_or_create_collection(
                _collection_name(self._embedder.name),
                configuration={"hnsw": {"space": "cosine", "ef_search": 2 * CANDIDATES}},
                embedding_function=None,  # never Chroma's own: it would download a model
            )

    def _known(self, collection: "chromadb.Collection") -> "dict[str, _Known]":
        """The documents that are wholly there."""
        known: dict[str, _Known] = {}
        for _, _, metadata in _pages(collection, ["metadatas"]):
            entry = known.setdefault(metadata["document_id"], _Known(metadata["content_hash"], metadata["file"]))
            entry.chunks += 1
            entry.expected = metadata["chunks"]
        return known

    def _add(
        self, collection: "chromadb.Collection", documents: Sequence[Document], progress: Progress | None
    ) -> dict[str, int]:
        pieces = [(document, chunks_of(document.content)) for document in documents]
        rows = [(document, chunk, len(chunks)) for document, chunks in pieces for chunk in chunks]
        for start in range(0, len(rows), WRITE_CHUNKS):
            if progress:
                progress(start, len(rows))
            batch = rows[start : start + WRITE_CHUNKS]
            texts = [chunk.in_context(document.title) for document, chunk, _ in batch]
            collection.upsert(
                ids=[f"{document.id}#{chunk.ordinal}" for document, chunk, _ in batch],
                embeddings=self._documents.embed(texts),
                documents=[chunk.text for _, chunk, _ in batch],
                metadatas=[_metadata(*row) for row in batch],
            )
        if progress:
            progress(len(rows), len(rows))
        return {document.id: len(chunks) for document, chunks in pieces}

    def _remove(self, collection: "chromadb.Collection", document_ids: Sequence[str]) -> None:
        for start in range(0, len(document_ids), WRITE_CHUNKS):
            collection.delete(where={"document_id": {"$in": list(document_ids[start : start + WRITE_CHUNKS])}})

    def _mark_changed(self, collection: "chromadb.Collection") -> None:
        collection.modify(metadata={"state": uuid.uuid4().hex})


@dataclass
class _Known:
    content_hash: str = ""
    file: str = ""
    chunks: int = 0
    expected: int = 0

    @property
    def fingerprint(self) -> str:
        """Equal to a document's only if all of its passages were written."""
        return self.content_hash if self.chunks == self.expected else ""


def _connected(folder: Path, url: str | None) -> "ClientAPI":
    import chromadb
    from chromadb.config import Settings

    quiet = Settings(anonymized_telemetry=False)
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        return chromadb.PersistentClient(folder, settings=quiet)
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise KnowledgeUnavailable(f"{url} is not an address such as http://127.0.0.1:8000")
    port = address.port or (443 if address.scheme == "https" else 8000)
    try:
        return chromadb.HttpClient(address.hostname, port, ssl=address.scheme == "https", settings=quiet)
    except ValueError as error:  # what the client raises when nobody answers
        raise KnowledgeUnavailable(f"no Chroma server answers at {url}") from error


def _collection_name(embedder: str) -> str:
    return "knowledge-" + re.sub(r"[^a-zA-Z0-9]+", "-", embedder).strip("-")


def _fingerprint(document: Document) -> str:
    return hashlib.sha256(f"{CHUNKING} {document.content_hash}".encode()).hexdigest()


def _came_from(file: str, within: Collection[str]) -> bool:
    return any(file == place or file.startswith(place.rstrip("/") + "/") for place in within)


def _metadata(document: Document, chunk: Chunk, chunks: int) -> dict[str, str | int]:
    return {
        "document_id": document.id,
        "title": document.title,
        "heading": chunk.heading,
        "audience": document.audience,
        "content_hash": _fingerprint(document),
        "source": document.source,
        "file": document.file,
        "ordinal": chunk.ordinal,
        "chunks": chunks,
    }


def _pages(
    collection: "chromadb.Collection", include: list[Literal["documents", "metadatas"]]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(id, text, metadata) of every passage; without "documents", the text is empty."""
    offset = 0
    while ids := (page := collection.get(limit=PAGE, offset=offset, include=[*include]))["ids"]:
        texts = page["documents"] or [""] * len(ids)
        yield from zip(ids, texts, (dict(m) for m in page["metadatas"] or []), strict=True)
        offset += len(ids)


def _read_all(collection: "chromadb.Collection", state: str) -> _Stored:
    rows = list(_pages(collection, ["documents", "metadatas"]))
    texts = [text for _, text, _ in rows]
    metadatas = [metadata for _, _, metadata in rows]
    words = WordIndex([f"{m['title']}\n{m['heading']}\n{text}" for text, m in zip(texts, metadatas, strict=True)])
    audiences = np.array([metadata["audience"] for metadata in metadatas], dtype=np.str_)
    return _Stored(state, {id_: i for i, (id_, _, _) in enumerate(rows)}, texts, metadatas, audiences, words)


def _best_lexical(scores: NDArray[np.float32]) -> dict[int, float]:
    best = np.argsort(-scores, kind="stable")[:CANDIDATES]
    return {int(i): float(scores[i]) for i in best if scores[i] > 0}


def _fused(stored: _Stored, dense: Iterable[int], lexical: Iterable[int]) -> list[tuple[int, float]]:
    """Passages with their fused scores: documents by their best ranks, then what else of these documents was found."""
    passages: dict[int, float] = defaultdict(float)
    documents: dict[str, float] = defaultdict(float)
    for ranking, weight in ((dense, 1.0), (lexical, LEXICAL_WEIGHT)):
        met: dict[str, int] = {}
        for rank, i in enumerate(ranking, start=1):
            passages[i] += weight / (RANK_OFFSET + rank)
            met.setdefault(_document_of(stored, i), len(met) + 1)
        for document, rank in met.items():
            documents[document] += weight / (RANK_OFFSET + rank)
    by_passage = sorted(passages, key=lambda i: -passages[i])
    firsts: dict[str, int] = {}
    for i in by_passage:
        firsts.setdefault(_document_of(stored, i), i)
    leading = sorted(firsts.values(), key=lambda i: -documents[_document_of(stored, i)])
    further = [i for i in by_passage if i not in set(leading)]
    return [(i, documents[_document_of(stored, i)]) for i in leading] + [(i, passages[i]) for i in further]


def _document_of(stored: _Stored, passage: int) -> str:
    return stored.metadatas[passage]["document_id"]


def _passage(stored: _Stored, i: int, score: float, dense_score: float, lexical_score: float) -> Passage:
    metadata = stored.metadatas[i]
    return Passage(
        document_id=metadata["document_id"],
        title=metadata["title"],
        heading=metadata["heading"],
        text=stored.texts[i],
        score=score,
        dense_score=dense_score,
        lexical_score=lexical_score,
        source=metadata["source"],
    )
