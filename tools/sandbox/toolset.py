"""Every tool of the sandbox company."""

from tools.sandbox.access import access_tools
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.billing import billing_tools
from tools.sandbox.contracts import contracts_tools
from tools.sandbox.customer import customer_tools
from tools.sandbox.documents import documents_tools
from tools.sandbox.provisioning import provisioning_tools
from tools.sandbox.status import status_tools
from tools.tool import Tool


def sandbox_tools(backend: SandboxBackend) -> list[Tool]:
    """The tools over one backend, ready for a `ToolRegistry`."""
    return [
        *customer_tools(backend),
        *billing_tools(backend),
        *provisioning_tools(backend),
        *access_tools(backend),
        *status_tools(backend),
        *contracts_tools(backend),
        *documents_tools(backend),
    ]
