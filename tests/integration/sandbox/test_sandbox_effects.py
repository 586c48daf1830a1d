"""Every effect of the sandbox: done once, provable by key, and taken back where that is possible."""

import asyncio
import sqlite3
from typing import Any

import jinja2
import pytest

from records.money import Money
from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable, NoSuchRecord
from tools.sandbox.backend import Fault
from tools.tool import Result

EFFECTS: list[tuple[str, str, dict[str, Any]]] = [
    ("billing.refund", "cus_001", {"invoice_id": "in_0042", "amount": 2_900, "reason": "duplicate"}),
    ("billing.send_invoice_copy", "cus_001", {"invoice_id": "in_0041"}),
    ("billing.send_payment_update_link", "cus_023", {}),
    ("billing.change_plan", "cus_042", {"plan": "team"}),
    ("billing.add_seats", "cus_002", {"count": 3}),
    ("billing.remove_seats", "cus_036", {"count": 2}),
    ("billing.cancel_subscription", "cus_008", {"reason": "switching"}),
    ("billing.accept_retention_offer", "cus_036", {"offer_id": "offer_036"}),
    ("billing.apply_sla_credit", "cus_017", {"month": "2025-12", "amount": 8_700}),
    (
        "provisioning.create_resource",
        "cus_008",
        {"kind": "cache", "region": "eu-west", "size": "small", "name": "session-cache"},
    ),
    ("provisioning.delete_resource", "cus_054", {"resource_id": "res_5402"}),
    ("provisioning.restore_service", "cus_013", {}),
    ("access.change_role", "cus_002", {"user_id": "usr_0203", "role": "admin"}),
    ("access.send_password_reset", "cus_020", {"user_id": "usr_2003"}),
    ("access.unlock_user", "cus_020", {"user_id": "usr_2003"}),
    ("documents.request_export", "cus_048", {}),
    ("documents.send_compliance_document", "cus_035", {"kind": "tax_statement"}),
]
every_effect = pytest.mark.parametrize(("tool", "customer", "arguments"), EFFECTS, ids=[case[0] for case in EFFECTS])
IRREVERSIBLE = {
    "billing.refund",
    "billing.send_invoice_copy",
    "billing.send_payment_update_link",
    "provisioning.delete_resource",
    "provisioning.restore_service",
    "access.send_password_reset",
    "documents.request_export",
    "documents.send_compliance_document",
}
REVERSIBLE = [case for case in EFFECTS if case[0] not in IRREVERSIBLE]
OFFERS = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
OFFERS.filters["money"] = lambda minor, currency: str(Money(minor, currency))


async def test_all_effects_are_listed(world):
    assert {tool.name for tool in world.registry if tool.effect} == {tool for tool, _, _ in EFFECTS}


@every_effect
async def test_an_effect_is_done_once_however_often_it_is_asked_for(world, tool, customer, arguments):
    first = await world.call(tool, customer, **arguments)
    done = await world.backend.dump()
    assert await world.call(tool, customer, **arguments) == first
    assert await world.read_back(tool, customer) == first
    assert await world.backend.dump() == done


