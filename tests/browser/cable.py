"""A line between a browser and the service that can be cut, as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Cable:
    """A TCP proxy on a port of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = ""
        self.whole = True
        self.loses_next_answer_to: bytes | None = None
        """Where a request holds these bytes, it reaches the service, and the line breaks before the answer is back."""
        self._lines: set[asyncio.StreamWriter] = set()

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["Cable"]:
        """A whole cable to a service."""
        cable = cls(urlsplit(url).port or 80)
        server = await asyncio.start_server(cable._connect, "127.0.0.1", 0)
        cable.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield cable
        finally:
            cable.cut()
            server.close()

    def cut(self) -> None:
        """Break every connection; new ones break at once."""
        self.whole = False
        for line in self._lines:
            line.transport.abort()

    def mend(self) -> None:
        """New connections work again."""
        self.whole = True

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        ends = {writer, far_writer}
        self._lines |= ends
        lost = asyncio.Event()
        with suppress(OSError):
            await asyncio.gather(
                self._ask(reader, far_writer, lost), self._answer(far_reader, writer, lost), return_exceptions=True
            )
        self._lines -= ends
        for end in ends:
            end.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await reader.read(65536):
            if self.loses_next_answer_to is not None and self.loses_next_answer_to in data:
                self.loses_next_answer_to = None
                lost.set()
            far.write(data)
            await far.drain()
        far.transport.abort()

    async def _answer(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await far.read(65536):
            if lost.is_set():
                break
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
