"""What stands in the documents, and that it is the customer's own."""

import hashlib
import io
import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.documents import DocumentSent, WhichDocument
from tools.sandbox.pdf import render_document
from tools.sandbox.tables import IssuedDocument
from tools.sandbox.toolset import sandbox_tools
from tools.sandbox.vat import rule_for, split

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
KINDS = ["security_overview", "data_processing", "tax_statement", "access_log", "invoice_archive"]


@pytest.fixture
async def backend(tmp_path):
    opened = await SandboxBackend.open(tmp_path / "sandbox.db", clock=lambda: NOW)
    yield opened
    await opened.close()


async def send(backend: SandboxBackend, customer: str, kind: str, key: str = "key-1") -> DocumentSent:
    tool = ToolRegistry(sandbox_tools(backend)).get("documents.send_compliance_document")
    sent = await tool.call(customer, WhichDocument(kind=kind), key)
    assert isinstance(sent, DocumentSent)
    return sent


async def issued(backend: SandboxBackend, customer: str, kind: str, key: str = "key-1") -> IssuedDocument:
    document = await backend.issued_document((await send(backend, customer, kind, key)).document_id)
    assert document is not None
    return document


def pages(content: bytes) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(content)).pages]


@pytest.mark.parametrize("kind", KINDS)
async def test_each_document_names_its_customer_and_its_hash_is_that_of_its_bytes(backend, kind):
    sent = await send(backend, "cus_020", kind)
    document = await backend.issued_document(sent.document_id)
    assert sent.sha256 == document.sha256 == hashlib.sha256(document.content).hexdigest()
    assert sent.sha256.startswith(sent.fingerprint.replace(" ", ""))
    reader = PdfReader(io.BytesIO(document.content))
    assert reader.metadata.title == document.title
    assert "Copper Kettle Catering" in " ".join(pages(document.content))


async def test_the_same_records_give_the_same_bytes_and_other_records_give_others(backend):
    first = await issued(backend, "cus_020", "access_log", "key-1")
    again = await issued(backend, "cus_020", "access_log", "key-2")
    other = await issued(backend, "cus_016", "access_log", "key-3")
    assert first.id != again.id
    assert first.content == again.content
    assert first.content != other.content


async def test_one_request_made_twice_writes_one_document(backend):
    first = await send(backend, "cus_020", "tax_statement")
    with sqlite3.connect(backend.path) as books:
        books.execute("UPDATE invoices SET amount_due = 1 WHERE customer_id = 'cus_020'")
    assert await send(backend, "cus_020", "tax_statement") == first
    assert len((await backend.dump())["issued_documents"]) == 1


async def test_a_tax_statement_adds_up(backend):
    (text,) = pages((await issued(backend, "cus_050", "tax_statement")).content)
    assert "5004 1 January 2026 paid 50.42 EUR 19 % 9.58 EUR 60.00 EUR 15.00 EUR" in text
    assert "2025 Invoiced 19 % 151.26 EUR 28.74 EUR 180.00 EUR" in text
    assert "2026 Refunded 19 % -12.61 EUR -2.39 EUR -15.00 EUR" in text
    assert "2026 Balance 19 % 37.81 EUR 7.19 EUR 45.00 EUR" in text


async def test_money_paid_twice_and_sent_back_changes_no_tax(backend):
    (text,) = pages((await issued(backend, "cus_014", "tax_statement")).content)
    assert "1404 1 January 2026 paid 29.24 EUR 19 % 5.56 EUR 34.80 EUR 0.00 EUR" in text


async def test_a_void_invoice_is_in_the_archive_and_not_in_the_tax_statement(backend):
    assert "1603" in " ".join(pages((await issued(backend, "cus_016", "invoice_archive", "a")).content))
    assert "1603" not in " ".join(pages((await issued(backend, "cus_016", "tax_statement", "b")).content))


@pytest.mark.parametrize(
    ("country", "number", "rate"),
    [("DE", "", 1900), ("DE", "DE1", 1900), ("ES", "ESB12345674", 0), ("ES", "", 1900), ("GB", "", 0), ("US", "x", 0)],
)
def test_vat_follows_country_and_number(country, number, rate):
    assert rule_for(country, number).rate == rate


@given(gross=st.integers(0, 10**12), rate=st.integers(0, 10_000))
def test_net_and_tax_are_the_total_and_the_tax_is_right_to_half_a_cent(gross, rate):
    net, tax = split(gross, rate)
    assert net + tax == gross
    assert 2 * abs(net * (10_000 + rate) - gross * 10_000) <= 10_000 + rate


