"""The words of a message as tf-idf rows."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from agents.triage.lexical import BUCKETS, COUNTS, KINDS, LexicalFeatures, cosines

TEXTS = ["please refund my invoice", "refund refund refund", "the invoice is wrong", "Grüße, 12 %", "!!", ""]


def test_the_rows_are_the_tf_idf_of_sklearn_and_weigh_both_kinds_alike() -> None:
    halves = []
    for kind in KINDS:
        counts = HashingVectorizer(**kind, **COUNTS, n_features=BUCKETS).transform(TEXTS)
        halves.append(TfidfTransformer(sublinear_tf=True).fit_transform(counts))
    expected = sparse.hstack(halves).toarray() / np.sqrt(len(KINDS))
    assert np.allclose(LexicalFeatures.fit(TEXTS).transform(TEXTS).toarray(), expected, atol=1e-6)


def test_a_text_is_as_like_itself_as_can_be_and_unlike_one_without_a_common_word() -> None:
    rows = LexicalFeatures.fit(TEXTS).transform(TEXTS)
    likeness = cosines(rows, rows.T.tocsr())
    assert likeness[0, 0] == pytest.approx(1, abs=1e-5)
    assert likeness[0, 1] > likeness[0, 3]
    assert not likeness[5].any()
