"""A process that is struck at one of its requests: killed before or after it, refused, left without the answer, or
answered by storage as it answers when it is busy or somebody else was there first.

Every request to storage and every request to Azure is a point, in the order in which the process makes them; what is
written is a side effect, and has a point before and one after it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient

from drift.lease import LeaseLostError
from errors import DriftError
from settings import Settings
from tenancy.deployment import NO_SDK_RETRIES, Deployment
from tests.isolation.proxy import Reader, Writer, read_request

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueServiceClient


class Killed(BaseException):
    """The process ends: no `except Exception` may turn it into something else."""


class Strike(StrEnum):
    BEFORE = "killed before"
    AFTER = "killed after"
    REFUSED = "refused"  # the request did not get there
    LOST = "answer lost"  # it did, and nobody knows
    BUSY = "503"  # storage did nothing
    DONE_BUSY = "503 when it was done"  # storage says so, but did it
    THROTTLED = "429 for an hour"  # longer than any call waits
    TWICE = (
        "delivered twice"  # so the answer is of the second time: 409, 412, 404, or another message
    )
    STALE = "412"  # somebody else's write came first


# The request is not made again: the host brings its message again.
FINAL = (Strike.THROTTLED, Strike.TWICE, Strike.STALE)
# What only storage does; the others can befall any request.
ANSWERS = (Strike.BUSY, Strike.DONE_BUSY, Strike.THROTTLED, Strike.TWICE, Strike.STALE)
_CONDITION = re.compile(rb"(If-Match: W/\"datetime')\d{4}")
_HEADS = {
    Strike.BUSY: "503 Service Unavailable",
    Strike.DONE_BUSY: "503 Service Unavailable",
    Strike.THROTTLED: "429 Too Many Requests\r\nRetry-After: 3600",
}


class Line:
    """What the process asks of the outside, one after the other."""

    def __init__(self) -> None:
        self._strike: Strike | None = None
        self._ordered: Strike | None = None
        self._at = 0
        self._only_writes = True
        self.count = 0
        self.dead = False

    @property
    def reached(self) -> bool:
        """Whether there was a request with the number that was ordered."""
        return self.count == self._at

    @property
    def is_final(self) -> bool:
        return self._ordered in FINAL

    def order(self, strike: Strike, at: int, *, only_writes: bool = True) -> None:
        """Strikes the process at its request number `at`, from 1, of all or of those that write."""
        self._strike, self._at, self._only_writes = strike, at, only_writes
        self._ordered = strike
        self.count, self.dead = 0, False

    def clear(self) -> None:
        self._strike, self.dead = None, False

    def step(self, *, writes: bool, conditional: bool = False) -> Strike | None:
        if self.dead:
            raise Killed
        if self._strike is None or (self._only_writes and not writes):
            return None
        if self._strike is Strike.STALE and not conditional:
            return None
        self.count += 1
        if self.count != self._at:
            return None
        strike, self._strike = self._strike, None
        return strike


class Refusal:
    """A port where storage answers whatever it is asked in the way that the path names."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None

    async def url(self, strike: Strike) -> str:
        if self._server is None:
            self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/{strike.name}"

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _refuse(self, reader: Reader, writer: Writer) -> None:
        request = await read_request(reader)
        strike = Strike[request.split(b" ", 2)[1].decode().strip("/")]
        body = '{"odata.error":{"code":"ServerBusy","message":{"lang":"en-US","value":"Busy."}}}'
        head = f"HTTP/1.1 {_HEADS[strike]}\r\nx-ms-error-code: ServerBusy\r\nConnection: close"
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\n{kind}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()


def is_conditional(request: Any) -> bool:
    """Whether a write, or one of a transaction's, is for a row that nobody has written meanwhile."""
    if request.headers.get("If-Match", "*") != "*":
        return True
    return isinstance(request.data, bytes) and bool(_CONDITION.search(request.data))


def make_stale(request: Any) -> None:
    """As if the row had been written meanwhile: what is expected is of another year."""
    if "If-Match" in request.headers:
        request.headers["If-Match"] = _CONDITION.sub(
            rb"\g<1>1999", b"If-Match: " + request.headers["If-Match"].encode()
        ).decode()[len("If-Match: ") :]
    else:
        request.data = _CONDITION.sub(rb"\g<1>1999", request.data)


class StruckTransport(AioHttpTransport):
    """`refusal` is for a transport to storage."""

    def __init__(self, line: Line, refusal: Refusal | None = None) -> None:
        super().__init__(connection_timeout=10, read_timeout=60)
        self._line = line
        self._refusal = refusal

    async def send(self, request: Any, **options: Any) -> Any:
        writes = self._refusal is not None and request.method != "GET"
        strike = self._line.step(writes=writes, conditional=writes and is_conditional(request))
        if strike is Strike.REFUSED:
            raise ServiceRequestError("the connection was refused")
        if strike is Strike.BEFORE:
            self._line.dead = True
            raise Killed
        if strike is Strike.STALE:
            make_stale(request)
        if strike not in {Strike.BUSY, Strike.THROTTLED}:
            answer = await super().send(request, **options)
        if strike is Strike.LOST:
            raise ServiceResponseError("the answer was lost")
        if strike is Strike.AFTER:
            self._line.dead = True
            raise Killed
        if strike in _HEADS and self._refusal is not None:
            request.url = await self._refusal.url(strike)
        return (
            await super().send(request, **options) if strike in (*_HEADS, Strike.TWICE) else answer
        )


class StruckDeployment(Deployment):
    def __init__(self, settings: Settings) -> None:
        self.line = Line()
        self._refusal = Refusal()
        super().__init__(settings)
        self._transport = StruckTransport(self.line)

    async def close(self) -> None:
        await super().close()
        self._refusal.close()

    def _table_service(self) -> TableServiceClient:
        return TableServiceClient.from_connection_string(
            self.settings.storage_connection_string,
            transport=StruckTransport(self.line, self._refusal),
            **NO_SDK_RETRIES,
        )

    def _queue_service(self) -> QueueServiceClient:
        from azure.storage.queue.aio import QueueServiceClient

        return QueueServiceClient.from_connection_string(
            self.settings.storage_connection_string,
            transport=StruckTransport(self.line, self._refusal),
            **NO_SDK_RETRIES,
        )

    def _blob_service(self) -> BlobServiceClient:
        from azure.storage.blob.aio import BlobServiceClient

        return BlobServiceClient.from_connection_string(
            self.settings.storage_connection_string,
            transport=StruckTransport(self.line, self._refusal),
            **NO_SDK_RETRIES,
        )

    async def survives(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Does the work; False when it was killed, or ended by an answer that no repetition of the request betters.
        What it raises otherwise is the caller's affair."""
        try:
            await work
        except Killed:
            return False
        except (DriftError, LeaseLostError):
            if not self.line.is_final:
                raise
            return False
        finally:
            self.line.clear()
        return True
