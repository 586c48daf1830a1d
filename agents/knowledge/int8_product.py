"""Products with a constant matrix that is kept as int8: onnxruntime's MatMulNBits, for a quarter of the memory to read.

Both sides are quantised in blocks of a row, so a row's products do not depend on what else is in its batch.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agents.knowledge.onnx_file import CONTRIB, FLOAT, UINT8, Fields, model_of, node, tensor

if TYPE_CHECKING:
    import onnxruntime

PRODUCT = b"MatMulNBits"
BLOCK = 64
"""Inputs that share a scale."""
INT8_PRODUCTS = 4
"""The operator's accuracy_level at which it multiplies int8 by int8."""


class Int8Rows:
    """Many rows to be multiplied with a few vectors at a time."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        """Shape (rows, width); they are quantised at first use."""
        self._rows = rows
        self._padding = -rows.shape[1] % BLOCK

    def products(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of each vector with each row; shape (vectors, rows). Off by some thousandths of their lengths at most."""
        (made,) = self._session.run(None, {"vectors": self._padded(vectors)})
        return np.asarray(made)

    @cached_property
    def _session(self) -> "onnxruntime.InferenceSession":
        import onnxruntime

        rows = self._padded(self._rows)
        blocks = rows.reshape(len(rows), -1, BLOCK)
        scales = np.maximum(np.abs(blocks).max(axis=2), 1e-12) / 127
        kept = (np.rint(blocks / scales[:, :, None]) + 128).astype(np.uint8)
        constants = [
            tensor(b"rows", UINT8, kept.shape, kept.tobytes()),
            tensor(b"scales", FLOAT, [scales.size], scales.astype(np.float32).tobytes()),
        ]
        product = int8_product((b"vectors", b"rows", b"scales"), b"products", rows.shape[1], len(rows))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = model_of(product, constants, b"vectors", rows.shape[1], b"products")
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def _padded(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.pad(rows, ((0, 0), (0, self._padding))) if self._padding else np.ascontiguousarray(rows)


def int8_product(inputs: Sequence[bytes], output: bytes, width: int, columns: int) -> Fields:
    """The node. `inputs`: x; uint8 around 128, shape (columns, blocks, `BLOCK`); the scale of each block."""
    settings = {"K": width, "N": columns, "bits": 8, "block_size": BLOCK, "accuracy_level": INT8_PRODUCTS}
    return node(PRODUCT, inputs, output, CONTRIB, **settings)