@every_effect
async def test_requests_at_the_same_time_under_one_key_are_one_effect(world, tool, customer, arguments):
    answers = await asyncio.gather(*(world.call(tool, customer, **arguments) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    rows = [row for table in (await world.backend.dump()).values() for row in table]
    assert sum(row.get("idempotency_key") == "key-1" for row in rows) == 1


@every_effect
async def test_a_lost_answer_is_found_by_its_key(world, tool, customer, arguments):
    world.backend.faults.add(tool, Fault.TIMEOUT_AFTER)
    with pytest.raises(BackendTimeout):
        await world.call(tool, customer, **arguments)
    found = await world.read_back(tool, customer)
    assert isinstance(found, Result)
    assert await world.call(tool, customer, **arguments) == found


@every_effect
async def test_what_never_happened_is_not_found(world, tool, customer, arguments):
    before = await world.backend.dump()
    for fault, error in (
        (Fault.TIMEOUT_BEFORE, BackendTimeout),
        (Fault.UNAVAILABLE, BackendUnavailable),
        (Fault.REFUSED, BackendRefused),
    ):
        world.backend.faults.add(tool, fault)
        with pytest.raises(error):
            await world.call(tool, customer, **arguments)
        assert await world.read_back(tool, customer) is None
    assert await world.backend.dump() == before


@every_effect
async def test_a_key_is_not_shared_between_customers(world, tool, customer, arguments):
    await world.call(tool, customer, **arguments)
    assert await world.read_back(tool, "cus_009") is None
    with pytest.raises((BackendRefused, NoSuchRecord)):
        await world.call(tool, "cus_009", **arguments)


@every_effect
async def test_an_offer_reads_as_a_question_with_values_from_the_record(world, tool, customer, arguments):
    found = world.registry.get(tool)
    resource = await world.touched(tool, customer, **arguments)
    given = found.arguments.model_validate(arguments)
    offer = OFFERS.from_string(found.effect.offer).render(
        args=given, resource=resource, customer={"contact_email": "owner@example.com"}
    )
    assert offer[0].islower()
    assert "None" not in offer
    assert not offer.endswith((".", "?"))


@pytest.mark.parametrize(("tool", "customer", "arguments"), REVERSIBLE, ids=[case[0] for case in REVERSIBLE])
async def test_what_can_be_undone_is_as_before(world, tool, customer, arguments):
    assert world.registry.get(tool).effect.reversible

    def state(dump: dict[str, list[dict]]) -> dict:
        logs = {"changes", "credits", "resources"}
        kept = {table: rows for table, rows in dump.items() if table not in logs}
        alive = [row for row in dump["resources"] if row["status"] != "deleted"]
        return {**kept, "resources": alive, "credits": [row for row in dump["credits"] if row["state"] == "applied"]}

    before = state(await world.backend.dump())
    await world.call(tool, customer, **arguments)
    assert state(await world.backend.dump()) != before
    undone = await world.undo(tool, customer)
    assert state(await world.backend.dump()) == before
    assert await world.undo(tool, customer) == undone


async def test_the_same_key_with_other_arguments_is_refused(world):
    await world.call("billing.refund", "cus_001", invoice_id="in_0042", amount=2_900, reason="duplicate")
    with pytest.raises(BackendRefused, match="another request"):
        await world.call("billing.refund", "cus_001", invoice_id="in_0042", amount=1_000, reason="duplicate")
    with pytest.raises(BackendRefused, match="another request"):
        await world.call("billing.send_payment_update_link", "cus_001")


async def test_a_change_that_was_changed_again_is_not_taken_back(world):
    await world.call("billing.add_seats", "cus_008", count=2)
    await world.call("billing.add_seats", "cus_008", "key-2", count=1)
    with pytest.raises(BackendRefused, match="changed again"):
        await world.undo("billing.add_seats", "cus_008")


async def test_messages_go_to_the_address_on_record_and_take_no_other(world):
    sent = await world.call("billing.send_invoice_copy", "cus_001", invoice_id="in_0042")
    assert sent.sent_to == "marta.keller@brightwater-ceramics.example"
    for tool in world.registry:
        assert not {"email", "address", "to", "sent_to", "account", "iban"} & set(tool.arguments.model_fields)


async def test_latency_is_waited_for(world):
    world.backend.faults.latency_seconds = 0.03
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await world.call("customer.get_profile", "cus_001")
    assert loop.time() - begun >= 0.03


async def test_a_database_that_cannot_be_used_is_an_unavailable_backend(world):
    with sqlite3.connect(world.backend.path) as connection:
        connection.execute("ALTER TABLE messages_sent RENAME TO elsewhere")
    connection.close()
    with pytest.raises(BackendUnavailable, match="messages_sent"):
        await world.call("billing.send_payment_update_link", "cus_001")
