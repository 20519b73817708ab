"""What a scan of one large subscription costs the product: through the real SDK clients over HTTPS, against Azurite and
the simulated Azure in processes of their own.

The product runs in a process of its own, too, whose CPU time and peak memory are measured from inside: once for the
first scan, which reads and packs everything, and once for the scans after it, which are held against that state as the
active baseline and find nothing new.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.documents import make_documents
from bench.figures import Figure
from bench.tenants import create_tenant, platform_operator, put_organisation
from dev.azure.admin import AzureAdmin
from dev.azure.inventory import read_resource
from dev.stack import LocalStack

PROJECT = Path(__file__).resolve().parent.parent
BATCH = 2_000  # documents in one request to the simulated Azure
STEADY_ROUNDS = 3
PLENTY = 100_000  # queries: the quota would measure Azure's patience instead of the product
QUOTA = 15  # queries in 5 seconds, as Azure allows


@dataclass(frozen=True, slots=True)
class Cost:
    """What one scan took."""

    resources: int
    cpu_seconds: float
    peak_megabytes: float
    table_calls: int
    rows_written: int
    azure_requests: int


def measure_scans(count: int, recorded: Path | None) -> Iterator[Figure]:
    """The figures of a first scan and of one that finds nothing new, of `count` resources."""
    with LocalStack() as stack:
        first, steadies, paced = asyncio.run(_measure(stack, count, recorded))
    steady = min(steadies, key=lambda cost: cost.cpu_seconds)
    # A scan of more than ten seconds, on a busy machine, looks once more whether anybody still wants it.
    calls = min(cost.table_calls for cost in steadies)
    thousands, scanned = steady.resources / 1000, steady.resources
    yield Figure(
        "steady scan, CPU per 1,000 resources",
        steady.cpu_seconds * 1000 / thousands,
        "ms",
        60,
        most=True,
    )
    yield Figure("steady scan, rows written", steady.rows_written, "rows", 6, most=True)
    yield Figure(f"steady scan of {scanned}, table calls", calls, "calls", 20, most=True)
    # While Azure makes it wait it looks whether anybody still wants it: a call every ten seconds (docs/scale.md).
    yield Figure(f"the same at Azure's pace of {QUOTA} queries in 5 s", paced.table_calls, "calls")
    yield Figure("the same at Azure's pace, rows written", paced.rows_written, "rows", 6, most=True)
    yield Figure(
        f"steady scan of {scanned}, peak memory", steady.peak_megabytes, "MB", 300, most=True
    )
    yield Figure(
        "steady scan, requests to Azure per 1,000 resources",
        steady.azure_requests / thousands,
        "requests",
        1.1,
        most=True,
    )
    # Three times what a steady scan may take. Of what it does take this is a multiple (docs/scale.md says why).
    yield Figure(
        "first scan, CPU per 1,000 resources",
        first.cpu_seconds * 1000 / thousands,
        "ms",
        180,
        most=True,
    )
    ratio = first.cpu_seconds / steady.cpu_seconds
    yield Figure("first scan, CPU", ratio, "x steady scan", 3, most=True)
    yield Figure(
        f"first scan of {scanned}, peak memory", first.peak_megabytes, "MB", 300, most=True
    )


async def _measure(
    stack: LocalStack, count: int, recorded: Path | None
) -> tuple[Cost, list[Cost], Cost]:
    """Of the first scan, of steady ones, and of one at Azure's own pace."""
    async with AzureAdmin(stack.admin_url) as azure:
        tenant_id = await onboard(stack, azure, count, recorded)
        stack.kill_host()  # from here on the measured process is the product
        await azure.settings(quota=PLENTY)
        first = await _run(stack, azure, tenant_id, capture=True)
        rounds = [await _run(stack, azure, tenant_id) for _ in range(STEADY_ROUNDS)]
        await azure.settings(quota=QUOTA)
        paced = await _run(stack, azure, tenant_id)
    return first, rounds, paced


async def onboard(stack: LocalStack, azure: AzureAdmin, count: int, recorded: Path | None) -> str:
    """A tenant with one subscription of so many resources; its id."""
    organisation, subscription = await put_organisation(azure), str(uuid.uuid4())
    directory, readers = organisation.directory_id, [organisation.reader]
    await azure.put_subscription(subscription, directory_id=directory, readers=readers)
    documents = list(listed(count, subscription, recorded))
    for start in range(0, count, BATCH):
        await azure.add_resources(documents[start : start + BATCH])
    async with platform_operator(stack) as operator:
        return await create_tenant(operator, organisation, schedule="")


