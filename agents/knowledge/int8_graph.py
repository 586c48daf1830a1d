"""MiniLM's graph, rewritten: its int8 weights are multiplied as int8, and earlier blocks give out what they made.

The packaged graph stores int8 weights and unfolds each at run time: MatMul(x, Cast(weights) * scale). onnxruntime folds
that to float32 once, and then reads 42 MB for every message, more than a shared cache holds. Its operator MatMulNBits
takes the same weights as they are and quantises x block by block within a row, so rows stay independent of their batch.

Field numbers are those of onnx.proto; every message here uses only the wire types varint and bytes.
"""

from collections.abc import Iterable, Sequence

import numpy as np

Value = int | memoryview | bytes
Fields = list[tuple[int, Value]]

OPSET, GRAPH = 8, 7
NODE, TENSOR, GRAPH_OUTPUT = 1, 5, 12
INPUT, OUTPUT, OPERATOR, ATTRIBUTE, DOMAIN = 1, 2, 4, 5, 7
DIMENSION, TYPE, NAME, RAW = 1, 2, 8, 9
FLOAT, UINT8 = 1, 2
CONTRIB = b"com.microsoft"
NORMALISED = b"LayerNormalization"

BLOCK = 64
"""Inputs that share a scale; divides every width of the model."""
INT8_PRODUCTS = 4
"""The operator's accuracy_level at which it multiplies int8 by int8."""


