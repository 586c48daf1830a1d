"""The journal of a run: what survives, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from evals.journal import NAME, UnusableJournal, journal_in

RUN: dict[str, Any] = {"seed": 1, "tickets": {"count": 2, "sha256": "ab"}}


def record(ticket: str, repeat: int = 0) -> dict[str, Any]:
    return {"ticket": ticket, "repeat": repeat, "elapsed": 1.5, "played": {"lost": 0}, "error": ""}


def written(folder: Path, *tickets: str) -> Path:
    with journal_in(folder, RUN) as journal:
        for name in tickets:
            journal.append(record(name))
    return folder / NAME


def test_goes_on_with_what_is_on_disk(tmp_path: Path) -> None:
    written(tmp_path, "a", "b")
    with journal_in(tmp_path, RUN) as journal:
        assert list(journal.records) == [("a", 0), ("b", 0)]
        assert journal.seconds == 1.5
        journal.append(record("a", repeat=1))
    with journal_in(tmp_path, RUN) as journal:
        assert list(journal.records) == [("a", 0), ("b", 0), ("a", 1)]


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_last_line_that_was_cut_off_counts_as_not_written(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path, "a", "b")
    path.write_bytes(path.read_bytes()[:-cut])
    with journal_in(tmp_path, RUN) as journal:
        assert list(journal.records) == [("a", 0)]
        journal.append(record("b"))
    with journal_in(tmp_path, RUN) as journal:
        assert list(journal.records) == [("a", 0), ("b", 0)]


def test_a_header_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    assert written(tmp_path, "a").read_bytes().count(b"\n") == 2


def test_counts_nothing_twice(tmp_path: Path) -> None:
    path = written(tmp_path, "a", "a")
    assert path.read_bytes().count(b"\n") == 2
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    with journal_in(tmp_path, RUN) as journal:
        assert len(journal.records) == 1


def test_another_run_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    written(tmp_path, "a")
    with pytest.raises(UnusableJournal, match=r"tickets\.sha256 was \"ab\", now \"cd\".*--fresh"):
        journal_in(tmp_path, {**RUN, "tickets": {"count": 2, "sha256": "cd"}}).__enter__()
    with journal_in(tmp_path, {**RUN, "seed": 2}, fresh=True) as journal:
        assert journal.records == {}


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    with journal_in(tmp_path, RUN), pytest.raises(UnusableJournal, match="another run is writing it"):
        journal_in(tmp_path, RUN, fresh=True).__enter__()
    written(tmp_path, "a")


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a", "b")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{nonsense}\n", lines[2]]))
    with pytest.raises(UnusableJournal, match="line 2: it is damaged"):
        journal_in(tmp_path, RUN).__enter__()
    path.write_bytes(b"".join([lines[0], b'{"ticket": "a"}\n']))
    with pytest.raises(UnusableJournal, match="line 2: repeat: it is missing"):
        journal_in(tmp_path, RUN).__enter__()
