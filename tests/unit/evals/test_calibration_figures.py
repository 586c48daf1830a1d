"""Figures of stated probabilities against known outcomes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration.figures import auroc, bins, calibration_error, error_by_chance

NONE = np.zeros(0), np.zeros(0, bool)


def test_auroc_counts_pairs_and_a_tie_half() -> None:
    assert auroc(np.array([0.1, 0.9, 0.5]), np.array([False, True, False])) == 1
    assert auroc(np.array([0.9, 0.1]), np.array([False, True])) == 0
    assert auroc(np.array([0.5, 0.5]), np.array([False, True])) == 0.5
    assert auroc(np.array([0.5, 0.5]), np.array([True, True])) is None
    assert auroc(*NONE) is None


def test_calibration_error_is_the_mean_distance_over_bins() -> None:
    p = np.repeat([0.2, 0.6], 10)
    correct = np.array([True] * 2 + [False] * 8 + [True] * 8 + [False] * 2)
    assert calibration_error(p, correct) == pytest.approx(0.1)  # 0 in one half, 0.2 in the other
    assert calibration_error(*NONE) is None


def test_distinct_probabilities_fill_ten_bins_alike() -> None:
    found = bins(np.linspace(0, 1, 100), np.zeros(100, bool))
    assert [row.tickets for row in found] == [10] * 10


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.booleans()), min_size=1, max_size=60))
def test_like_probabilities_share_a_bin(rows: list[tuple[float, bool]]) -> None:
    p, correct = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = bins(p, correct)
    assert sum(row.tickets for row in found) == len(rows)
    for level in np.unique(p):
        count = int((p == level).sum())
        assert any(row.tickets >= count and row.tickets - count <= len(rows) // 10 + 1 for row in found)


def test_a_perfect_forecaster_errs_less_the_more_tickets_there_are() -> None:
    few, many = (error_by_chance(np.full(count, 0.5), seed=1) for count in (20, 2000))
    assert few is not None and many is not None
    assert 0.05 < few < 0.15 and many < 0.02
    assert error_by_chance(np.array([0.0, 1.0]), seed=1) == 0
    assert error_by_chance(NONE[0], seed=1) is None
