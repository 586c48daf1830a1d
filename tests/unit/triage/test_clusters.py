"""Messages without a name are grouped by matter and named by their words; labels that look wrong are found."""

from pathlib import Path

import pytest

from agents.knowledge.embed import Embedder
from agents.triage.clusters import characteristic_words, clusters_of
from agents.triage.comparison import Judged, Labelled, compare, mislabelled, spread_over_folds
from app.embeddings import lasting_embedder
from app.settings import Settings

VAT = ["we are exempt from VAT", "please take the VAT off, we are tax exempt", "here is our VAT exemption certificate"]
PENTEST = ["may we run a penetration test", "we announce a penetration test", "permission for a penetration test"]
STRAY = "the coffee in your office was great"


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return lasting_embedder(Settings(home=Path(tmp_path_factory.mktemp("embeddings"))))


def test_two_matters_become_two_groups_and_a_stray_message_stays_alone(embedder: Embedder) -> None:
    groups, alone = clusters_of([*VAT, STRAY, *PENTEST], embedder)
    assert sorted(sorted(group.members) for group in groups) == [[0, 1, 2], [4, 5, 6]]
    assert alone == [3]
    names = {group.name for group in groups}
    assert "penetration_test" in names
    assert any("vat" in name for name in names)


def test_one_message_is_no_group(embedder: Embedder) -> None:
    assert clusters_of([STRAY], embedder) == ([], [0])
    assert clusters_of([], embedder) == ([], [])


def test_words_that_all_groups_use_name_none_of_them() -> None:
    first, second = characteristic_words([["invoice tax", "tax invoice"], ["invoice test", "test invoice"]])
    assert first[0] == "tax"
    assert second[0] == "test"
    assert characteristic_words([["the and of", "of the"]]) == [[]]


def test_the_same_words_are_never_on_both_sides_of_a_fold() -> None:
    examples = [Labelled("Take the VAT off", "a"), Labelled("take the  vat OFF", "b", "lex_1", served=False)]
    examples += [Labelled(f"message {n}", "a") for n in range(10)]
    fold = spread_over_folds(examples, 5, 0)
    assert fold[0] == fold[1]
    assert set(fold) == set(range(5))


def test_a_comparison_judges_what_the_champion_cannot_know(embedder: Embedder) -> None:
    examples = [Labelled(text, "penetration_test") for text in PENTEST * 2]
    examples += [Labelled(f"the weather is fine, {n} degrees", "weather") for n in range(6)]
    examples += [Labelled(text, "tax_exemption", f"lex_{n}", served=False) for n, text in enumerate(VAT)]
    judged = compare(examples, embedder, folds=3)
    assert [one.example for one in judged] == examples
    taught = [one for one in judged if one.example.id]
    assert not any(one.was_right for one in taught)
    assert all(one.is_right for one in taught)


def test_a_label_that_looks_wrong_is_found_among_learned_examples_only() -> None:
    usual = [Judged(Labelled("a", "a", f"lex_{n}"), "a", "a", {"a": 0.8, "b": 0.1}) for n in range(5)]
    usual += [Judged(Labelled("b", "b"), "b", "b", {"b": 0.7}) for n in range(5)]
    odd = Judged(Labelled("looks like b", "a", "lex_9"), "b", "b", {"b": 0.9, "a": 0.05})
    shipped = Judged(Labelled("shipped", "a"), "b", "b", {"b": 0.9, "a": 0.05})
    assert mislabelled([*usual, odd, shipped]) == [(odd, "b")]
