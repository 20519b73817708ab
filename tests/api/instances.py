"""Instances of the app on loopback, each with a deployment of its own, as the platform starts several."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import uvicorn

from api.app import create_app
from settings import Settings
from tenancy.deployment import Deployment


@asynccontextmanager
async def running(settings: Settings, clock: Callable[[], datetime]) -> AsyncIterator[str]:
    """Where the instance answers."""
    deployment = Deployment(settings)
    app = create_app(lambda: deployment, clock)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
            await deployment.close()
