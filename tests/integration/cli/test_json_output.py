"""`--json`: one JSON document on stdout and nothing else anywhere, for every command, whatever the libraries print."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from served import KEY

from app.settings import ROOT
from records.database import Database, sqlite_url
from records.transcript import Transcript

Handrail = Callable[..., Any]

TICKETS = ROOT / "evals" / "tickets" / "development.jsonl"
ARTICLES = ROOT / "tools" / "sandbox" / "knowledge"


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Labelled messages, enough to learn two intents from."""
    path = tmp_path / "examples.jsonl"
    topics = {"refund": "please refund invoice", "password": "I forgot my password"}
    rows = [{"text": f"{words} {n}", "intent": intent} for n in range(6) for intent, words in topics.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_small_commands_print_one_document(handrail: Handrail) -> None:
    assert set(handrail("token", "--customer", "cus_001", "--json").document) == {"token"}
    assert set(handrail("token", "--staff", "ann@example.com", "--role", "lead", "--json").document) == {"token"}
    assert handrail("audit", "verify", "--json").document == {"events": 0, "ok": True, "problems": []}
    dump = handrail("sandbox", "dump", "--json").document
    assert {"customers", "invoices", "refunds"} <= set(dump)
    assert all("id" in customer for customer in dump["customers"])


def test_knowledge_commands_print_one_document(handrail: Handrail, tmp_path: Path) -> None:
    ingested = handrail("knowledge", "ingest", ARTICLES / "api-keys.md", ARTICLES / "backups.md", "--json").document
    assert {"documents", "chunks", "added", "seconds"} <= set(ingested)
    assert ingested["added"] == 2
    found = handrail("knowledge", "search", "rotate an api key", "--json").document
    assert found["passages"][0]["document_id"] == "api-keys"
    (tmp_path / "queries.jsonl").write_text('{"id": "1", "query": "rotate an api key", "relevant": ["api-keys"]}\n')
    judged = handrail("knowledge", "evaluate", "queries.jsonl", "--json").document
    assert (judged["hit_rate_at_10"], judged["recall_at_10"]) == (1.0, 1.0)


def test_triage_commands_print_one_document(handrail: Handrail, tmp_path: Path, examples: Path) -> None:
    fitted = handrail("triage", "fit", examples, "--out", "model", "--folds", "2", "--json").document
    assert {"examples", "intents", "accuracy", "p50_ms"} <= set(fitted)
    predicted = handrail("triage", "predict", "refund!", "--model", "model", "--json").document
    assert predicted["predictions"][0]["intent"] == "refund"
    (tmp_path / "foreign.jsonl").write_text('{"text": "what is the capital of Peru?"}\n')
    judged = handrail(
        *("triage", "evaluate", examples, "--model", "model", "--out-of-scope", "foreign.jsonl", "--json")
    ).document
    assert {"accuracy", "p50_ms", "out_of_scope_auroc", "escalated_at_5pct_slip"} <= set(judged)
    with examples.open("a") as file:
        file.writelines(json.dumps({"text": f"add a seat for {n}", "intent": "seats"}) + "\n" for n in range(6))
    drawn = handrail("triage", "drift", examples, "--new", "1", "--examples", "3", "--draws", "2", "--json").document
    assert (drawn["new_accuracy"], drawn["old_accuracy_after"], drawn["draws"]) == (1.0, 1.0, 2)


def test_commands_over_a_whole_home_print_one_document(handrail: Handrail, whole_home: Path, tmp_path: Path) -> None:
    tickets = TICKETS.read_text(encoding="utf-8").splitlines()[:2]
    (tmp_path / "tickets.jsonl").write_text("\n".join([tickets[0], "{broken", '{"id": 7}', tickets[1], ""]))
    one = ("--workers", "1")
    played = handrail("eval", "run", "tickets.jsonl", "--out", "report", *one, "--json", HOME=whole_home).document
    keys = "conversations resolved escalated effects_verified lost correct wrong_actions missed_escalations"
    assert {*keys.split(), "unnecessary_escalations", "seconds", "tickets"} <= set(played)
    assert played["conversations"] == 2
    assert [line.split(":")[0] for line in played["refused_lines"]] == ["tickets.jsonl line 2", "tickets.jsonl line 3"]
    assert {"id", "conversation_id", "intent", "disposition", "queue", "correct"} <= set(played["tickets"][0])
    assert json.loads((tmp_path / "report" / "summary.json").read_text())["conversations"] == 2
    examined = handrail("doctor", "--json", HOME=whole_home)
    assert examined.document["ok"] is True, examined.out
    assert {finding["part"] for finding in examined.document["findings"]} >= {
        "home",
        "database",
        "knowledge",
        "content",
    }
    timed = handrail("bench", "--turns", "10", "--json", HOME=whole_home).document
    assert {"ratio_p50", "ratio_p95", "growth_ratio", "throughput_ratio", "stages"} <= set(timed)


def test_the_evidence_of_a_conversation_is_one_document(handrail: Handrail, tmp_path: Path) -> None:
    async def talk() -> str:
        database = await Database.open(sqlite_url(tmp_path / "home" / "handrail.db"))
        transcript = Transcript(database, lambda: datetime.now(UTC))
        conversation = await transcript.open("cus_001", "verified", "chat")
        await transcript.receive(conversation.id, "h\u00e9llo \U0001f600 \u2028", None)
        await database.close()
        return conversation.id

    conversation_id = asyncio.run(talk())
    document = handrail("audit", "export", conversation_id).document
    assert [message["text"] for message in document["messages"]] == ["h\u00e9llo \U0001f600 \u2028"]
    assert [event["number"] for event in document["audit"]] == [1, 2]


def test_a_command_of_its_own_process_keeps_its_streams_apart_too(tmp_path: Path, examples: Path) -> None:
    settings = {"HANDRAIL_HOME": str(tmp_path / "home"), "HANDRAIL_SECRET_KEY": KEY}
    command = [shutil.which("handrail", path=str(Path(sys.executable).parent)) or "handrail"]
    ended = subprocess.run(
        [*command, "triage", "fit", str(examples), "--out", str(tmp_path / "model"), "--json"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr.strip()) == (0, "")
    assert json.loads(ended.stdout)["examples"] == 12
