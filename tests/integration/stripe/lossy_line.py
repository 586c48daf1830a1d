"""A line between us and a server that can lose, garble, refuse or hold what passes, before or after the server acts."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from http_line import HttpLine, message

Mishap = Literal[
    "lose_request",
    "lose_answer",
    "keep_waiting",
    "fail_before",
    "fail_after",
    "too_many",
    "garble",
    "truncate",
    "hold_before",
    "hold_after",
]
BEFORE = ("lose_request", "fail_before", "too_many", "hold_before")
"""Mishaps of which the server hears nothing."""
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}"
TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}"
GARBLED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n<html>hi</html>"


@dataclass
class LossyLine(HttpLine):
    """Passes HTTP requests on. `mishaps` are met once each by the first request whose line holds their text."""

    mishaps: list[tuple[str, Mishap]] = field(default_factory=list)
    canned: dict[str, bytes] = field(default_factory=dict)
    """JSON bodies that are answered here instead, by the beginning of the request's line."""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once something is held, for ever."""
    passed: list[str] = field(default_factory=list)
    """The lines of the requests that reached the server: ``POST /v1/refunds``."""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await message(reader):
            line = request.split(b"\r\n", 1)[0].decode().rsplit(" ", 1)[0]
            mishap = self._mishap(line)
            answer = b"" if mishap in BEFORE else self._canned(line) or await self._ask(line, request)
            if mishap in ("lose_request", "lose_answer"):
                break
            if mishap in ("hold_before", "hold_after", "keep_waiting"):
                self.held.set()
                await asyncio.sleep(60)
            if mishap == "truncate":
                writer.write(answer[: len(answer) - 20])
                break
            answer = {
                "fail_before": FAILED,
                "fail_after": FAILED,
                "too_many": TOO_MANY,
                "garble": GARBLED,
            }.get(mishap or "", answer)
            writer.write(answer)
            await writer.drain()

    async def _ask(self, line: str, request: bytes) -> bytes:
        self.passed.append(line.partition("?")[0])
        return await self.forward(request)

    def _mishap(self, line: str) -> Mishap | None:
        for met in self.mishaps:
            if met[0] in line:
                self.mishaps.remove(met)
                return met[1]
        return None

    def _canned(self, line: str) -> bytes:
        for begins, body in self.canned.items():
            if line.startswith(begins):
                return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                    len(body),
                    body,
                )
        return b""
