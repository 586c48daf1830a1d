"""What came about at the backends between two looks at them, told from their state and from nothing else.

The sandbox logs each change; where another system keeps a record (Stripe, SCIM), the change is told from how the record
stood before and stands now, and from the notes that its connector leaves on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

State = dict[str, list[dict[str, Any]]]
Row = dict[str, Any]

KINDS = (
    "refund",
    "credit",
    "plan",
    "seats",
    "cancel",
    "retention",
    "restore",
    "role",
    "lock",
    "create",
    "delete",
    "export",
    "invoice_copy",
    "payment_link",
    "password_reset",
    "document",
)
LOGGED = {
    "subscription.plan": "plan",
    "subscription.seats": "seats",
    "subscription.cancel": "cancel",
    "subscription.retention": "retention",
    "subscription.status": "restore",
    "user.role": "role",
    "user.locked": "lock",
    "resource.status": "delete",
}
"""The sandbox's log of changes."""
SENT = {
    "invoice_copy": "invoice_copy",
    "payment_update_link": "payment_link",
    "password_reset": "password_reset",
    "compliance_document": "document",
}
NOTED = {
    "billing.send_invoice_copy": "invoice_copy",
    "billing.change_plan": "plan",
    "billing.add_seats": "seats",
    "billing.remove_seats": "seats",
    "billing.cancel_subscription": "cancel",
    "billing.accept_retention_offer": "retention",
}
"""Notes on Stripe's records. Refunds and credits are records of their own."""
OWNED = ("invoices", "payments", "subscriptions", "users", "resources", "payment_methods", "documents", "contracts")
"""Tables whose rows no conversation of another customer may change."""


@dataclass(frozen=True)
class Done:
    """One effect. `about` is the record, `facts` what a question has to name before a yes can mean it."""

    kind: str
    customer: str
    about: str
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """For a finding."""
        told = ", ".join(f"{name} {value}" for name, value in self.facts.items() if value is not None)
        return f"{self.kind} of {self.about} ({told})" if told else f"{self.kind} of {self.about}"


def effects_between(before: State, after: State) -> list[Done]:
    """Everything that was done in between."""
    return [*_money(before, after), *_sent(before, after), *_logged(before, after), *_unlogged(before, after)]


def strangers_changed(before: State, after: State, customer: str) -> list[str]:
    """Records of other customers that changed in between."""
    found = []
    for table in OWNED:
        known = {row["id"]: row for row in before.get(table, ())}
        for row in after.get(table, ()):
            if row.get("customer_id") != customer and known.get(row["id"]) != row:
                found.append(f"{table}: a record of {row.get('customer_id')} changed")
    return found


def _new(table: str, before: State, after: State) -> list[Row]:
    known = {row["id"] for row in before.get(table, ())}
    return [row for row in after.get(table, ()) if row["id"] not in known]


def _money(before: State, after: State) -> Iterator[Done]:
    for row in _new("refunds", before, after):
        facts = {"amount": row["amount"], "currency": row["currency"].upper(), "refund": row["id"]}
        yield Done("refund", row["customer_id"], row["invoice_id"], facts)
    for row in _new("credits", before, after):
        month = row.get("month") or row.get("facts", {}).get("handrail_month")
        facts = {"amount": row["amount"], "currency": row["currency"].upper(), "month": month}
        yield Done("credit", row["customer_id"], row["id"], facts)


def _sent(before: State, after: State) -> Iterator[Done]:
    for row in _new("messages_sent", before, after):
        yield Done(SENT[row["kind"]], row["customer_id"], row["about"], {"sent_to": row["sent_to"]})
    for row in _new("exports", before, after):
        yield Done("export", row["customer_id"], row["id"], {"sent_to": row["sent_to"]})


def _logged(before: State, after: State) -> Iterator[Done]:
    for row in _new("changes", before, after):
        yield Done(LOGGED[row["kind"]], row["customer_id"], row["about"], _difference(row["before"], row["after"]))
    for row in _new("resources", before, after):
        facts = {name: row[name] for name in ("name", "kind", "size", "region")}
        yield Done("create", row["customer_id"], row["id"], facts)


def _unlogged(before: State, after: State) -> Iterator[Done]:
    """What no log tells: Stripe's subscriptions and invoices, and SCIM's users."""
    held = {row["id"]: row for row in before.get("subscriptions", ())}
    now = {row["id"]: row for row in after.get("subscriptions", ())}
    for row in _new("notes", before, after):
        if (kind := NOTED.get(row["tool"])) is None:
            continue
        facts = _difference(held.get(row["about"], {}), now.get(row["about"], {}))
        if kind == "seats":
            facts = {"verb": row["tool"].split(".")[1].split("_")[0], "count": facts.get("count")}
        if kind == "plan" and (phases := now.get(row["about"], {}).get("phases")):
            facts = {"plan": phases[-1].partition("-")[0]}
        yield Done(kind, row["customer_id"], row["about"], facts)
    logged = {row["about"] for row in _new("changes", before, after)}
    people = {row["id"]: row for row in before.get("users", ())}
    for row in after.get("users", ()):
        was = people.get(row["id"])
        if was is None or row["id"] in logged:
            continue
        if was["role"] != row["role"]:
            yield Done("role", row["customer_id"], row["id"], {"role": row["role"]})
        if was["locked"] != row["locked"]:
            yield Done("lock", row["customer_id"], row["id"], {"locked": row["locked"]})


def _difference(before: Row, after: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if "seats" in after and before.get("seats") != after["seats"]:
        count = after["seats"] - before["seats"]
        facts |= {"verb": "add" if count > 0 else "remove", "count": abs(count)}
    if (plan := after.get("next_plan") or after.get("plan")) and plan != before.get("plan"):
        facts["plan"] = plan
    return facts | {name: after[name] for name in ("role", "locked") if name in after}
