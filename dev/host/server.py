"""The host as a whole: one worker, HTTP, and a listener for each queue and timer; started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from dev.host.configuration import expand, load_local_settings, read_host_settings
from dev.host.connections import Connections
from dev.host.http import HttpListener
from dev.host.invocations import Invocations
from dev.host.outputs import Outputs
from dev.host.queues import POISON, QueueListener
from dev.host.timers import TimerListener
from dev.host.worker import Function, Worker

logger = logging.getLogger(__name__)


class HttpServer(uvicorn.Server):
    """Leaves signals to the host, which stops its queues and timers too."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Host:
    def __init__(self, app: Path, *, lease: float, grace: float) -> None:
        """`lease`: how long a message stays hidden when the host dies. `grace`: how long a stop waits for functions."""
        load_local_settings(app)
        self._settings = read_host_settings(app)
        self._lease = lease
        self._grace = grace
        self._worker = Worker(app)
        self._connections = Connections()
        outputs = Outputs(self._connections, base64=self._settings.queues.base64)
        self._invocations = Invocations(self._worker, outputs)
        self._queues: list[QueueListener] = []
        self._timers: list[TimerListener] = []

    async def start(self) -> list[str]:
        """The names of the app's functions. Raises HostError if it cannot be served."""
        await self._worker.start()
        for function in self._worker.functions.values():
            if function.trigger.type == "timerTrigger":
                self._timers.append(TimerListener(function, self._invocations))
            elif function.trigger.type == "queueTrigger":
                self._queues.append(self._listen_to_queue(function))
        for queue in self._queues:
            await queue.prepare()
            self._invocations.call_after_each(queue.wake)
        return sorted(self._worker.functions)

    async def serve(self, listening: socket.socket, stopping: asyncio.Event) -> None:
        """Until `stopping`, or until a part of it breaks, which is raised."""
        http = self._make_http_server()
        serving = asyncio.create_task(http.serve(sockets=[listening]))
        listeners = [asyncio.create_task(queue.run(stopping)) for queue in self._queues]
        listeners += [asyncio.create_task(timer.run(stopping)) for timer in self._timers]
        try:
            await _wait_for_end(stopping, serving, *listeners)
        finally:
            stopping.set()
            http.should_exit = True
            await self._finish(serving, *listeners)

    async def close(self) -> None:
        await self._connections.close()
        self._worker.stop()

    async def _finish(self, *tasks: asyncio.Task[None]) -> None:
        for queue in self._queues:
            queue.wake()
        _, unfinished = await asyncio.wait(tasks, timeout=self._grace)
        for task in unfinished:
            task.cancel()
        if unfinished:
            logger.warning(
                "functions did not end within %.0f s; their messages will come again", self._grace
            )
            await asyncio.wait(unfinished)

    def _listen_to_queue(self, function: Function) -> QueueListener:
        values = function.trigger.values
        name, connection = expand(values["queueName"]), values.get("connection")
        return QueueListener(
            function,
            self._invocations,
            self._settings.queues,
            queue=self._connections.queue(connection, name),
            poison=self._connections.queue(connection, name + POISON),
            lease=self._lease,
        )

    def _make_http_server(self) -> HttpServer:
        application = HttpListener(
            self._worker.functions.values(),
            self._invocations,
            route_prefix=self._settings.route_prefix,
        )
        return HttpServer(
            uvicorn.Config(
                application,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=round(self._grace),
            )
        )


async def _wait_for_end(stopping: asyncio.Event, *tasks: asyncio.Task[None]) -> None:
    stop = asyncio.create_task(stopping.wait())
    ended, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    for task in ended - {stop}:
        task.result()
