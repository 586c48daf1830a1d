"""Which tools this service offers: the sandbox company's, or those of the backends that the settings name."""

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from app.settings import POLICIES, BrokenSettings, Settings
from records.clock import Clock
from tools.guard import Guard, Limits, guarded
from tools.registry import ToolRegistry
from tools.sandbox.access import access_tools
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.facts import customer_facts
from tools.sandbox.provisioning import provisioning_tools
from tools.sandbox.toolset import sandbox_tools
from tools.tool import Tool

if TYPE_CHECKING:
    from tools.policy import PolicyEngine
    from tools.scim_access.backend import ScimBackend
    from tools.stripe_billing.backend import StripeBackend


Facts = Callable[[str], Awaitable[Mapping[str, Any]]]
"""What the records say about a customer."""


async def connected(
    settings: Settings, sandbox: SandboxBackend, clock: Clock, stack: AsyncExitStack
) -> tuple[ToolRegistry, Facts]:
    """Every tool of this deployment, and the look-up of customers' facts. What has to be closed is left to `stack`.

    A connector's tools replace those of the sandbox that have the same names, so procedures and policies stay as they
    are. Raises `BrokenSettings` where a backend that the settings name cannot be used.
    """
    guard = _guard(settings, "sandbox", None)
    tools, facts = guarded(sandbox_tools(sandbox), guard), customer_facts(sandbox)
    if settings.billing == "stripe":
        backend = stripe_backend(settings, clock, stack)
        guard = _guard(settings, "stripe", settings.stripe_per_second)
        tools += guarded(_billing(backend, sandbox), guard)
        facts = _billing_facts(backend, sandbox, facts, guard)
    if settings.provisioning == "scim":
        access, facts = _scim(settings, sandbox, facts, stack)
        tools += access
    tools += await _mcp(settings, sandbox, stack)
    return ToolRegistry({tool.name: tool for tool in tools}.values()), facts


def _guard(settings: Settings, backend: str, per_second: float | None) -> Guard:
    """What stands before one backend, as the settings say."""
    failures, rest = settings.backend_breaker_failures, settings.backend_breaker_seconds
    return Guard(backend, Limits(per_second=per_second, failures=failures, rest=rest))


def policies(settings: Settings) -> "PolicyEngine":
    """The policies of this deployment, with those that its MCP configuration brings. Raises `PolicyError`."""
    from tools.mcp_connector.policies import additions_from
    from tools.policy import PolicyEngine

    return PolicyEngine.load(POLICIES, additions_from(settings.mcp_config))


def stripe_backend(settings: Settings, clock: Clock, stack: AsyncExitStack) -> "StripeBackend":
    """The Stripe account that the settings name. Raises `BrokenSettings` where the key is missing."""
    if settings.stripe_api_key is None:
        raise BrokenSettings("setting HANDRAIL_STRIPE_API_KEY: it is missing, and HANDRAIL_BILLING=stripe needs it")
    from tools.stripe_billing.backend import StripeBackend

    key, url = settings.stripe_api_key.get_secret_value(), settings.stripe_base_url
    backend = StripeBackend(key, base_url=url, seconds=settings.stripe_seconds, clock=clock)
    stack.push_async_callback(backend.close)
    return backend


def _billing(backend: "StripeBackend", sandbox: SandboxBackend) -> list[Tool]:
    """The billing tools over Stripe, and the sandbox's that need to know what is billed there.

    Service, contracts and post are still the sandbox's.
    """
    from tools.sandbox.documents import SEND, billed_elsewhere, documents_tools
    from tools.stripe_billing.bills import bills_at
    from tools.stripe_billing.sides import sandbox_sides
    from tools.stripe_billing.toolset import restoring, tools_over

    others = {tool.name: tool for tool in [*provisioning_tools(sandbox), *documents_tools(sandbox)]}
    return [
        *tools_over(backend, sandbox_sides(sandbox)),
        restoring(backend, others["provisioning.restore_service"]),
        billed_elsewhere(sandbox, others[SEND], bills_at(backend)),
    ]


def _billing_facts(backend: "StripeBackend", sandbox: SandboxBackend, known: Facts, guard: Guard) -> Facts:
    from tools.stripe_billing import facts
    from tools.stripe_billing.sides import sandbox_sides

    return facts.customer_facts(backend, sandbox_sides(sandbox), known, guard)


def scim_backend(settings: Settings, stack: AsyncExitStack) -> "ScimBackend":
    """The SCIM service that the settings name. Raises `BrokenSettings` where its address or token is missing."""
    if settings.scim_url is None:
        raise BrokenSettings("setting HANDRAIL_SCIM_URL: it is missing, and HANDRAIL_PROVISIONING=scim needs it")
    if settings.scim_token is None:
        raise BrokenSettings("setting HANDRAIL_SCIM_TOKEN: it is missing, and HANDRAIL_PROVISIONING=scim needs it")
    from tools.scim_access.backend import ScimBackend

    token, seconds = settings.scim_token.get_secret_value(), settings.scim_seconds
    backend = ScimBackend(settings.scim_url, token=token, seconds=seconds, roles_in=settings.scim_roles)
    stack.push_async_callback(backend.close)
    return backend


def _scim(settings: Settings, sandbox: SandboxBackend, known: Facts, stack: AsyncExitStack) -> tuple[list[Tool], Facts]:
    """The access tools over a SCIM service, and facts; links for a new password are still the sandbox's."""
    from tools.scim_access import facts
    from tools.scim_access.toolset import scim_access_tools

    backend, guard = scim_backend(settings, stack), _guard(settings, "scim", settings.scim_per_second)
    tools = scim_access_tools(backend, {tool.name: tool for tool in access_tools(sandbox)})

    async def locked_users(customer_id: str) -> int:
        return await guard.ask(lambda: backend.ask(customer_id, facts.count_locked))

    return guarded(tools, guard), facts.customer_facts(locked_users, known)


async def _mcp(settings: Settings, sandbox: SandboxBackend, stack: AsyncExitStack) -> list[Tool]:
    """The tools that the operator's file maps; none of them may stand in for one that there is already."""
    if settings.mcp_config is None:
        return []
    from tools.mcp_connector.config import McpConfig, McpConfigError
    from tools.mcp_connector.server import servers_of
    from tools.mcp_connector.toolset import mcp_tools
    from tools.scim_access.access import DEACTIVATE

    try:
        config = McpConfig.load(settings.mcp_config)
        for name in config.form.tools:
            if name == DEACTIVATE or any(tool.name == name for tool in sandbox_tools(sandbox)):
                raise config.problem(("tools", name), "there is a tool of this name already: give it another")
        servers = servers_of(config, os.environ)
        for server in servers.values():
            stack.push_async_callback(server.close)
        guards = {name: _guard(settings, name, settings.mcp_per_second) for name in servers}
        served = {name: form.server for name, form in config.form.tools.items()}
        tools = await mcp_tools(config, servers)
        return [one for tool in tools for one in guarded([tool], guards[served[tool.name]])]
    except McpConfigError as error:
        raise BrokenSettings(f"setting HANDRAIL_MCP_CONFIG: {error}") from None
