"""`handrail eval calibrate` and `handrail eval score`, as a person runs them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Handrail = Callable[..., Any]


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


def test_a_model_is_written_and_scores_other_recordings(handrail: Handrail, recorded: Path, tmp_path: Path) -> None:
    made = handrail("eval", "calibrate", recorded, "--out", "model", "--json")
    document = made.document
    assert document["auroc"] > 0.8 and 0 <= document["calibration_error"] <= 1
    assert len(document["tickets"]) == 40 and document["tickets"][0]["id"] == "t0-0"
    assert all(0 <= ticket["p_correct"] <= 1 for ticket in document["tickets"])
    assert [rule["alpha"] for rule in document["risk_control"]] == [0.1, 0.2, 0.3]
    assert document["refused_lines"] == [f"{recorded} line 41: messages: Field required"]

    others = tmp_path / "others.jsonl"
    others.write_text("\n".join([line("light", 1, {}), line("heavy", 20, {})]))
    scored = handrail("eval", "score", others, "--model", "model", "--json").document
    assert scored["model"] == document["model"]
    assert scored["auroc"] is None and scored["calibration_error"] is None
    light, heavy = scored["tickets"]
    assert light["p_correct"] > heavy["p_correct"]

    before = (tmp_path / "model" / "confidence.json").read_bytes()
    for_people = handrail("eval", "calibrate", recorded, "--out", "model").out
    assert "10 bins of equal mass" in for_people and "line 41" in for_people
    assert (tmp_path / "model" / "confidence.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no recording"),
        (line("a", 1, {}), "outcome.correct"),
        ("\n".join([line("a", 1, {"correct": True}), line("b", 2, {"correct": True})]), "true in all 2"),
        (line("a", 1, {"correct": 1}), "line 1: outcome.correct"),
    ],
)
def test_what_teaches_nothing_ends_with_2_and_one_line(
    handrail: Handrail, tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text(content)
    handrail("eval", "calibrate", file, "--out", "model", "--json").refused(says, str(file))
    assert not (tmp_path / "model").exists()


def test_a_missing_file_or_model_ends_with_2_and_one_line(handrail: Handrail, recorded: Path) -> None:
    handrail("eval", "calibrate", "absent.jsonl", "--out", "model").refused("absent")
    handrail("eval", "score", recorded, "--model", "absent").refused("absent")
