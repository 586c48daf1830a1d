"""The tables of Larkspur Cloud: another system, so they have a registry and a metadata of their own.

Amounts are integer minor units; the currency stands beside them. Rows that an effect writes carry the idempotency key
of the request that wrote them, what was asked and what was answered, so that the same key is answered the same again.
"""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from records.columns import document, moment


class SandboxTable(SQLModel, registry=registry()):
    """Root of the sandbox's tables; `SandboxTable.metadata` holds these and no others."""

    __tablename__: ClassVar[Any]


class Owned(SandboxTable):
    """A row that belongs to one customer."""

    id: str = Field(primary_key=True)
    customer_id: str = Field(index=True)


class Answered(Owned):
    """A row that an effect writes, with the request that wrote it. Seeded rows have no key."""

    idempotency_key: str | None = Field(default=None, unique=True)
    request: dict[str, Any] | None = document(default=None, nullable=True)
    answer: dict[str, Any] | None = document(default=None, nullable=True)
    created_at: datetime = moment()


class Customer(SandboxTable, table=True):
    """A company that buys from Larkspur Cloud. `situation` says what the seed made it for."""

    __tablename__ = "customers"
    id: str = Field(primary_key=True)
    company: str
    contact_name: str
    contact_email: str
    plan: str
    currency: str
    yearly_value_minor: int
    churn_risk: int
    """0 (stays) to 100 (leaves)."""
    locale: str
    timezone: str
    since: date
    status: str
    """active, trialing, past_due, suspended, cancelled."""
    vat_id: str = ""
    situation: str


class User(Owned, table=True):
    """A person with access to the customer's console."""

    __tablename__ = "users"
    name: str
    email: str
    role: str
    """admin, billing, member, viewer."""
    locked: bool = False
    last_sign_in: datetime | None = moment(default=None, nullable=True)


class SignIn(Owned, table=True):
    """One attempt to sign in to the console."""

    __tablename__ = "sign_ins"
    user_id: str = Field(index=True)
    at: datetime = moment()
    address: str
    """Internet address that it came from."""
    outcome: str = "succeeded"
    """succeeded, wrong_password."""


class Plan(SandboxTable, table=True):
    """One plan in one currency."""

    __tablename__ = "plans"
    name: str = Field(primary_key=True)
    currency: str = Field(primary_key=True)
    rank: int
    price_per_seat: int
    max_seats: int
    max_resources: int
    quota: dict[str, int] = document()
    kinds: list[str] = document()
    regions: list[str] = document()
    sizes: list[str] = document()


class ResourcePrice(SandboxTable, table=True):
    """What a resource costs a month."""

    __tablename__ = "resource_prices"
    kind: str = Field(primary_key=True)
    size: str = Field(primary_key=True)
    currency: str = Field(primary_key=True)
    monthly_price: int


class Subscription(Owned, table=True):
    """What the customer pays for. `seats_used` counts everybody, also people who never open the console."""

    __tablename__ = "subscriptions"
    plan: str
    currency: str
    seats: int
    seats_used: int
    price_per_seat: int
    status: str
    """active, trialing, past_due, suspended, cancelled."""
    renews_on: date | None
    cancel_at: date | None = None
    next_plan: str | None = None
    """The smaller plan that begins with the next period."""
    retention_percent: int = 0
    retention_months: int = 0
    retention_accepted_on: date | None = None


class Invoice(Owned, table=True):
    """A bill. `amount_paid` counts every payment, also one too many."""

    __tablename__ = "invoices"
    number: str = Field(unique=True)
    status: str
    """open, paid, void, overdue."""
    amount_due: int
    amount_paid: int
    amount_refunded: int = 0
    currency: str
    issued_on: date
    due_on: date
    period: str
    description: str
    memo: str = ""
    """Free text, written by whoever sent the order."""