async def test_an_access_log_holds_every_sign_in_of_90_days_and_nobody_elses(backend):
    text = " ".join(pages((await issued(backend, "cus_020", "access_log")).content))
    names = {row["id"]: row["name"] for row in (await backend.dump())["users"] if row["customer_id"] == "cus_020"}
    attempts = [row for row in (await backend.dump())["sign_ins"] if row["customer_id"] == "cus_020"]
    recent = [row for row in attempts if row["at"] >= "2025-10-17"]
    assert 0 < len(recent) < len(attempts)
    for row in recent:
        assert f"{row['at'][:16].replace('T', ' ')} {names[row['user_id']]}" in text
    assert text.count("wrong password") == 5
    assert "nordlicht" not in text


async def test_a_change_of_role_is_in_the_access_log(backend):
    tool = ToolRegistry(sandbox_tools(backend)).get("access.change_role")
    await tool.call("cus_002", tool.arguments.model_validate({"user_id": "usr_0203", "role": "admin"}), "role")
    text = " ".join(pages((await issued(backend, "cus_002", "access_log")).content))
    assert "2026-01-15 10:00 Sam Lee role member admin" in text


HOSTILE = [
    "<b>bold</b> & <i>co",
    "</para><para>next",
    '<img src="file:///etc/passwd"/>',
    "<a href='https://evil.example'>x</a>",
    "{{ customer.id }} {% for x in users %}",
    "]]> <!-- -->",
    "<bullet>&bull;",
    "ключ Ωμέγα Łukasz Ñandú",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_text_written_by_others_stands_in_a_document_as_it_is(backend, name):
    with sqlite3.connect(backend.path) as books:
        books.execute("UPDATE users SET name = ? WHERE id = 'usr_0203'", [name])
        books.execute("UPDATE invoices SET memo = ? WHERE id = 'in_0204'", [name])
        books.execute("UPDATE customers SET company = ? WHERE id = 'cus_002'", [name])
    for number, kind in enumerate(KINDS):
        document = await issued(backend, "cus_002", kind, f"key-{number}")
        text = "".join("".join(page.split()) for page in pages(document.content))
        assert "".join(name.split()) in text
        assert not any("/Annots" in page for page in PdfReader(io.BytesIO(document.content)).pages)


async def test_marks_that_turn_or_hide_text_are_left_out(backend):
    with sqlite3.connect(backend.path) as books:
        books.execute("UPDATE users SET name = ? WHERE id = 'usr_0203'", ["Sam\u202e\u200b\x07\ud7ffLee"])
    assert "Sam" in " ".join(pages((await issued(backend, "cus_002", "access_log")).content))


async def test_long_tables_go_on_over_pages_under_their_heading(backend):
    with sqlite3.connect(backend.path) as books:
        for number in range(400):
            at = f"2026-01-{number % 14 + 1:02d} 08:{number % 60:02d}:00.000000"
            row = (f"sig_more_{number:03d}", "cus_020", "usr_2001", at, f"198.51.100.{number % 200}", "succeeded")
            books.execute(
                "INSERT INTO sign_ins (id, customer_id, user_id, at, address, outcome) VALUES (?, ?, ?, ?, ?, ?)", row
            )
    read = pages((await issued(backend, "cus_020", "access_log")).content)
    assert len(read) > 8
    assert sum("Time Name Address From Outcome" in page for page in read) > 8
    assert sum(page.count("198.51.100.") for page in read) == 400


async def test_one_very_long_memo_breaks_no_document(backend):
    with sqlite3.connect(backend.path) as books:
        books.execute("UPDATE invoices SET memo = ? WHERE id = 'in_0204'", ["endless " * 4000])
        books.execute("UPDATE resources SET name = ? WHERE customer_id = 'cus_002'", ["x" * 5000])
    assert len(pages((await issued(backend, "cus_002", "invoice_archive", "a")).content)) > 3
    assert len(pages((await issued(backend, "cus_002", "security_overview", "b")).content)) > 1


def test_a_kind_without_a_template_is_refused():
    for kind in ("vat rules", "../company", "nothing"):
        with pytest.raises(LookupError, match="no template"):
            render_document(kind, {})


async def test_a_company_founded_by_an_earlier_version_gets_the_tables_that_came_since(tmp_path):
    older = await SandboxBackend.open(tmp_path / "older.db", clock=lambda: NOW)
    await older.close()
    with sqlite3.connect(older.path) as books:
        books.execute("DROP TABLE issued_documents")
        books.execute("DROP TABLE sign_ins")
    reopened = await SandboxBackend.open(older.path, clock=lambda: NOW)
    assert "Nobody signed in" in " ".join(pages((await issued(reopened, "cus_020", "access_log")).content))
    await reopened.close()
