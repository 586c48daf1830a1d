"""What the tests of triage share."""

import pytest

from agents.knowledge.embed import CachedEmbedder, EmbeddingCache, MiniLmEmbedder


@pytest.fixture(scope="session")
def embedder() -> CachedEmbedder:
    """The packaged model; each text is embedded once in a run."""
    return CachedEmbedder(MiniLmEmbedder(), EmbeddingCache())
