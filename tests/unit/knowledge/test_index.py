"""The index itself, with the real embedding model and a real Chroma folder."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.knowledge import index as module
from agents.knowledge.documents import Document, read_documents
from agents.knowledge.embed import CachedEmbedder, EmbeddingCache, MiniLmEmbedder
from agents.knowledge.index import KnowledgeIndex

ARTICLES = Path(__file__).parents[3] / "tools" / "sandbox" / "knowledge"
CUSTOMER = {"public", "customer"}


@pytest.fixture(scope="module")
def embedder() -> CachedEmbedder:
    """The installed model; a text is embedded once for all tests."""
    return CachedEmbedder(MiniLmEmbedder(), EmbeddingCache())


@pytest.fixture(scope="module")
def articles() -> list[Document]:
    """The sample company's help centre."""
    return read_documents([ARTICLES])


@pytest.fixture(scope="module")
def filled(
    embedder: CachedEmbedder, articles: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> KnowledgeIndex:
    """An index of the articles, which no test changes."""
    index = KnowledgeIndex(tmp_path_factory.mktemp("chroma"), embedder)
    index.ingest(articles)
    return index


@pytest.fixture
def index(embedder: CachedEmbedder, tmp_path: Path) -> KnowledgeIndex:
    """An empty one."""
    return KnowledgeIndex(tmp_path / "chroma", embedder)


def documents_of(index: KnowledgeIndex, question: str, audiences: set[str] = CUSTOMER) -> list[str]:
    """The ids of the documents found, best first."""
    return [passage.document_id.split("/")[-1] for passage in index.search(question, audiences).passages]


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("how do I rotate an api key without downtime", "api-keys"),
        ("for how many days are database backups kept", "backups"),
        ("is saml part of the team plan", "single-sign-on"),
        ("how many requests per minute may we send", "rate-limits"),
    ],
)
def test_the_document_that_answers_comes_first(filled: KnowledgeIndex, question: str, document: str) -> None:
    assert documents_of(filled, question)[0] == document


def test_a_message_with_two_requests_finds_a_document_for_each(filled: KnowledgeIndex) -> None:
    found = documents_of(
        filled, "How do we rotate the API keys that our servers use? Also, which regions can a bucket be stored in?"
    )
    assert {"api-keys", "regions"} <= set(found[:4])


def test_a_passage_is_returned_whole_though_its_windows_are_what_is_searched(
    filled: KnowledgeIndex, articles: list[Document]
) -> None:
    best = filled.search("which plans have single sign-on", CUSTOMER).passages[0]
    content = next(d.content for d in articles if d.id == best.document_id)
    assert len(best.text.split()) > 60
    assert best.text.split()[:5] == content.split()[:5]


def test_nobody_finds_what_is_not_for_them(filled: KnowledgeIndex) -> None:
    limits = "refunds up to 50.00 without a person"
    assert "internal-limits" not in documents_of(filled, limits)
    assert documents_of(filled, limits, {"internal"})[0] == "internal-limits"
    assert set(documents_of(filled, limits, {"internal"})) <= {"internal-limits", "internal-disputes"}
    assert filled.search(limits, {"plan:none"}).passages == []
    assert filled.search(limits, set()).passages == []


def test_relevance_tells_whether_anything_answers(filled: KnowledgeIndex) -> None:
    answered = [
        "how do I rotate an api key",
        "how long are backups kept",
        "what roles are there",
        "which regions exist",
    ]
    foreign = ["when does the pharmacy close", "translate this to Polish", "who painted the Mona Lisa", "my dog is ill"]
    assert min(filled.search(q, CUSTOMER).relevance for q in answered) > 0.5
    assert max(filled.search(q, CUSTOMER).relevance for q in foreign) < 0.5


def test_a_second_ingestion_of_the_same_documents_adds_nothing(index: KnowledgeIndex, articles: list[Document]) -> None:
    first = index.ingest(articles)
    second = index.ingest(articles)
    assert (first.added, first.unchanged) == (len(articles), 0)
    assert (second.added, second.updated, second.unchanged) == (0, 0, len(articles))
    assert second.chunks == first.chunks >= len(articles)


def test_a_changed_document_is_found_by_its_new_words_only(index: KnowledgeIndex, articles: list[Document]) -> None:
    index.ingest(articles[:3])
    changed = replace(articles[0], title="Parking", content="The garage under the office opens at six in the morning.")
    report = index.ingest([changed, *articles[1:3]])
    assert (report.added, report.updated, report.unchanged) == (0, 1, 2)
    assert documents_of(index, "when does the garage open")[0] == documents_of(index, "parking")[0]
    found = index.search("when does the garage open", CUSTOMER)
    assert found.passages[0].document_id == changed.id and found.relevance > 0.5
    assert all(p.text == changed.content for p in found.passages if p.document_id == changed.id)


def test_a_document_that_is_cut_in_another_way_now_is_indexed_anew(
    index: KnowledgeIndex, articles: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    index.ingest(articles[:2])
    monkeypatch.setattr(module, "CHUNKING", "next")
    assert index.ingest(articles[:2]).updated == 2


def test_a_single_document_can_be_searched(index: KnowledgeIndex, articles: list[Document]) -> None:
    index.ingest([next(d for d in articles if d.id.endswith("api-keys"))])
    found = index.search("how do I rotate an api key", CUSTOMER)
    assert found.passages and found.relevance > 0.5
    assert index.search("who painted the Mona Lisa", CUSTOMER).relevance < 0.5


def test_an_empty_index_finds_nothing(index: KnowledgeIndex) -> None:
    assert index.search("anything", CUSTOMER).passages == []
    assert index.count() == 0


def test_what_was_withdrawn_is_not_found_any_more(index: KnowledgeIndex, articles: list[Document]) -> None:
    index.ingest(articles[:2])
    index.remove([articles[0].id])
    assert articles[0].id not in {p.document_id for p in index.search(articles[0].title, CUSTOMER).passages}
    index.remove([articles[1].id])
    assert index.search(articles[1].title, CUSTOMER).passages == []
    assert index.count() == 0