def listed(count: int, subscription: str, recorded: Path | None) -> Iterator[dict[str, Any]]:
    """So many resources that Resource Graph lists; a third of the recorded ones are parts of others."""
    found = 0
    for number, document in enumerate(make_documents(2 * count, recorded)):
        moved = _move(document, subscription, number)
        if found < count and read_resource(msgspec.json.encode(moved), now=0).is_tracked:
            found += 1
            yield moved


def _move(document: bytes, subscription: str, number: int) -> dict[str, Any]:
    """The document in the subscription, under an id that no other has."""
    moved: dict[str, Any] = msgspec.json.decode(document)
    rest = str(moved["id"]).strip().rstrip("/").split("/")[3:]
    moved["id"] = "/".join(["", "subscriptions", subscription, *rest]) + f"-{number}"
    return moved


async def _run(
    stack: LocalStack, azure: AzureAdmin, tenant_id: str, *, capture: bool = False
) -> Cost:
    """One scan; with `capture` what it saw becomes the baseline afterwards."""
    await azure.clear_requests()
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bench.scans", tenant_id, *(["capture"] if capture else [])],
        cwd=PROJECT,
        env={**os.environ, **stack.environment()},
        stdout=subprocess.PIPE,
        check=True,
    )
    counts = (await azure.requests())["counts"]
    assert isinstance(counts, dict)
    of_azure = sum(n for kind, n in counts.items() if kind in {"graph", "arm-get", "arm-list"})
    return Cost(**json.loads(ended.stdout) | {"azure_requests": of_azure})


async def scan_once(tenant_id: str, *, then_capture: bool) -> Cost:
    """One scan of the tenant's subscription by this process. Its requests to Azure are counted there."""
    from azure.data.tables.aio import TableServiceClient

    from drift import consumers
    from drift.baselines import NewBaseline, capture
    from drift.lease import PREFIX
    from drift.scan import scan_tenant, start_scan
    from drift.scans import ScanStatus, get_parts
    from settings import read_settings
    from tenancy.access import serve
    from tenancy.deployment import NO_SDK_RETRIES, Deployment
    from tenancy.ids import TenantId
    from tenancy.store import Table

    rows: list[int] = []  # that each call writes

    class Counted(Deployment):
        def _table_service(self) -> TableServiceClient:
            # The SDK's own hook sees every request that is sent, retries and further pages included.
            return TableServiceClient.from_connection_string(
                self.settings.storage_connection_string,
                raw_request_hook=lambda sent: rows.append(_count_rows(sent.http_request)),
                **NO_SDK_RETRIES,
            )

    deployment = Counted(read_settings())
    for table in Table:  # each process makes sure once that there is the table
        await deployment.tables.client(table)
    context = await serve(deployment, TenantId(tenant_id))
    now = datetime.now(UTC)
    scan = await start_scan(context, slot=now, trigger="manual", requested_by="bench", now=now)
    await scan_tenant(context, scan.scan_id, now=now)
    (part,) = await get_parts(context.store, scan.scan_id)
    ids = {"scan_id": scan.scan_id, "subscription_id": part.subscription_id}
    message = msgspec.json.encode({"version": 1, "tenant_id": tenant_id, **ids})
    # Scans of a schedule are further apart than a lease is long; these follow one another at once.
    key = f"{PREFIX}{part.subscription_id}"
    if lease := await context.store.find(Table.SUBSCRIPTION, key):
        over = {**lease.values, "expires_at": datetime.now(UTC)}
        await context.store.put(Table.SUBSCRIPTION, key, over)
    rows.clear()
    started = time.process_time()
    await consumers.scan_subscription(deployment, message)
    spent = time.process_time() - started
    calls, written = len(rows), sum(rows)
    peak = _peak_megabytes()
    (part,) = await get_parts(context.store, scan.scan_id)
    if part.status is not ScanStatus.COMPLETE:
        raise RuntimeError(f"the scan is {part.status}: {part.reason}")
    if then_capture:
        new = NewBaseline(part.subscription_id, "bench", note="", activate=True, now=now)
        await capture(context, new)
    await deployment.close()
    return Cost(part.resources, spent, peak, calls, written, 0)


def _count_rows(request: Any) -> int:
    """How many rows a call writes. A transaction is one call, with a request in its body for each row."""
    if request.method == "GET":
        return 0
    return request.content.count(b"Content-ID: ") if request.url.endswith("/$batch") else 1


def _peak_megabytes() -> float:
    """Of this process alone: getrusage would begin with the peak of the one that made it."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)  # macOS, in bytes


if __name__ == "__main__":
    cost = asyncio.run(scan_once(sys.argv[1], then_capture="capture" in sys.argv[2:]))
    print(json.dumps(asdict(cost)))
