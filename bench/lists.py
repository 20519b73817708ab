"""What the pages of a tenant with many findings cost: the real app against Azurite, every request from door to HTML.

The tenant has them in several subscriptions, with the scans of some days behind it. Rows are counted as storage answers
them, so that a list that reads more than it shows cannot hide it.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx

from bench.figures import Figure
from bench.scans import onboard
from dev.azure.admin import AzureAdmin
from dev.demo.client import principal_header
from dev.stack import LocalStack

PROJECT = Path(__file__).resolve().parent.parent
SUBSCRIPTIONS, SCANS = 5, 60
ROUNDS = 9
BATCH = 33  # findings in one transaction: three rows each, and the counts
MOST_MILLISECONDS = 150
PAGE, SHOWN = 200, 50  # one page of a search, what a list shows
BESIDE = (
    3 * SUBSCRIPTIONS + 8
)  # counts, names, states; who asks, the tenant, the views, one row of look-ahead
# Name, path below the tenant, and how many rows it may read: what it shows, one page, and what is beside lists.
PAGES = (
    ("overview", "/", 30 * (SUBSCRIPTIONS + 1) + SUBSCRIPTIONS + 7 + BESIDE),
    ("findings, worst first", "/findings", SHOWN + BESIDE),
    ("findings, newest first", "/findings?sort=newest", SHOWN + BESIDE),
    ("findings, of the last day", "/findings?sort=newest&age=day", SHOWN + BESIDE),
    ("findings, one severity", "/findings?severity=medium", SHOWN + BESIDE),
    ("findings, a text that is rare", "/findings?text=account-9999", PAGE + BESIDE),
    ("findings, a group and who", "/findings?group=rg-7&actor=ada", PAGE + SHOWN + BESIDE),
    ("findings, by resource", "/findings?sort=resource", SHOWN + BESIDE),
)
FILES = (("report", "/report"), ("export as CSV", "/findings/export.csv?show=all"))  # read all


def measure_lists(count: int) -> Iterator[Figure]:
    with LocalStack() as stack:
        tenant_id = asyncio.run(_onboard(stack))
        stack.kill_host()
        ended = subprocess.run(
            [sys.executable, "-m", "bench.lists", tenant_id, str(count)],
            cwd=PROJECT,
            env={**os.environ, **stack.environment()},
            stdout=subprocess.PIPE,
            check=True,
        )
    for line in ended.stdout.splitlines():
        yield from _figures(count, *json.loads(line))


def _figures(
    count: int, name: str, milliseconds: float, processor: float, rows: int, allowed: int | None
) -> Iterator[Figure]:
    title = f"{name}, {count} findings"
    if allowed is None:
        yield Figure(title, milliseconds, "ms")
        return
    yield Figure(title, milliseconds, "ms", MOST_MILLISECONDS, most=True)
    yield Figure(f"{title}, the app's CPU", processor, "ms")
    yield Figure(f"{title}, rows read", rows, "rows", allowed, most=True)


async def _onboard(stack: LocalStack) -> str:
    async with AzureAdmin(stack.admin_url) as azure:
        return await onboard(stack, azure, 0, None)


async def run(tenant_id: str, count: int) -> None:
    """Prints one JSON line a page: name, milliseconds, those of the processor, rows read, rows allowed."""
    from azure.data.tables.aio import TableServiceClient

    from api.app import create_app
    from settings import read_settings
    from tenancy.deployment import NO_SDK_RETRIES, Deployment

    rows: list[int] = []

    def count_rows(got: Any) -> None:
        if (
            got.http_request.method == "GET"
        ):  # a transaction's answer is a stream, and reads nothing
            rows.append(got.http_response.body().count(b'"RowKey"'))

    class Counted(Deployment):
        def _table_service(self) -> TableServiceClient:
            return TableServiceClient.from_connection_string(
                self.settings.storage_connection_string,
                raw_response_hook=count_rows,
                **NO_SDK_RETRIES,
            )

    settings = read_settings({**os.environ, "DRIFT_REQUESTS_PER_MINUTE": "1000000"})
    deployment = Counted(settings)
    await _seed(deployment, tenant_id, count)
    header = principal_header(
        settings.platform_directory_id, str(uuid.uuid4()), "Bench", "Platform.Operator"
    )
    transport = httpx.ASGITransport(app=create_app(lambda: deployment))
    headers = {"X-MS-CLIENT-PRINCIPAL": header, "Accept": "text/html"}
    pages: list[tuple[str, str, int | None, int]] = [
        (name, path, allowed, ROUNDS) for name, path, allowed in PAGES
    ]
    pages += [(name, path, None, 1) for name, path in FILES]
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers, timeout=120
    ) as client:
        for name, path, allowed, rounds in pages:
            told = await _measure(client, rows, f"/t/{tenant_id}{path}", rounds)
            print(json.dumps([name, *told, allowed]), flush=True)
    await deployment.close()


async def _measure(
    client: httpx.AsyncClient, rows: list[int], path: str, rounds: int
) -> tuple[float, float, int]:
    """Medians: a busy machine hits single requests. The processor's time is this process's own, without storage's."""
    times, processor, read = [], [], 0
    for _ in range(rounds + (rounds > 1)):
        rows.clear()
        started, used = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        times.append((time.perf_counter() - started) * 1000)
        processor.append((time.process_time() - used) * 1000)
        read = sum(rows)
        answer.raise_for_status()
    return statistics.median(times[-rounds:]), statistics.median(processor[-rounds:]), read


