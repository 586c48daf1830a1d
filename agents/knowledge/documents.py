"""Documents from files: Markdown with front matter, HTML, PDF and JSON lines, all as Markdown text."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PUBLIC = "public"
AUDIENCE = re.compile(r"public|customer|internal|plan:[a-z0-9_-]+")


class UnreadableDocument(Exception):
    """A file, or one line of it (from 1; 0 for the whole file), that cannot become a document."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path} line {line}, {reason}" if line else f"{path}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Document:
    """What the knowledge base holds: one article, page or manual."""

    id: str
    title: str
    content: str
    """Markdown."""
    source: str
    """Where a reader finds it: its web address, or its file."""
    audience: str
    """Who may see it: public, customer (signed in), plan:NAME, or internal (staff only)."""
    file: str = ""
    """The file it was read from, as an absolute path."""

    @property
    def content_hash(self) -> str:
        """Changes with anything that a search can find or show."""
        fields = [self.title, self.content, self.source, self.audience, self.file]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def read_documents(paths: Sequence[Path], audience: str = PUBLIC) -> list[Document]:
    """Every document in these files and folders. `audience` counts for those that name none.

    Raises `UnreadableDocument` at the first file or line that cannot be read, and where two documents have one id.
    """
    documents: dict[str, Document] = {}
    for path in paths:
        for file in _files(path):
            for line, document in READERS[file.suffix.lower()](file, _name(file, path), audience):
                if document.id in documents:
                    first = documents[document.id].file
                    raise UnreadableDocument(file, line, f'field "id": "{document.id}" is taken already, in {first}')
                documents[document.id] = document
    return list(documents.values())


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in READERS and file.is_file())
        if not found:
            raise UnreadableDocument(path, 0, f"holds no file that ends in {', '.join(READERS)}")
        return found
    if not path.exists():
        raise UnreadableDocument(path, 0, "no such file or folder")
    if path.suffix.lower() not in READERS:
        raise UnreadableDocument(path, 0, f"is not one of {', '.join(READERS)}")
    return [path]


def _name(file: Path, given: Path) -> str:
    """The id of a file that names none: its path from the given folder on, without the ending."""
    inside = file.relative_to(given.parent) if given.is_dir() else Path(file.name)
    return inside.with_suffix("").as_posix()


def _read_markdown(file: Path, name: str, audience: str) -> Iterator[tuple[int, Document]]:
    front, body = _front_matter(file, _text(file))
    heading = re.search(r"^#\s+(.+?)\s*#*$", body, flags=re.MULTILINE)
    fields = {"id": name, "title": heading[1] if heading else file.stem, "content": body, **front}
    yield 0, _document(file, 0, fields, audience)


def _front_matter(file: Path, text: str) -> tuple[dict[str, Any], str]:
    import yaml

    parts = re.match(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)(.*)", text, flags=re.DOTALL | re.MULTILINE)
    if parts is None:
        return {}, text
    try:
        front = yaml.safe_load(parts[1]) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not YAML"
        raise UnreadableDocument(file, mark.line + 2 if mark else 1, f"front matter: {problem}") from error
    if not isinstance(front, dict):
        raise UnreadableDocument(file, 2, "front matter: must hold fields, such as title and audience")
    return {key: front[key] for key in ("id", "title", "audience", "url") if key in front}, parts[2]


def _read_html(file: Path, name: str, audience: str) -> Iterator[tuple[int, Document]]:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    page = BeautifulSoup(_text(file), "html.parser")
    title = page.title.get_text(strip=True) if page.title else ""
    for unread in page(["script", "style", "nav", "footer", "head", "noscript"]):
        unread.decompose()
    heading = page.find(["h1", "h2"])
    title = title or (heading.get_text(" ", strip=True) if heading else file.stem)
    content = MarkdownConverter(heading_style="ATX").convert_soup(page)
    yield 0, _document(file, 0, {"id": name, "title": title, "content": content}, audience)


def _read_pdf(file: Path, name: str, audience: str) -> Iterator[tuple[int, Document]]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it says in passing, the error below says in a line
    try:
        reader = PdfReader(file)
        content = "\n\n".join(page.extract_text() for page in reader.pages)
        title = (reader.metadata.title if reader.metadata else None) or file.stem
    except (PyPdfError, OSError, ValueError, KeyError) as error:
        raise UnreadableDocument(file, 0, f"is not a PDF that can be read ({error})") from error
    if not content.strip():
        raise UnreadableDocument(file, 0, "holds no text (a scan needs text recognition first)")
    yield 0, _document(file, 0, {"id": name, "title": str(title), "content": content}, audience)


def _read_json_lines(file: Path, name: str, audience: str) -> Iterator[tuple[int, Document]]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise UnreadableDocument(file, number, f"not JSON ({error})") from error
        if not isinstance(fields, dict):
            raise UnreadableDocument(file, number, "not a JSON object")
        yield number, _document(file, number, fields, audience)


def _document(file: Path, line: int, fields: dict[str, Any], audience: str) -> Document:
    given = {"audience": audience, **{key: value for key, value in fields.items() if value is not None}}
    for field in ("id", "title", "content"):
        if field not in given:
            raise UnreadableDocument(file, line, f'field "{field}": missing')
        if not isinstance(given[field], str) or not given[field].strip():
            raise UnreadableDocument(file, line, f'field "{field}": must be text and not empty')
    if not isinstance(given["audience"], str) or not AUDIENCE.fullmatch(given["audience"]):
        raise UnreadableDocument(file, line, 'field "audience": must be public, customer, internal or plan:NAME')
    where = str(file.resolve())
    return Document(
        id=given["id"],
        title=given["title"].strip(),
        content=given["content"],
        source=str(given.get("url") or where),
        audience=given["audience"],
        file=where,
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UnreadableDocument(file, line, "is not UTF-8 text") from error
    except OSError as error:
        raise UnreadableDocument(file, 0, f"cannot be read ({error.strerror})") from error


Reader = Callable[[Path, str, str], Iterator[tuple[int, Document]]]
READERS: dict[str, Reader] = {
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
    ".jsonl": _read_json_lines,
}
