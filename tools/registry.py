"""The registry: every tool that this deployment has, by name."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from tools.tool import Tool


class UnknownTool(LookupError):
    """No tool has this name; the message names the closest thing to do: list them."""


class ToolRegistry:
    """Looks tools up by name and by the scopes that an agent holds."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        """Raises ValueError when two tools have one name."""
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are named {tool.name}")
            self._tools[tool.name] = tool
        self._schemas: dict[str, dict[str, Any]] = {}

    def get(self, name: str) -> Tool:
        """The tool of this name. Raises `UnknownTool`."""
        try:
            return self._tools[name]
        except KeyError:
            raise UnknownTool(f"there is no tool {name}") from None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._tools)

    def for_scopes(self, scopes: Collection[str]) -> list[Tool]:
        """The tools that an agent with these scopes may be offered, sorted by name."""
        return [self._tools[name] for name in self.names() if self._tools[name].scope in scopes]

    def schema(self, name: str) -> dict[str, Any]:
        """The JSON schema of a tool's arguments, as a model is told it."""
        if name not in self._schemas:
            self._schemas[name] = self.get(name).arguments.model_json_schema()
        return self._schemas[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools[name] for name in self.names())

    def __len__(self) -> int:
        return len(self._tools)
