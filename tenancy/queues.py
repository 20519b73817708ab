"""Queue messages out. They carry ids and `traceparent` only, never data or credentials.

Functions expects base64 text (host.json messageEncoding); the SDK sends raw text unless told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

import telemetry
from tenancy.retry import call_storage

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueServiceClient

SERVICE = "Queue Storage"


class Queue(StrEnum):
    SCAN_TENANT = "scan-tenant"
    SCAN_SUBSCRIPTION = "scan-subscription"
    NOTICES = "notices"
    RESOURCE_EVENTS = "resource-events"
    KEEP_TENANT = "keep-tenant"
    ERASE_TENANT = "erase-tenant"
    JOBS = "jobs"


class Queues:
    """The SDK is imported with the first message: most HTTP requests send none."""

    def __init__(self, connect: Callable[[], QueueServiceClient]) -> None:
        self._connect = connect
        self._service: QueueServiceClient | None = None

    async def send(self, queue: Queue, body: Mapping[str, str | int], *, delay: int = 0) -> None:
        """Sends one message that becomes visible after `delay` seconds (at most seven days), with the trace that it
        belongs to."""
        from azure.storage.queue import TextBase64EncodePolicy

        if self._service is None:
            self._service = self._connect()
        client = self._service.get_queue_client(
            queue.value, message_encode_policy=TextBase64EncodePolicy()
        )
        trace = telemetry.traceparent()
        traced = {"traceparent": trace} if trace else {}
        text = msgspec.json.encode({**body, **traced}).decode()

        async def attempt(_: int) -> None:
            try:
                await client.send_message(text, visibility_timeout=delay)
            except ResourceNotFoundError:  # the first message of a new deployment
                with contextlib.suppress(ResourceExistsError):  # somebody else was quicker
                    await client.create_queue()
                await client.send_message(text, visibility_timeout=delay)

        await call_storage(attempt, service=SERVICE)

    async def close(self) -> None:
        if self._service is not None:
            await self._service.close()
