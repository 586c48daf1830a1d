"""Documents from Markdown, HTML, PDF and JSON lines, and what is said of files that are none."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.knowledge.documents import Document, UnreadableDocument, read_documents


def write(path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def only(path: Path) -> Document:
    """The one document of a file."""
    (document,) = read_documents([path])
    return document


def pdf(*lines: str) -> bytes:
    """A small PDF with these lines on one page."""
    shown = "".join(f"BT /F1 12 Tf 72 {720 - 20 * n} Td ({line}) Tj ET\n" for n, line in enumerate(lines))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(shown)} >>\nstream\n{shown}endstream",
    ]
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode("latin-1")


def test_markdown_takes_its_fields_from_its_front_matter_and_its_heading(tmp_path: Path) -> None:
    front = (
        "---\nid: keys\ntitle: All about keys\naudience: plan:business\nurl: https://a.example/keys\nother: 1\n---\n"
    )
    document = only(write(tmp_path / "a.md", f"{front}# Keys\n\nRotate them.\n"))
    assert (document.id, document.title, document.audience) == ("keys", "All about keys", "plan:business")
    assert document.source == "https://a.example/keys"
    assert document.content == "# Keys\n\nRotate them.\n"
    plain = only(write(tmp_path / "b.md", "Intro\n\n# Keys #\n\nRotate them.\n"))
    assert (plain.id, plain.title, plain.audience) == ("b", "Keys", "public")
    assert plain.source == str(tmp_path / "b.md")
    assert only(write(tmp_path / "c.md", "no heading")).title == "c"
    assert only(write(tmp_path / "d.markdown", "\ufeff# With a byte order mark")).title == "With a byte order mark"


def test_html_becomes_markdown_without_scripts_and_navigation(tmp_path: Path) -> None:
    page = (
        "<html><head><title>Keys</title><style>p{}</style></head><body><nav>Home</nav><h2>Rotating</h2>"
        "<p>Rotate <b>them</b>.</p><script>alert(1)</script><ul><li>first</li></ul><footer>(c)</footer></body></html>"
    )
    document = only(write(tmp_path / "page.html", page))
    assert document.title == "Keys"
    assert "## Rotating" in document.content
    assert "**them**" in document.content
    assert not any(word in document.content for word in ("Home", "alert", "(c)", "p{}"))
    assert only(write(tmp_path / "untitled.htm", "<h1>From the heading</h1><p>text</p>")).title == "From the heading"


def test_pdf_text_is_read(tmp_path: Path) -> None:
    document = only(write(tmp_path / "manual.pdf", pdf("Rotate your keys", "every ninety days")))
    assert document.title == "manual"
    assert document.content.split() == "Rotate your keys every ninety days".split()


def test_each_json_line_is_a_document(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "title": "A", "content": "first", "audience": "internal", "url": "https://a.example", "extra": 1},
        {"id": "b", "title": "B", "content": "second\u2028line", "audience": None},
    ]
    file = write(tmp_path / "all.jsonl", "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")
    first, second = read_documents([file], "customer")
    assert (first.id, first.audience, first.source) == ("a", "internal", "https://a.example")
    assert (second.id, second.audience, second.content) == ("b", "customer", "second\u2028line")


def test_a_folder_is_read_with_what_is_in_it_and_ids_tell_where(tmp_path: Path) -> None:
    write(tmp_path / "help" / "a.md", "# A")
    write(tmp_path / "help" / "deep" / "a.md", "# B")
    write(tmp_path / "help" / "notes.txt", "not read")
    assert [document.id for document in read_documents([tmp_path / "help"])] == ["help/a", "help/deep/a"]


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("a.md", b"one\ntwo\n\xff", 3, "UTF-8"),
        ("a.md", "", 0, 'field "content"'),
        ("a.md", "---\na: [\n---\ntext", 3, "front matter"),
        ("a.md", "---\n- 1\n---\ntext", 2, "front matter"),
        ("a.md", "---\ntitle: 7\n---\ntext", 0, 'field "title"'),
        ("a.md", "---\naudience: everybody\n---\ntext", 0, 'field "audience"'),
        ("a.html", "<nav>only this</nav>", 0, 'field "content"'),
        ("a.pdf", "%PDF-1.4", 0, "PDF"),
        ("a.pdf", pdf(), 0, "no text"),
        ("a.jsonl", '{"id": "a"}', 1, 'field "title"'),
        ("a.jsonl", '\n\n{"id": "a", "title": "A", "content": 5}', 3, 'field "content"'),
        ("a.jsonl", "{}\n", 1, 'field "id"'),
        ("a.jsonl", "null\n", 1, "object"),
        ("a.jsonl", "{\n", 1, "JSON"),
        ("a.txt", "text", 0, "is not one of"),
    ],
)
def test_what_cannot_become_a_document_is_named_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, line: int, reason: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(UnreadableDocument, match=reason) as refused:
        read_documents([path])
    assert (refused.value.path, refused.value.line) == (path, line)
    assert str(path) in str(refused.value)


def test_two_documents_of_one_id_are_refused_with_both_places(tmp_path: Path) -> None:
    first, second = write(tmp_path / "x" / "a.md", "# A"), write(tmp_path / "y" / "a.md", "# A")
    with pytest.raises(UnreadableDocument, match='"a" is taken already') as refused:
        read_documents([first, second])
    assert refused.value.path == second
    assert str(first) in str(refused.value)


@given(st.binary(max_size=200), st.sampled_from([".md", ".html", ".jsonl", ".pdf"]))
def test_whatever_bytes_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, ending: str
) -> None:
    path = write(tmp_path_factory.mktemp("any") / f"file{ending}", content)
    with suppress(UnreadableDocument):
        assert all(document.content.strip() for document in read_documents([path]))


def test_the_hash_changes_with_all_that_a_search_can_find_or_show() -> None:
    plain = Document("a", "A", "text", "https://a.example", "public", "/a.md")
    changed = [
        Document("a", "B", "text", "https://a.example", "public", "/a.md"),
        Document("a", "A", "other", "https://a.example", "public", "/a.md"),
        Document("a", "A", "text", "https://b.example", "public", "/a.md"),
        Document("a", "A", "text", "https://a.example", "internal", "/a.md"),
        Document("a", "A", "text", "https://a.example", "public", "/b.md"),
    ]
    assert len({document.content_hash for document in [plain, *changed]}) == 6
