"""Judging a classifier: cross-validation, drift, and the two figures for out-of-scope messages."""

import pytest

from agents.knowledge.embed import CachedEmbedder
from agents.triage.evaluation import Example, cross_validate, drift, escalated_at_slip, separation

TOPICS = {"refund": "refund invoice", "password": "reset the password of user", "seats": "add seats to plan"}
EXAMPLES = [Example(f"please {words} {n}", intent) for n in range(10) for intent, words in TOPICS.items()]


def test_intents_that_appear_later_are_learnt_and_the_old_ones_stay(embedder: CachedEmbedder) -> None:
    judged = drift(EXAMPLES, embedder, new=1, shown=4, draws=2)
    assert (judged.new_accuracy, judged.new_accuracy_worst, judged.draws) == (1.0, 1.0, 2)
    assert (judged.old_accuracy_before, judged.old_accuracy_after, judged.old_loss_worst) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(("new", "shown", "draws"), [(0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_draw_that_leaves_nothing_to_tell_apart_is_refused(
    embedder: CachedEmbedder, new: int, shown: int, draws: int
) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        drift(EXAMPLES, embedder, new, shown, draws)


def test_cross_validation_judges_every_message_once(embedder: CachedEmbedder) -> None:
    contradicting = [Example(e.text, e.intent) for e in EXAMPLES[:-1]] + [Example(EXAMPLES[-1].text, "refund")]
    assert cross_validate(contradicting, embedder, folds=3).accuracy == pytest.approx(29 / 30)


def test_out_of_scope_figures() -> None:
    inside, outside = [0.1, 0.2, 0.3, 0.9], [0.5, 0.6, 0.7, 0.8]
    assert separation(inside, outside) == 0.75
    assert escalated_at_slip(inside, outside, 0.05) == 0.25
