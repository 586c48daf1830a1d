"""The words of a message as tf-idf rows."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from agents.triage.lexical import BUCKETS, COUNTS, KINDS, LexicalFeatures, NgramWeights, cosines

TEXTS = ["please refund my invoice", "refund refund refund", "the invoice is wrong", "Grüße, 12 %", "!!", ""]


def test_the_rows_are_the_tf_idf_of_sklearn_and_weigh_both_kinds_alike() -> None:
    halves = []
    for kind in KINDS:
        counts = HashingVectorizer(**kind, **COUNTS, n_features=BUCKETS).transform(TEXTS)
        halves.append(TfidfTransformer(sublinear_tf=True).fit_transform(counts))
    expected = sparse.hstack(halves).toarray() / np.sqrt(len(KINDS))
    assert np.allclose(LexicalFeatures.fit(TEXTS)[1].toarray(), expected, atol=1e-6)


def test_a_text_is_as_like_itself_as_can_be_and_unlike_one_without_a_common_word() -> None:
    _, rows = LexicalFeatures.fit(TEXTS)
    likeness = cosines(rows)
    assert likeness[0, 0] == pytest.approx(1, abs=1e-5)
    assert likeness[0, 1] > likeness[0, 3]
    assert not likeness[5].any()


def test_a_single_text_has_the_row_it_has_among_others() -> None:
    features, rows = LexicalFeatures.fit(TEXTS)
    together = features.transform(TEXTS).toarray()
    assert np.array_equal(together, rows.toarray())
    assert np.array_equal(np.vstack([features.transform([text]).toarray() for text in TEXTS]), together)


def test_ngrams_add_what_comparing_with_every_example_adds() -> None:
    (features, examples), weights = LexicalFeatures.fit(TEXTS[:3]), np.float32([[1, -1], [2, 0], [-3, 5]])
    rows = features.transform(TEXTS)
    compared = (rows @ examples.T).toarray() @ weights
    assert np.allclose(NgramWeights.fit(examples, weights).outputs(rows), compared, atol=1e-5)
    assert compared.any()


def test_examples_without_a_word_add_nothing() -> None:
    features, rows = LexicalFeatures.fit(["", ""])
    nothing = NgramWeights.fit(rows, np.ones((2, 3), dtype=np.float32))
    assert not nothing.outputs(features.transform(TEXTS)).any()
