"""The configured embedding model, plain or behind its cache."""

import os
from typing import TYPE_CHECKING

from app.settings import Settings

if TYPE_CHECKING:
    from agents.knowledge.embed import CachedEmbedder, Embedder


MOST_THREADS = 4
"""More cores than these do not embed faster."""


def plain_embedder(settings: Settings, threads: int = 1) -> "Embedder":
    """The model itself: each call embeds anew. `threads`: how many cores a call may use."""
    from agents.knowledge.embed import MiniLmEmbedder, OpenAIEmbedder

    if settings.embeddings == "embedded":
        return MiniLmEmbedder(threads)
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    return OpenAIEmbedder(settings.embeddings.removeprefix("openai:"), base_url=settings.openai_base_url, api_key=key)


def passing_embedder(settings: Settings) -> "CachedEmbedder":
    """Keeps the newest vectors in memory only: for what customers write."""
    from agents.knowledge.embed import CachedEmbedder, EmbeddingCache

    return CachedEmbedder(plain_embedder(settings), EmbeddingCache())


def lasting_embedder(settings: Settings) -> "CachedEmbedder":
    """Keeps vectors in HOME: for documents and training examples, not for what customers write.

    It may use all cores: whoever fits or ingests waits for it, and nobody is being served meanwhile.
    """
    from agents.knowledge.embed import CachedEmbedder, EmbeddingCache

    cache = EmbeddingCache(settings.home / "embeddings.db", memory_items=50_000)
    return CachedEmbedder(plain_embedder(settings, min(os.cpu_count() or 1, MOST_THREADS)), cache)
