"""Openings: strangers' first messages, each the start of a conversation over HTTP, and a table of what happened.

For texts that have no right answer here (another company's customers, messages that belong to nobody): it counts
errors, effects, and how the conversations stand, and writes a table that a person can read.
"""

import csv
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from app.identity import customer_token, staff_token
from app.settings import Settings
from evals.serving import serving
from tools.tool import IdentityLevel


class UnusableOpenings(Exception):
    """A line without a text; the message names file, line and field."""


@dataclass(frozen=True)
class Opening:
    """One first message and where it came from."""

    source: str
    label: str
    text: str


@dataclass(frozen=True)
class Answered:
    """What happened to one opening."""

    source: str
    label: str
    text: str
    disposition: str
    kind: str
    """answered, asked, offered or handed over."""
    intent: str
    queue: str
    cited: str
    effects: int
    reply: str


def read_openings(paths: list[Path], sample: int | None, seed: int) -> list[Opening]:
    """The texts of the files; of each file at most `sample`, drawn with `seed`. Raises `UnusableOpenings`."""
    found: list[Opening] = []
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        openings = [_opening(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
        if sample is not None and len(openings) > sample:
            openings = random.Random(seed).sample(openings, sample)  # noqa: S311 - a draw, not a secret
        found += openings
    return found


def _opening(path: Path, number: int, line: str) -> Opening:
    try:
        row = json.loads(line)
        return Opening(path.stem, str(row.get("intent", "")), row["text"])
    except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
        raise UnusableOpenings(f'{path} line {number}, field "text": each line must be {{"text": "..."}}') from None


async def play_openings(openings: list[Opening], settings: Settings, on_done: Callable[[], None]) -> list[Answered]:
    """Send each text as a customer's first message, the customers taking turns. Raises on any HTTP error."""
    answered = []
    async with serving(settings) as (url, app):
        runtime = app.state.runtime
        customers = [row["id"] for row in (await runtime.sandbox.dump())["customers"]]
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            for number, opening in enumerate(openings):
                answered.append(await _play(opening, customers[number % len(customers)], client, runtime.key))
                on_done()
    return answered


async def _play(opening: Opening, customer: str, client: httpx.AsyncClient, key: str) -> Answered:
    signed = {"Authorization": f"Bearer {customer_token(key, customer, IdentityLevel.VERIFIED)}"}
    staff = {"Authorization": f"Bearer {staff_token(key, 'evals@example.com', 'admin')}"}
    conversation = (await client.post("/v1/conversations", headers=signed)).raise_for_status().json()["id"]
    answer = await client.post(
        f"/v1/conversations/{conversation}/messages",
        json={"text": opening.text},
        headers={**signed, "Prefer": "wait=60"},
    )
    body = answer.raise_for_status().json()
    record = (await client.get(f"/v1/conversations/{conversation}", headers=staff)).raise_for_status().json()
    cited = ", ".join(c["title"] for message in record["messages"] for c in message["citations"])
    return Answered(
        source=opening.source,
        label=opening.label,
        text=opening.text,
        disposition=body["disposition"],
        kind=_kind(body),
        intent=body["intent"] or "",
        queue=record["handoffs"][-1]["queue"] if record["handoffs"] else "",
        cited=cited,
        effects=sum(effect["tool"] not in HARMLESS for effect in record["effects"]),
        reply=body["reply"],
    )


HARMLESS = frozenset(
    {"billing.send_invoice_copy", "billing.send_payment_update_link", "documents.send_compliance_document"}
)
"""Effects that need no yes: they go only to the address on record."""


def _kind(body: dict[str, Any]) -> str:
    if body["disposition"] == "escalated":
        return "handed over"
    if body["offers"]:
        return "offered"
    return "asked" if body["disposition"] == "awaiting_customer" else "answered"


def tabulate(answered: list[Answered], out: Path) -> dict[str, Any]:
    """Write `openings.csv` and count."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "openings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(Answered.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(row) for row in answered)
    by_source = {
        source: dict(Counter(row.kind for row in answered if row.source == source))
        for source in dict.fromkeys(row.source for row in answered)
    }
    return {
        "openings": len(answered),
        "silent": sum(not row.reply for row in answered),
        "effects_without_consent": sum(row.effects for row in answered),
        "cited": {source: sum(bool(row.cited) for row in answered if row.source == source) for source in by_source},
        "kinds": by_source,
        "table": str(out / "openings.csv"),
    }
