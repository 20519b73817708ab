"""How many operations a scan of 1,000 resources is: docs/deploy.md puts prices to these numbers."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.drift.conftest import NewTenant
from tests.drift.watched import Watched

RESOURCES = 1000
CHANGED = 10
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"
# The SDKs log one record a request, through this logger.
REQUESTS = logging.getLogger("azure.core.pipeline.policies.http_logging_policy")


class Operations(logging.Handler):
    """Counts requests by service; a transaction of many rows is one request, and is paid as one."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"Request URL: '(\S+)'\s+Request method: '(\w+)'", record.getMessage())
        if found:
            self.counts["queue" if "/messages" in found[1] else "table"] += 1


@contextmanager
def counted() -> Iterator[Operations]:
    operations, level = Operations(), REQUESTS.level
    REQUESTS.addHandler(operations)
    REQUESTS.setLevel(logging.INFO)
    try:
        yield operations
    finally:
        REQUESTS.removeHandler(operations)
        REQUESTS.setLevel(level)


async def count_scan(tenant: Watched) -> dict[str, float]:
    """One scan, from its first message to its end; what the host itself does for its queues is not in it."""
    scan_id = await tenant.request_scan()
    (start,) = await tenant.host.take("scan-tenant")
    await tenant.azure.clear_requests()
    began = time.process_time()
    with counted() as operations:
        await tenant.host.run("scan-tenant", start)
        (part,) = await take_part(tenant)
        await tenant.host.run("scan-subscription", part)
    seconds = time.process_time() - began
    assert (await tenant.read_scan(scan_id))["status"] == "complete"
    asked: Any = (await tenant.azure.requests())["counts"]
    arm = sum(count for kind, count in asked.items() if kind.startswith("arm"))
    return {**operations.counts, "graph": asked["graph"], "arm": arm, "seconds": seconds}


async def take_part(tenant: Watched) -> list[bytes]:
    before = REQUESTS.level
    REQUESTS.setLevel(logging.WARNING)  # the host's receive, not the scan's
    try:
        return await tenant.host.take("scan-subscription")
    finally:
        REQUESTS.setLevel(before)


def guide(row: str) -> int:
    """The number that the guide names in the row of its table."""
    found = re.search(rf"^\| {re.escape(row)} \| ([\d,]+) \|", GUIDE.read_text(), re.MULTILINE)
    assert found, row
    return int(found[1].replace(",", ""))


@pytest.fixture
async def thousand(new_tenant: NewTenant) -> Watched:
    tenant = await new_tenant()
    await tenant.add(*(tenant.network(f"net-{number:04}") for number in range(RESOURCES)))
    return tenant


async def test_scan_of_a_thousand_resources_is_no_more_than_the_guide_says(
    thousand: Watched,
) -> None:
    first = await count_scan(thousand)
    await thousand.capture()
    quiet = await count_scan(thousand)
    for number in range(CHANGED):
        resource = thousand.id_of("Microsoft.Network/virtualNetworks", f"net-{number * 97:04}")
        await thousand.azure.edit(
            resource, set={"/properties/addressSpace/addressPrefixes/0": "10.9.0.0/16"}
        )
    changed = await count_scan(thousand)
    assert len(await thousand.findings()) == CHANGED
    for name, counts in (("first", first), ("quiet", quiet), ("changed", changed)):
        for kind in ("table", "queue", "graph", "arm"):
            assert counts.get(kind, 0) <= guide(f"{name} scan, {kind} operations"), (name, kind)
