"""Learning from recordings which conversations were handled right."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.settings import ROOT
from evals.calibration.calibrate import CannotCalibrate, calibrate, out_of_fold, score
from evals.calibration.features import Features
from evals.calibration.model import FILE_NAME, OutcomeModel, UnusableArtefact, load, save
from evals.recordings import Recording, load_recordings

AIRLINE = Path(os.environ.get("HANDRAIL_DATA", ROOT.parent / "shared" / "data")) / "recorded" / "airline_gpt4o.jsonl"


def row(name: str, values: int, correct: bool | None, group: str | None = None) -> dict[str, Any]:
    """A change with so many values filled in; nothing done at all where there are none."""
    messages: list[dict[str, Any]] = [{"role": "customer", "text": "Yes, go ahead"}]
    if values:
        arguments = {f"field{n}": f"v{n}" for n in range(values)}
        messages.append({"role": "agent", "tool_calls": [{"id": "c", "name": "book", "arguments": arguments}]})
        messages.append({"role": "tool", "text": "{}", "tool_call_id": "c"})
    else:
        messages.append({"role": "agent", "text": "I cannot, because the policy forbids it."})
    outcome = {} if correct is None else {"correct": correct}
    return {"id": name, "group": group or name, "messages": messages, "outcome": outcome}


def recordings(rows: list[dict[str, Any]]) -> list[Recording]:
    return [Recording.model_validate(one) for one in rows]


def heavy_ones_fail(groups: int = 30) -> list[Recording]:
    """Two recordings a group; the more values, the likelier wrong."""
    rng = np.random.default_rng(4)
    rows = []
    for group in range(groups):
        values = int(rng.integers(1, 30))
        for repeat in range(2):
            correct = bool(rng.random() < 1 / (1 + np.exp((values - 12) / 3)))
            rows.append(row(f"t{group}-{repeat}", values, correct, f"t{group}"))
    return recordings(rows)


def test_what_can_be_learnt_is_learnt() -> None:
    found = calibrate(heavy_ones_fail())
    assert found.figures["auroc"] > 0.8
    assert found.figures["calibration_error"] < 0.15
    assert found.model.coefficients[1] < 0  # load
    assert [ticket["id"] for ticket in found.tickets[:2]] == ["t0-0", "t0-1"]


def test_one_seed_gives_one_result_to_the_byte(tmp_path: Path) -> None:
    tickets = heavy_ones_fail(12)
    for name in ("one", "two"):
        found = calibrate(tickets, seed=3)
        save(found.model, found.figures, tmp_path / name)
    assert (tmp_path / "one" / FILE_NAME).read_bytes() == (tmp_path / "two" / FILE_NAME).read_bytes()
    assert calibrate(tickets, seed=3).tickets == found.tickets != calibrate(tickets, seed=4).tickets


def test_a_tickets_own_group_has_no_say_in_its_probability() -> None:
    tickets = heavy_ones_fail(12)
    features = [Features.of(ticket) for ticket in tickets]
    correct = np.array([bool(ticket.outcome.correct) for ticket in tickets])
    groups = np.repeat(np.arange(12), 2)
    before = out_of_fold(features, correct, groups, np.random.default_rng(0))
    correct[groups == 5] = ~correct[groups == 5]
    after = out_of_fold(features, correct, groups, np.random.default_rng(0))
    assert (before[groups == 5] == after[groups == 5]).all()
    assert (before != after).any()


def test_chance_is_not_learnt() -> None:
    rng = np.random.default_rng(0)
    rows = [row(f"t{n}", int(rng.integers(1, 30)), bool(rng.random() < 0.5)) for n in range(100)]
    assert calibrate(recordings(rows)).figures["auroc"] < 0.65


def test_other_recordings_are_scored_with_the_saved_model(tmp_path: Path) -> None:
    found = calibrate(heavy_ones_fail())
    name = save(found.model, found.figures, tmp_path)
    model, read_back = load(tmp_path)
    assert (model, read_back) == (found.model, name)
    others = recordings([row("light", 1, True), row("heavy", 28, False), row("unknown", 15, None)])
    document = score(others, model)
    assert document["auroc"] == 1 and document["with_outcome"] == 2
    light, heavy, unknown = (ticket["p_correct"] for ticket in document["tickets"])
    assert light > unknown > heavy


def test_without_outcomes_there_are_no_figures_but_scores() -> None:
    model = calibrate(heavy_ones_fail()).model
    document = score(recordings([row("a", 1, None), row("b", 0, None)]), model)
    assert document["auroc"] is None and document["calibration_error"] is None
    assert len(document["tickets"]) == 2
    assert score(recordings([row("a", 1, True)]), model)["auroc"] is None


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([row("a", 1, None), row("b", 2, None)], "nothing to learn from"),
        ([row("a", 1, True), row("b", 2, True)], "true in all 2"),
        ([row("a", 1, False), row("b", 2, False)], "false in all 2"),
        ([row("a", 1, True, "g"), row("b", 2, False, "g")], "one group"),
    ],
)
def test_recordings_that_teach_nothing_are_refused(rows: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(CannotCalibrate, match=why):
        calibrate(recordings(rows))


def test_two_recordings_are_enough_to_run_and_too_few_to_act() -> None:
    found = calibrate(recordings([row("a", 1, True), row("b", 20, False), row("c", 3, None)]))
    assert found.figures["recordings"] == 2 and found.figures["without_outcome"] == 1
    assert all(rule["threshold"] is None for rule in found.figures["risk_control"])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "x", "version": 1}', '{"format": "handrail-recordings-confidence"}']
)
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(UnusableArtefact, match=FILE_NAME):
        load(tmp_path)


def test_a_model_of_another_version_or_without_a_part_is_refused(tmp_path: Path) -> None:
    found = calibrate(heavy_ones_fail(12))
    save(found.model, found.figures, tmp_path)
    document = json.loads((tmp_path / FILE_NAME).read_text())
    (tmp_path / FILE_NAME).write_text(json.dumps(document | {"version": 99}))
    with pytest.raises(UnusableArtefact, match="version 99"):
        load(tmp_path)
    uneven = {"values": [0.2, 0.8], "edges": []}
    (tmp_path / FILE_NAME).write_text(json.dumps(document | {"model": document["model"] | {"levels": uneven}}))
    with pytest.raises(UnusableArtefact, match="2 levels with 0 edges"):
        load(tmp_path)
    del document["model"]["signs"]["load"]
    (tmp_path / FILE_NAME).write_text(json.dumps(document))
    with pytest.raises(UnusableArtefact, match="load"):
        load(tmp_path)


def test_bad_lines_are_refused_with_their_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    good = row("a", 1, True)
    as_text = row("b", 1, True)
    as_text["messages"][1]["tool_calls"][0]["arguments"] = '{"id": "in_7"}'
    bad = [
        (json.dumps(good).encode(), "id: 'a' stands in"),
        (b"{", "not valid JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"3", "ticket: "),
        (json.dumps(good | {"id": "c", "outcome": {"correct": "yes"}}).encode(), "outcome.correct: "),
        (json.dumps(good | {"id": "d", "messages": [{"role": "wizard"}]}).encode(), "messages.0.role: "),
        (json.dumps(good | {"id": "e", "messages": [{"role": "agent", "text": "hi"}]}).encode(), "none is the"),
        (json.dumps(as_text | {"id": "f"}).replace('7\\"}', "7").encode(), "messages.1.tool_calls.0.arguments: "),
    ]
    lines = [json.dumps(good).encode(), b"", json.dumps(as_text).encode(), *(line for line, _ in bad)]
    file.write_bytes(b"\n".join(lines))
    loaded, refusals = load_recordings(file)
    assert [one.id for one in loaded] == ["a", "b"]
    assert loaded[1].messages[1].tool_calls[0].arguments == {"id": "in_7"}
    assert [refusal.place for refusal in refusals] == [f"{file} line {number}" for number in range(4, 13)]
    for refusal, (_, problem) in zip(refusals, bad, strict=True):
        assert problem in str(refusal)


@pytest.mark.skipif(not AIRLINE.exists(), reason=f"the recorded airline tickets are not at {AIRLINE}")
def test_the_recorded_airline_tickets_are_told_apart_by_unseen_groups() -> None:
    loaded, refusals = load_recordings(AIRLINE)
    figures = calibrate(loaded).figures
    assert not refusals and figures["recordings"] == 100
    assert figures["auroc"] > 0.8 and figures["repeats"]["auroc"]["min"] > 0.75
    assert figures["calibration_error"] < 0.08 and len(figures["bins"]) == 4
    assert all(rule["kept"] for rule in figures["risk_control"])


@pytest.mark.skipif(not AIRLINE.exists(), reason=f"the recorded airline tickets are not at {AIRLINE}")
def test_a_model_of_half_the_airline_tasks_serves_the_other_half() -> None:
    loaded, _ = load_recordings(AIRLINE)
    names = sorted({one.group for one in loaded})
    for part in (set(names[::2]), set(names[1::2])):
        seen = [one for one in loaded if one.group in part]
        model = OutcomeModel.fit(
            [Features.of(one) for one in seen], np.array([bool(one.outcome.correct) for one in seen])
        )
        assert score([one for one in loaded if one.group not in part], model)["auroc"] > 0.7
