from __future__ import annotations

import time
from base64 import b64decode
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError

if TYPE_CHECKING:
    from conftest import RunningHost, StartHost

VISIBILITY_TIMEOUT = 1.0  # of app/host.json
MAX_TRIES = 3
LEASE = 2.0  # that the hosts of these tests are started with


def read_all(host: RunningHost, suffix: str) -> list[str]:
    """The messages of a queue that no function reads."""
    with host.client(suffix) as queue:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                found = queue.peek_messages(32)
            except ResourceNotFoundError:
                found = []
            if found:
                return [b64decode(message.content).decode() for message in found]
            time.sleep(0.02)
    raise AssertionError(f"no message in {suffix}")


def is_empty(host: RunningHost, suffix: str = "") -> bool:
    with host.client(suffix) as queue:
        return queue.get_queue_properties().approximate_message_count == 0


def test_message_is_handled_once_and_deleted(host: RunningHost) -> None:
    order = host.send()
    (run,) = host.wait_for("work", order=order)
    assert run["tries"] == 1
    assert run["inserted"].startswith("20")
    host.wait_for("worked", order=order)
    deadline = time.monotonic() + 10
    while not is_empty(host):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(host.runs("work", order=order)) == 1


def test_queue_output_is_sent(start_host: StartHost) -> None:
    host = start_host()
    order = host.send()
    assert read_all(host, "-results") == [f"done {order}"]


def test_failure_is_retried_after_the_visibility_timeout(host: RunningHost) -> None:
    order = host.send(failures=1)
    first, second = host.wait_for("work", order=order, count=2)
    assert (first["tries"], second["tries"]) == (1, 2)
    assert second["at"] - first["at"] >= VISIBILITY_TIMEOUT * 0.9
    host.wait_for("worked", order=order)


def test_message_that_always_fails_becomes_poison(host: RunningHost) -> None:
    order = host.send(failures=99)
    (run,) = host.wait_for("poisoned", count=1)
    assert order in run["body"]
    assert len(host.runs("work", order=order)) == MAX_TRIES
    assert host.runs("worked", order=order) == []


def test_message_that_is_not_base64_becomes_poison_untried(start_host: StartHost) -> None:
    host = start_host()
    with host.client() as queue:
        queue.send_message("{not base64}")
    deadline = time.monotonic() + 20
    while not is_empty(host):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert host.runs("work") == []
    assert not is_empty(host, "-poison")


def test_messages_run_side_by_side_up_to_the_settings(start_host: StartHost) -> None:
    host = start_host()
    # The long one leaves room for a new batch as soon as the one beside it has ended.
    orders = [host.send(seconds=seconds) for seconds in (2, 0.3, 0.3, 0.3, 0.3)]
    ends = {run["order"]: run["at"] for run in host.wait_for("worked", count=len(orders))}
    starts = {run["order"]: run["at"] for run in host.runs("work")}
    together = max(
        sum(starts[order] <= moment < ends[order] for order in orders) for moment in starts.values()
    )
    assert together == 3  # batchSize + newBatchThreshold


def test_lease_is_renewed_while_the_function_runs(host: RunningHost) -> None:
    order = host.send(seconds=LEASE * 2)
    host.wait_for("worked", order=order)
    assert len(host.runs("work", order=order)) == 1


def test_message_of_a_killed_host_comes_again(start_host: StartHost) -> None:
    first = start_host()
    order = first.send(seconds=60)
    (before,) = first.wait_for("work", order=order)
    first.process.kill()
    second = start_host(queue=first.queue, arguments=("--grace", "0.1"))
    _, again = second.wait_for("work", order=order, count=2)
    assert again["tries"] == 2
    assert again["at"] - before["at"] >= LEASE * 0.9


def test_stop_lets_a_running_message_finish(start_host: StartHost) -> None:
    host = start_host()
    order = host.send(seconds=1)
    host.wait_for("work", order=order)
    assert host.process.stop() == 0
    assert len(host.runs("worked", order=order)) == 1
    assert is_empty(host)


def test_stop_does_not_wait_longer_than_its_grace(start_host: StartHost) -> None:
    host = start_host(arguments=("--grace", "0.5"))
    order = host.send(seconds=30)
    host.wait_for("work", order=order)
    started = time.monotonic()
    assert host.process.stop() == 0
    assert time.monotonic() - started < 5
    assert not is_empty(host)
