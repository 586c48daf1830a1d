"""The real service on a free port of this machine, for the length of a block."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from evals.world import ingest_articles
from records.clock import Clock, system_clock


@asynccontextmanager
async def serving(settings: Settings, clock: Clock = system_clock) -> AsyncIterator[tuple[str, FastAPI]]:
    """(base URL, application), with the sample company's articles in its knowledge base."""
    app = create_app(settings, clock=clock)
    # With its protocol named, asyncio sends small answers at once (TCP_NODELAY).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("the service did not start")
        await asyncio.sleep(0.02)
    try:
        await asyncio.to_thread(ingest_articles, app.state.runtime.shared.knowledge)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
    finally:
        server.should_exit = True
        await task
