"""A company with its tools, and short ways to use them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from records.clock import Clock
from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.toolset import sandbox_tools
from tools.tool import Resource

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)


@dataclass
class World:
    """A backend with its tools."""

    backend: SandboxBackend
    registry: ToolRegistry

    @classmethod
    async def open(cls, path: Path, clock: Clock = lambda: NOW) -> "World":
        backend = await SandboxBackend.open(path, clock=clock)
        return cls(backend, ToolRegistry(sandbox_tools(backend)))

    async def call(self, tool: str, customer: str, key: str = "key-1", **arguments: Any) -> Any:
        found = self.registry.get(tool)
        return await found.call(customer, found.arguments.model_validate(arguments), key)

    async def touched(self, tool: str, customer: str, **arguments: Any) -> Resource | None:
        found = self.registry.get(tool)
        return await found.resource(customer, found.arguments.model_validate(arguments))

    async def read_back(self, tool: str, customer: str, key: str = "key-1") -> Any:
        effect = self.registry.get(tool).effect
        assert effect
        return await effect.read_back(customer, key)

    async def undo(self, tool: str, customer: str, key: str = "key-1") -> Any:
        effect = self.registry.get(tool).effect
        assert effect
        assert effect.undo
        return await effect.undo(customer, key, f"{key}-undo")
