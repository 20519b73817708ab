"""A process that is struck at one of its requests: killed before or after it, refused, or left without the answer.

Every request to storage and every request to Azure is a point, in the order in which the process makes them; what is
written is a side effect, and has a point before and one after it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient

from settings import Settings
from tenancy.deployment import NO_SDK_RETRIES, Deployment

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueServiceClient


class Killed(BaseException):
    """The process ends: no `except Exception` may turn it into something else."""


class Strike(StrEnum):
    BEFORE = "killed before"
    AFTER = "killed after"
    REFUSED = "refused"  # the request did not get there
    LOST = "answer lost"  # it did, and nobody knows


class Line:
    """What the process asks of the outside, one after the other."""

    def __init__(self) -> None:
        self._strike: Strike | None = None
        self._at = 0
        self._only_writes = True
        self.count = 0
        self.dead = False

    @property
    def reached(self) -> bool:
        """Whether there was a request with the number that was ordered."""
        return self.count == self._at

    def order(self, strike: Strike, at: int, *, only_writes: bool = True) -> None:
        """Strikes the process at its request number `at`, from 1, of all or of those that write."""
        self._strike, self._at, self._only_writes = strike, at, only_writes
        self.count, self.dead = 0, False

    def clear(self) -> None:
        self._strike, self.dead = None, False

    def step(self, *, writes: bool) -> Strike | None:
        if self.dead:
            raise Killed
        if self._strike is None or (self._only_writes and not writes):
            return None
        self.count += 1
        if self.count != self._at:
            return None
        strike, self._strike = self._strike, None
        return strike


class StruckTransport(AioHttpTransport):
    def __init__(self, line: Line, *, storage: bool) -> None:
        super().__init__(connection_timeout=10, read_timeout=60)
        self._line = line
        self._storage = storage

    async def send(self, request: Any, **options: Any) -> Any:
        strike = self._line.step(writes=self._storage and request.method != "GET")
        if strike is Strike.REFUSED:
            raise ServiceRequestError("the connection was refused")
        if strike is Strike.BEFORE:
            self._line.dead = True
            raise Killed
        answer = await super().send(request, **options)
        if strike is Strike.LOST:
            raise ServiceResponseError("the answer was lost")
        if strike is Strike.AFTER:
            self._line.dead = True
            raise Killed
        return answer


class StruckDeployment(Deployment):
    def __init__(self, settings: Settings) -> None:
        self.line = Line()
        super().__init__(settings)
        self._transport = StruckTransport(self.line, storage=False)

    def _table_service(self) -> TableServiceClient:
        return TableServiceClient.from_connection_string(
            self.settings.storage_connection_string,
            transport=StruckTransport(self.line, storage=True),
            **NO_SDK_RETRIES,
        )

    def _queue_service(self) -> QueueServiceClient:
        from azure.storage.queue.aio import QueueServiceClient

        return QueueServiceClient.from_connection_string(
            self.settings.storage_connection_string,
            transport=StruckTransport(self.line, storage=True),
            **NO_SDK_RETRIES,
        )

    async def survives(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Does the work; False when it was killed. What it raises otherwise is the caller's affair."""
        try:
            await work
        except Killed:
            return False
        finally:
            self.line.clear()
        return True
