"""What runs for the customer, what of it is used, and putting it up, down and back."""

from typing import Annotated, Any

from pydantic import Field
from sqlmodel import col, select

from tools.errors import BackendRefused
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.changes import ChangeUndone, change
from tools.sandbox.tables import Change, Invoice, Plan, ResourcePrice, Subscription, Usage
from tools.sandbox.tables import Resource as ResourceRow
from tools.sandbox.wiring import NoArguments, effect_tool, read_tool
from tools.tool import Arguments, Resource, Result, Tool
from tools.values import (
    AmountMinor,
    ChangeId,
    CurrencyCode,
    Kind,
    Month,
    RegionName,
    ResourceId,
    ResourceKind,
    ResourceName,
    SizeName,
)

NewName = Annotated[
    str, Kind("resource_name"), Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]


class ResourceSeen(Result):
    """Something that runs; `dependants` are the resources that stop working without it."""

    id: ResourceId
    kind: ResourceKind
    name: ResourceName
    region: RegionName
    size: SizeName
    status: str
    dependants: list[ResourceId]


class Resources(Result):
    """Everything that runs."""

    resources: list[ResourceSeen]


class Quota(Result):
    """One quota and how much of it is used in this period."""

    metric: Annotated[str, Kind("metric")]
    used: Annotated[int, Kind("usage")]
    limit: Annotated[int, Kind("usage")]
    unit: str
    percent: Annotated[int, Kind("percent")]
    period: Month


class Quotas(Result):
    """All quotas of the plan."""

    quotas: list[Quota]


class OptionPrice(Result):
    """What one kind in one size costs a month."""

    kind: ResourceKind
    size: SizeName
    monthly_price: AmountMinor


class Options(Result):
    """What can be created on this plan, and what it costs a month."""

    kinds: list[ResourceKind]
    regions: list[RegionName]
    sizes: list[SizeName]
    prices: list[OptionPrice]
    currency: CurrencyCode


class NewResource(Arguments):
    """What to create."""

    kind: ResourceKind
    region: RegionName
    size: SizeName
    name: NewName


class WhichResource(Arguments):
    """Names one resource."""

    resource_id: ResourceId


class ResourceCreated(Result):
    """A resource that is being created."""

    resource_id: ResourceId
    kind: ResourceKind
    name: ResourceName
    region: RegionName
    size: SizeName
    status: str
    monthly_price: AmountMinor
    currency: CurrencyCode


class ResourceDeleted(Result):
    """A resource that is gone with its data."""

    change_id: ChangeId
    resource_id: ResourceId
    kind: ResourceKind
    name: ResourceName
    status: str


class ServiceRestored(Result):
    """A suspended service that runs again."""

    change_id: ChangeId
    status: str
    resources_running: int


def provisioning_tools(backend: SandboxBackend) -> list[Tool]:
    """Reads and changes of resources."""
    return [
        read_tool(
            backend,
            "provisioning.list_resources",
            Resources,
            _list_resources,
            summary="Everything that runs for the customer.",
            status="Looking at your resources",
        ),
        read_tool(
            backend,
            "provisioning.get_quota",
            Quotas,
            _get_quota,
            summary="The quotas of the plan and how much of each is used this month.",
            status="Checking your usage",
        ),
        read_tool(
            backend,
            "provisioning.list_options",
            Options,
            _list_options,
            summary="Kinds, regions and sizes that can be created on this plan, with monthly prices.",
            status="Checking what your plan offers",
        ),
        effect_tool(
            backend,
            "provisioning.create_resource",
            ResourceCreated,
            _create,
            arguments=NewResource,
            resource=_creation_resource,
            steering=frozenset({"kind", "region", "size", "name"}),
            summary="Create a resource of a kind and size in a region, with a name.",
            status="Creating the resource",
            kind="account",
            offer='create the {{args.size}} {{args.kind}} "{{args.name}}" in {{args.region}} for '
            "{{resource.attributes.monthly_price|money(resource.attributes.currency)}} a month",
            fixed_loss_minor=1_000,
            amount=lambda arguments, resource: (resource.attributes["monthly_price"], resource.attributes["currency"]),
            undo=(ChangeUndone, _undo_create),
        ),
        effect_tool(
            backend,
            "provisioning.delete_resource",
            ResourceDeleted,
            _delete,
            arguments=WhichResource,
            resource=_resource_resource,
            steering=frozenset({"resource_id"}),
            summary="Delete a resource with its data. It cannot be undone.",
            status="Deleting the resource",
            kind="account",
            offer='delete the {{resource.attributes.kind}} "{{resource.attributes.name}}" in '
            "{{resource.attributes.region}} with all its data (this cannot be undone)",
            fixed_loss_minor=40_000,
        ),
        effect_tool(
            backend,
            "provisioning.restore_service",
            ServiceRestored,
            _restore,
            resource=_service_resource,
            summary="Start a suspended service again once nothing is overdue.",
            status="Restoring your service",
            kind="account",
            offer="start your suspended service again",
            fixed_loss_minor=2_000,
        ),
    ]


async def _running(account: Account) -> list[ResourceRow]:
    return await account.all(ResourceRow, col(ResourceRow.status) != "deleted")


async def _plan(account: Account) -> Plan:
    customer = await account.customer()
    return await account.session.get_one(Plan, (customer.plan, customer.currency))


async def _price(account: Account, kind: str, size: str) -> int | None:
    customer = await account.customer()
    price = await account.session.get(ResourcePrice, (kind, size, customer.currency))
    return price.monthly_price if price else None


async def _list_resources(account: Account, _arguments: Any) -> Resources:
    return Resources(
        resources=[
            ResourceSeen(
                id=row.id,
                kind=row.kind,
                name=row.name,
                region=row.region,
                size=row.size,
                status=row.status,
                dependants=row.dependants,
            )
            for row in await _running(account)
        ]
    )


