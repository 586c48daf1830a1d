"""What a customer does whose service is killed, and what the records and the backend must show in the end."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from replicas import Replica
from served import Customer
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from records import audit
from records.conversation import ConversationEvent
from records.database import Database, sqlite_url

SOON = 30.0


async def dies(replica: Replica, customer: Customer, text: str) -> None:
    """The customer writes, and the service is killed over it."""
    with pytest.raises(httpx.TransportError):
        await customer.post(text, client_message_id=text)
    assert replica.died() == signal.SIGKILL


async def heard_in_the_end(customer: Customer, text: str) -> dict[str, Any]:
    """What the customer gets to hear: a stored message is answered unasked, and then sent again, as a client does."""
    messages = (await customer.read())["messages"]
    if text in [message["text"] for message in messages]:
        await answered(customer)
    answer = await customer.post(text, client_message_id=text)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def answered(customer: Customer) -> None:
    """Wait until somebody other than the customer has the last word."""
    deadline = asyncio.get_running_loop().time() + SOON
    while (await customer.read())["messages"][-1]["role"] == "customer":
        assert asyncio.get_running_loop().time() < deadline, "the message is lost"
        await asyncio.sleep(0.02)


async def all_answered(replica: Replica, customer: Customer) -> dict[str, Any]:
    """Wait until every message has a turn and every turn has ended; the record then."""
    deadline = asyncio.get_running_loop().time() + SOON
    while True:
        record = await replica.served.record(customer.conversation_id)
        if all(m["turn_id"] for m in record["messages"]) and {t["state"] for t in record["turns"]} == {"finished"}:
            return record
        assert asyncio.get_running_loop().time() < deadline, "a message is lost"
        await asyncio.sleep(0.02)


async def orderly(replica: Replica, customer: Customer, *, turns: int) -> dict[str, Any]:
    """The record, in which every message has its turn and every turn its one answer.

    Listeners were told once, and the audit chain holds.
    """
    record = await replica.served.record(customer.conversation_id)
    assert [m["role"] for m in record["messages"]] == ["customer", "agent"] * turns
    assert [m["turn_id"] for m in record["messages"]] == [t["id"] for t in record["turns"] for _ in range(2)]
    assert {t["state"] for t in record["turns"]} == {"finished"}
    async with _reading(replica) as session:
        query = select(ConversationEvent).where(ConversationEvent.conversation_id == customer.conversation_id)
        told = list(await session.scalars(query.order_by(col(ConversationEvent.number))))
        assert (await audit.verify(session)).problems == []
    assert [event.number for event in told] == list(range(1, len(told) + 1))
    kinds = [event.kind for event in told]
    assert [kinds.count("message"), kinds.count("disposition")] == [2 * turns, turns]
    return record


async def chain_holds(replica: Replica) -> None:
    """`audit verify`."""
    async with _reading(replica) as session:
        assert (await audit.verify(session)).problems == []


@asynccontextmanager
async def _reading(replica: Replica) -> AsyncIterator[AsyncSession]:
    url = replica.settings.get("database_url") or sqlite_url(replica.home / "handrail.db")
    database = await Database.open(url, migrate=False)
    try:
        async with database.snapshot() as session:
            yield session
    finally:
        await database.close()


def refunds_of(home: Path, customer_id: str) -> list[tuple[str, str, int]]:
    """(refund, invoice, amount) as the backend holds them, in its own file."""
    with sqlite3.connect(f"file:{home}/sandbox.db?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT id, invoice_id, amount FROM refunds WHERE customer_id = ?", [customer_id])
        return rows.fetchall()


def refunded_once(home: Path, record: dict[str, Any], invoice_id: str, amount: int) -> None:
    """The money went back once, the ledger knows it, and the last message names that very refund."""
    ((refund_id, refunded_invoice, refunded),) = refunds_of(home, record["customer_id"])
    assert (refunded_invoice, refunded) == (invoice_id, amount)
    (effect,) = record["effects"]
    assert effect["state"] == "verified"
    assert effect["result"]["refund_id"] == refund_id
    assert refund_id in record["messages"][-1]["text"]
    assert f"{amount // 100}.{amount % 100:02} EUR is on its way back" in record["messages"][-1]["text"]


def returning(replica: Replica, customer_id: str, conversation_id: str) -> Customer:
    """The customer in a conversation that was opened before."""
    customer = replica.served.customer(customer_id)
    customer.conversation_id = conversation_id
    return customer
