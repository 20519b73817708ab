"""What a round's figures are made of: whose requests are counted as what, and how long tenants waited."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from bench.rounds import Round, _read_used
from bench.scans import _count_rows
from bench.worker import _kind

ACCOUNT = "http://127.0.0.1:1/devstoreaccount1"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/scan(PartitionKey='t',RowKey='s.1')", "reads"),
        ("PUT", "/scan(PartitionKey='t',RowKey='s.1')", "writes"),
        ("POST", "/$batch", "writes"),
        ("POST", "/scan-subscription/messages?visibilitytimeout=0", "sent"),
        ("GET", "/scan-subscription/messages?numofmessages=2", "host"),
        ("DELETE", "/scan-subscription/messages/1?popreceipt=x", "host"),
    ],
)
def test_request_of_the_app_is_told_from_the_hosts_own(method: str, path: str, kind: str) -> None:
    assert _kind(method, f"{ACCOUNT}{path}") == kind


def test_rows_of_a_transaction_are_counted_each() -> None:
    part = (
        b"--changeset\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\nPUT x HTTP/1.1\r\n"
    )
    batch = SimpleNamespace(
        method="POST", url=f"{ACCOUNT}/$batch", content=b"".join(part % n for n in range(3))
    )
    assert _count_rows(batch) == 3
    assert _count_rows(SimpleNamespace(method="PUT", url=f"{ACCOUNT}/scan()", content=b"{}")) == 1
    assert _count_rows(SimpleNamespace(method="GET", url=f"{ACCOUNT}/scan()", content=None)) == 0


def test_round_is_measured_from_its_tick() -> None:
    seen = Round(20.0, (10.0, 15.0, 20.0), Counter(reads=180), busiest=0.5, asked=18)
    assert seen.subscriptions_a_second == 9 / 20
    assert seen.thousands == 1.8
    assert seen.slowest == 20 / 15


def test_line_of_a_worker_is_found_among_its_log() -> None:
    assert _read_used('{"used": {"reads": 3, "cpu_seconds": 1.5}}\n') == {
        "reads": 3,
        "cpu_seconds": 1.5,
    }
    assert _read_used('{"url": "http://localhost:1"}\n') is None
    assert _read_used("INFO used\n") is None
