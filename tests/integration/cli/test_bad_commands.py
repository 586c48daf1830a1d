"""Bad input to commands: exit code 2 and one line that says what, where and how to mend it."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from served import KEY

from app.identity import Customer, identify
from app.settings import PROMPTS

Handrail = Callable[..., object]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scan.pdf", b"%PDF-1.4 and then nothing", ["scan.pdf", "PDF"]),
        ("not.pdf", b"hello", ["not.pdf", "PDF"]),
        ("empty.pdf", b"", ["empty.pdf", "PDF"]),
        ("latin.md", b"# Title\n\nfine\ncaf\xe9\n", ["latin.md line 4", "UTF-8"]),
        ("front.md", b"---\ntitle: [unclosed\n---\ntext\n", ["front.md line", "front matter"]),
        ("list.md", b"---\n- a\n---\ntext\n", ["list.md line 2", "front matter"]),
        ("king.md", b"---\naudience: king\n---\n# T\ntext\n", ["king.md", "audience"]),
        ("void.md", b"", ["void.md", "content"]),
        ("broken.jsonl", b'{"id": "a", "title": "A", "content": "x"}\n{"id": 1\n', ["broken.jsonl line 2", "JSON"]),
        ("list.jsonl", b"[1]\n", ["list.jsonl line 1", "object"]),
        ("lacks.jsonl", b'\n{"id": "a", "title": "A"}\n', ["lacks.jsonl line 2", "content"]),
        (
            "twice.jsonl",
            b'{"id": "a", "title": "A", "content": "x"}\n{"id": "a", "title": "B", "content": "y"}\n',
            ["twice.jsonl line 2", '"a" is taken'],
        ),
        ("note.txt", b"hello", ["note.txt", ".md"]),
    ],
)
def test_a_document_that_cannot_be_read_is_named_with_its_line(
    handrail: Handrail, tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    handrail("knowledge", "ingest", name, "--json").refused(*words)


def test_what_is_not_there_is_named(handrail: Handrail, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for command in (
        ["knowledge", "ingest", "none"],
        ["knowledge", "evaluate", "none"],
        ["triage", "fit", "none", "--out", "model"],
        ["triage", "predict", "hello", "--model", "none"],
        ["triage", "evaluate", "none", "--model", "model"],
        ["triage", "drift", "none"],
        ["eval", "run", "none", "--out", "report"],
        ["eval", "openings", "none", "--out", "report"],
    ):
        handrail(*command).refused("none")
    handrail("knowledge", "ingest", "folder").refused("folder", "holds no file")
    handrail("eval", "run", "folder", "--out", "report").refused("folder", "directory")
    handrail("audit", "export", "conv_none").refused("conv_none")


def test_an_empty_knowledge_base_says_how_to_fill_it(handrail: Handrail, tmp_path: Path) -> None:
    handrail("knowledge", "search", "hello").refused("handrail knowledge ingest")
    (tmp_path / "queries.jsonl").write_text('{"id": "1", "query": "hello", "relevant": ["a"]}\n')
    handrail("knowledge", "evaluate", "queries.jsonl").refused("handrail knowledge ingest")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "hi"', ["line 2", "JSON"]),
        ('{"text": "hi"}', ["line 2", "intent"]),
        ('{"text": "", "intent": "a"}', ["line 2", "text"]),
        ("[]", ["line 2", "object"]),
    ],
)
def test_a_broken_example_is_named_with_line_and_field(
    handrail: Handrail, tmp_path: Path, line: str, words: list[str]
) -> None:
    (tmp_path / "examples.jsonl").write_text('{"text": "hello", "intent": "greeting"}\n' + line + "\n")
    handrail("triage", "fit", "examples.jsonl", "--out", "model").refused("examples.jsonl", *words)
    assert not (tmp_path / "model").exists()


def test_a_file_of_tickets_without_any_ticket_is_refused_with_its_first_bad_line(
    handrail: Handrail, tmp_path: Path
) -> None:
    (tmp_path / "tickets.jsonl").write_text('\n{"id": "T-1"}\n{broken\n')
    handrail("eval", "run", "tickets.jsonl", "--out", "report").refused("tickets.jsonl line 2", "opened_at")
    (tmp_path / "tickets.jsonl").write_text("\n\n")
    handrail("eval", "run", "tickets.jsonl", "--out", "report").refused("tickets.jsonl", "no ticket")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("MODEL", "gpt"),
        ("EMBEDDINGS", "word2vec"),
        ("BILLING", "cash"),
        ("DEFAULT_STAGE", "yolo"),
        ("MODEL_ATTEMPTS", "0"),
        ("TURN_SECONDS", "-1"),
        ("MAX_MESSAGE_CHARS", "many"),
        ("DEVELOPMENT", "perhaps"),
        ("SEED", "1.5"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(handrail: Handrail, name: str, value: str) -> None:
    handrail("token", "--customer", "cus_001", **{name: value}).refused(f"setting HANDRAIL_{name}")


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://root@127.0.0.1/handrail",
        "postgresql+psycopg://nobody@127.0.0.1:1/none",
        "postgresql://nobody@127.0.0.1:1/none",
        "sqlite:////proc/none/handrail.db",
    ],
)
def test_a_database_that_cannot_be_opened_names_the_setting(handrail: Handrail, url: str) -> None:
    for command in (["audit", "verify"], ["audit", "export", "conv_none"]):
        ended = handrail(*command, DATABASE_URL=url)
        assert ended.code == 2
        ended.refused("HANDRAIL_DATABASE_URL" if "proc" not in url else "/proc/none")
        assert "nobody" not in ended.err


def test_a_file_that_is_no_database_or_of_a_newer_version_is_refused(handrail: Handrail, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "handrail.db").write_bytes(b"no database at all" * 100)
    handrail("audit", "verify").refused("database cannot be used", "HANDRAIL_HOME")
    (tmp_path / "home" / "handrail.db").unlink()
    assert handrail("audit", "verify", "--json").document["ok"]
    with sqlite3.connect(tmp_path / "home" / "handrail.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    handrail("audit", "verify").refused("9999")


def test_a_home_that_cannot_be_made_is_named(handrail: Handrail, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for command in (["audit", "verify"], ["sandbox", "dump"], ["knowledge", "search", "hello"]):
        handrail(*command, HOME=tmp_path / "file" / "home").refused("file")


def test_options_that_make_no_sense_are_named(handrail: Handrail) -> None:
    handrail("token").refused("--customer", "--staff")
    handrail("token", "--customer", "cus_001", "--staff", "ann@example.com").refused("either")
    handrail("token", "--staff", "ann@example.com", "--role", "king").refused("--role", "king", "approver")
    handrail("token", "--customer", "cus_001", "--level", "god").refused("--level", "god", "verified")
    handrail("token", "--nonsense").refused("--nonsense")
    handrail("nonsense").refused("nonsense")
    handrail("knowledge", "search").refused("text")
    handrail("knowledge", "search", "x", "--k", "0").refused("--k")
    handrail("knowledge", "ingest", "x.md", "--audience", "king").refused("--audience", "king")
    handrail("eval", "run", "x.jsonl").refused("--out")
    handrail("eval", "run", "x.jsonl", "--out", "o", "--workers", "0").refused("--workers")
    handrail("bench", "--turns", "1").refused("--turns")


def test_bytes_that_are_no_text_are_refused(handrail: Handrail, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Keys\n\nRotate them.\n")
    assert handrail("knowledge", "ingest", "a.md").code == 0
    handrail("knowledge", "search", "\udcff keys", "--json").refused("UTF-8")
    handrail("triage", "predict", "fine", "\udcff", "--model", "none").refused("none")


def test_a_broken_procedure_is_named_with_file_and_line(
    handrail: Handrail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared_home: Path
) -> None:
    prompts = tmp_path / "prompts"
    shutil.copytree(PROMPTS, prompts)
    procedure = prompts / "procedures" / "refund_invoice.md"
    text = procedure.read_text(encoding="utf-8")
    line = next(n for n, words in enumerate(text.splitlines(), 1) if words.endswith("call: billing.refund"))
    procedure.write_text(text.replace("call: billing.refund\n", "call: billing.refnud\n", 1), encoding="utf-8")
    monkeypatch.setattr("app.runtime.load_content.__defaults__", (prompts,))
    handrail("audit", "export", "conv_none").refused(f"{procedure}", f"line {line}", "billing.refnud")
    found = {finding["part"]: finding for finding in handrail("doctor", "--json").document["findings"]}
    assert not found["content"]["ok"]
    assert f"line {line}" in found["content"]["says"]


def test_a_tampered_model_is_refused(handrail: Handrail, tmp_path: Path) -> None:
    examples = "".join(f'{{"text": "hello {n}", "intent": "a{n % 2}"}}\n' for n in range(6))
    (tmp_path / "examples.jsonl").write_text(examples)
    assert handrail("triage", "fit", "examples.jsonl", "--out", "model").code == 0
    arrays = tmp_path / "model" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"!")
    handrail("triage", "predict", "hello", "--model", "model").refused("arrays.npz", "does not match")
    handrail("triage", "evaluate", "examples.jsonl", "--model", "model").refused("arrays.npz")


def test_an_audit_that_does_not_verify_ends_with_one(handrail: Handrail, tmp_path: Path) -> None:
    assert handrail("audit", "verify").code == 0
    with sqlite3.connect(tmp_path / "home" / "handrail.db") as connection:
        connection.execute(
            "INSERT INTO audit_events (id, conversation_id, number, kind, payload, at, previous_hash, hash) "
            "VALUES ('aud_1', 'conv_1', 1, 'forged', '{}', '2026-01-01 00:00:00.000000', '', 'ff')"
        )
    ended = handrail("audit", "verify", "--json")
    assert ended.code == 1
    assert ended.document["ok"] is False
    assert any("aud_1" in problem for problem in ended.document["problems"])


def test_the_key_that_was_given_signs_the_token(handrail: Handrail) -> None:
    ended = handrail("token", "--customer", "cus_001", "--json")
    assert isinstance(identify(KEY, ended.document["token"]), Customer)
