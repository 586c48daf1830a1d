"""A line between us and a SCIM server on which an answer can be lost, late or nonsense."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from http_line import HttpLine, message


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
    PASSED = "passed"
    """Nothing happens to it."""
    ON_THE_WAY = "on_the_way"
    """The server hears of it once `FaultyLine.arrive` is set."""
    WRONG_BODY = "wrong_body"
    """Status 200 with a page of HTML, although the server acted."""


STATUS = {Mishap.SERVER_ERROR: 500, Mishap.ERROR_AFTERWARDS: 500, Mishap.TOO_MANY: 429}
UNHEARD = {Mishap.LOSE_REQUEST, Mishap.SERVER_ERROR, Mishap.TOO_MANY}


@dataclass
class FaultyLine(HttpLine):
    """Passes HTTP requests on. `mishaps` are met once each by the first request of their method."""

    mishaps: list[tuple[str, Mishap]] = field(default_factory=list)
    after: dict[str, list[tuple[str, Mishap]]] = field(default_factory=dict)
    """Mishaps that begin once a request of a method has met one of its own."""
    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a request is `ON_THE_WAY`."""
    arrive: asyncio.Event = field(default_factory=asyncio.Event)
    changes: int = 0
    """How many PATCH requests the server took."""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await message(reader)
        method = request.partition(b" ")[0].decode()
        mishap = next((met for met in self.mishaps if met[0] == method), None)
        if mishap is not None:
            self.mishaps.remove(mishap)
            self.mishaps += self.after.pop(method, [])
        writer.write(await self._met(mishap[1] if mishap else None, method, request))
        await writer.drain()

    async def _met(self, mishap: Mishap | None, method: str, request: bytes) -> bytes:
        if mishap is Mishap.ON_THE_WAY:
            self.under_way.set()
            await self.arrive.wait()
        answer = b"" if mishap in UNHEARD else await self._ask(method, request)
        if mishap is not None and mishap in STATUS:
            return _plain(STATUS[mishap], b'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"]}')
        if mishap is Mishap.WRONG_BODY:
            return _plain(200, b"<html>It works!</html>")
        if mishap is Mishap.TOO_LATE:
            await asyncio.sleep(60)
        return b"" if mishap is Mishap.LOSE_ANSWER else answer

    async def _ask(self, method: str, request: bytes) -> bytes:
        answer = await self.forward(request)
        self.changes += method == "PATCH" and answer.split(b" ")[1] in (b"200", b"204")
        return answer


def _plain(status: int, body: bytes) -> bytes:
    kind = b"text/html" if body.startswith(b"<") else b"application/scim+json"
    return b"HTTP/1.0 %d Mishap\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, kind, len(body), body)