async def _seed(deployment: Any, tenant_id: str, count: int) -> None:
    """Findings as a scan writes them, and the rows that an overview reads."""
    from drift.archive import Configuration, point_to
    from drift.scans import Part, Scan, ScanStatus, create_scan, save_part
    from drift.subscriptions import PREFIX, Subscription
    from tenancy.access import serve
    from tenancy.ids import SubscriptionId, TenantId
    from tenancy.store import Table

    context = await serve(deployment, TenantId(tenant_id))
    store, now = context.store, datetime.now(UTC)
    subscriptions = [SubscriptionId(str(uuid.UUID(int=n + 1))) for n in range(SUBSCRIPTIONS)]
    for number in range(SCANS):
        at = now - timedelta(hours=SCANS - number)
        scan_id = f"{10**16 - int(at.timestamp() * 1_000_000):016d}-bench"
        scan = Scan(
            scan_id, ScanStatus.COMPLETE, "schedule", "", at, at, at, subscriptions=SUBSCRIPTIONS
        )
        await create_scan(store, scan)
        for one in subscriptions:
            part = Part(scan_id, one, ScanStatus.COMPLETE, at, at, 100, findings=5, baseline_id="b")
            await save_part(store, part)
    for one in subscriptions:
        row = Subscription(one, f"subscription {one[-2:]}", "Enabled", True, now, "b", 1)
        await store.put(Table.SUBSCRIPTION, PREFIX + one, row.values())
        await point_to(store, Configuration(one, "s", "scan", now, 100, 1))
        await _seed_findings(store, one, count // SUBSCRIPTIONS, now)


async def _seed_findings(store: Any, subscription_id: Any, count: int, now: datetime) -> None:
    from drift.engine.findings import Attribution, Evidence, Observation, advance
    from drift.engine.model import Change, ChangeKind, Severity, resource_key

    severities = tuple(Severity)
    findings = []
    for number in range(count):
        severity = severities[number % len(severities)]
        kind = "Microsoft.Storage/storageAccounts"
        group = f"/subscriptions/{subscription_id}/resourceGroups/rg-{number % 40}"
        resource_id = f"{group}/providers/{kind}/account-{number}"
        path = "/properties/allowBlobPublicAccess"
        seen = Observation(
            subscription_id=subscription_id,
            key=resource_key(resource_id),
            resource_id=resource_id,
            resource_type=kind.lower(),
            kind=ChangeKind.MODIFIED,
            changes=(Change(path, ChangeKind.MODIFIED, False, True, severity, "bench"),),
            severity=severity,
            baseline_digest="0" * 32,
            current_digest="1" * 32,
            evidence=Evidence.CONFIRMED,
            attribution=Attribution(
                "ada@contoso.com", "User", "Portal", "write", str(uuid.UUID(int=number // 3)), ""
            ),
        )
        at = now - timedelta(minutes=number)
        step = advance(None, seen, now=at, baseline_id="b")
        assert step.finding is not None
        findings.append(step.finding)
    await _insert(store, subscription_id, findings)


async def _insert(store: Any, subscription_id: Any, findings: Sequence[Any]) -> None:
    """The rows that a scan would write, as new ones: Azurite takes long to look whether it knows a row already."""
    from drift.findings import Transition, operations_of
    from drift.summaries import read_tally, tally_operation
    from tenancy.store import Table, Write

    for start in range(0, len(findings), BATCH):
        batch = findings[start : start + BATCH]
        rows = [one for item in batch for one in operations_of(Transition(item, "", None, None))]
        tally = await read_tally(store, subscription_id)
        counts = tally_operation(tally, [(None, item) for item in batch])
        new = [replace(one, write=Write.INSERT) for one in rows]
        await store.transact(Table.FINDING, [*new, counts])


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
