"""The threshold keeps its promise."""

import numpy as np
import pytest
from scipy.stats import binom

from evals.calibration.risk import check_by_splits, choose_threshold

LEVELS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])


def population(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.choice(LEVELS, count)
    return p, rng.random(count) < p


def test_the_lowest_threshold_that_passes_is_chosen() -> None:
    p = np.repeat([0.9, 0.7, 0.5], 40)
    correct = np.array([True] * 40 + [True] * 40 + [False] * 40)
    chosen = choose_threshold(p, correct, alpha=0.1, delta=0.1)
    assert (chosen.p_correct, chosen.accepted, chosen.wrong) == (0.7, 80, 0)
    assert chosen.p_value == pytest.approx(0.9**80)


def test_testing_ends_with_the_first_threshold_that_fails() -> None:
    p = np.repeat([0.9, 0.7], [30, 300])
    correct = np.array([False] * 10 + [True] * 320)  # over 0.7 the rate is fine, over 0.9 it is not
    assert choose_threshold(p, correct, alpha=0.1, delta=0.1).p_correct is None


def test_a_threshold_over_too_few_tickets_is_passed_over() -> None:
    p = np.repeat([0.9, 0.7], [5, 50])
    assert choose_threshold(p, np.ones(55, bool), alpha=0.1, delta=0.1).p_correct == 0.7


def test_nothing_is_done_alone_without_evidence() -> None:
    nothing = choose_threshold(np.zeros(0), np.zeros(0, bool), alpha=0.1, delta=0.1)
    assert nothing.p_correct is None and not nothing.accepts(np.array([0.9, 1.0])).any()
    assert choose_threshold(np.full(21, 0.9), np.ones(21, bool), alpha=0.1, delta=0.1).p_correct is None
    assert choose_threshold(np.full(22, 0.9), np.ones(22, bool), alpha=0.1, delta=0.1).p_correct == 0.9


def test_the_next_few_tickets_need_more_evidence_than_the_long_run() -> None:
    p, correct = np.full(24, 0.9), np.ones(24, bool)
    assert choose_threshold(p, correct, 0.1, 0.1).p_correct == 0.9
    assert choose_threshold(p, correct, 0.1, 0.1, batch=np.full(5, 0.9)).p_correct is None


def test_a_level_that_is_just_too_risky_is_chosen_no_more_often_than_promised() -> None:
    # Exact: one level whose true rate is alpha. It is chosen where the number of wrong ones lies in the tail.
    alpha, delta, count = 0.2, 0.1, 60
    chosen = sum(
        binom.pmf(wrong, count, alpha)
        for wrong in range(count + 1)
        if choose_threshold(np.full(count, 0.9), np.arange(count) >= wrong, alpha, delta).p_correct is not None
    )
    assert 0.03 < chosen <= delta


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.3])
def test_over_random_splits_the_rate_is_exceeded_no_more_often_than_promised(alpha: float, seed: int) -> None:
    p, correct = population(400, seed)
    check = check_by_splits(p, correct, alpha, 0.1, seed)
    assert check.splits == 200 and check.exceeded <= 0.1
    assert alpha < 0.2 or check.acting > 0.2  # the promise is not kept by idling


def test_without_the_batch_the_promise_would_break() -> None:
    # The check can fail: a rule that trusts the level at its word exceeds the rate in half of the splits.
    rng = np.random.default_rng(1)
    p, correct = np.full(400, 0.9), rng.random(400) < 0.9
    alpha = float((~correct).mean())
    careless = check_by_splits(p, correct, alpha, 0.99, seed=1)
    assert careless.exceeded > 0.3
    assert check_by_splits(p, correct, alpha, 0.1, seed=1).exceeded <= 0.1


def test_splits_by_group_keep_groups_whole() -> None:
    groups = np.repeat(np.arange(10), 8)
    p, correct = np.full(80, 0.9), np.repeat(np.arange(10) % 2 == 0, 8)
    check = check_by_splits(p, correct, 0.5, 0.1, seed=0, groups=groups, splits=50)
    assert check.splits == 50 and 0 <= check.exceeded <= 1


def test_several_starts_get_past_a_mistake_among_the_surest_few() -> None:
    p = np.concatenate([np.full(30, 0.99), np.full(270, 0.95)])
    correct = np.ones(300, bool)
    correct[:3] = False
    assert choose_threshold(p, correct, alpha=0.1, delta=0.1).p_correct is None
    chosen = choose_threshold(p, correct, alpha=0.1, delta=0.1, starts=3)
    assert (chosen.p_correct, chosen.accepted, chosen.wrong) == (0.95, 300, 3)


def test_several_starts_keep_the_promise_of_one() -> None:
    rng = np.random.default_rng(0)
    levels = np.repeat(np.linspace(0.5, 0.95, 6), 40)
    broken = [
        choose_threshold(levels, rng.random(len(levels)) > 0.11, alpha=0.1, delta=0.1, starts=3).p_correct is not None
        for _ in range(400)
    ]
    assert np.mean(broken) <= 0.1
