"""ONNX files as far as rewriting a graph needs it: protobuf messages as fields, without the `onnx` package.

Field numbers are those of onnx.proto; every message here uses only the wire types varint and bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

Value = int | memoryview | bytes
Fields = list[tuple[int, Value]]

OPSET, GRAPH = 8, 7
NODE, GRAPH_NAME, TENSOR, GRAPH_INPUT, GRAPH_OUTPUT = 1, 2, 5, 11, 12
INPUT, OUTPUT, OPERATOR, ATTRIBUTE, DOMAIN = 1, 2, 4, 5, 7
DIMENSION, TYPE, NAME, RAW = 1, 2, 8, 9
FLOAT, UINT8, INT32 = 1, 2, 6
CONTRIB = b"com.microsoft"
IR_VERSION, ONNX_OPSET = 8, 17


@dataclass
class Graph:
    """A model whose nodes can be changed in place. `tensors` are its constants by name."""

    nodes: list[Fields]
    tensors: dict[bytes, Fields]
    outputs: list[bytes]
    _rest: Fields
    _others: Fields

    @classmethod
    def parse(cls, model: bytes) -> "Graph":
        """Raises ValueError where the bytes are no ONNX model."""
        whole = read(memoryview(model))
        graph = next((read(value) for number, value in whole if number == GRAPH), None)
        if graph is None:
            raise ValueError("no ONNX graph")
        nodes = [read(value) for number, value in graph if number == NODE]
        tensors = {texts(tensor, NAME)[0]: tensor for tensor in (read(value) for n, value in graph if n == TENSOR)}
        outputs = [texts(read(value), 1)[0] for number, value in graph if number == GRAPH_OUTPUT]
        rest = [(number, value) for number, value in graph if number not in (NODE, TENSOR, GRAPH_OUTPUT)]
        return cls(nodes, tensors, outputs, rest, [(number, value) for number, value in whole if number != GRAPH])

    def makers(self) -> dict[bytes, Fields]:
        """The node behind each name."""
        return {name: node for node in self.nodes for name in texts(node, OUTPUT)}

    def serialised(self) -> bytes:
        """The model, without nodes and constants that lead to no output."""
        makers, needed, open_names = self.makers(), set[bytes](), list(self.outputs)
        while open_names:
            name = open_names.pop()
            if name not in needed:
                needed.add(name)
                open_names += texts(makers.get(name, []), INPUT)
        nodes = [(NODE, write(node)) for node in self.nodes if needed.intersection(texts(node, OUTPUT))]
        tensors = [(TENSOR, write(tensor)) for name, tensor in self.tensors.items() if name in needed]
        outputs = [(GRAPH_OUTPUT, write([(1, name)])) for name in self.outputs]
        graph = write([*nodes, *tensors, *self._rest, *outputs])
        contrib = [] if any(CONTRIB in texts(read(v), 1) for n, v in self._others if n == OPSET) else [_CONTRIB_OPSET]
        return write([*self._others, *contrib, (GRAPH, graph)])


def model_of(only: Fields, tensors: Iterable[Fields], vectors: bytes, width: int, output: bytes) -> bytes:
    """A model of one node whose input is any number of vectors of this width."""
    sizes = write([(1, write([(2, b"batch")])), (1, write([(1, width)]))])
    kind = write([(1, write([(1, FLOAT), (2, sizes)]))])
    graph = [
        (NODE, write(only)),
        (GRAPH_NAME, b"product"),
        *((TENSOR, write(tensor)) for tensor in tensors),
        (GRAPH_INPUT, write([(1, vectors), (2, kind)])),
        (GRAPH_OUTPUT, write([(1, output)])),
    ]
    return write([(1, IR_VERSION), (OPSET, write([(1, b""), (2, ONNX_OPSET)])), _CONTRIB_OPSET, (GRAPH, write(graph))])


def operator_of(node: Fields) -> bytes:
    """The name of what a node does; empty for no node."""
    return next(iter(texts(node, OPERATOR)), b"")


def node(operator: bytes, inputs: Iterable[bytes], output: bytes, domain: bytes = b"", **settings: int) -> Fields:
    """A node with whole numbers for attributes."""
    return [
        *((INPUT, name) for name in inputs),
        (OUTPUT, output),
        (OPERATOR, operator),
        (DOMAIN, domain),
        *((ATTRIBUTE, write([(1, name.encode()), (3, value), (20, 2)])) for name, value in settings.items()),
    ]


def tensor(name: bytes, kind: int, shape: Iterable[int], data: bytes) -> Fields:
    """A constant."""
    return [*((DIMENSION, size) for size in shape), (TYPE, kind), (NAME, name), (RAW, data)]


def dimensions(tensor: Fields) -> list[int]:
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


def texts(fields: Fields, wanted: int) -> list[bytes]:
    """Each text in the fields with this number."""
    return [bytes(value) for number, value in fields if number == wanted and not isinstance(value, int)]


def raw(tensor: Fields) -> memoryview | bytes:
    """The numbers of a constant, as bytes."""
    for number, value in tensor:
        if number == RAW and not isinstance(value, int):
            return value
    raise ValueError("a tensor without raw data")


def read(data: Value) -> Fields:
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


def write(fields: Iterable[tuple[int, Value]]) -> bytes:
    """The bytes of a message."""
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


_CONTRIB_OPSET = (OPSET, write([(1, CONTRIB), (2, 1)]))
