"""The knowledge base: passages in Chroma, searched by meaning and by words, limited to what the asker may see."""

import asyncio
import hashlib
import re
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.chunk import Chunk, chunks_of
from agents.knowledge.documents import Document
from agents.knowledge.embed import Embedder, Progress, Vectors
from agents.knowledge.fusion import Rankings, fused
from agents.knowledge.geometry import Geometry
from agents.knowledge.passage import Passage
from agents.knowledge.relevance import Background, everyday_questions
from agents.knowledge.words import WordIndex, telling_sentences

if TYPE_CHECKING:
    import chromadb
    from chromadb.api import ClientAPI

CHUNKING = "3"  # goes up when documents are cut in another way, so that they are indexed anew
CANDIDATES = 100  # passages that the search by words puts forward
NEAREST = 250  # windows of passages, and titles, that the search by meaning puts forward
TITLE = -1  # stands for a passage where a row holds the title of its document
WRITE_ROWS = 64
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
    """What is kept in memory of Chroma's rows, and the state that they were read at."""

    state: str
    rows: dict[str, int]
    """By Chroma's id, the number of a row that holds a window of a passage."""
    passage_of: NDArray[np.int64]
    """By the number of a row, where in the lists below its passage stands."""
    texts: list[str]
    metadatas: list[dict[str, Any]]
    audiences: NDArray[np.str_]
    words: WordIndex
    geometry: Geometry
    background: Background

    def document_of(self, passage: int) -> str:
        """The id of its document."""
        return self.metadatas[passage]["document_id"]


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

        Searched by meaning and by words, for the whole question and for the sentences of it that say most.
        """
        if not query.strip() or not audiences or k < 1:
            return SearchResult()
        stored = self._passages()
        if stored is None:
            return SearchResult()
        allowed = np.isin(stored.audiences, sorted(audiences))
        if not allowed.any():
            return SearchResult()
        texts = [query, *telling_sentences(query)]
        nearest, *dense = self._nearest(stored, texts, allowed)
        lexical = [_best_lexical(stored.words.scores(text) * allowed) for text in texts]
        whole, *parts = (Rankings(*found) for found in zip(dense, lexical, strict=True))
        passages = [
            _passage(stored, i, score, whole.dense.get(i, 0.0), whole.lexical.get(i, 0.0))
            for i, score in fused(whole, parts, stored.document_of)[:k]
        ]
        return SearchResult(passages, stored.background.relevance(max(nearest.values(), default=-1.0)))

    async def search_async(self, query: str, audiences: Collection[str], k: int = 10) -> SearchResult:
        """`search` in a thread: Chroma's client and the embedding block."""
        return await asyncio.to_thread(self.search, query, audiences, k)

    def count(self) -> int:
        """How many rows there are: none before the first document."""
        return self._collection().count()

    def remove(self, document_ids: Collection[str]) -> None:
        """Takes documents out of the index, for instance when a source is withdrawn."""
        with self._lock:
            collection = self._collection()
            self._remove(collection, list(document_ids))
            self._mark_changed(collection)

    def _nearest(self, stored: _Stored, texts: Sequence[str], allowed: NDArray[np.bool_]) -> list[dict[int, float]]:
        """Passages with the cosine of their nearest window, best first: plain for the first text, then for each text
        as the geometry of the collection has it."""
        whole, *parts = texts  # apart: in a batch each takes as long as the longest
        vectors = np.concatenate([self._embedder.embed(batch) for batch in ([whole], parts) if batch])
        questions = stored.geometry.question(vectors)
        # Chroma's filter is slow (10 ms for 3,000 rows): only where it leaves something out.
        seen = np.unique(stored.audiences[allowed]).tolist()
        found = self._collection().query(
            query_embeddings=np.concatenate([vectors[:1], questions]),
            n_results=NEAREST,
            where=None if allowed.all() else {"audience": {"$in": seen}},
            include=["distances"],
        )
        distances = found["distances"]
        assert distances is not None
        rankings: list[dict[int, float]] = []
        for ids, apart, question in zip(found["ids"], distances, [None, *questions], strict=True):
            known = [n for n, id_ in enumerate(ids) if id_ in stored.rows]
            rows = np.array([stored.rows[ids[n]] for n in known], dtype=np.int64)
            cosines = 1.0 - np.array([apart[n] for n in known])
            if question is not None:
                cosines = stored.geometry.cosines(question, cosines, rows)
            best = sorted(
                zip(cosines.tolist(), stored.passage_of[rows].tolist(), strict=True), key=lambda pair: -pair[0]
            )
            ranking: dict[int, float] = {}
            for cosine, passage in best:
                if allowed[passage]:
                    ranking.setdefault(passage, cosine)
            rankings.append(ranking)
        return rankings

    def _passages(self) -> _Stored | None:
        """All passages with their word index: read again whenever somebody has changed the collection."""
        with self._lock:
            collection = self._collection()
            state = str((collection.metadata or {}).get("state", ""))
            if self._stored is None or self._stored.state != state:
                self._stored = _read_all(collection, state, self._documents)
            return self._stored

    def _collection(self) -> "chromadb.Collection":
        """The collection as it is now; its metadata tell whether somebody changed it."""
        with self._lock:
            if self._client is None:
                self._client = _connected(self._folder, self._url)
            return self._client.get_or_create_collection(
                _collection_name(self._embedder.name),
                configuration={"hnsw": {"space": "cosine", "ef_search": NEAREST}},
                embedding_function=None,  # never Chroma's own: it would download a model
            )

    def _known(self, collection: "chromadb.Collection") -> "dict[str, _Known]":
        """The documents that are wholly there."""
        known: dict[str, _Known] = {}
        for metadata in (metadata for _, page, *_ in _pages(collection, ["metadatas"]) for metadata in page):
            entry = known.setdefault(metadata["document_id"], _Known(metadata["content_hash"], metadata["file"]))
            entry.rows += 1
            entry.expected = metadata.get("rows", 0)  # none, where an earlier version wrote it
            entry.chunks = max(entry.chunks, metadata["ordinal"] + 1)
        return known

    def _add(
        self, collection: "chromadb.Collection", documents: Sequence[Document], progress: Progress | None
    ) -> dict[str, int]:
        pieces = {document.id: chunks_of(document.content) for document in documents}
        rows = [row for document in documents for row in _rows_of(document, pieces[document.id])]
        for start in range(0, len(rows), WRITE_ROWS):
            if progress:
                progress(start, len(rows))
            batch = rows[start : start + WRITE_ROWS]
            collection.upsert(
                ids=[row.id for row in batch],
                embeddings=self._documents.embed([row.embedded for row in batch]),
                documents=[row.text for row in batch],
                metadatas=[row.metadata for row in batch],
            )
        if progress:
            progress(len(rows), len(rows))
        return {id_: len(chunks) for id_, chunks in pieces.items()}

    def _remove(self, collection: "chromadb.Collection", document_ids: Sequence[str]) -> None:
        for start in range(0, len(document_ids), WRITE_ROWS):
            collection.delete(where={"document_id": {"$in": list(document_ids[start : start + WRITE_ROWS])}})

    def _mark_changed(self, collection: "chromadb.Collection") -> None:
        collection.modify(metadata={"state": uuid.uuid4().hex})


