"""The HTTP service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs
from app.api import assist, conversations, documents, learning, operations, pages, problems, staff, webhooks
from app.api.host_sites import HostSites
from app.runtime import Shared, running
from app.settings import Settings
from records.clock import Clock, system_clock

MAX_BODY = 256 * 1024


def create_app(settings: Settings, clock: Clock = system_clock, shared: Shared | None = None) -> FastAPI:
    """The application over its settings; the runtime starts and stops with it. `shared` is what was loaded before."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not structlog.is_configured():  # an ASGI server of one's own: structlog's default prints local variables
            logs.configure()
        async with running(settings, clock=clock, shared=shared) as runtime:
            app.state.runtime = runtime
            yield

    app = FastAPI(title="Handrail", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.install(app)
    app.add_middleware(BodyLimit, limit=MAX_BODY)
    app.add_middleware(HostSites)
    for surface in (conversations, documents, staff, assist, learning, operations, webhooks, pages):
        app.include_router(surface.router)

    @app.middleware("http")
    async def security_headers(request: Request, call_next):  # type: ignore[no-untyped-def]
        response: Response = await call_next(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        return response

    return app


class BodyLimit:
    """Refuses a body that is too large before it is read into memory."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes as they arrive."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.limit:
            await self._refuse(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise problems.Problem(413, "The body is too large", f"At most {self.limit} bytes are allowed.")
            return message

        await self.app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"At most {self.limit} bytes are allowed."
        await problems.problem_response(413, "The body is too large", detail)(scope, receive, send)
