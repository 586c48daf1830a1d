"""The configured embedding model, plain or behind its cache."""

from typing import TYPE_CHECKING

from app.settings import Settings

if TYPE_CHECKING:
    from agents.knowledge.embed import CachedEmbedder, Embedder


def plain_embedder(settings: Settings) -> "Embedder":
    """The model itself: each call embeds anew."""
    from agents.knowledge.embed import MiniLmEmbedder, OpenAIEmbedder

    if settings.embeddings == "embedded":
        return MiniLmEmbedder()
    return OpenAIEmbedder(settings.embeddings.removeprefix("openai:"))


def lasting_embedder(settings: Settings) -> "CachedEmbedder":
    """Keeps vectors in HOME: for documents and training examples, not for what customers write."""
    from agents.knowledge.embed import CachedEmbedder, EmbeddingCache

    return CachedEmbedder(
        plain_embedder(settings), EmbeddingCache(settings.home / "embeddings.db", memory_items=50_000)
    )
