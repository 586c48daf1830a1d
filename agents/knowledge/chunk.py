"""A document's Markdown into passages: cut where its structure cuts, never in the middle of a sentence if avoidable."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest

SEPARATOR = " > "
MAX_WORDS = 150
MIN_WORDS = 110
"""A section shorter than this shares its passage with the next one."""
WINDOW_MAX_WORDS = 60
WINDOW_MIN_WORDS = 30
"""The same two for the windows that a passage is embedded in."""


@dataclass(frozen=True)
class Chunk:
    """A stretch of a document. All chunks in order hold every character of it but the white space between them."""

    text: str
    heading: str
    """The headings that the text stands under, outermost first, joined by " > "; empty outside of any."""
    ordinal: int
    windows: "tuple[Chunk, ...]" = ()
    """The same text in smaller pieces. Each is embedded on its own: a vector says one thing better than many."""

    def in_context(self, title: str) -> str:
        """What is embedded and searched: the text below the document's title and the headings that it does not show."""
        shown = {line.lstrip("# ").rstrip() for line in self.text.splitlines() if line.startswith("#")}
        above = [part for part in self.heading.split(SEPARATOR) if part and part not in shown and part != title]
        return "\n".join([title, *above, self.text])


@dataclass(frozen=True)
class _Block:
    text: str
    path: tuple[str, ...]
    """The headings that it stands under, outermost first; a heading stands under itself."""
    is_heading: bool

    @property
    def words(self) -> int:
        return len(self.text.split())


def chunks_of(markdown: str, max_words: int = MAX_WORDS, min_words: int = MIN_WORDS) -> list[Chunk]:
    """Passages of at most about `max_words`; paragraphs, list items and tables stay whole where they fit."""
    chunks: list[Chunk] = []
    for group in _grouped(_blocks(markdown), max_words, min_words):
        windows = [_chunk(inner, n) for n, inner in enumerate(_grouped(group, WINDOW_MAX_WORDS, WINDOW_MIN_WORDS))]
        chunk = _chunk(group, len(chunks), tuple(window for window in windows if window.text))
        if chunk.text:
            chunks.append(chunk)
    return chunks


def _chunk(group: "list[_Block]", ordinal: int, windows: tuple[Chunk, ...] = ()) -> Chunk:
    path = next((block.path for block in group if not block.is_heading), group[-1].path)
    return Chunk("\n".join(block.text for block in group).strip(), SEPARATOR.join(path), ordinal, windows)


def _blocks(markdown: str) -> Iterator[_Block]:
    """Headings, paragraphs, list items, tables and code, each up to where the next one starts."""
    from markdown_it import MarkdownIt

    lines = re.split(r"\r\n|\r|\n", markdown.replace("\0", "\ufffd"))  # the line breaks that the parser knows
    tokens = MarkdownIt("commonmark").enable("table").parse("\n".join(lines))
    headings: dict[int, tuple[int, str]] = {}
    starts = {0}
    for token, inner in zip_longest(tokens, tokens[1:]):
        outermost = token.level == 0 or (token.type == "list_item_open" and token.level == 1)
        if token.map is None or not outermost:
            continue
        starts.add(token.map[0])
        if token.type == "heading_open" and inner is not None:
            headings[token.map[0]] = (int(token.tag[1]), inner.content)
    path: list[tuple[int, str]] = []
    edges = [*sorted(starts), len(lines)]
    for start, end in pairwise(edges):
        if start in headings:
            depth, words = headings[start]
            path = [outer for outer in path if outer[0] < depth] + [(depth, words)]
        text = "\n".join(lines[start:end]).rstrip()
        if text:
            yield _Block(text, tuple(words for _, words in path if words), start in headings)


def _split_long(blocks: Iterable[_Block], max_words: int) -> Iterator[_Block]:
    for block in blocks:
        if block.words <= max_words:
            yield block
            continue
        for piece in _pieces(block.text, max_words):
            yield _Block(piece, block.path, block.is_heading)


def _pieces(text: str, max_words: int) -> Iterator[str]:
    """Whole lines or sentences up to `max_words`; words where even one sentence is longer."""
    held: list[str] = []
    count = 0
    for sentence in re.split(r"(?<=[.!?])\s+|\n", text):
        words = sentence.split()
        if held and count + len(words) > max_words:
            yield "\n".join(held)
            held, count = [], 0
        while len(words) > max_words:
            yield " ".join(words[:max_words])
            words = words[max_words:]
            sentence = " ".join(words)
        held.append(sentence)
        count += len(words)
    if held:
        yield "\n".join(held)


def _grouped(blocks: Iterable[_Block], max_words: int, min_words: int) -> Iterator[list[_Block]]:
    """Neighbouring blocks that make one passage. A heading opens a passage, or stands in one; it never ends one."""
    held: list[_Block] = []
    for block in _split_long(blocks, max_words):
        count = sum(b.words for b in held)
        opens_section = block.is_heading and held and not held[-1].is_heading and count >= min_words
        if opens_section or (held and count + block.words > max_words):
            trailing = len(held)
            while trailing > 0 and held[trailing - 1].is_heading:
                trailing -= 1
            if trailing:
                yield held[:trailing]
                held = held[trailing:]
        held.append(block)
    if held:
        yield held
