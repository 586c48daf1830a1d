"""A line between us and an HTTP server, on which tests let things go wrong. What goes wrong is for the subclass."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self


@dataclass
class HttpLine:
    """Listens on a free port; `url` is known once it is open. `port` is the server's."""

    port: int
    url: str = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Carry requests until the end of the block."""
        server = await asyncio.start_server(self._carried, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what one connection asks."""
        raise NotImplementedError

    async def forward(self, request: bytes) -> bytes:
        """The server's answer, whole."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await message(reader)
        writer.close()
        return answer

    async def _carried(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.carry(reader, writer)
        finally:
            writer.close()


async def message(reader: asyncio.StreamReader) -> bytes:
    """One request or answer, whole; empty where the other side has hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)
