"""Documents as PDF: a template from `document_templates/` and a customer's records become the bytes of a file.

The same template with the same records gives the same bytes, whenever and wherever it is made. What records hold was
written by others, so it is escaped before reportlab reads its markup.
"""

import html
import io
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from babel.dates import format_date
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from records.money import Money

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

TEMPLATES = Path(__file__).with_name("document_templates")
ISSUER = "Larkspur Cloud"
REGULAR, BOLD, ITALIC = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"
MARGIN = 54
INK, RULE, SHADE = "#1f2933", "#c3ccd5", "#eef2f6"


def render_document(kind: str, values: Mapping[str, Any]) -> bytes:
    """The document of a kind over `values` (see `document_values`). Raises `LookupError` where it has no template."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    template = _template(kind)
    _fonts()
    title, subject = _plain(template["title"], values), _plain(template["subject"], values)
    made = io.BytesIO()
    document = SimpleDocTemplate(
        made,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=title,
        subject=subject,
        author=ISSUER,
        creator="Handrail",
        lang="en",
        invariant=1,
    )
    issued = f"{ISSUER} · {title} · issued on {_day(values['today'])}"

    def footer(canvas: Any, page: Any) -> None:
        canvas.setFont(REGULAR, 8)
        canvas.setFillColor(INK)
        canvas.drawString(MARGIN, MARGIN / 2, issued)
        canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, f"Page {page.page}")

    head = [_paragraph(_text(template[part], values), part) for part in ("title", "subject")]
    document.build([*head, *_flow(template["blocks"], values)], onFirstPage=footer, onLaterPages=footer)
    return made.getvalue()


def _flow(blocks: list[dict[str, Any]], values: Mapping[str, Any]) -> Iterator["Flowable"]:
    from reportlab.platypus import Spacer

    for block in blocks:
        if "for" in block:
            for row in _rows(block["for"], values):
                yield from _flow(block["blocks"], {**values, "row": row})
        elif "heading" in block:
            yield _paragraph(_text(block["heading"], values), "heading")
        elif "text" in block:
            yield _paragraph(_text(block["text"], values), "text")
        elif "list" in block:
            yield from (_paragraph(f"<bullet>&bull;</bullet>{_text(item, values)}", "item") for item in block["list"])
        elif "facts" in block:
            yield _facts(block["facts"], values)
            yield Spacer(1, 8)
        else:
            yield _table(block["table"], values)
            yield Spacer(1, 8)


def _facts(facts: list[list[str]], values: Mapping[str, Any]) -> "Flowable":
    from reportlab.platypus import Table

    cells = [
        [_paragraph(_text(name, values), "strong"), _paragraph(_text(said, values), "cell")] for name, said in facts
    ]
    return Table(
        cells, colWidths=_widths([1, 2]), splitInRow=1, style=[("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding()]
    )


def _table(table: dict[str, Any], values: Mapping[str, Any]) -> "Flowable":
    """A table that goes on over pages under its heading."""
    from reportlab.platypus import LongTable

    columns, rows = table["columns"], _rows(table["rows"], values)
    if not rows:
        return _paragraph(_text(table["empty"], values), "text")
    sides = [column.get("align", "left") for column in columns]
    head = [_paragraph(_text(c["title"], values), f"strong {side}") for c, side in zip(columns, sides, strict=True)]
    cells = [
        [
            _paragraph(_text(c["value"], {**values, "row": row}), f"cell {side}")
            for c, side in zip(columns, sides, strict=True)
        ]
        for row in rows
    ]
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", (0, 0), (-1, 0), SHADE),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
        *_padding(),
    ]
    widths = _widths([column["width"] for column in columns])
    return LongTable([head, *cells], colWidths=widths, repeatRows=1, splitInRow=1, style=style)


def _padding() -> list[tuple[Any, ...]]:
    return [
        (f"{side}PADDING", (0, 0), (-1, -1), room)
        for side, room in (("TOP", 2), ("BOTTOM", 3), ("LEFT", 3), ("RIGHT", 3))
    ]


def _widths(shares: list[int]) -> list[float]:
    from reportlab.lib.pagesizes import A4

    return [share / sum(shares) * (A4[0] - 2 * MARGIN) for share in shares]


def _rows(path: str, values: Mapping[str, Any]) -> list[Any]:
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return list(found)


def _paragraph(markup: str, style: str) -> "Flowable":
    from reportlab.platypus import Paragraph

    return Paragraph(markup, _styles()[style])


def _text(source: str, values: Mapping[str, Any]) -> str:
    """Markup of a template's text: what the template says is markup, what a record says is not."""
    return _environment().from_string(source).render(values)


def _plain(source: str, values: Mapping[str, Any]) -> str:
    return html.unescape(_text(source, values))


@lru_cache(maxsize=16)
def _template(kind: str) -> dict[str, Any]:
    path = TEMPLATES / f"{kind}.yaml"
    if not kind.isidentifier() or not path.exists():
        raise LookupError(f"there is no template for {kind}")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True, finalize=_printable)
    environment.filters |= {"money": _money, "day": _day, "moment": _moment, "basis_points": _basis_points}
    return environment


def _printable(value: Any) -> Any:
    """Without control characters and marks that turn or hide text."""
    if not isinstance(value, str):
        return value
    kept = "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") else " " for c in value)
    return Markup(kept) if isinstance(value, Markup) else kept  # noqa: S704 - it was markup before


def _money(minor: int, currency: str) -> str:
    return str(Money(minor, currency))


def _day(when: date) -> str:
    return format_date(when, "d MMMM y", locale="en_GB")


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M}"


def _basis_points(rate: int) -> str:
    return f"{rate / 100:g} %"


@lru_cache(maxsize=1)
def _styles() -> dict[str, Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.enums import TA_RIGHT
    from reportlab.lib.styles import ParagraphStyle

    text = ParagraphStyle("text", fontName=REGULAR, fontSize=9.5, leading=14, spaceAfter=6, textColor=HexColor(INK))
    cell = ParagraphStyle("cell", parent=text, fontSize=8, leading=11, spaceAfter=0, splitLongWords=1)
    styles = {
        "text": text,
        "title": ParagraphStyle("title", parent=text, fontName=BOLD, fontSize=18, leading=24),
        "subject": ParagraphStyle("subject", parent=text, spaceAfter=14),
        "heading": ParagraphStyle(
            "heading", parent=text, fontName=BOLD, fontSize=11, spaceBefore=10, spaceAfter=4, keepWithNext=1
        ),
        "item": ParagraphStyle("item", parent=text, leftIndent=14, bulletIndent=2, spaceAfter=2),
        "cell": cell,
        "strong": ParagraphStyle("strong", parent=cell, fontName=BOLD),
    }
    for name in ("cell", "strong"):
        styles[f"{name} left"] = styles[name]
        styles[f"{name} right"] = ParagraphStyle(f"{name} right", parent=styles[name], alignment=TA_RIGHT)
    return styles


@lru_cache(maxsize=1)
def _fonts() -> None:
    """Register fonts with Latin, Greek and Cyrillic letters: those that come with matplotlib, embedded in each file."""
    from reportlab.lib.fonts import addMapping
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    found = find_spec("matplotlib")
    assert found is not None and found.origin is not None
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    for name in (REGULAR, BOLD, ITALIC):
        pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))
    addMapping(REGULAR, 0, 0, REGULAR)
    addMapping(REGULAR, 1, 0, BOLD)
    addMapping(REGULAR, 0, 1, ITALIC)
    addMapping(REGULAR, 1, 1, BOLD)
