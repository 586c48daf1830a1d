"""Rows kept as int8 give nearly the products that they give as they are."""

import numpy as np
import pytest

from agents.knowledge.int8_product import Int8Rows

RANDOM = np.random.default_rng(5)


def directions(count: int, width: int) -> np.ndarray:
    made = RANDOM.standard_normal((count, width)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("width", [1, 3, 64, 100, 192])
def test_products_are_those_of_the_rows_but_for_rounding(width: int) -> None:
    rows, vectors = directions(50, width), directions(7, width)
    assert np.allclose(Int8Rows(rows).products(vectors), vectors @ rows.T, atol=0.01)


def test_the_products_of_a_vector_do_not_depend_on_the_others() -> None:
    rows, vectors = Int8Rows(directions(50, 192)), directions(7, 192)
    alone = np.vstack([rows.products(vector[None]) for vector in vectors])
    assert np.allclose(rows.products(vectors), alone, atol=1e-6)


def test_a_row_of_zeros_is_like_nothing() -> None:
    rows = np.vstack([np.zeros((1, 64), dtype=np.float32), directions(1, 64)])
    assert Int8Rows(rows).products(directions(2, 64))[:, 0] == pytest.approx([0, 0], abs=1e-6)
