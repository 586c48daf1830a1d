"""Answers to offers by kind: what keeps an offer from being made again, and what never makes a yes."""

from pathlib import Path

import pytest

from agents.knowledge.embed import CachedEmbedder
from agents.triage.answers import UNREAD, AnswerExamples, AnswerOdds
from agents.triage.classifier import IntentClassifier
from app.settings import PROMPTS
from tools.placed_yaml import UnusableFile


@pytest.fixture(scope="module")
def shipped(embedder: CachedEmbedder) -> IntentClassifier:
    """As `prompts/answers.yaml` teaches it."""
    return IntentClassifier.fit(*AnswerExamples.read(PROMPTS / "answers.yaml").pairs(), embedder)


def odds(classifier: IntentClassifier, text: str) -> AnswerOdds:
    read = classifier.predict(text)
    return AnswerOdds(dict(read.ranking), read.out_of_scope)


@pytest.mark.parametrize(
    "text",
    [
        "the money is better spent on the new coffee machine, so we leave the plan where it is",
        "Petra found the old password in her drawer, it needs no link any more",
        "that has to pass through the hands of our treasurer, who returns on the 14th",
    ],
)
def test_a_no_in_many_words_is_learnt(shipped: IntentClassifier, text: str) -> None:
    read = odds(shipped, text)
    assert read.refuses(text, begins_with_yes=False)
    assert read.replies


@pytest.mark.parametrize(
    "text",
    [
        "I demand to speak with the manager of this place",
        "our lawyer will write to you about this",
        "somebody from abroad has signed in with Tom's account last night",
    ],
)
def test_another_matter_is_no_reply(shipped: IntentClassifier, text: str) -> None:
    assert not odds(shipped, text).replies


def test_a_question_is_never_a_no() -> None:
    sure = AnswerOdds({"declines": 0.99}, 0.0)
    assert sure.refuses("we keep it", begins_with_yes=False)
    assert not sure.refuses("do we keep it?", begins_with_yes=False)


def test_what_begins_with_a_yes_must_be_more_clearly_a_no() -> None:
    likely = AnswerOdds({"declines": 0.65, "accepts": 0.1}, 0.0)
    assert likely.refuses("fine, but we keep it", begins_with_yes=False)
    assert not likely.refuses("fine, but we keep it", begins_with_yes=True)


def test_where_nothing_was_read_nothing_follows() -> None:
    assert not UNREAD.replies
    assert not UNREAD.no_yes
    assert not UNREAD.remarks
    assert not UNREAD.refuses("no", begins_with_yes=False)


def test_a_file_without_a_kind_is_refused_with_the_field(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text("declines: [leave it, better not]\n", encoding="utf-8")
    with pytest.raises(UnusableFile, match="postpones"):
        AnswerExamples.read(path)


def test_an_unknown_kind_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    text = (PROMPTS / "answers.yaml").read_text(encoding="utf-8")
    path.write_text(f"{text}\nhesitates: [hm, erm]\n", encoding="utf-8")
    with pytest.raises(UnusableFile, match="hesitates"):
        AnswerExamples.read(path)
