"""Two rankings become one, document by document."""

from agents.knowledge.fusion import Rankings, fused

DOCUMENTS = ["a", "a", "b", "c", "d"]


def order(whole: Rankings, *parts: Rankings) -> list[int]:
    """The passages as they come out."""
    return [passage for passage, _ in fused(whole, parts, DOCUMENTS.__getitem__)]


def test_the_best_passage_of_each_document_comes_before_second_passages() -> None:
    assert order(Rankings({0: 0.9, 1: 0.8, 2: 0.7}, {})) == [0, 2, 1]


def test_what_both_searches_find_comes_before_what_one_finds() -> None:
    assert order(Rankings({2: 0.9, 3: 0.8}, {3: 5.0}))[0] == 3


def test_a_second_request_brings_in_its_document_without_taking_the_first_place() -> None:
    whole = Rankings({0: 0.9, 2: 0.8, 4: 0.7}, {0: 3.0})
    assert order(whole, Rankings({3: 0.9}, {3: 4.0})) == [0, 2, 3, 4]


def test_nothing_found_is_nothing() -> None:
    assert order(Rankings({}, {})) == []
