"""A queue host for tests: real messages to the real consumers, five tries, then the poison queue, as Functions does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceExistsError

from drift import consumers
from tenancy.deployment import Deployment

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueServiceClient

CONSUMERS = {
    "scan-tenant": consumers.scan_tenant,
    "scan-subscription": consumers.scan_subscription,
    "notices": consumers.deliver_notice,
    "resource-events": consumers.resource_event,
    "scan-tenant-poison": consumers.fail_scan,
    "scan-subscription-poison": consumers.fail_subscription,
    "notices-poison": consumers.fail_notice,
    "resource-events-poison": consumers.fail_event,
    "keep-tenant": consumers.keep_tenant,
    "erase-tenant": consumers.erase_tenant,
    "keep-tenant-poison": consumers.fail_upkeep,
    "erase-tenant-poison": consumers.fail_erasure,
    "jobs": consumers.run_job,
    "jobs-poison": consumers.fail_job,
}
MOST_TRIES = 5  # host.json maxDequeueCount


class Host:
    """The queue side of Functions: it takes what is visible, runs it, deletes what succeeded."""

    def __init__(
        self, deployment: Deployment, queues: QueueServiceClient, *, hidden: int = 60
    ) -> None:
        """`hidden`: seconds until a message comes again of which nobody said what became of it."""
        self.deployment = deployment
        self._queues = queues
        self._hidden = hidden

    async def prepare(self) -> None:
        for name in CONSUMERS:
            queue = self._queues.get_queue_client(name)
            with contextlib.suppress(ResourceExistsError):
                await queue.create_queue()
            await queue.clear_messages()

    async def put(self, queue: str, body: bytes | dict[str, Any]) -> None:
        """A message that the product did not send."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self._queues.get_queue_client(queue).send_message(base64.b64encode(data).decode())

    async def waiting(self, queue: str) -> int:
        """Messages in a queue, those with a delay too."""
        properties = await self._queues.get_queue_client(queue).get_queue_properties()
        return int(properties.approximate_message_count or 0)

    async def take(self, queue: str) -> list[bytes]:
        """Takes the visible messages out without running them."""
        bodies = []
        for message in await self._receive(queue):
            bodies.append(base64.b64decode(message.content))
            await self._queues.get_queue_client(queue).delete_message(message)
        return bodies

    async def run(self, queue: str, body: bytes) -> None:
        await CONSUMERS[queue](self.deployment, body)

    async def drain(self) -> list[Exception]:
        """Runs until no queue has a visible message; what consumers raised on the way."""
        errors: list[Exception] = []
        busy = True
        while busy:
            busy = False
            for queue in CONSUMERS:
                messages = await self._receive(queue)
                busy = busy or bool(messages)
                outcomes = await asyncio.gather(*(self._handle(queue, one) for one in messages))
                errors += [error for error in outcomes if error]
        return errors

    async def _receive(self, queue: str) -> list[QueueMessage]:
        client = self._queues.get_queue_client(queue)
        pages = client.receive_messages(
            messages_per_page=16, visibility_timeout=self._hidden
        ).by_page()
        async for page in pages:
            return [message async for message in page]
        return []

    async def _handle(self, queue: str, message: QueueMessage) -> Exception | None:
        client = self._queues.get_queue_client(queue)
        try:
            await CONSUMERS[queue](self.deployment, base64.b64decode(message.content))
        except Exception as error:  # any error is a retry to the host
            if queue.endswith("-poison"):
                raise
            if (message.dequeue_count or 0) < MOST_TRIES:
                await client.update_message(message, visibility_timeout=0)
                return error
            poison = self._queues.get_queue_client(f"{queue}-poison")
            await poison.send_message(message.content)
            await client.delete_message(message)
            return error
        await client.delete_message(message)
        return None
