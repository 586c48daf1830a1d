"""The way of a document through the service: asked for in the chat, kept by the ledger, downloaded by its owner."""

import hashlib
from typing import Any

import pytest
from served import Served

from tools.sandbox.backend import Fault

CALL = "documents.send_compliance_document"


async def ask_for_tax_statement(service: Served) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """(the customer, the finished turn, the effect)."""
    customer = service.customer("cus_035")
    turn = await customer.say("please send us the tax statement")
    (effect,) = (await service.record(customer.conversation_id))["effects"]
    return customer, turn, effect


async def documents(service: Served) -> list[dict[str, Any]]:
    assert service.runtime is not None
    return (await service.runtime.sandbox.dump())["issued_documents"]


async def test_the_reply_leads_to_the_document_whose_hash_the_ledger_holds(service: Served) -> None:
    customer, turn, effect = await ask_for_tax_statement(service)
    assert effect["state"] == "verified"
    assert effect["result"]["link"] in turn["reply"]
    assert effect["result"]["fingerprint"] in turn["reply"]
    answer = await customer.http.get(effect["result"]["link"])
    assert answer.status_code == 200
    assert answer.content.startswith(b"%PDF")
    assert hashlib.sha256(answer.content).hexdigest() == effect["result"]["sha256"]
    assert answer.headers["ETag"] == f'"{effect["result"]["sha256"]}"'
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="tax-statement-')


async def test_nobody_else_may_download_it(service: Served) -> None:
    _, _, effect = await ask_for_tax_statement(service)
    link = effect["result"]["link"]
    strangers = [
        service.customer("cus_001").http,
        service.customer("cus_035", "claimed").http,
        service.customer("cus_035", "anonymous").http,
        service.staff("rep"),
        service.staff("lead"),
        service.staff("approver"),
    ]
    unknown = await strangers[0].get("/v1/documents/doc_0000000000")
    for stranger in strangers:
        answer = await stranger.get(link)
        assert answer.status_code == unknown.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["title"] == unknown.json()["title"]
    assert (await service.client().get(link)).status_code == 401


@pytest.mark.parametrize("role", ["auditor", "admin"])
async def test_who_audits_may_read_it_and_that_is_written_down(service: Served, role: Any) -> None:
    _, _, effect = await ask_for_tax_statement(service)
    assert (await service.staff(role).get(effect["result"]["link"])).status_code == 200
    answer = await service.staff("auditor").get(f"/v1/audit/{effect['conversation_id']}")
    read = [event for event in answer.json()["events"] if event["kind"] == "document_read"]
    assert [event["payload"]["reader"] for event in read] == [f"{role}@example.com"]


@pytest.mark.parametrize(
    "faults",
    [
        {CALL: [Fault.TIMEOUT_AFTER]},
        {CALL: [Fault.TIMEOUT_AFTER], f"{CALL}.read_back": [Fault.UNAVAILABLE]},
        {f"{CALL}.read_back": [Fault.REFUSED, Fault.REFUSED]},
        {CALL: [Fault.TIMEOUT_BEFORE]},
    ],
)
async def test_whatever_is_lost_on_the_way_there_is_one_document_once_the_ledger_has_settled(
    service: Served, faults: dict[str, list[Fault]]
) -> None:
    for operation, queue in faults.items():
        service.runtime.sandbox.faults.add(operation, *queue)  # type: ignore[union-attr]
    customer, _, _ = await ask_for_tax_statement(service)
    for row in await service.runtime.services.ledger.open_rows():  # type: ignore[union-attr]
        await service.runtime.services.ledger.settle(row)  # type: ignore[union-attr]
    (effect,) = (await service.record(customer.conversation_id))["effects"]
    (document,) = await documents(service)
    assert effect["state"] == "verified"
    assert (effect["result"]["document_id"], effect["result"]["sha256"]) == (document["id"], document["sha256"])
    assert (await customer.http.get(effect["result"]["link"])).status_code == 200