class Payment(Owned, table=True):
    """Money received for an invoice."""

    __tablename__ = "payments"
    invoice_id: str = Field(index=True)
    amount: int
    amount_refunded: int = 0
    currency: str
    status: str = "succeeded"
    """succeeded, failed."""
    paid_on: date
    card_last4: str


class PaymentMethod(Owned, table=True):
    """A card on file."""

    __tablename__ = "payment_methods"
    brand: str
    last4: str
    expires: str
    """YYYY-MM."""
    is_default: bool = True


class Refund(Answered, table=True):
    """Money sent back."""

    __tablename__ = "refunds"
    invoice_id: str = Field(index=True)
    payment_id: str
    amount: int
    currency: str
    reason: str
    state: str = "pending"


class Credit(Answered, table=True):
    """Money taken off the next invoice."""

    __tablename__ = "credits"
    month: str
    amount: int
    currency: str
    reason: str
    state: str = "applied"
    """applied, reversed."""


class Resource(Answered, table=True):
    """Something that runs for the customer."""

    __tablename__ = "resources"
    kind: str
    name: str
    region: str
    size: str
    status: str = "running"
    """creating, running, suspended, deleted."""
    dependants: list[str] = document(default_factory=list)
    """Ids of the resources that stop working without this one."""


class Usage(Owned, table=True):
    """What has been used of a quota this period."""

    __tablename__ = "usage"
    metric: str
    used: int
    limit: int
    unit: str
    period: str


class Incident(SandboxTable, table=True):
    """Something that does not work, as the status page tells it."""

    __tablename__ = "incidents"
    id: str = Field(primary_key=True)
    title: str
    component: str
    status: str
    """investigating, identified, monitoring, resolved."""
    started_at: datetime = moment()
    ended_at: datetime | None = moment(default=None, nullable=True)
    update: str


class IncidentImpact(Owned, table=True):
    """That an incident touches a customer."""

    __tablename__ = "incident_impacts"
    incident_id: str


class Contract(Owned, table=True):
    """An agreement that promises uptime."""

    __tablename__ = "contracts"
    uptime_promised: int
    """Basis points: 9990 is 99.90 %."""
    credit_table: list[dict[str, int]] = document()
    clause: str
    yearly_value_minor: int
    currency: str
    begins_on: date
    ends_on: date


class Uptime(Owned, table=True):
    """Measured uptime of one month."""

    __tablename__ = "uptime"
    __table_args__ = (UniqueConstraint("customer_id", "month"),)
    month: str
    measured: int
    """Basis points."""


class Document(Owned, table=True):
    """A document that may be sent to this customer; it is written when it is asked for."""

    __tablename__ = "documents"
    kind: str
    title: str


class IssuedDocument(Owned, table=True):
    """A document as it was written for a customer, from the records of that moment."""

    __tablename__ = "issued_documents"
    kind: str
    title: str
    issued_at: datetime = moment()
    content: bytes
    """The PDF."""
    sha256: str


class Export(Answered, table=True):
    """A copy of all the customer's data, being prepared."""

    __tablename__ = "exports"
    ready_at: datetime = moment()
    sent_to: str


class MessageSent(Answered, table=True):
    """An e-mail to an address on record."""

    __tablename__ = "messages_sent"
    kind: str
    """invoice_copy, payment_update_link, password_reset, compliance_document."""
    sent_to: str
    about: str
    """Id of the record that it is about."""
    link: str = ""


class Change(Answered, table=True):
    """The log of changed plans, seats, subscriptions, roles, locks and resources."""

    __tablename__ = "changes"
    kind: str
    about: str
    """Id of the changed record."""
    before: dict[str, Any] = document(default_factory=dict)
    after: dict[str, Any] = document(default_factory=dict)
    charged_minor: int = 0
    undoes: str | None = None
    """Idempotency key of the change that this one takes back."""


ANSWERED: tuple[type[Answered], ...] = (Refund, Credit, Resource, Export, MessageSent, Change)
