"""`handrail eval calibrate` and `handrail eval score`, as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HANDRAIL = Path(sys.executable).parent / "handrail"


def handrail(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([HANDRAIL, *map(str, arguments)], capture_output=True, text=True, check=False)


def line(name: str, values: int, outcome: dict[str, Any]) -> str:
    arguments = {f"field{n}": f"v{n}" for n in range(values)}
    return json.dumps(
        {
            "id": name,
            "group": name.split("-")[0],
            "messages": [
                {"role": "customer", "text": "Yes, please"},
                {"role": "agent", "text": "", "tool_calls": [{"id": "c", "name": "book", "arguments": arguments}]},
                {"role": "tool", "text": "{}", "tool_call_id": "c", "name": "book"},
            ],
            "outcome": outcome,
        }
    )


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "recorded.jsonl"
    rows = [line(f"t{n}-{k}", 1 + n, {"correct": n + k < 11}) for n in range(20) for k in range(2)]
    file.write_text("\n".join([*rows, '{"id": "broken"}']))
    return file


def test_a_model_is_written_and_scores_other_recordings(recorded: Path, tmp_path: Path) -> None:
    ended = handrail("eval", "calibrate", recorded, "--out", tmp_path / "model", "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["auroc"] > 0.8 and 0 <= document["calibration_error"] <= 1
    assert len(document["tickets"]) == 40 and document["tickets"][0]["id"] == "t0-0"
    assert all(0 <= ticket["p_correct"] <= 1 for ticket in document["tickets"])
    assert [rule["alpha"] for rule in document["risk_control"]] == [0.1, 0.2, 0.3]
    assert document["refused_lines"] == [f"{recorded} line 41: messages: Field required"]
    again = handrail("eval", "calibrate", recorded, "--out", tmp_path / "again", "--json")
    assert again.stdout == ended.stdout

    others = tmp_path / "others.jsonl"
    others.write_text("\n".join([line("light", 1, {}), line("heavy", 20, {})]))
    ended = handrail("eval", "score", others, "--model", tmp_path / "model", "--json")
    assert ended.returncode == 0, ended.stderr
    scored = json.loads(ended.stdout)
    assert scored["model"] == document["model"]
    assert scored["auroc"] is None and scored["calibration_error"] is None
    light, heavy = scored["tickets"]
    assert light["p_correct"] > heavy["p_correct"]

    for_people = handrail("eval", "calibrate", recorded, "--out", tmp_path / "model")
    assert "10 bins of equal mass" in for_people.stdout and "line 41" in for_people.stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no recording"),
        (line("a", 1, {}), "outcome.correct"),
        ("\n".join([line("a", 1, {"correct": True}), line("b", 2, {"correct": True})]), "true in all 2"),
        (line("a", 1, {"correct": 1}), "line 1: outcome.correct"),
    ],
)
def test_what_teaches_nothing_ends_with_2_and_one_line(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text(content)
    ended = handrail("eval", "calibrate", file, "--out", tmp_path / "model", "--json")
    assert ended.returncode == 2 and ended.stdout == ""
    assert says in ended.stderr and str(file) in ended.stderr and len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "model").exists()


def test_a_missing_file_or_model_ends_with_2_and_one_line(recorded: Path, tmp_path: Path) -> None:
    for arguments in (
        ("eval", "calibrate", tmp_path / "absent.jsonl", "--out", tmp_path / "model"),
        ("eval", "score", recorded, "--model", tmp_path / "absent"),
    ):
        ended = handrail(*arguments)
        assert ended.returncode == 2 and len(ended.stderr.strip().splitlines()) == 1, ended.stderr
        assert "absent" in ended.stderr
