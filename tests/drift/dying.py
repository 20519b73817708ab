"""A process that is killed: after so many requests to storage and queues none goes through any more."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping

from settings import Settings
from tenancy.deployment import Deployment
from tenancy.erasures import Erasures
from tenancy.queues import Queue, Queues
from tenancy.store import Tables

NEVER = 1_000_000_000


class Killed(BaseException):
    """The process ends: no `except Exception` may turn it into something else."""


class Fuse:
    """Burns down with every request to storage; once it is out, none goes through."""

    def __init__(self) -> None:
        self.left = NEVER

    def burn(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


class DyingTables(Tables):
    fuse: Fuse

    async def client(self, table: str):
        self.fuse.burn()
        return await super().client(table)


class DyingQueues(Queues):
    fuse: Fuse

    async def send(self, queue: Queue, body: Mapping[str, str | int], *, delay: int = 0) -> None:
        self.fuse.burn()
        await super().send(queue, body, delay=delay)


class DyingDeployment(Deployment):
    """A process whose storage goes away after so many requests, as if it had been killed there."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.fuse = Fuse()
        self._first = self.tables  # the indexes outside tenants go on with it
        self.tables = DyingTables(self._table_service())
        self.queues = DyingQueues(self._queue_service)
        self.tables.fuse = self.queues.fuse = self.fuse
        self.erasures = Erasures(self.tables)

    async def close(self) -> None:
        await super().close()
        await self._first.close()

    async def survives(self, work: Coroutine[None, None, None], steps: int) -> bool:
        self.fuse.left = steps
        try:
            await work
        except Killed:
            return False
        finally:
            self.fuse.left = NEVER
        return True
