"""Queue triggers, as the Storage extension of the real host runs them.

A message is leased, its lease renewed at half-time while the function runs, and deleted when it has succeeded. A
failure gives it back after `visibilityTimeout`; after `maxDequeueCount` tries it moves to `<queue>-poison`. A host that
dies leaves the lease to run out. So a message is handled at least once, possibly twice, never silently dropped.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from dev.host.configuration import QueueSettings
from dev.host.connections import create_queue
from dev.host.invocations import Invocations
from dev.host.messages import TypedData
from dev.host.worker import Function

SHORTEST_POLL = 0.05
# The real host waits up to maxPollingInterval on an idle queue, to save transactions that cost nothing here.
LONGEST_POLL = 1.0
FOREVER = -1  # a poison message stays until somebody looks
POISON = "-poison"

logger = logging.getLogger(__name__)


class QueueListener:
    def __init__(
        self,
        function: Function,
        invocations: Invocations,
        settings: QueueSettings,
        *,
        queue: QueueClient,
        poison: QueueClient,
        lease: float,
    ) -> None:
        self._function = function
        self._invocations = invocations
        self._queue = queue
        self._poison = poison
        self._settings = settings
        self._lease = lease
        self._running: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look now: there may be something new."""
        self._awake.set()

    async def prepare(self) -> None:
        await create_queue(self._queue)

    async def run(self, stopping: asyncio.Event) -> None:
        """Polls until `stopping`, then waits for what it has begun. Cancelled, it gives that up: the leases run out."""
        try:
            await self._poll(stopping)
            if self._running:
                await asyncio.wait(self._running)
        finally:
            for task in self._running:
                task.cancel()

    async def _poll(self, stopping: asyncio.Event) -> None:
        longest = min(self._settings.max_polling_interval, LONGEST_POLL)
        pause = SHORTEST_POLL
        while not stopping.is_set():
            if len(self._running) > self._settings.new_batch_threshold:
                await self._wait_for_room(stopping)
                continue
            messages = await self._receive()
            for message in messages:
                task = asyncio.create_task(self._handle(message))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            if messages:
                pause = SHORTEST_POLL
                continue
            woken = await self._rest(pause)
            pause = SHORTEST_POLL if woken else min(pause * 2, longest)

    async def _wait_for_room(self, stopping: asyncio.Event) -> None:
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({stop, *self._running}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()

    async def _rest(self, seconds: float) -> bool:
        """Whether `wake` ended it, or came while the queue was being read."""
        try:
            await asyncio.wait_for(self._awake.wait(), seconds)
        except TimeoutError:
            return False
        self._awake.clear()
        return True

    async def _receive(self) -> list[QueueMessage]:
        size = self._settings.batch_size
        pages = self._queue.receive_messages(
            messages_per_page=size, visibility_timeout=round(self._lease)
        ).by_page()
        try:
            async for page in pages:  # one page: asking for a second would delay the first
                return [message async for message in page]
        except ResourceNotFoundError:
            await create_queue(self._queue)
        except AzureError as error:
            logger.warning("queue %s: %s", self._queue.queue_name, error)
            await asyncio.sleep(LONGEST_POLL)
        return []

    async def _handle(self, message: QueueMessage) -> None:
        try:
            body = self._decode(message)
            if body is None or _tries(message) > self._settings.max_dequeue_count:
                await self._give_up(message)
                return
            async with self._renewed_lease(message):
                outcome = await self._invocations.run(
                    self._function, TypedData(string=body), describe_message(message)
                )
            if not outcome.error:
                await self._queue.delete_message(message.id, message.pop_receipt)
            else:
                await self._retry(message)
        except AzureError as error:
            # The lease was lost or storage is away. The message is still in the queue and comes again.
            logger.warning("message %s of %s: %s", message.id, self._queue.queue_name, error)

    def _decode(self, message: QueueMessage) -> str | None:
        if not self._settings.base64:
            return str(message.content)
        try:
            return base64.b64decode(message.content, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            logger.warning("message %s of %s is not base64", message.id, self._queue.queue_name)
            return None

    async def _retry(self, message: QueueMessage) -> None:
        if self._is_poison_queue:
            # It has nowhere to go; the lease is left to run out, so that it does not spin.
            return
        if _tries(message) >= self._settings.max_dequeue_count:
            await self._give_up(message)
            return
        delay = round(self._settings.visibility_timeout)
        await self._queue.update_message(message.id, message.pop_receipt, visibility_timeout=delay)

    async def _give_up(self, message: QueueMessage) -> None:
        if self._is_poison_queue:
            return
        logger.error("message %s of %s is poison", message.id, self._queue.queue_name)
        await create_queue(self._poison)
        await self._poison.send_message(message.content, time_to_live=FOREVER)
        await self._queue.delete_message(message.id, message.pop_receipt)

    @property
    def _is_poison_queue(self) -> bool:
        return str(self._queue.queue_name).endswith(POISON)

    @asynccontextmanager
    async def _renewed_lease(self, message: QueueMessage) -> AsyncIterator[None]:
        renewal = asyncio.create_task(self._renew(message))
        try:
            yield
        finally:
            # A renewal that is under way changes the receipt that the deletion needs: it is waited for.
            renewal.cancel()
            await asyncio.wait({renewal})

    async def _renew(self, message: QueueMessage) -> None:
        while True:
            await asyncio.sleep(self._lease / 2)
            try:
                await asyncio.shield(self._renew_once(message))
            except AzureError as error:
                logger.warning("lease of message %s was not renewed: %s", message.id, error)

    async def _renew_once(self, message: QueueMessage) -> None:
        renewed = await self._queue.update_message(
            message.id, message.pop_receipt, visibility_timeout=round(self._lease)
        )
        message.pop_receipt = renewed.pop_receipt


def _tries(message: QueueMessage) -> int:
    assert message.dequeue_count is not None  # only a message that was sent, not received, has none
    return message.dequeue_count


def describe_message(message: QueueMessage) -> dict[str, Any]:
    """The trigger metadata from which the runtime builds azure.functions.QueueMessage."""
    return {
        "Id": message.id,
        "DequeueCount": message.dequeue_count,
        "PopReceipt": message.pop_receipt,
        "InsertionTime": _timestamp(message.inserted_on),
        "ExpirationTime": _timestamp(message.expires_on),
        "NextVisibleTime": _timestamp(message.next_visible_on),
    }


def _timestamp(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
