"""Between the app and storage: counts what is asked, and fails as networks and services do."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

import httpx2 as httpx

from tenancy.deployment import Deployment

LAG = 0.3  # seconds
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Fault(StrEnum):
    RESET = "reset"  # the request never arrives
    LOST = "lost"  # it is carried out, and the answer never arrives
    CUT = "cut"  # half of the answer arrives
    SLOW = "slow"
    ERROR = "500"
    BUSY = "503"
    THROTTLED = "429"


STATUSES = {
    Fault.ERROR: "500 Internal Server Error",
    Fault.BUSY: "503 Server Busy",
    Fault.THROTTLED: "429 Too Many Requests",
}


def sometimes(*faults: Fault, share: float, seed: int = 1) -> Callable[[], Fault | None]:
    """One of the faults for that share of the requests; the same ones each time."""
    chance = random.Random(seed)
    return lambda: chance.choice(faults) if chance.random() < share else None


@dataclass
class Proxy:
    """One service's port. A context manager; every request has a connection of its own."""

    target: int
    choose: Callable[[], Fault | None] = lambda: None
    asked: list[str] = field(default_factory=list)  # request lines
    failed: int = 0
    port: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await read_request(reader)
            self.asked.append(request.split(b"\r\n", 1)[0].decode())
            fault = self.choose()
            self.failed += fault is not None
            await self._answer(request, fault, writer)
        writer.close()

    async def _answer(self, request: bytes, fault: Fault | None, writer: Writer) -> None:
        if fault is Fault.RESET:
            writer.transport.abort()
            return
        if fault in STATUSES:
            head = f"HTTP/1.1 {STATUSES[fault]}\r\nRetry-After: 0\r\n"
            writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        if fault is Fault.SLOW:
            await asyncio.sleep(LAG)
        answer = await self._forward(request)
        if fault is Fault.LOST:
            writer.transport.abort()
            return
        writer.write(answer[: len(answer) // 2] if fault is Fault.CUT else answer)
        await writer.drain()

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [
            line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")
        ]
        writer.write(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer


@dataclass
class Shaky:
    """The app on storage that counts, and fails as it is told."""

    deployment: Deployment
    client: httpx.AsyncClient
    proxies: tuple[Proxy, ...]

    def fail(self, *faults: Fault, share: float, seed: int = 1) -> None:
        for proxy in self.proxies:
            proxy.choose = sometimes(*faults, share=share, seed=seed)


async def read_request(reader: Reader) -> bytes:
    """Head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    assert b"transfer-encoding" not in fields, "the storage SDKs say how long a body is"
    return head + await reader.readexactly(int(fields.get(b"content-length", b"0")))
