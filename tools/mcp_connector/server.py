"""One MCP server: its connection, kept by a task of its own, and what its errors mean to us.

A connection that ended is made anew by the next call. The server's tools are compared with the digests that the
operator's file names whenever a connection is made, when the server tells that they have changed, and before every
effect: over HTTP a server can be replaced without the connection's ending.
"""

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx2
import structlog
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, CallToolResult, TextContent, ToolListChangedNotification
from pydantic import ValidationError

from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable
from tools.mcp_connector.config import McpConfig, ServerForm

log = structlog.get_logger(__name__)
logging.getLogger("mcp").setLevel(logging.CRITICAL)  # the SDK logs whole messages of servers, with traces

START_SECONDS = 30.0
"""How long a command may take until it answers."""
CLOSE_SECONDS = 10.0
LONGEST = 200_000
"""Characters of a result; a longer one is not read."""


class ServerSaidNo(BackendRefused):
    """The server answered the call with an error. Whether it had acted before is for a read-back to tell."""


class ToolsChanged(Exception):
    """The server's tools are not those that the file names; `digests` are of those that differ, by tool."""

    def __init__(self, digests: dict[str, str | None]) -> None:
        super().__init__("the server's tools have changed")
        self.digests = digests


class _Lost(Exception):
    """The connection ended before the answer came."""


