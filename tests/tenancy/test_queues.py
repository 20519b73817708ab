"""Messages on their way out: what the Functions host must be able to read, and a queue that nobody made yet."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueServiceClient

from errors import Unavailable
from tenancy.queues import Queue, Queues


@pytest.fixture
async def service(storage: str) -> AsyncIterator[QueueServiceClient]:
    async with QueueServiceClient.from_connection_string(storage, retry_total=0) as service:
        yield service


def new_queue() -> Any:
    """A queue of the test's own, that is not there yet."""
    return SimpleNamespace(value=f"q-{uuid.uuid4()}")


async def received(service: QueueServiceClient, queue: Any) -> list[Any]:
    """What the host would find: base64 of JSON."""
    messages = service.get_queue_client(queue.value).receive_messages()
    return [json.loads(base64.b64decode(message.content)) async for message in messages]


async def test_first_message_makes_the_queue_and_is_the_hosts_base64(
    service: QueueServiceClient,
) -> None:
    queue, queues = new_queue(), Queues(lambda: service)
    await queues.send(queue, {"id": "é", "number": 1})
    await queues.send(queue, {"id": "second"})
    assert await received(service, queue) == [{"id": "é", "number": 1}, {"id": "second"}]


async def test_message_carries_the_trace_that_it_belongs_to(
    service: QueueServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, queues = new_queue(), Queues(lambda: service)
    monkeypatch.setattr("telemetry.traceparent", lambda: "00-a-b-01")
    await queues.send(queue, {"traceparent": "another"})
    assert await received(service, queue) == [{"traceparent": "00-a-b-01"}]


async def test_delayed_message_is_not_there_yet(service: QueueServiceClient) -> None:
    for sends_before in (0, 1):
        queue, queues = new_queue(), Queues(lambda: service)
        for _ in range(sends_before):
            await queues.send(queue, {"id": "now"})
        await queues.send(queue, {"id": "later"}, delay=3600)
        assert await received(service, queue) == [{"id": "now"}] * sends_before
        properties = await service.get_queue_client(queue.value).get_queue_properties()
        assert properties.approximate_message_count == sends_before + 1


class Service:
    """A queue service that answers what it is told to, and notes what it is asked for."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Any, ...]] = []
        self.closed = False

    def get_queue_client(self, name: str, *, message_encode_policy: Any) -> Any:
        assert isinstance(message_encode_policy, TextBase64EncodePolicy)
        self.asked.append((name,))
        return self

    async def send_message(self, text: str, *, visibility_timeout: int) -> None:
        self._answer("send", text, visibility_timeout)

    async def create_queue(self) -> None:
        self._answer("create")

    async def close(self) -> None:
        self.closed = True

    def _answer(self, *asked: Any) -> None:
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if answer:
            raise answer


async def test_queue_that_somebody_else_made_meanwhile_is_used() -> None:
    service = Service(ResourceNotFoundError(), ResourceExistsError(), None)
    await Queues(lambda: service).send(Queue.SCAN_TENANT, {"id": "x"}, delay=7)
    send = ("send", '{"id":"x"}', 7)
    assert service.asked == [("scan-tenant",), send, ("create",), send]


async def test_message_is_visible_at_once_unless_told_otherwise() -> None:
    service = Service(None)
    await Queues(lambda: service).send(Queue.NOTICES, {})
    assert service.asked == [("notices",), ("send", "{}", 0)]


async def test_queue_that_refuses_is_unavailable_by_name() -> None:
    response: Any = SimpleNamespace(status_code=403, reason="No", headers={}, text=lambda: "")
    service = Service(HttpResponseError("no", response=response))
    with pytest.raises(Unavailable) as refused:
        await Queues(lambda: service).send(Queue.NOTICES, {})
    assert refused.value.message == "Queue Storage refused the request (403 No)."


async def test_service_is_made_with_the_first_message_and_closed_if_it_was() -> None:
    made: list[Service] = []

    def connect() -> Service:
        made.append(Service(None, None))
        return made[-1]

    queues = Queues(connect)
    await queues.close()
    assert made == []
    for _ in range(2):
        await queues.send(Queue.NOTICES, {})
    await queues.close()
    assert [service.closed for service in made] == [True]
