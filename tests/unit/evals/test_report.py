"""The report: one file, readable by everybody."""

import re
from html.parser import HTMLParser
from pathlib import Path

from played import decision, result, ticket

from evals.report import write_report
from evals.summary import summarise
from evals.tickets import Expected

HOSTILE = '<script>alert(1)</script> "quoted" & more'


class Page(HTMLParser):
    """Collects what a page would fetch or run, its ids, and whether it is well formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "data") and not (value or "").startswith("#"):
                self.fetched.append(value or "")


def page(folder: Path) -> str:
    results = [
        result(ticket(f"t{n}", HOSTILE), end, queue="billing" if end == "escalated" else None, repeat=n % 2)
        for n, end in enumerate(["resolved", "escalated", "awaiting_customer", "resolved"])
    ]
    weighed = ticket("w", expected=Expected(disposition="resolved"))
    results += [result(weighed, decisions=[decision(0.9, reason=HOSTILE)], repeat=n) for n in range(2)]
    missed = [{"figure": "correct", "bound": "min", "limit": 1, "value": 0.5, "ok": False, "says": "it is too low"}]
    write_report(summarise(results, 3.0, ["x line 2: id: missing"]), folder / "report.html", f"Run {HOSTILE}", missed)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_one_file_that_fetches_and_runs_nothing(tmp_path: Path) -> None:
    text = page(tmp_path)
    found = Page(text)
    assert found.fetched == [] and "script" not in found.tags and "url(http" not in text and "@import" not in text
    assert len(found.ids) == len(set(found.ids))
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]


def test_drawings_take_the_colours_of_the_page_and_have_words_and_tables_beside_them(tmp_path: Path) -> None:
    text = page(tmp_path)
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) >= 5
    assert all("var(--ink)" in svg and "#010101" not in svg for svg in drawings)
    assert text.count('role="img" aria-label="') == len(drawings)
    assert text.count("As a table") == len(drawings)
    assert "prefers-color-scheme: dark" in text and 'name="viewport"' in text


def test_says_what_went_wrong_and_every_conversation_unfolds(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "Wrong (" in text and "Handed to people" not in text.split("Ticket by ticket")[1].split("Wrong (")[0]
    assert text.count('<details class="ticket">') == 6
    assert "it is too low" in text and "x line 2: id: missing" in text
    assert "&lt;script&gt;" in text
