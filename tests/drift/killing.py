"""Real processes that are killed by SIGKILL at the very request that a test names, and those that come after them."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from dev.azure.admin import AzureAdmin
from dev.processes import ChildProcess, recognise_json
from tests.isolation.proxy import Fault, Proxy, Writer

SERVICES = ("Table", "Queue")
STARTING_SECONDS = 60
SECONDS = 60  # for a scan, whose instance died


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await holds():  # noqa: ASYNC110 - other processes make it so
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Moment:
    """A request to storage, as its first line and its body name it."""

    line: str  # a regular expression
    body: str = ""
    nth: int = 1
    done: bool = True  # storage carries it out first, and only the answer is never read

    def names(self, request: bytes) -> bool:
        head, _, body = request.partition(b"\r\n\r\n")
        line = head.split(b"\r\n", 1)[0].decode()
        return bool(re.search(self.line, line) and re.search(self.body, body.decode("latin-1")))


class Executioner:
    """Kills whoever makes the request that was named."""

    def __init__(self) -> None:
        self._moment: Moment | None = None
        self._kill: Callable[[], None] = lambda: None
        self._seen = 0
        self.killed = asyncio.Event()

    def order(self, moment: Moment, kill: Callable[[], None]) -> None:
        self._moment, self._kill, self._seen = moment, kill, 0
        self.killed.clear()

    def relent(self) -> None:
        self._moment = None

    def sees(self, request: bytes) -> Moment | None:
        """The moment, if this request is the one."""
        moment = self._moment
        if moment is None or not moment.names(request):
            return None
        self._seen += 1
        if self._seen < moment.nth:
            return None
        self._moment = None
        return moment

    def strike(self) -> None:
        self._kill()
        self.killed.set()


@dataclass
class Trap(Proxy):
    """One service's port, where the executioner waits."""

    executioner: Executioner = field(default_factory=Executioner)

    async def _answer(self, request: bytes, fault: Fault | None, writer: Writer) -> None:
        moment = self.executioner.sees(request)
        if moment is None:
            await super()._answer(request, fault, writer)
            return
        if moment.done:
            await self._forward(request)
        self.executioner.strike()
        writer.transport.abort()


class Instances:
    """A deployment of which one instance lives at a time."""

    def __init__(self, environment: Mapping[str, str], executioner: Executioner) -> None:
        self._environment = environment
        self.executioner = executioner
        self._alive: ChildProcess | None = None
        self.killed = 0

    async def start(self) -> None:
        assert self._alive is None
        command = [sys.executable, "-m", "tests.drift.worker"]
        self._alive = ChildProcess("The instance", command, environment=self._environment)
        await asyncio.to_thread(self._alive.wait_for, recognise_json, seconds=STARTING_SECONDS)

    def kill(self) -> None:
        assert self._alive is not None
        self._alive.kill()
        self._alive = None
        self.killed += 1

    def stop(self) -> None:
        if self._alive is not None:
            self._alive.stop()

    def kill_at(self, moment: Moment) -> None:
        self.executioner.order(moment, self.kill)

    async def kill_while_asking(self, azure: AzureAdmin, fault: int) -> None:
        """As soon as the request has come that the fault lets wait."""

        async def has_come() -> bool:
            return any(one["id"] == fault and one["used"] for one in await azure.faults())

        await until(has_come)
        self.kill()


@asynccontextmanager
async def instances(environment: Mapping[str, str]) -> AsyncIterator[Instances]:
    """On the storage of this environment, with the executioner between them."""
    executioner = Executioner()
    connection = environment["DRIFT_STORAGE_CONNECTION_STRING"]
    async with AsyncExitStack() as opened:
        for service in SERVICES:
            found = re.search(rf"{service}Endpoint=http://127\.0\.0\.1:(\d+)/", connection)
            assert found
            trap = Trap(int(found[1]), executioner=executioner)
            await opened.enter_async_context(trap)
            connection = connection.replace(f":{trap.target}/", f":{trap.port}/")
        behind = {**environment, "DRIFT_STORAGE_CONNECTION_STRING": connection}
        made = Instances({**behind, "AzureWebJobsStorage": connection}, executioner)
        opened.callback(made.stop)
        yield made
