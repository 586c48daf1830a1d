"""Other people's records as recordings: what is taken, what is refused and with which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.imports.importing import Format, Imported, read_foreign
from evals.imports.table import UnusableTable
from evals.recordings import load_recordings

TRIAL = {
    "task_id": 3,
    "trial": 1,
    "reward": 1.0,
    "info": {"task": {"user_id": "u"}, "user_cost": None},
    "traj": [
        {"role": "system", "content": "You are an airline's agent."},
        {"role": "user", "content": "Cancel ABC123"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "cancel", "arguments": '{"id": "A"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "cancel", "content": "{}"},
        {"role": "assistant", "content": "Done.", "tool_calls": None},
    ],
}
ZENDESK = {
    "id": 35436,
    "requester_id": 7,
    "created_at": "2026-05-01T10:00:00Z",
    "status": "solved",
    "tags": ["billing"],
    "via": {"channel": "web"},
    "satisfaction_rating": {"score": "good", "comment": "nice"},
    "comments": [
        {"author_id": 7, "body": "I was charged twice", "public": True, "created_at": "2026-05-01T10:00:00Z"},
        {"author_id": 9, "body": "she always complains", "public": False, "created_at": "2026-05-01T10:05:00Z"},
        {"author_id": 9, "body": "Refunded.", "public": True, "created_at": "2026-05-01T10:10:00Z"},
    ],
}


def read(folder: Path, content: Any, form: Format, name: str = "given", prefix: str = "", **columns: str) -> Imported:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
    return read_foreign(file, form, columns, prefix)


def test_a_trajectory_is_a_recording_with_outcome_and_group(tmp_path: Path) -> None:
    failed = {**TRIAL, "trial": 2, "reward": 0.0}
    imported = read(tmp_path, [TRIAL, failed], "tau-bench", prefix="air-")
    imported.write(tmp_path / "out" / "recorded.jsonl")
    (first, second), refused = load_recordings(tmp_path / "out" / "recorded.jsonl")
    assert not refused and not imported.refused
    assert (first.id, first.group, first.outcome.correct) == ("air-3-1", "air-3", True)
    assert (second.id, second.group, second.outcome.correct) == ("air-3-2", "air-3", False)
    assert [message.role for message in first.messages] == ["customer", "agent", "tool", "agent"]
    assert first.messages[1].tool_calls[0].arguments == {"id": "A"}
    assert first.messages[2].tool_call_id == "c1"


def test_bad_trials_are_refused_with_their_lines(tmp_path: Path) -> None:
    silent = {**TRIAL, "trial": 5, "traj": TRIAL["traj"][:1]}  # type: ignore[index]
    imported = read(tmp_path, [TRIAL, TRIAL, {"task_id": 1}, silent, 7], "tau-bench")
    told = [str(line) for line in imported.refused]
    assert imported.entries == 5 and len(imported.recordings) == 1
    second = len(json.dumps([TRIAL], indent=1).splitlines())
    assert f"line {second}: id: '3-1' stands in" in told[0] and "line 2 already" in told[0]
    assert "reward: Field required" in told[1]
    assert "messages: " in told[2]
    assert "entry: " in told[3]


def test_a_file_that_ends_in_the_middle_keeps_what_came_before(tmp_path: Path) -> None:
    whole = json.dumps([TRIAL, {**TRIAL, "trial": 2}])
    imported = read(tmp_path, whole[:-40], "tau-bench")
    assert len(imported.recordings) == 1
    assert "nothing after it could be read" in str(imported.refused[0])


@pytest.mark.parametrize("wrapped", ["list", "object", "lines", "api"])
def test_private_comments_are_no_customers_words(tmp_path: Path, wrapped: str) -> None:
    other = {**ZENDESK, "id": 2}
    content: Any = {
        "list": [ZENDESK, other],
        "object": {"count": 2, "tickets": [ZENDESK, other]},
        "lines": f"{json.dumps(ZENDESK)}\n\n{json.dumps(other)}\n",
        "api": f"{json.dumps({'ticket': ZENDESK})}\n{json.dumps({'ticket': other})}",
    }[wrapped]
    imported = read(tmp_path, content, "zendesk")
    assert not imported.refused and imported.private_comments == 2
    first, _ = imported.recordings
    assert [(m["role"], m["text"]) for m in first["messages"]] == [
        ("customer", "I was charged twice"),
        ("representative", "Refunded."),
    ]
    assert (first["id"], first["channel"], first["customer"]) == ("35436", "web", "7")
    assert first["outcome"] == {"satisfaction": "good"}
    assert "complains" not in json.dumps(imported.recordings)


def test_what_may_be_private_or_is_nobodys_is_refused(tmp_path: Path) -> None:
    comment = ZENDESK["comments"][0]  # type: ignore[index]
    unknown = {**ZENDESK, "id": 1, "comments": [{k: v for k, v in comment.items() if k != "public"}]}
    staff = {**ZENDESK, "id": 2, "comments": [{**comment, "author_id": 9}]}
    noted = {**ZENDESK, "id": 3, "comments": [{**comment, "public": False}]}
    deleted = {**ZENDESK, "id": 4, "status": "deleted"}
    nested = {**ZENDESK, "id": 5, "requester": {"id": 7}, "requester_id": 7}
    imported = read(tmp_path, [unknown, staff, noted, deleted, nested], "zendesk")
    told = "\n".join(map(str, imported.refused))
    assert [recording["id"] for recording in imported.recordings] == ["5"]
    assert "comments.0.public: Field required" in told and "it was deleted" in told
    assert told.count("messages: ") == 2


def test_a_table_needs_no_mapping_where_its_columns_have_usual_names(tmp_path: Path) -> None:
    table = (
        "Ticket ID;Created At;Description;Channel;Correct;Escalated;Cost\n"
        'A-1;2026-05-01 10:00;"refund; please\nsoon";email;yes;no;540\n'
        "A-2;2026-05-02T11:00:00Z;password?;chat;;1;\n"
    )
    imported = read(tmp_path, table, "csv")
    assert not imported.refused
    first, second = imported.recordings
    assert first["messages"] == [{"role": "customer", "text": "refund; please\nsoon"}]
    assert (first["opened_at"], first["outcome"]) == ("2026-05-01T10:00:00+00:00", {"correct": True})
    assert first["baseline"] == {"escalated": False, "cost": 540}
    assert (second["id"], second["outcome"], second["baseline"]) == ("A-2", {}, {"escalated": True})


def test_rows_of_one_id_are_one_conversation_where_a_column_says_who_wrote(tmp_path: Path) -> None:
    table = "id,role,text\n1,customer,hello\n2,user,other\n1,agent,hi there\n1,customer,refund please\n"
    first, second = read(tmp_path, table, "csv").recordings
    assert [m["role"] for m in first["messages"]] == ["customer", "representative", "customer"]
    assert second["messages"][0]["text"] == "other"


def test_given_columns_win_and_bad_rows_are_named(tmp_path: Path) -> None:
    table = (
        "Nr,Body,Note,When\n1,first,private,2026-05-01\n2,,x,2026-05-01\n1,again,x,2026-05-01\n3,y,x,today\n4,z,x,,,\n"
    )
    imported = read(tmp_path, table, "csv", text="Body", id="Nr", opened_at="When")
    assert [recording["messages"][0]["text"] for recording in imported.recordings] == ["first"]
    told = [str(line) for line in imported.refused]
    assert imported.entries == 5 and len(told) == 4
    assert any("line 3: text: there is no customer's message" in line for line in told)
    assert any("line 4: id: '1' stands in" in line for line in told)
    assert any("line 5: opened_at: 'today' is no time" in line for line in told)
    assert any("line 6: it has more cells" in line for line in told)


@pytest.mark.parametrize("cost", ["5.40", "nan", "much"])
def test_a_cost_that_is_no_whole_number_is_refused(tmp_path: Path, cost: str) -> None:
    (refusal,) = read(tmp_path, f"id,text,cost\n1,refund,{cost}\n", "csv").refused
    assert f"line 2: cost: {cost!r}" in str(refusal)


@pytest.mark.parametrize(
    ("columns", "says"),
    [({}, "give --map text=COLUMN"), ({"text": "Boddy"}, "no column 'Boddy'"), ({"txt": "A"}, "no field 'txt'")],
)
def test_a_table_without_the_needed_column_is_refused(tmp_path: Path, columns: dict[str, str], says: str) -> None:
    with pytest.raises(UnusableTable, match=says):
        read(tmp_path, "A,B\n1,2\n", "csv", **columns)


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "given"
    file.write_bytes(b"id,text\n1,caf\xe9\n")
    assert "line 2: not UTF-8" in str(read_foreign(file, "csv", {}, "").refused[0])
