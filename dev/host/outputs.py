"""Queue output bindings: what a function handed to `Out.set` or returned, sent before its invocation counts as done."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from dev.host.configuration import expand
from dev.host.connections import Connections, create_queue
from dev.host.messages import TypedData
from dev.host.worker import Binding, Function, Outcome


class Outputs:
    def __init__(self, connections: Connections, *, base64: bool) -> None:
        self._connections = connections
        self._base64 = base64

    async def send(self, function: Function, outcome: Outcome) -> Outcome:
        """The outcome, which is a failure too if its outputs could not be sent."""
        try:
            for binding in function.outputs:
                data = (
                    outcome.returned
                    if binding.name == "$return"
                    else outcome.outputs.get(binding.name)
                )
                if binding.type == "queue" and data is not None:
                    await self._send_to(self._queue(binding), data)
        except AzureError as error:
            return Outcome(error=f"the output of {function.name} could not be sent: {error}")
        return outcome

    def _queue(self, binding: Binding) -> QueueClient:
        return self._connections.queue(
            binding.values.get("connection"), expand(binding.values["queueName"])
        )

    async def _send_to(self, queue: QueueClient, data: TypedData) -> None:
        for text in read_messages(data):
            content = b64encode(text.encode()).decode() if self._base64 else text
            try:
                await queue.send_message(content)
            except ResourceNotFoundError:
                await create_queue(queue)
                await queue.send_message(content)


def read_messages(data: TypedData) -> Iterator[str]:
    """A text is one message; a JSON list is one message an item."""
    if data.json is None:
        yield data.string if data.string is not None else data.bytes.decode("utf-8")
        return
    value = json.loads(data.json)
    for item in value if isinstance(value, list) else [value]:
        yield _read_item(item)


def _read_item(item: Any) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, dict) and set(item) == {"id", "body"}:  # an azure.functions.QueueMessage
        return str(item["body"])
    return json.dumps(item)
