"""Embeddings behind their cache, with and without what earlier layers made of a text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.knowledge.embed import CachedEmbedder, EmbeddingCache, OpenAIEmbedder


class Counting:
    """Three numbers from a text's length, in the last layer and in one before it; remembers what it was asked."""

    name, dimension, layers = "counting", 3, 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([[len(text), 1, 0] for text in texts], dtype=np.float32)

    def embed_with_layers(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        last = self.embed(texts)
        return last, -last[:, None]


def test_a_text_is_read_once_for_both(tmp_path: Path) -> None:
    for cache in (EmbeddingCache(), EmbeddingCache(tmp_path / "vectors.db", memory_items=1)):
        model = Counting()
        embedder = CachedEmbedder(model, cache)
        last, earlier = embedder.embed_with_layers(["a", "bcd", "a"])
        assert last.tolist() == [[1, 1, 0], [3, 1, 0], [1, 1, 0]]
        assert earlier.tolist() == [[[-1, -1, 0]], [[-3, -1, 0]], [[-1, -1, 0]]]
        assert embedder.embed_with_layers(["bcd"])[1].tolist() == [[[-3, -1, 0]]]
        assert embedder.embed(["bcd", "bcd"]).tolist() == [[3, 1, 0], [3, 1, 0]]
        assert model.asked == ["a", "bcd"]


def test_nothing_is_embedded_as_nothing() -> None:
    embedder = CachedEmbedder(Counting(), EmbeddingCache())
    assert embedder.embed([]).shape == (0, 3)
    last, earlier = embedder.embed_with_layers([])
    assert (last.shape, earlier.shape) == ((0, 3), (0, 1, 3))


def test_an_endpoint_shows_no_earlier_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = OpenAIEmbedder("small", dimension=3)
    monkeypatch.setattr(embedder, "embed", Counting().embed)
    last, earlier = CachedEmbedder(embedder, EmbeddingCache()).embed_with_layers(["a", "bcd"])
    assert (last.shape, earlier.shape) == ((2, 3), (2, 0, 3))
