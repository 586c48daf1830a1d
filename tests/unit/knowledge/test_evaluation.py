"""The figures of `handrail knowledge evaluate`, on searches whose outcome is known."""

import json
from pathlib import Path
from typing import cast

import pytest

from agents.knowledge.documents import UnreadableDocument
from agents.knowledge.evaluation import Query, evaluate, read_unanswerable
from agents.knowledge.index import KnowledgeIndex, SearchResult
from agents.knowledge.passage import Passage


class Scripted:
    """Finds what it is told to find: by question, documents and relevance."""

    def __init__(self, outcomes: dict[str, tuple[list[str], float]]) -> None:
        self.outcomes = outcomes

    def search(self, query: str, audiences: set[str], k: int = 10) -> SearchResult:
        """See `KnowledgeIndex.search`."""
        documents, relevance = self.outcomes[query]
        return SearchResult([Passage(id_, "", "", "", 1.0, 1.0, 1.0) for id_ in documents], relevance)


def judged(outcomes: dict[str, tuple[list[str], float]], unanswerable: list[str]) -> dict[str, float]:
    """The evaluation; the relevant document of every other question is "x"."""
    queries = [Query(text, text, frozenset("x")) for text in outcomes if text not in unanswerable]
    index = cast(KnowledgeIndex, Scripted(outcomes))
    return vars(evaluate(index, queries, {"public"}, unanswerable=unanswerable))


def test_the_rank_counts_documents_and_not_passages() -> None:
    result = judged({"one": (["a", "a", "x"], 0.9), "two": (["a"], 0.9)}, [])
    assert result["hit_rate_at_10"] == 0.5
    assert result["mean_reciprocal_rank"] == 0.25
    assert result["relevance_auroc"] is None


def test_a_verdict_that_tells_all_apart_has_an_auroc_of_one() -> None:
    result = judged({"one": (["x"], 0.9), "two": (["x"], 0.8), "foreign": ([], 0.2)}, ["foreign"])
    assert result["relevance_auroc"] == 1.0
    assert result["unanswerable"] == 1


def test_equal_verdicts_count_half() -> None:
    assert judged({"one": (["x"], 0.5), "foreign": ([], 0.5)}, ["foreign"])["relevance_auroc"] == 0.5


def test_a_verdict_that_says_half_and_is_right_in_half_is_calibrated() -> None:
    assert judged({"one": (["x"], 0.5), "foreign": ([], 0.5)}, ["foreign"])["calibration_error"] == pytest.approx(0.0)


def test_a_verdict_that_is_always_sure_is_wrong_by_half() -> None:
    assert judged({"one": (["x"], 1.0), "foreign": ([], 1.0)}, ["foreign"])["calibration_error"] == pytest.approx(0.5)


def test_unanswerable_questions_are_read_under_either_name(tmp_path: Path) -> None:
    file = tmp_path / "foreign.jsonl"
    file.write_text(json.dumps({"text": "what time is it"}) + "\n\n" + json.dumps({"query": "sing"}) + "\n")
    assert read_unanswerable(file) == ["what time is it", "sing"]


def test_an_unanswerable_question_without_text_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "foreign.jsonl"
    file.write_text('{"text": "what time is it"}\n{"text": " "}\n')
    with pytest.raises(UnreadableDocument, match='line 2, field "text"'):
        read_unanswerable(file)
