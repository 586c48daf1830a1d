"""MiniLM's graph, rewritten for onnxruntime: fewer and larger operators, and earlier blocks give out what they made.

The packaged graph stores int8 weights and unfolds each at run time: MatMul(x, Cast(weights) * scale). onnxruntime folds
that to float32 once, and then reads 42 MB for every message, more than a shared cache holds. Its operator MatMulNBits
takes the same weights as they are and quantises x block by block within a row, so rows stay independent of their batch.
Attention, and GELU with the bias before it, are spelt out in some forty operators a block, which cost a short message a
fifth of its time; onnxruntime has one for each.
"""

from collections.abc import Sequence

import numpy as np

from agents.knowledge.int8_product import BLOCK, PRODUCT, int8_product
from agents.knowledge.onnx_file import (
    CONTRIB,
    FLOAT,
    INPUT,
    INT32,
    OUTPUT,
    UINT8,
    Fields,
    Graph,
    dimensions,
    node,
    operator_of,
    raw,
    tensor,
    texts,
)

NORMALISED = b"LayerNormalization"
MASK = b"attention_mask"
HEADS = 12


def rewritten(model: bytes, blocks: Sequence[int]) -> tuple[bytes, list[str]]:
    """The model as it runs here, and the names of the outputs of these blocks (the first is 1).

    Raises ValueError where the bytes are no such model.
    """
    graph = Graph.parse(model)
    multiply_int8(graph)
    fuse(graph)
    names = give_out(graph, blocks)
    return graph.serialised(), names


def multiply_int8(graph: Graph) -> None:
    """Every product with int8 weights takes them as they are."""
    makers = graph.makers()
    for product in graph.nodes:
        found = _unfolded(product, makers)
        if found is None:
            continue
        weights, scale = found
        rows, columns = dimensions(graph.tensors[weights])
        graph.tensors[weights] = _in_blocks(weights, graph.tensors[weights], rows, columns)
        graph.tensors[scale] = _repeated(scale, graph.tensors[scale], rows // BLOCK)
        inputs = (texts(product, INPUT)[0], weights, scale)
        product[:] = int8_product(inputs, texts(product, OUTPUT)[0], rows, columns)


def fuse(graph: Graph) -> None:
    """Attention becomes one operator in each block, and so does GELU. Comes after `multiply_int8`."""
    makers, users = graph.makers(), dict[bytes, list[Fields]]()
    for user in graph.nodes:
        for name in texts(user, INPUT):
            users.setdefault(name, []).append(user)
    mask = MASK + b"_int32"
    for part in list(graph.nodes):
        if operator_of(part) == b"Softmax":
            scores = _made_of(_made_of(part, makers), makers)
            attended = _after(_after(part, users, b"Where"), users, b"MatMul")
            three = [_projection(name, graph, makers) for name in (*texts(scores, INPUT), texts(attended, INPUT)[1])]
            last = _after(_after(attended, users, b"Transpose"), users, b"Reshape")
            biases = texts(last, OUTPUT)[0] + b"_biases"
            data = b"".join(bytes(raw(graph.tensors[bias])) for _, bias in three)
            graph.tensors[biases] = tensor(biases, FLOAT, [len(data) // 4], data)
            inputs = (*(product for product, _ in three), biases, mask)
            last[:] = node(b"MultiHeadAttention", inputs, texts(last, OUTPUT)[0], CONTRIB, num_heads=HEADS)
        elif operator_of(part) == b"Erf":
            biased = makers[texts(_made_of(part, makers), INPUT)[0]]
            half = _after(_after(part, users, b"Add"), users, b"Mul")
            last = _after(half, users, b"Mul")
            product, bias = sorted(texts(biased, INPUT), key=graph.tensors.__contains__)
            last[:] = node(b"BiasGelu", (product, bias), texts(last, OUTPUT)[0], CONTRIB)
    graph.nodes.insert(0, node(b"Cast", [MASK], mask, to=INT32))


def give_out(graph: Graph, blocks: Sequence[int]) -> list[str]:
    """The hidden states after these blocks become outputs; their names.

    Each block ends with the second of its two layer normalisations; one more comes before the first block.
    """
    ends = [name for part in graph.nodes if operator_of(part) == NORMALISED for name in texts(part, OUTPUT)]
    names = [ends[2 * block] for block in blocks]
    graph.outputs += names
    return [name.decode() for name in names]


def _unfolded(product: Fields, makers: dict[bytes, Fields]) -> tuple[bytes, bytes] | None:
    """(weights, scale) of a MatMul(x, Cast(weights) * scale)."""
    if operator_of(product) != b"MatMul":
        return None
    scaled = makers.get(texts(product, INPUT)[1], [])
    if operator_of(scaled) != b"Mul":
        return None
    left, scale = texts(scaled, INPUT)
    cast = makers.get(left, [])
    return (texts(cast, INPUT)[0], scale) if operator_of(cast) == b"Cast" else None


def _projection(name: bytes, graph: Graph, makers: dict[bytes, Fields]) -> tuple[bytes, bytes]:
    """(product, bias) behind a query, a key or a value, which are reshaped, transposed and scaled on their way."""
    bias, part = b"", makers[name]
    while operator_of(part) != PRODUCT:
        bias = next((other for other in texts(part, INPUT) if other in graph.tensors), b"")
        part = _made_of(part, makers)
    return texts(part, OUTPUT)[0], bias


def _made_of(part: Fields, makers: dict[bytes, Fields]) -> Fields:
    """The node behind the first input of this one that is no constant."""
    return next((makers[name] for name in texts(part, INPUT) if name in makers), [])


def _after(part: Fields, users: dict[bytes, list[Fields]], operator: bytes) -> Fields:
    """What takes up the output of a node and is this operator."""
    for user in users.get(texts(part, OUTPUT)[0], []):
        if operator_of(user) == operator:
            return user
    raise ValueError(f"a graph without the {operator.decode()} that MiniLM has after its {operator_of(part).decode()}")


def _in_blocks(name: bytes, old: Fields, rows: int, columns: int) -> Fields:
    """int8 (rows, columns) as uint8 (columns, blocks, BLOCK) around 128, as the operator wants it."""
    weights = np.frombuffer(raw(old), dtype=np.int8).reshape(rows, columns)
    shifted = (weights.T.astype(np.int16) + 128).astype(np.uint8)
    return tensor(name, UINT8, (columns, rows // BLOCK, BLOCK), shifted.tobytes())


def _repeated(name: bytes, old: Fields, blocks: int) -> Fields:
    """A scale for each column as a scale for each of its blocks."""
    scales = np.repeat(np.frombuffer(raw(old), dtype=np.float32), blocks)
    return tensor(name, FLOAT, (len(scales),), scales.tobytes())