@dataclass(frozen=True)
class Schemas:
    """What a server says that one of its tools takes and answers."""

    takes: dict[str, Any]
    answers: dict[str, Any] | None

    def digest(self, tool: str) -> str:
        """What the operator's file must name."""
        whole = json.dumps([tool, self.takes, self.answers], sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"


@dataclass
class _Connection:
    """A client and the task in which it was entered, and which alone may leave it."""

    client: Client
    keeper: "asyncio.Task[None]"
    end: asyncio.Event
    schemas: dict[str, Schemas] = field(default_factory=dict)


class McpServer:
    """A client of one server, for the tools that are used of it."""

    def __init__(self, name: str, form: ServerForm, used: frozenset[str], environment: Mapping[str, str]) -> None:
        """`used` are the server's tools that the file maps or stands on."""
        self.name, self._form, self._used, self._environment = name, form, used, environment
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def schemas(self) -> dict[str, Schemas]:
        """The schemas of the tools in use. Raises `BackendUnavailable`, or `ToolsChanged` where they are not pinned."""
        return (await self._connected()).schemas

    async def close(self) -> None:
        """End the connection, and the command where there is one."""
        if self._connection is not None:
            await self._end(self._connection)

    async def call(self, tool: str, arguments: Mapping[str, Any], *, repeatable: bool) -> dict[str, Any]:
        """A tool's structured answer; ``{"text": ...}`` of one that has no output schema.

        A `repeatable` call, one that changes nothing, is made again where the connection turns out to have ended.
        Raises `ServerSaidNo`, `BackendTimeout` where it is not known what the server did, `BackendUnavailable` where it
        did nothing.
        """
        connection = await self._trusted(compare=not repeatable)
        try:
            return await self._asked(connection, tool, arguments)
        except _Lost:
            await self._end(connection)
            if not repeatable:
                raise BackendTimeout(f"the connection to {self.name} was lost before it answered") from None
        connection = await self._trusted()
        try:
            return await self._asked(connection, tool, arguments)
        except _Lost:
            await self._end(connection)
            raise BackendUnavailable(f"{self.name} ends the connection instead of answering") from None

    async def _trusted(self, *, compare: bool = False) -> _Connection:
        try:
            connection = await self._connected()
            if compare:
                await self._look_at_tools(connection)
            return connection
        except ToolsChanged:
            log.error("mcp_tools_changed", server=self.name)
            raise BackendUnavailable(f"{self.name} has changed its tools since they were looked at") from None

    async def _asked(self, connection: _Connection, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        work = asyncio.ensure_future(
            connection.client.call_tool(tool, dict(arguments), read_timeout_seconds=self._form.seconds)
        )
        try:
            waiting = {work, connection.keeper}
            await asyncio.wait(waiting, timeout=self._form.seconds + 1, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not connection.keeper.done():
                raise BackendTimeout(f"{self.name} gave no answer within {self._form.seconds:g} seconds")
            if not work.done() or work.cancelled():
                raise _Lost
            return self._content(work.result(), connection.schemas[tool])
        except MCPError as error:
            if error.code == REQUEST_TIMEOUT:
                raise BackendTimeout(f"{self.name} gave no answer within {self._form.seconds:g} seconds") from None
            if error.code == CONNECTION_CLOSED:
                raise _Lost from None
            raise ServerSaidNo(f"{self.name} refused") from None
        except (RuntimeError, ValidationError) as error:
            log.warning("mcp_nonsense", server=self.name, tool=tool, error=type(error).__name__)
            raise BackendTimeout(f"{self.name} answered something else than its schema says") from None
        finally:
            work.cancel()

    def _content(self, result: CallToolResult, schemas: Schemas) -> dict[str, Any]:
        if result.is_error:
            raise ServerSaidNo(f"{self.name} refused")
        content: Any = result.structured_content
        if schemas.answers is None:
            content = {"text": "\n".join(part.text for part in result.content if isinstance(part, TextContent))}
        if not isinstance(content, dict) or len(json.dumps(content)) > LONGEST:
            raise RuntimeError("no object, or a very long one")
        return content

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.keeper.done():
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> _Connection:
        entered: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        end = asyncio.Event()
        keeper = asyncio.ensure_future(self._keep(entered, end))
        try:
            await asyncio.wait({keeper, entered}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not entered.done():
                keeper.cancel()
        if not entered.done():
            raise BackendUnavailable(f"{self.name} cannot be reached, or is no MCP server that lets us in")
        connection = _Connection(entered.result(), keeper, end)
        try:
            connection.schemas = await self._look_at_tools(connection)
        except BaseException:
            await self._end(connection)
            raise
        return connection

    async def _keep(self, entered: "asyncio.Future[Client]", end: asyncio.Event) -> None:
        """Hold the client open until it shall end or breaks; enter and leave it in this one task."""
        try:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(await self._client(stack, end))
                entered.set_result(client)
                await end.wait()
        except (OSError, ValueError, MCPError, ExceptionGroup) as error:
            log.warning("mcp_connection_ended", server=self.name, error=type(error).__name__)

    async def _client(self, stack: AsyncExitStack, end: asyncio.Event) -> Client:
        async def told(message: Any) -> None:
            if isinstance(message, ToolListChangedNotification):
                end.set()  # the next call connects anew and compares

        form = self._form
        if form.url is not None:
            headers = {header: self._environment[name] for header, name in form.headers.items()}
            waits = httpx2.Timeout(form.seconds, read=None)  # an answer may stream; the call itself is limited
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=waits))
            transport = streamable_http_client(form.url, http_client=http)
        else:
            given = {name: self._environment[name] for name in form.env}
            command = StdioServerParameters(command=form.command or "", args=list(form.args), env=given)
            transport = stdio_client(command, errlog=stack.enter_context(_nowhere()))
        return Client(transport, read_timeout_seconds=form.seconds, message_handler=told, cache=None)

    async def _look_at_tools(self, connection: _Connection) -> dict[str, Schemas]:
        """The schemas of the tools in use. Raises `ToolsChanged`, `BackendUnavailable`."""
        found: dict[str, Schemas] = {}
        cursor: str | None = None
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    page = await connection.client.list_tools(cursor=cursor)
                    found |= {tool.name: Schemas(tool.input_schema, tool.output_schema) for tool in page.tools}
                    cursor = page.next_cursor
                    if cursor is None:
                        break
        except (MCPError, TimeoutError, RuntimeError, ValidationError) as error:
            log.warning("mcp_tools_unread", server=self.name, error=type(error).__name__)
            raise BackendUnavailable(f"{self.name} does not say which tools it has") from None
        digests = {tool: found[tool].digest(tool) if tool in found else None for tool in sorted(self._used)}
        pinned = self._form.schemas
        differing = {tool: digest for tool, digest in digests.items() if digest is None or pinned.get(tool) != digest}
        if differing:
            raise ToolsChanged(differing)
        return {tool: found[tool] for tool in self._used}

    async def _end(self, connection: _Connection) -> None:
        connection.end.set()
        await asyncio.wait({connection.keeper}, timeout=CLOSE_SECONDS)
        if not connection.keeper.done():
            connection.keeper.cancel()
        if self._connection is connection:
            self._connection = None


def _nowhere() -> TextIO:
    """Where a command's own log goes: it may hold what no log of ours may."""
    return Path(os.devnull).open("w", encoding="utf-8")


def servers_of(config: McpConfig, environment: Mapping[str, str]) -> dict[str, McpServer]:
    """The servers that a file names, not connected yet. Raises `McpConfigError` for a variable that is not set."""
    servers = {}
    for name, form in config.form.servers.items():
        for place, variable in [
            *((("env", index), variable) for index, variable in enumerate(form.env)),
            *((("headers", header), variable) for header, variable in form.headers.items()),
        ]:
            if not environment.get(variable):
                raise config.problem(("servers", name, *place), f"the environment has no {variable}: set it")
        used = frozenset(tool for tools in config.form.tools.values() if tools.server == name for tool in tools.used)
        servers[name] = McpServer(name, form, used, environment)
    return servers
