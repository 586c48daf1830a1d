"""The steps in which probabilities are stated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration.levels import MOST, Levels


@pytest.mark.parametrize(("tickets", "levels"), [(1, 1), (7, 1), (8, 2), (27, 3), (100, 4), (1000, 10), (10_000, MOST)])
def test_there_are_as_many_levels_as_the_tickets_can_verify(tickets: int, levels: int) -> None:
    found = Levels.of(np.linspace(0, 1, tickets))
    assert len(found.values) == levels


def test_each_level_has_as_many_tickets_and_says_their_mean() -> None:
    probability = np.random.default_rng(1).beta(2, 5, 1000)
    found = Levels.of(probability)
    values, counts = np.unique(found.stated(probability), return_counts=True)
    assert set(counts) == {100} and list(values) == list(found.values)
    for value in values:
        assert value == pytest.approx(probability[found.stated(probability) == value].mean(), abs=0.005)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.lists(st.floats(0, 1), max_size=10))
def test_a_higher_probability_is_never_stated_lower(known: list[float], others: list[float]) -> None:
    found = Levels.of(np.array(known))
    stated = found.stated(np.sort(np.array(known + others)))
    assert (np.diff(stated) >= 0).all() and set(stated) <= set(found.values)


def test_tickets_of_one_probability_are_one_level() -> None:
    assert Levels.of(np.full(100, 0.4)) == Levels((0.4,), ())
    found = Levels.of(np.repeat([0.2, 0.9], [90, 10]))
    assert found.values == (0.2, 0.9)