def with_int8_products(model: bytes) -> bytes:
    """The same ONNX model with the operator changed. Raises ValueError where the bytes are no such model."""
    whole = _read(memoryview(model))
    graph = next((_read(value) for number, value in whole if number == GRAPH), None)
    if graph is None:
        raise ValueError("no ONNX graph")
    nodes = [_read(value) for number, value in graph if number == NODE]
    maker = {name: node for node in nodes for name in _texts(node, OUTPUT)}
    tensors = {_texts(tensor, NAME)[0]: tensor for tensor in (_read(value) for n, value in graph if n == TENSOR)}
    gone: set[bytes] = set()
    for node in nodes:
        found = _unfolded(node, maker)
        if found is None:
            continue
        weights, scale, between = found
        rows, columns = _dimensions(tensors[weights])
        tensors[weights] = _in_blocks(tensors[weights], rows, columns)
        tensors[scale] = _repeated(tensors[scale], rows // BLOCK)
        settings = {"K": rows, "N": columns, "bits": 8, "block_size": BLOCK, "accuracy_level": INT8_PRODUCTS}
        node[:] = [
            *((INPUT, name) for name in (_texts(node, INPUT)[0], weights, scale)),
            *((OUTPUT, name) for name in _texts(node, OUTPUT)),
            (OPERATOR, b"MatMulNBits"),
            (DOMAIN, CONTRIB),
            *((ATTRIBUTE, _write([(1, name.encode()), (3, value), (20, 2)])) for name, value in settings.items()),
        ]
        gone |= between
    kept = [node for node in nodes if not gone.intersection(_texts(node, OUTPUT))]
    rest = [(number, value) for number, value in graph if number not in (NODE, TENSOR)]
    rebuilt = [*((NODE, _write(node)) for node in kept), *((TENSOR, _write(t)) for t in tensors.values()), *rest]
    others = [(number, value) for number, value in whole if number != GRAPH]
    return _write([*others, (OPSET, _write([(1, CONTRIB), (2, 1)])), (GRAPH, _write(rebuilt))])


def with_blocks(model: bytes, blocks: Sequence[int]) -> tuple[bytes, list[str]]:
    """The same model, with the hidden states after these blocks (the first is 1) as further outputs; and their names.

    Each block ends with the second of its two layer normalisations; one more comes before the first block.
    """
    names: list[bytes] = []
    rebuilt: Fields = []
    for number, value in _read(memoryview(model)):
        if number == GRAPH:
            graph = _read(value)
            nodes = [_read(node) for kind, node in graph if kind == NODE]
            ends = [name for node in nodes if _texts(node, OPERATOR) == [NORMALISED] for name in _texts(node, OUTPUT)]
            names = [ends[2 * block] for block in blocks]
            value = _write([*graph, *((GRAPH_OUTPUT, _write([(1, name)])) for name in names)])
        rebuilt.append((number, value))
    return _write(rebuilt), [name.decode() for name in names]


def _unfolded(node: Fields, maker: dict[bytes, Fields]) -> tuple[bytes, bytes, set[bytes]] | None:
    """(weights, scale, what lies between) of a MatMul(x, Cast(weights) * scale)."""
    if _texts(node, OPERATOR) != [b"MatMul"]:
        return None
    product = maker.get(_texts(node, INPUT)[1], [])
    if _texts(product, OPERATOR) != [b"Mul"]:
        return None
    left, scale = _texts(product, INPUT)
    cast = maker.get(left, [])
    if _texts(cast, OPERATOR) != [b"Cast"]:
        return None
    return _texts(cast, INPUT)[0], scale, {left, *_texts(product, OUTPUT)}


def _in_blocks(tensor: Fields, rows: int, columns: int) -> Fields:
    """int8 (rows, columns) as uint8 (columns, blocks, BLOCK) around 128, as the operator wants it."""
    weights = np.frombuffer(_raw(tensor), dtype=np.int8).reshape(rows, columns)
    shifted = (weights.T.astype(np.int16) + 128).astype(np.uint8)
    return _tensor(tensor, UINT8, (columns, rows // BLOCK, BLOCK), shifted.tobytes())


def _repeated(tensor: Fields, blocks: int) -> Fields:
    """A scale for each column as a scale for each of its blocks."""
    scales = np.repeat(np.frombuffer(_raw(tensor), dtype=np.float32), blocks)
    return _tensor(tensor, FLOAT, (len(scales),), scales.tobytes())


def _tensor(old: Fields, kind: int, shape: Iterable[int], raw: bytes) -> Fields:
    return [*((DIMENSION, size) for size in shape), (TYPE, kind), (NAME, _texts(old, NAME)[0]), (RAW, raw)]


def _dimensions(tensor: Fields) -> list[int]:
    """Repeated, or packed into one field."""
    sizes: list[int] = []
    for number, value in tensor:
        if number == DIMENSION and isinstance(value, int):
            sizes.append(value)
        elif number == DIMENSION and not isinstance(value, int):
            at = 0
            while at < len(value):
                size, at = _varint(memoryview(value), at)
                sizes.append(size)
    return sizes


def _texts(fields: Fields, wanted: int) -> list[bytes]:
    return [bytes(value) for number, value in fields if number == wanted and not isinstance(value, int)]


def _raw(tensor: Fields) -> memoryview | bytes:
    for number, value in tensor:
        if number == RAW and not isinstance(value, int):
            return value
    raise ValueError("a tensor without raw data")


def _read(data: Value) -> Fields:
    """One protobuf message: its fields in their order."""
    if isinstance(data, int):
        raise ValueError("a number where a message should be")
    view, at, fields = memoryview(data), 0, list[tuple[int, Value]]()
    while at < len(view):
        key, at = _varint(view, at)
        value, at = _varint(view, at)
        if key & 7 == 2:
            value, at = view[at : at + value], at + value
        if key & 7 not in (0, 2) or at > len(view):
            raise ValueError("no protobuf message of numbers and bytes")
        fields.append((key >> 3, value))
    return fields


def _write(fields: Iterable[tuple[int, Value]]) -> bytes:
    parts: list[bytes | memoryview] = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [_as_varint(number << 3), _as_varint(value)]
        else:
            parts += [_as_varint(number << 3 | 2), _as_varint(len(value)), value]
    return b"".join(parts)


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at
    raise ValueError("a protobuf message that ends within a number")


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
