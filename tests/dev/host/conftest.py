"""The host as a process with the sample app beside this file, its queues, and what its functions recorded."""

from __future__ import annotations

import json
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from azure.storage.queue import QueueClient

from dev.processes import ChildProcess, recognise_json

Found = TypeVar("Found")

APP = Path(__file__).parent / "app"
LEASE = 2


@dataclass(frozen=True, slots=True)
class RunningHost:
    process: ChildProcess
    url: str
    functions: list[str]
    queue: str
    storage: str
    record: Path

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return httpx2.get(self.url + path, timeout=20, **options)

    def client(self, suffix: str = "") -> QueueClient:
        return QueueClient.from_connection_string(self.storage, self.queue + suffix)

    def send(self, **order: Any) -> str:
        """The order's id. Sent as the product does, in base64."""
        order_id = uuid.uuid4().hex
        body = json.dumps({"id": order_id, **order}).encode()
        with self.client() as queue:
            queue.send_message(b64encode(body).decode())
        return order_id

    def runs(self, function: str, **facts: Any) -> list[dict[str, Any]]:
        """What a function recorded, in order; `facts` choose."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        found = [json.loads(line) for line in lines]
        wanted = {"function": function, **facts}
        return [run for run in found if wanted.items() <= run.items()]

    def wait_for(self, function: str, *, count: int = 1, **facts: Any) -> list[dict[str, Any]]:
        return wait_until(
            lambda: runs if len(runs := self.runs(function, **facts)) >= count else None,
            f"{count} runs of {function}",
        )


def wait_until(check: Callable[[], Found | None], what: str, *, seconds: float = 20) -> Found:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


StartHost = Callable[..., RunningHost]


@pytest.fixture
def start_host(storage: str, tmp_path: Path) -> Iterator[StartHost]:
    with ExitStack() as hosts:
        yield lambda **options: _start(hosts, storage, tmp_path, **options)


@pytest.fixture(scope="module")
def host(storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """One host for the tests of a module that do not stop it; messages are told apart by their ids."""
    with ExitStack() as hosts:
        yield _start(hosts, storage, tmp_path_factory.mktemp("host"))


def _start(
    hosts: ExitStack,
    storage: str,
    folder: Path,
    *,
    app: Path = APP,
    queue: str | None = None,
    arguments: tuple[str, ...] = (),
    **settings: str,
) -> RunningHost:
    queue = queue or f"work-{uuid.uuid4().hex[:12]}"
    record = folder / f"{queue}.jsonl"
    environment = {"AzureWebJobsStorage": storage, "QUEUE": queue, "RECORD": str(record)}
    environment |= {"SCHEDULE": "0 0 0 1 1 *", **settings}
    command = [sys.executable, "-m", "dev.host", "--app", str(app), "--port", "0"]
    command += ["--lease", str(LEASE), "--stop-with-parent", *arguments]
    process = ChildProcess("The host", command, environment=environment)
    hosts.callback(process.stop)
    ready = process.wait_for(recognise_json)
    return RunningHost(process, ready["url"], ready["functions"], queue, storage, record)
