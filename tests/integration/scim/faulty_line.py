"""A line between us and a SCIM server on which an answer can be lost, late or nonsense."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum


class Mishap(StrEnum):
    """What a request meets."""

    LOSE_REQUEST = "lose_request"
    """The server never hears of it."""
    LOSE_ANSWER = "lose_answer"
    """The server acted, and the connection was lost."""
    TOO_LATE = "too_late"
    """The server acted, and its answer does not come in time."""
    SERVER_ERROR = "server_error"
    """Status 500, and nothing was done."""
    ERROR_AFTERWARDS = "error_afterwards"
    """Status 500 although the server acted."""
    TOO_MANY = "too_many"
    """Status 429, and nothing was done."""
    WRONG_BODY = "wrong_body"
    """Status 200 with a page of HTML, although the server acted."""


STATUS = {Mishap.SERVER_ERROR: 500, Mishap.ERROR_AFTERWARDS: 500, Mishap.TOO_MANY: 429}
UNHEARD = {Mishap.LOSE_REQUEST, Mishap.SERVER_ERROR, Mishap.TOO_MANY}


@dataclass
class FaultyLine:
    """Passes HTTP requests on. `mishaps` are met once each by the first request of their method."""

    port: int
    url: str = ""
    mishaps: list[tuple[str, Mishap]] = field(default_factory=list)
    after: dict[str, list[tuple[str, Mishap]]] = field(default_factory=dict)
    """Mishaps that begin once a request of a method has met one of its own."""
    changes: int = 0
    """How many PATCH requests the server took."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["FaultyLine"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _message(reader)
            method = request.partition(b" ")[0].decode()
            mishap = next((met for met in self.mishaps if met[0] == method), None)
            if mishap is not None:
                self.mishaps.remove(mishap)
                self.mishaps += self.after.pop(method, [])
            answer = await self._met(mishap[1] if mishap else None, method, request)
            writer.write(answer)
            await writer.drain()
        finally:
            writer.close()

    async def _met(self, mishap: Mishap | None, method: str, request: bytes) -> bytes:
        answer = b"" if mishap in UNHEARD else await self._ask(method, request)
        if mishap is not None and mishap in STATUS:
            return _plain(STATUS[mishap], b'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"]}')
        if mishap is Mishap.WRONG_BODY:
            return _plain(200, b"<html>It works!</html>")
        if mishap is Mishap.TOO_LATE:
            await asyncio.sleep(60)
        return b"" if mishap is Mishap.LOSE_ANSWER else answer

    async def _ask(self, method: str, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await _message(reader)
        writer.close()
        self.changes += method == "PATCH" and answer.split(b" ")[1] in (b"200", b"204")
        return answer


def _plain(status: int, body: bytes) -> bytes:
    kind = b"text/html" if body.startswith(b"<") else b"application/scim+json"
    return b"HTTP/1.0 %d Mishap\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, kind, len(body), body)


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One request or answer, whole; empty where the other side has hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)