async def _get_quota(account: Account, _arguments: Any) -> Quotas:
    return Quotas(
        quotas=[
            Quota(
                metric=usage.metric,
                used=usage.used,
                limit=usage.limit,
                unit=usage.unit,
                percent=usage.used * 100 // usage.limit,
                period=usage.period,
            )
            for usage in await account.all(Usage)
        ]
    )


async def _list_options(account: Account, _arguments: Any) -> Options:
    plan = await _plan(account)
    query = select(ResourcePrice).where(
        col(ResourcePrice.currency) == plan.currency,
        col(ResourcePrice.kind).in_(plan.kinds),
        col(ResourcePrice.size).in_(plan.sizes),
    )
    prices = list(await account.session.scalars(query))
    prices.sort(key=lambda price: (plan.kinds.index(price.kind), price.monthly_price))
    return Options(
        kinds=plan.kinds,
        regions=plan.regions,
        sizes=plan.sizes,
        prices=[OptionPrice(kind=price.kind, size=price.size, monthly_price=price.monthly_price) for price in prices],
        currency=plan.currency,
    )


async def _why_not_create(account: Account, arguments: NewResource) -> str:
    """The reason why this cannot be created, or nothing."""
    plan = await _plan(account)
    running = await _running(account)
    for what, value, allowed in (
        ("kind", arguments.kind, plan.kinds),
        ("region", arguments.region, plan.regions),
        ("size", arguments.size, plan.sizes),
    ):
        if value not in allowed:
            return f"the {plan.name} plan has no {what} {value}; it has {', '.join(allowed)}"
    if len(running) >= plan.max_resources:
        return f"the {plan.name} plan allows {plan.max_resources} resources and all of them are in use"
    if any(row.name == arguments.name for row in running):
        return f"there is already a resource named {arguments.name}"
    return ""


async def _creation_resource(account: Account, arguments: NewResource) -> Resource:
    customer = await account.customer()
    blocker = await _why_not_create(account, arguments)
    return Resource(
        "Account",
        customer.id,
        customer.id,
        {
            "plan": customer.plan,
            "status": customer.status,
            "currency": customer.currency,
            "monthly_price": await _price(account, arguments.kind, arguments.size) or 0,
            "possible": not blocker,
            "blocker": blocker,
        },
    )


async def _resource_resource(account: Account, arguments: WhichResource) -> Resource | None:
    row = await account.anyones(ResourceRow, arguments.resource_id)
    if row is None or row.status == "deleted":
        return None
    attributes = {
        "kind": row.kind,
        "name": row.name,
        "region": row.region,
        "status": row.status,
        "dependants": len(row.dependants),
    }
    return Resource("Resource", row.id, row.customer_id, attributes)


async def _service_resource(account: Account, _arguments: NoArguments) -> Resource:
    customer = await account.customer()
    overdue = await account.all(Invoice, col(Invoice.status) == "overdue")
    subscription = await account.only(Subscription)
    return Resource(
        "Account",
        customer.id,
        customer.id,
        {"plan": customer.plan, "status": subscription.status, "overdue_invoices": len(overdue)},
    )


async def _create(account: Account, arguments: NewResource) -> tuple[ResourceRow, ResourceCreated]:
    blocker = await _why_not_create(account, arguments)
    price = await _price(account, arguments.kind, arguments.size)
    if blocker or price is None:
        raise BackendRefused(blocker or f"there is no {arguments.size} {arguments.kind}")
    row = ResourceRow(
        id=account.new_id("res"),
        customer_id=account.customer_id,
        created_at=account.now,
        kind=arguments.kind,
        name=arguments.name,
        region=arguments.region,
        size=arguments.size,
        status="creating",
    )
    return row, ResourceCreated(
        resource_id=row.id,
        kind=row.kind,
        name=row.name,
        region=row.region,
        size=row.size,
        status=row.status,
        monthly_price=price,
        currency=(await account.customer()).currency,
    )


async def _undo_create(account: Account, key: str) -> tuple[Change, ChangeUndone]:
    row = await account.written_under(ResourceRow, key)
    if row.dependants:
        raise BackendRefused("other resources depend on it by now")
    made = await change(account, "resource.status", row, status="deleted")
    made.undoes = key
    return made, ChangeUndone(change_id=made.id, undoes=row.id)


async def _delete(account: Account, arguments: WhichResource) -> tuple[Change, ResourceDeleted]:
    row = await account.get(ResourceRow, arguments.resource_id)
    if row.status == "deleted":
        raise BackendRefused("it is deleted already")
    if row.dependants:
        raise BackendRefused(f"{len(row.dependants)} other resources depend on it")
    made = await change(account, "resource.status", row, status="deleted")
    for other in await _running(account):
        if row.id in other.dependants:
            other.dependants = [dependant for dependant in other.dependants if dependant != row.id]
    return made, ResourceDeleted(change_id=made.id, resource_id=row.id, kind=row.kind, name=row.name, status=row.status)


async def _restore(account: Account, _arguments: NoArguments) -> tuple[Change, ServiceRestored]:
    subscription = await account.only(Subscription)
    if subscription.status != "suspended":
        raise BackendRefused(f"the service is not suspended, it is {subscription.status}")
    if await account.all(Invoice, col(Invoice.status) == "overdue"):
        raise BackendRefused("an invoice is still overdue")
    made = await change(account, "subscription.status", subscription, status="active")
    suspended = [row for row in await _running(account) if row.status == "suspended"]
    for row in suspended:
        row.status = "running"
    return made, ServiceRestored(change_id=made.id, status="active", resources_running=len(await _running(account)))
