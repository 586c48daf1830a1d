"""A service on a free port in the tests' own process, and clients that speak to it over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from app.identity import StaffRole, customer_token, staff_token
from app.main import create_app
from app.runtime import Runtime, Shared
from app.settings import Settings
from records.clock import Clock, system_clock
from tools.tool import IdentityLevel

KEY = "a key for tests that is longer than thirty-two characters"


@dataclass
class Served:
    """A running service as its callers see it."""

    url: str
    key: str
    runtime: Runtime | None = None
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, token: str = "") -> httpx.AsyncClient:
        """A caller with this token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60)
        self.clients.append(made)
        return made

    def customer(self, customer_id: str = "cus_001", level: str = "verified") -> "Customer":
        """A signed-in customer."""
        return Customer(self.client(customer_token(self.key, customer_id, IdentityLevel(level))))

    def staff(self, role: StaffRole = "rep", email: str = "") -> httpx.AsyncClient:
        """A signed-in member of staff."""
        return self.client(staff_token(self.key, email or f"{role}@example.com", role))

    async def record(self, conversation_id: str) -> dict[str, Any]:
        """The whole record of a conversation, as staff see it."""
        answer = await self.staff("admin").get(f"/v1/conversations/{conversation_id}")
        answer.raise_for_status()
        return answer.json()


@dataclass
class Customer:
    """A customer in one conversation."""

    http: httpx.AsyncClient
    conversation_id: str = ""

    async def open(self) -> "Customer":
        """Open the conversation."""
        answer = await self.http.post("/v1/conversations")
        answer.raise_for_status()
        self.conversation_id = answer.json()["id"]
        return self

    async def post(self, text: str, wait: int | None = 30, client_message_id: str | None = None) -> httpx.Response:
        """Send a message; `wait` seconds for the turn, or None for a bare 202."""
        if not self.conversation_id:
            await self.open()
        body = {"text": text} | ({"client_message_id": client_message_id} if client_message_id else {})
        headers = {"Prefer": f"wait={wait}"} if wait is not None else {}
        return await self.http.post(f"/v1/conversations/{self.conversation_id}/messages", json=body, headers=headers)

    async def say(self, text: str) -> dict[str, Any]:
        """Send a message and return the finished turn."""
        answer = await self.post(text)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def read(self) -> dict[str, Any]:
        """The conversation as its customer sees it."""
        answer = await self.http.get(f"/v1/conversations/{self.conversation_id}")
        answer.raise_for_status()
        return answer.json()


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port: its URL."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:  # so that answers go at once
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        port = bound.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def serve(settings: Settings, shared: Shared | None = None, clock: Clock = system_clock) -> AsyncIterator[Served]:
    """The whole service."""
    app = create_app(settings, clock=clock, shared=shared)
    async with listening(app) as url:
        served = Served(url, settings.signing_key(), app.state.runtime)
        try:
            yield served
        finally:
            for client in served.clients:
                await client.aclose()
