"""The made-up company's data: who the customers are, what they pay for, and what has gone wrong for some of them.

`seed_company` is deterministic. Dates are relative to `today`; identifiers are not, so that recorded tickets can name
them: customer 12 is ``cus_012``, with users ``usr_1201``..., resources ``res_1201``..., invoices ``in_1201`` (the
oldest) to ``in_1204`` (this month's), and payments ``pay_1204_1``....
"""

import random
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tools.sandbox.catalog import CURRENCIES, catalog
from tools.sandbox.stories import STORIES, Story
from tools.sandbox.tables import (
    Contract,
    Credit,
    Customer,
    Document,
    Incident,
    IncidentImpact,
    Invoice,
    Payment,
    PaymentMethod,
    Plan,
    Refund,
    Resource,
    ResourcePrice,
    SandboxTable,
    SignIn,
    Subscription,
    Uptime,
    Usage,
    User,
)

INVOICES_PER_CUSTOMER = 4


def seed_company(seed: int, today: date) -> list[SandboxTable]:
    """All rows of a new company. `seed` varies what no ticket depends on: sign-ins, usage, churn risk."""
    rows: list[SandboxTable] = [*_price_list(), *_incidents(today)]
    for story in STORIES:
        scene = Scene.of(story, random.Random(f"{seed}:{story.number}"), today)  # noqa: S311 - not for secrets
        story.tell(scene)
        rows += scene.rows()
    return rows


