"""`handrail eval run` as a person runs it: cut off and taken up, with processes that die, twice the same."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import KEY

pytestmark = pytest.mark.slow

HANDRAIL = Path(sys.executable).parent / "handrail"
DEVELOPMENT = Path(__file__).parents[3] / "evals" / "tickets" / "development.jsonl"
TICKETS, REPEATS = 4, 2
LONG = 300.0


class Desk:
    """A home and a ticket file of a few tickets, and the command over them."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.folder, self.tickets = folder, folder / "tickets.jsonl"
        lines = DEVELOPMENT.read_text(encoding="utf-8").splitlines()
        self.tickets.write_text("\n".join([*lines[4:40:10], "{}"]), encoding="utf-8")
        self._environment = {**os.environ, "HANDRAIL_HOME": str(home), "HANDRAIL_SECRET_KEY": KEY}

    def begin(self, out: str, *arguments: str, workers: int = 2) -> "subprocess.Popen[str]":
        command = [HANDRAIL, "eval", "run", self.tickets, "--out", self.folder / out, "--workers", str(workers)]
        return subprocess.Popen(
            [*map(str, command), "--repeats", str(REPEATS), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self._environment,
        )

    def run(self, out: str, *arguments: str, workers: int = 2) -> tuple[int, str, str]:
        process = self.begin(out, *arguments, workers=workers)
        said, warned = process.communicate(timeout=LONG)
        return process.returncode, said, warned

    def journal(self, out: str) -> list[str]:
        path = self.folder / out / "journal.jsonl"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def summary(self, out: str) -> dict[str, Any]:
        return json.loads((self.folder / out / "summary.json").read_bytes())


@pytest.fixture
def desk(whole_home: Path, tmp_path: Path) -> Desk:
    return Desk(whole_home, tmp_path)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not met():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes that play tickets for this one."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += (thread / "children").read_text().split()
    mains = {int(child) for child in found}
    return [child for child in mains if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.timeout(900)  # a dozen processes that load all of the service
def test_cut_off_taken_up_and_with_dying_processes_it_gives_the_same(desk: Desk) -> None:
    first = desk.begin("cut")
    until(lambda: len(desk.journal("cut")) >= 3)
    workers = children(first.pid)
    first.kill()
    first.communicate()
    assert (desk.folder / "cut" / "summary.json").exists() is False
    until(lambda: not any(map(alive, workers)))
    before = desk.journal("cut")
    with (desk.folder / "cut" / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"ticket": "torn')
    code, said, warned = desk.run("cut", "--json", workers=1)
    assert (code, warned.strip()) == (0, ""), (said, warned)
    document = json.loads(said)
    assert desk.journal("cut")[: len(before)] == before, "what was played is not played again"
    keys = [(record["ticket"], record["repeat"]) for record in map(json.loads, desk.journal("cut")[1:])]
    assert len(keys) == len(set(keys)) == TICKETS * REPEATS
    assert [(row["id"], row["repeat"]) for row in document["tickets"]] == [
        (json.loads(line)["id"], repeat)
        for line in desk.tickets.read_text(encoding="utf-8").splitlines()[:TICKETS]
        for repeat in range(REPEATS)
    ]

    second = desk.begin("whole", workers=1)
    until(lambda: len(desk.journal("whole")) >= 2)
    (player,) = children(second.pid)
    os.kill(player, signal.SIGKILL)
    said, _ = second.communicate(timeout=LONG)
    assert second.returncode == 0, said
    cut, whole = desk.summary("cut"), desk.summary("whole")
    assert cut["digest"] == whole["digest"] == document["digest"]
    for summary in (cut, whole):
        summary.update(seconds=None, turn_ms=None)
        for part in (*summary["tickets"], *summary["by_intent"].values(), *summary["by_queue"].values()):
            part["turn_ms"] = None
    assert cut == whole
    assert list(cut["pass_k"]) == ["1", "2"] and cut["not_played"] == 0
    assert len({row["conversation_id"] for row in cut["tickets"]}) == TICKETS * REPEATS

    once_more = (desk.folder / "cut" / "summary.json").read_bytes()
    (desk.folder / "gates.yaml").write_text("correct: {min: 1.1}\n")
    code, said, _ = desk.run("cut", "--gates", "gates.yaml", "--baseline", "whole/summary.json")
    assert code == 1 and "missed: correct is" in said and "at least 1.1 is asked" in said
    assert (desk.folder / "cut" / "summary.json").read_bytes() == once_more


def test_bad_input_is_refused_before_anything_is_played(desk: Desk) -> None:
    (desk.folder / "gates.yaml").write_text("corect: {min: 1}\n")
    code, said, warned = desk.run("out", "--gates", "gates.yaml")
    assert (code, said) == (2, "") and "gates.yaml:1: corect: there is no such figure" in warned
    code, said, warned = desk.run("out", "--baseline", str(desk.tickets))
    assert (code, said) == (2, "") and "tickets.jsonl: " in warned and warned.count("\n") == 1
    assert not (desk.folder / "out").exists()
