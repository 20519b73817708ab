"""The two servers of the simulated Azure: HTTPS for what Azure offers, plain HTTP for its admin."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from dev.azure.admin_api import AdminApi
from dev.azure.answers import AzureError, arm_error, error_response
from dev.azure.arm import Arm
from dev.azure.cloud import Cloud
from dev.azure.entra import Entra
from dev.azure.graph import Graph
from dev.azure.msgraph import MicrosoftGraph
from dev.azure.traffic import TrafficGate
from dev.azure.vault import VaultApi


def azure_app(cloud: Cloud) -> ASGIApp:
    routes = [
        *Entra(cloud).routes(),
        *VaultApi(cloud).routes(),
        *Graph(cloud).routes(),
        *MicrosoftGraph(cloud).routes(),
        *Arm(cloud).routes(),
    ]
    app = Starlette(
        routes=routes, exception_handlers={AzureError: _refuse, 404: _no_route, 405: _no_method}
    )
    app.router.redirect_slashes = False
    return TrafficGate(app, cloud.traffic)


def admin_app(cloud: Cloud) -> ASGIApp:
    return AdminApi(cloud).app()


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, AzureError)
    return error_response(error)


async def _no_route(request: Request, _: Exception) -> Response:
    return error_response(
        arm_error(
            404,
            "InvalidResourceType",
            f"The path '{request.url.path}' leads to nothing in this simulation of Azure.",
        )
    )


async def _no_method(request: Request, _: Exception) -> Response:
    return error_response(
        arm_error(
            405,
            "HttpMethodNotAllowed",
            f"The requested resource does not support http method '{request.method}'.",
        )
    )


def listen(port: int) -> socket.socket:
    """Bound but not yet served: the origin must be known before anything is built."""
    # The protocol is named because asyncio turns Nagle's delay off only for sockets that say TCP.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"port {port}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def make_certificate(directory: Path) -> ssl.SSLContext:
    """Writes the CA's certificate; its key and the server's never touch a file that stays."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def https_server(app: ASGIApp, context: ssl.SSLContext) -> AzureServer:
    return AzureServer(_config(app, context))


def http_server(app: ASGIApp) -> AzureServer:
    return AzureServer(_config(app, None))


def _config(app: ASGIApp, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_level="critical",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
        ssl_context_factory=(lambda *_: context) if context is not None else None,
    )


class AzureServer(uvicorn.Server):
    """Signals are the process's to handle: two servers in one process would fight over them."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