@dataclass(frozen=True)
class _Row:
    """What Chroma holds: a window of a passage with the whole passage's text, or the title of a document."""

    id: str
    embedded: str
    text: str
    metadata: dict[str, str | int]


@dataclass
class _Known:
    content_hash: str = ""
    file: str = ""
    chunks: int = 0
    rows: int = 0
    expected: int = 0

    @property
    def fingerprint(self) -> str:
        """Equal to a document's only if all of its rows were written."""
        return self.content_hash if self.rows == self.expected else ""


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


def _rows_of(document: Document, chunks: Sequence[Chunk]) -> list[_Row]:
    of_document: dict[str, str | int] = {
        "document_id": document.id,
        "title": document.title,
        "audience": document.audience,
        "content_hash": _fingerprint(document),
        "source": document.source,
        "file": document.file,
        "rows": 1 + sum(len(chunk.windows) for chunk in chunks),
    }
    title = {**of_document, "heading": "", "ordinal": TITLE}
    rows = [_Row(f"{document.id}#title", document.title, document.title, title)]
    for chunk in chunks:
        metadata = {**of_document, "heading": chunk.heading, "ordinal": chunk.ordinal}
        for window in chunk.windows:
            id_ = f"{document.id}#{chunk.ordinal}.{window.ordinal}"
            rows.append(_Row(id_, window.in_context(document.title), chunk.text, metadata))
    return rows


def _pages(
    collection: "chromadb.Collection", include: list[Literal["documents", "embeddings", "metadatas"]]
) -> Iterator[tuple[list[str], list[dict[str, Any]], list[str], Vectors]]:
    """Page by page the ids and metadata of the rows, with their texts and vectors if they are included."""
    offset = 0
    while ids := (page := collection.get(limit=PAGE, offset=offset, include=[*include]))["ids"]:
        vectors = np.array(page["embeddings"] if "embeddings" in include else [], dtype=np.float32)
        yield ids, [dict(m) for m in page["metadatas"] or []], page["documents"] or [], vectors
        offset += len(ids)


def _read_all(collection: "chromadb.Collection", state: str, embedder: Embedder) -> _Stored | None:
    rows: dict[str, int] = {}
    windows: list[Vectors] = []
    titles: dict[str, Vectors] = {}
    passages: dict[tuple[str, int], int] = {}
    passage_of: list[int] = []
    texts: list[str] = []
    metadatas: list[dict[str, Any]] = []
    for ids, page, documents, vectors in _pages(collection, ["documents", "embeddings", "metadatas"]):
        for id_, metadata, text, vector in zip(ids, page, documents, vectors, strict=True):
            if metadata["ordinal"] == TITLE:
                titles[metadata["document_id"]] = vector
                continue
            place = metadata["document_id"], metadata["ordinal"]
            if place not in passages:
                passages[place] = len(texts)
                texts.append(text)
                metadatas.append(metadata)
            rows[id_] = len(rows)
            windows.append(vector)
            passage_of.append(passages[place])
    if not texts:
        return None
    names, numbers = np.unique([metadata["document_id"] for metadata in metadatas], return_inverse=True)
    subjects = {number: titles[name] for number, name in enumerate(names.tolist()) if name in titles}
    return _Stored(
        state,
        rows,
        np.array(passage_of),
        texts,
        metadatas,
        np.array([metadata["audience"] for metadata in metadatas], dtype=np.str_),
        WordIndex([f"{m['title']}\n{m['heading']}\n{text}" for text, m in zip(texts, metadatas, strict=True)]),
        Geometry.learned(np.array(windows), numbers[passage_of], subjects),
        Background.measured(embedder.embed(everyday_questions()), np.array(windows)),
    )


def _best_lexical(scores: NDArray[np.float32]) -> dict[int, float]:
    best = np.argsort(-scores, kind="stable")[:CANDIDATES]
    return {int(i): float(scores[i]) for i in best if scores[i] > 0}


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
