"""Documents into passages: nothing is lost, and cuts are made where the structure cuts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.knowledge.chunk import MAX_WORDS, Chunk, chunks_of

SENTENCE = st.lists(st.text("abcdefgh", min_size=1, max_size=8), min_size=1, max_size=30).map(
    lambda words: " ".join(words) + "."
)
BLOCKS = st.one_of(
    SENTENCE,
    st.builds(lambda depth, words: f"{'#' * depth} {words.split()[0]}", st.integers(1, 6), SENTENCE),
    st.lists(SENTENCE, min_size=1, max_size=4).map(lambda lines: "\n".join(f"- {line}" for line in lines)),
    st.lists(SENTENCE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"> {line}" for line in lines)),
    st.lists(SENTENCE, min_size=1, max_size=3).map(lambda lines: "```\n" + "\n".join(lines) + "\n```"),
    st.just("| a | b |\n| - | - |\n| 1 | 2 |"),
    st.just("---"),
    st.just("<div>raw</div>"),
)


def without_space(text: str) -> str:
    """The characters that must survive."""
    return re.sub(r"\s+", "", text.replace("\0", "\ufffd"))


@given(st.lists(BLOCKS, max_size=12).map("\n\n".join))
def test_all_passages_together_hold_every_character_in_order(markdown: str) -> None:
    chunks = chunks_of(markdown)
    assert without_space("".join(chunk.text for chunk in chunks)) == without_space(markdown)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert all(chunk.text.strip() for chunk in chunks)


@given(st.text())
def test_any_text_at_all_can_be_cut_without_a_loss(text: str) -> None:
    assert without_space("".join(chunk.text for chunk in chunks_of(text))) == without_space(text)


@given(st.lists(BLOCKS, min_size=1, max_size=12).map("\n\n".join), st.integers(5, 40))
def test_no_passage_is_longer_than_asked_for_but_for_the_headings_that_it_stands_under(
    markdown: str, max_words: int
) -> None:
    for chunk in chunks_of(markdown, max_words, max_words // 2):
        body = [line for line in chunk.text.splitlines() if not line.startswith("#")]
        assert len(" ".join(body).split()) <= max_words


@given(st.lists(BLOCKS, min_size=1, max_size=8).map("\n\n".join))
def test_the_same_document_is_cut_in_the_same_way(markdown: str) -> None:
    assert chunks_of(markdown) == chunks_of(markdown)


def test_nothing_makes_no_passage() -> None:
    assert chunks_of("") == chunks_of("   \n\n ") == []


def test_a_passage_knows_the_headings_above_it() -> None:
    long = " ".join(["word"] * 100)
    chunks = chunks_of(f"# Keys\n\n## Rotating\n\n{long}.\n\n### At once\n\n{long}.\n\n## Deleting\n\n{long}.")
    assert [chunk.heading for chunk in chunks] == ["Keys > Rotating", "Keys > Rotating > At once", "Keys > Deleting"]


def test_a_heading_opens_a_passage_and_never_ends_one() -> None:
    long = " ".join(["word"] * 120)
    for chunk in chunks_of(f"# A\n\n{long}\n\n# B\n\n{long}\n\n# C"):
        last = chunk.text.splitlines()[-1]
        assert not last.startswith("#") or chunk.text == last


def test_short_sections_share_a_passage() -> None:
    (chunk,) = chunks_of("# A\n\none\n\n# B\n\ntwo\n\n# C\n\nthree")
    assert chunk.text.startswith("# A")
    assert chunk.text.endswith("three")


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentences = [f"Sentence number {n} says something of ten words or so." for n in range(40)]
    chunks = chunks_of(" ".join(sentences))
    assert len(chunks) > 1
    assert all(chunk.text.endswith(".") for chunk in chunks)
    assert all(len(chunk.text.split()) <= MAX_WORDS for chunk in chunks)


@pytest.mark.parametrize(
    ("chunk", "shown"),
    [
        (Chunk("rotate it", "Keys > Rotating", 0), "API keys\nKeys\nRotating\nrotate it"),
        (Chunk("## Rotating\n\nrotate it", "API keys > Rotating", 0), "API keys\n## Rotating\n\nrotate it"),
        (Chunk("rotate it", "", 0), "API keys\nrotate it"),
    ],
)
def test_what_is_searched_names_title_and_headings_once(chunk: Chunk, shown: str) -> None:
    assert chunk.in_context("API keys") == shown
