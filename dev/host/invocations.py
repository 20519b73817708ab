"""Every invocation passes here: the worker runs it, its outputs are sent, and it is timed and logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from dev.host.messages import TypedData
from dev.host.outputs import Outputs
from dev.host.worker import Function, Outcome, Worker

logger = logging.getLogger(__name__)


class Invocations:
    def __init__(self, worker: Worker, outputs: Outputs) -> None:
        self._worker = worker
        self._outputs = outputs
        self._listeners: list[Callable[[], None]] = []

    def call_after_each(self, listener: Callable[[], None]) -> None:
        """Queues want to look at once after a function has run: it may have sent them something."""
        self._listeners.append(listener)

    async def run(
        self,
        function: Function,
        data: TypedData,
        metadata: Mapping[str, Any] | None = None,
        trace_parent: str = "",
    ) -> Outcome:
        """Does not raise for what the function does."""
        started = time.perf_counter()
        outcome = await self._worker.invoke(function, data, metadata or {}, trace_parent)
        if not outcome.error:
            outcome = await self._outputs.send(function, outcome)
        _log(function, outcome, time.perf_counter() - started)
        for listener in self._listeners:
            listener()
        return outcome


def _log(function: Function, outcome: Outcome, seconds: float) -> None:
    if outcome.error:
        logger.error(
            "%s failed after %.0f ms: %s\n%s",
            function.name,
            seconds * 1000,
            outcome.error,
            outcome.stack,
        )
    else:
        logger.info("%s succeeded in %.0f ms", function.name, seconds * 1000)
