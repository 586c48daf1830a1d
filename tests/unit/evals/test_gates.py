"""What a run is held to."""

from pathlib import Path
from typing import Any

import pytest
from played import decision, result, ticket

from evals.gates import Gates, NoSummary, judged, read_summary
from evals.summary import summarise
from tools.placed_yaml import UnusableFile

GATES = Path(__file__).parents[3] / "evals" / "gates.yaml"


def gates(folder: Path, text: str, *, baseline: bool = True) -> Gates:
    file = folder / "gates.yaml"
    file.write_text(text)
    return Gates.load(file, baseline=baseline)


def run(right: int, wrong: int) -> dict[str, Any]:
    ends = ["resolved"] * right + ["awaiting_customer"] * wrong
    return summarise([result(ticket(f"t{n}"), end) for n, end in enumerate(ends)], 1.0)


def test_a_missed_gate_says_what_and_by_how_much(tmp_path: Path) -> None:
    held = gates(tmp_path, "correct: {min: 0.95, max_drop: 0.05}\nlost: {max: 0}\nturn_ms.p50: {max_rise: 5}\n")
    missed = [v for v in held.judge(run(3, 1), run(4, 0)) if not v.ok]
    assert [(v.figure, v.bound) for v in missed] == [("correct", "min"), ("correct", "max_drop")]
    assert missed[0].says == "correct is 0.75: at least 0.95 is asked, 0.2 off"
    assert missed[1].says == "correct is 0.75: it fell by 0.25 from 1, 0.05 is allowed"
    assert all(v.ok for v in held.judge(run(4, 0), run(3, 1)))


def test_nothing_that_matters_may_get_worse_than_a_baseline(tmp_path: Path) -> None:
    assert all(v.ok for v in judged(run(3, 1), run(3, 1), None))
    assert all(v.ok for v in judged(run(30, 10), run(3, 1), None))
    assert [v.figure for v in judged(run(2, 2), run(3, 1), None) if not v.ok] == ["correct"]
    loose = gates(tmp_path, "correct: {max_drop: 0.5}\n")
    assert all(v.ok for v in judged(run(2, 2), run(3, 1), loose))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("correct: {min: high}\n", "gates.yaml:1: correct.min: Input should be"),
        ("lost: {max: 0}\ncorrekt: {min: 1}\n", "gates.yaml:2: correkt: there is no such figure"),
        ("correct:\n  least: 1\n", "gates.yaml:2: correct.least: there is no such field"),
        ("correct: {}\n", "gates.yaml:1: correct: say at least one"),
        ("tickets: {max: 1}\n", "gates.yaml:1: tickets: it is no number"),
        ("correct: {min: 1, max: 0}\n", "min is above max"),
        ("- a\n", "gates.yaml:1"),
        ("correct: {min: 1\n", "this is no YAML"),
    ],
)
def test_a_bad_gate_file_is_told_with_line_and_field(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UnusableFile) as error:
        gates(tmp_path, text)
    assert says in str(error.value)


def test_a_bound_against_a_baseline_needs_one(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"correct\.max_drop: it needs a --baseline"):
        gates(tmp_path, "correct: {max_drop: 0.1}\n", baseline=False)


def test_our_own_gates_can_be_used() -> None:
    held = Gates.load(GATES, baseline=False)
    results = [result(ticket(f"t{n}", "something else"), decisions=[decision(1.0)]) for n in range(100)]
    assert [v.figure for v in held.judge(summarise(results, 1.0), None) if not v.ok] == ["certainty.calibration_error"]


def test_a_figure_without_value_does_not_pass_in_silence(tmp_path: Path) -> None:
    held = gates(tmp_path, "cost.per_resolution: {max: 500}\n")
    (verdict,) = held.judge(run(0, 3), None)
    assert not verdict.ok and "cannot be judged" in verdict.says


def test_what_is_no_summary_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    for content, says in (("{", "it is no JSON"), ("[]", "conversations: it is missing"), ('{"a": 1}', "missing")):
        file.write_text(content)
        with pytest.raises(NoSummary, match=says):
            read_summary(tmp_path)