def first_of_month(day: date, months: int = 0) -> date:
    """The first of the month that lies `months` after (or before) the month of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def month_of(day: date) -> str:
    """``2026-01``."""
    return f"{day:%Y-%m}"


def noon(day: date) -> datetime:
    """Midday in UTC."""
    return datetime.combine(day, time(12), UTC)


@dataclass
class Scene:
    """One customer being set up. Stories change it before its rows are written."""

    story: Story
    rng: random.Random
    today: date
    customer: Customer
    subscription: Subscription
    users: list[User] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    """Oldest first; the last one is this month's."""
    payments: list[Payment] = field(default_factory=list)
    cards: list[PaymentMethod] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    more: list[SandboxTable] = field(default_factory=list)

    @classmethod
    def of(cls, story: Story, rng: random.Random, today: date) -> "Scene":
        """The ordinary life of a customer on this plan: everything paid, everything running."""
        plan = catalog()["plans"][story.plan]
        price = plan["price_per_seat"][story.currency]
        trial = story.plan == "trial"
        status = "trialing" if trial else "active"
        slug = re.sub(r"[^a-z]+", "-", story.company.lower()).strip("-")[:30]
        renews_on = today + timedelta(days=9) if trial else first_of_month(today, 1)
        scene = cls(
            story,
            rng,
            today,
            Customer(
                id=story.id,
                company=story.company,
                contact_name=story.people[0],
                contact_email=f"{_mailbox(story.people[0])}@{slug}.example",
                plan=story.plan,
                currency=story.currency,
                yearly_value_minor=price * story.seats * 12,
                churn_risk=min(100, max(0, story.churn_risk + rng.randint(-3, 3))),
                locale=story.locale,
                timezone=story.timezone,
                since=today - timedelta(days=5 if trial else 200 + 37 * (story.number % 17)),
                status=status,
                situation=story.situation,
            ),
            Subscription(
                id=f"sub_{story.number:03d}",
                customer_id=story.id,
                plan=story.plan,
                currency=story.currency,
                seats=story.seats,
                seats_used=max(1, story.seats - 2),
                price_per_seat=price,
                status=status,
                renews_on=renews_on,
                retention_percent=0 if trial or story.plan == "enterprise" else 20,
                retention_months=0 if trial or story.plan == "enterprise" else 3,
            ),
        )
        for position, name in enumerate(story.people):
            scene.add_user(name, ("admin", "billing", "member", "member", "viewer")[min(position, 4)], slug)
        scene.cards.append(
            PaymentMethod(
                id=f"pm_{story.number:03d}",
                customer_id=story.id,
                brand=("visa", "mastercard")[story.number % 2],
                last4="4242" if story.number == 1 else f"{(story.number * 7919 + 1000) % 10000:04d}",
                expires=month_of(first_of_month(today, 8 + story.number % 24)),
            )
        )
        if not trial:
            for months_ago in range(INVOICES_PER_CUSTOMER - 1, -1, -1):
                scene.bill(first_of_month(today, -months_ago), price * story.seats)
        for kind, size in (("database", "small"), ("bucket", "small")):
            scene.add_resource(kind, size, plan["regions"][story.number % len(plan["regions"])])
        for metric, limit in plan["quota"].items():
            scene.add_usage(metric, round(limit * rng.uniform(0.2, 0.6)), limit)
        scene._documents(plan["documents"])
        return scene

    def rows(self) -> list[SandboxTable]:
        """Everything of this customer."""
        return [
            self.customer,
            self.subscription,
            *self.users,
            *self._sign_ins(),
            *self.invoices,
            *self.payments,
            *self.cards,
            *self.resources,
            *self.usage,
            *self.more,
        ]

    def add_user(self, name: str, role: str, slug: str | None = None) -> User:
        """One more person; the role is admin, billing, member or viewer."""
        domain = f"{slug}.example" if slug else self.users[0].email.partition("@")[2]
        user = User(
            id=f"usr_{self.story.number:02d}{len(self.users) + 1:02d}",
            customer_id=self.story.id,
            name=name,
            email=f"{_mailbox(name)}@{domain}",
            role=role,
            last_sign_in=noon(self.today - timedelta(days=self.rng.randint(1, 20))),
        )
        self.users.append(user)
        return user

    def bill(self, issued_on: date, amount: int, description: str | None = None, *, paid: bool = True) -> Invoice:
        """One more invoice, with its payment on the day of issue."""
        first = self.story.first_invoice or self.story.number * 100 + 1
        number = f"{first + len(self.invoices):04d}"
        plan = self.story.plan.capitalize()
        invoice = Invoice(
            id=f"in_{number}",
            customer_id=self.story.id,
            number=number,
            status="paid" if paid else "open",
            amount_due=amount,
            amount_paid=0,
            currency=self.story.currency,
            issued_on=issued_on,
            due_on=issued_on + timedelta(days=14 if issued_on < first_of_month(self.today) else 30),
            period=month_of(issued_on),
            description=description or f"{self.story.seats} {plan} seats, {issued_on:%B %Y}",
        )
        self.invoices.append(invoice)
        if paid:
            self.pay(invoice, issued_on)
        return invoice

    def pay(self, invoice: Invoice, paid_on: date, amount: int | None = None) -> Payment:
        """One payment of an invoice; a second one makes a duplicate."""
        count = sum(payment.invoice_id == invoice.id for payment in self.payments) + 1
        payment = Payment(
            id=f"pay_{invoice.number}_{count}",
            customer_id=self.story.id,
            invoice_id=invoice.id,
            amount=amount or invoice.amount_due,
            currency=invoice.currency,
            paid_on=min(paid_on, self.today),
            card_last4=self.cards[0].last4,
        )
        invoice.amount_paid += payment.amount
        self.payments.append(payment)
        return payment

    def unpaid(self, invoice: Invoice, status: str) -> Invoice:
        """Take an invoice's payments away: it is open, overdue or void."""
        self.payments = [payment for payment in self.payments if payment.invoice_id != invoice.id]
        invoice.amount_paid = 0
        invoice.status = status
        return invoice

    def refund(self, payment: Payment, amount: int, reason: str, days_ago: int) -> Refund:
        """A refund that was made before."""
        invoice = next(invoice for invoice in self.invoices if invoice.id == payment.invoice_id)
        payment.amount_refunded += amount
        invoice.amount_refunded += amount
        refund = Refund(
            id=f"re_{invoice.number}_{1 + sum(isinstance(row, Refund) for row in self.more)}",
            customer_id=self.story.id,
            invoice_id=invoice.id,
            payment_id=payment.id,
            amount=amount,
            currency=payment.currency,
            reason=reason,
            state="succeeded",
            created_at=noon(self.today - timedelta(days=days_ago)),
        )
        self.more.append(refund)
        return refund

    def add_resource(self, kind: str, size: str, region: str, name: str | None = None) -> Resource:
        """One more running resource."""
        resource = Resource(
            id=f"res_{self.story.number:02d}{len(self.resources) + 1:02d}",
            customer_id=self.story.id,
            kind=kind,
            name=name or f"{kind}-{len(self.resources) + 1}",
            region=region,
            size=size,
            created_at=noon(self.today - timedelta(days=90)),
        )
        self.resources.append(resource)
        return resource

    def add_usage(self, metric: str, used: int, limit: int) -> None:
        """What has been used of one quota this month."""
        period = month_of(self.today)
        self.usage.append(
            Usage(
                id=f"use_{self.story.number:03d}_{metric}",
                customer_id=self.story.id,
                metric=metric,
                used=used,
                limit=limit,
                unit=catalog()["units"][metric],
                period=period,
            )
        )

    def use(self, metric: str, share: float) -> None:
        """Set how much of a quota is used: 1.0 is all of it."""
        for usage in self.usage:
            if usage.metric == metric:
                usage.used = round(usage.limit * share)

    def agree(self, measured: list[int], clause: str = "clause 9", yearly_value_minor: int | None = None) -> Contract:
        """A contract that promises 99.90 %, and what was measured in the months before this one (oldest first)."""
        if yearly_value_minor is not None:
            self.customer.yearly_value_minor = yearly_value_minor
        contract = Contract(
            id=f"con_{self.story.number:03d}",
            customer_id=self.story.id,
            uptime_promised=9990,
            credit_table=catalog()["sla_credit_table"],
            clause=clause,
            yearly_value_minor=self.customer.yearly_value_minor,
            currency=self.story.currency,
            begins_on=first_of_month(self.today, -10),
            ends_on=first_of_month(self.today, 14),
        )
        self.more.append(contract)
        for months_ago, basis_points in zip(range(len(measured), 0, -1), measured, strict=True):
            month = month_of(first_of_month(self.today, -months_ago))
            self.more.append(
                Uptime(
                    id=f"up_{self.story.number:03d}_{months_ago}",
                    customer_id=self.story.id,
                    month=month,
                    measured=basis_points,
                )
            )
        return contract

    def credited(self, months_ago: int, amount: int) -> None:
        """An SLA credit that was given before."""
        self.more.append(
            Credit(
                id=f"cr_{self.story.number:03d}_{months_ago}",
                customer_id=self.story.id,
                month=month_of(first_of_month(self.today, -months_ago)),
                amount=amount,
                currency=self.story.currency,
                reason="sla",
                created_at=noon(self.today - timedelta(days=1)),
            )
        )

    def touched_by(self, incident_id: str) -> None:
        """An incident of the status page touches this customer."""
        self.more.append(
            IncidentImpact(
                id=f"imp_{self.story.number:03d}_{incident_id}", customer_id=self.story.id, incident_id=incident_id
            )
        )

    def _documents(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.more.append(
                Document(
                    id=f"doc_{self.story.number:03d}_{kind}",
                    customer_id=self.story.id,
                    kind=kind,
                    title=catalog()["documents"][kind],
                )
            )

    def _sign_ins(self) -> list[SandboxTable]:
        """How each user signed in over the last months, every second or third week. Who is locked failed five times.

        The addresses are from the block that is set aside for examples (RFC 5737).
        """
        attempts: list[SandboxTable] = []
        for place, user in enumerate(self.users):
            assert user.last_sign_in is not None
            visits = [(user.last_sign_in - timedelta(days=18 * ago, minutes=37 * ago), "succeeded") for ago in range(6)]
            if user.locked:
                begun = user.last_sign_in + timedelta(hours=3)
                visits += [(begun + timedelta(minutes=minute), "wrong_password") for minute in range(5)]
            attempts += [
                SignIn(
                    id=f"sig_{user.id[4:]}_{number}",
                    customer_id=user.customer_id,
                    user_id=user.id,
                    at=at,
                    address=f"192.0.2.{(self.story.number * 7 + place) % 254 + 1}",
                    outcome=outcome,
                )
                for number, (at, outcome) in enumerate(sorted(visits), start=1)
            ]
        return attempts


def _mailbox(name: str) -> str:
    return ".".join(re.findall(r"[a-z]+", name.lower())[:2])


def _price_list() -> list[SandboxTable]:
    plans: list[SandboxTable] = [
        Plan(
            name=name,
            currency=currency,
            rank=plan["rank"],
            price_per_seat=plan["price_per_seat"][currency],
            max_seats=plan["max_seats"],
            max_resources=plan["max_resources"],
            quota=plan["quota"],
            kinds=plan["kinds"],
            regions=plan["regions"],
            sizes=plan["sizes"],
        )
        for name, plan in catalog()["plans"].items()
        for currency in CURRENCIES
    ]
    prices = [
        ResourcePrice(kind=kind, size=size, currency=currency, monthly_price=price[currency] * factor)
        for kind, price in catalog()["resource_prices"].items()
        for size, factor in catalog()["size_factors"].items()
        for currency in CURRENCIES
    ]
    return [*plans, *prices]


def _incidents(today: date) -> list[SandboxTable]:
    def incident(number: int, days_ago: int, hours: int | None, **what: Any) -> Incident:
        started = noon(today - timedelta(days=days_ago)) - timedelta(hours=6)
        ended = None if hours is None else started + timedelta(hours=hours)
        return Incident(id=f"inc_{number:03d}", started_at=started, ended_at=ended, **what)

    return [
        incident(
            1,
            0,
            None,
            title="Slow and failing API calls in eu-central",
            component="API",
            status="identified",
            update="A failing network switch was found and traffic is being moved away from it.",
        ),
        incident(
            2,
            0,
            None,
            title="Sign-in by e-mail link is delayed",
            component="Sign-in",
            status="monitoring",
            update="The mail queue has been cleared; we are watching that it stays so.",
        ),
        incident(
            3,
            6,
            5,
            title="Databases in us-east were not reachable",
            component="Databases",
            status="resolved",
            update="Power was restored after five hours. Nothing was lost.",
        ),
        incident(
            4,
            20,
            9,
            title="Gateway errors in eu-west",
            component="Gateways",
            status="resolved",
            update="A faulty release was rolled back.",
        ),
    ]
