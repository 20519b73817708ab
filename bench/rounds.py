"""Rounds of scans of many tenants: what a second worker process brings, what a round costs, and who waits how long.

The workers are Functions hosts with the app's own queue triggers (bench/worker.py); the tick that makes all tenants due
at one moment is the app's own, too. Azurite and the simulated Azure run beside them. Every answer of Azure takes
LATENCY, as Azure's do: without it the storage emulator and the simulated Azure, which use most of the processors here,
would be what is measured. All has been scanned before and is held against a baseline; nothing new is found.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import msgspec

from bench.figures import Figure
from bench.scans import PROJECT, listed
from bench.tenants import create_tenant, platform_operator, put_organisation
from dev.azure.admin import AzureAdmin
from dev.demo.client import Product
from dev.processes import ChildProcess, recognise_json
from dev.stack import LocalStack

if TYPE_CHECKING:
    from tenancy.access import TenantContext
    from tenancy.deployment import Deployment

LATENCY = 0.3  # seconds
SUBSCRIPTIONS, RESOURCES = 3, 200  # of a tenant, of a subscription
SCHEDULE = "0 0 1 1 *"  # never of itself while this runs
LONGEST = 1_200  # seconds that a round may take
SETTLING = 3.0  # seconds: what a round leaves in the queues is worked off before the next begins
_PLACE = "11111111-2222-4333-8444-555555555555"  # where a subscription's id goes in a document


@dataclass(frozen=True, slots=True)
class Round:
    """One scan of every tenant, from the tick that began it."""

    seconds: float  # until the last tenant's scan ended
    waits: tuple[float, ...]  # until each tenant's did
    used: Counter[str]  # by the workers together
    busiest: float  # share of a processor that the busiest worker used
    asked: int  # of Azure

    @property
    def subscriptions_a_second(self) -> float:
        return SUBSCRIPTIONS * len(self.waits) / self.seconds

    @property
    def thousands(self) -> float:
        return SUBSCRIPTIONS * RESOURCES * len(self.waits) / 1000

    @property
    def slowest(self) -> float:
        """How many times the mean wait the longest one was."""
        return max(self.waits) / fmean(self.waits)


class Worker:
    """One worker process."""

    def __init__(self, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "bench.worker", "--app", str(PROJECT)]
        command += ["--port", "0", "--stop-with-parent"]
        self._process = ChildProcess("A worker", command, environment=environment)
        self._process.wait_for(recognise_json, seconds=60)

    def used(self) -> Counter[str]:
        """What it used since it began."""
        os.kill(self._process.pid, signal.SIGUSR1)
        return Counter(self._process.wait_for(_read_used))

    def stop(self) -> None:
        self._process.stop()


def _read_used(line: str) -> dict[str, Any] | None:
    return json.loads(line)["used"] if line.startswith('{"used"') else None


def measure_rounds(tenants: int, recorded: Path | None) -> Iterator[Figure]:
    """The figures of so many tenants of SUBSCRIPTIONS subscriptions with RESOURCES resources each."""
    with LocalStack() as stack, ExitStack() as parts:
        two, one = asyncio.run(_measure(stack, parts, tenants, recorded))
    said = f"{tenants} tenants, {LATENCY:g} s an answer"
    for count, seen in ((1, one), (2, two)):
        yield Figure(f"{said}: workers {count}", seen.subscriptions_a_second, "subscriptions/s")
        yield Figure(f"workers {count}, the busiest one's processor", 100 * seen.busiest, "%")
    ratio = two.subscriptions_a_second / one.subscriptions_a_second
    yield Figure("1 to 2 workers, subscriptions a second", ratio, "x", 1.7)
    yield Figure("a round with 2 workers", two.seconds, "s")
    yield Figure("its mean wait of a tenant", fmean(two.waits), "s")
    yield Figure("its slowest tenant's wait", two.slowest, "x the mean", 1.5, most=True)
    for name, value in (
        ("table reads", two.used["reads"]),
        ("table writes", two.used["writes"]),
        ("queue messages", two.used["sent"]),
        ("requests to Azure", two.asked),
    ):
        yield Figure(f"its {name} per 1,000 resources", value / two.thousands, "operations")
    cpu = two.used["cpu_seconds"] * 1000 / two.thousands
    yield Figure("its product CPU per 1,000 resources", cpu, "ms")


async def _measure(
    stack: LocalStack, parts: ExitStack, tenants: int, recorded: Path | None
) -> tuple[Round, Round]:
    """Of two workers and of one. They have met the tenants before, so most tokens are known, as in an hour's next
    round."""
    async with AzureAdmin(stack.admin_url) as azure:
        began = time.monotonic()
        ids = await _onboard(stack, azure, tenants, recorded)
        stack.kill_host()  # from here on there are the workers alone
        _tell(f"{tenants} tenants onboarded in {time.monotonic() - began:.0f} s")
        workers = [Worker(stack.environment()) for _ in range(2)]
        for worker in workers:
            parts.callback(worker.stop)
        async with _deployment(stack) as deployment:
            bench = _Bench(deployment, azure, ids)
            first = await bench.run(workers)
            _tell(f"first round with 2 workers: {first.seconds:.0f} s")
            await bench.capture()
            await azure.add_fault(match={"path": "^/"}, delaySeconds=LATENCY)
            two = await bench.run(workers)
            workers[1].stop()
            one = await bench.run(workers[:1])
    return two, one


@asynccontextmanager
async def _deployment(stack: LocalStack) -> AsyncIterator[Deployment]:
    from settings import read_settings
    from tenancy.deployment import Deployment

    deployment = Deployment(read_settings({**os.environ, **stack.environment()}))
    try:
        yield deployment
    finally:
        await deployment.close()


class _Bench:
    """Starts rounds and watches them end."""

    def __init__(self, deployment: Deployment, azure: AzureAdmin, tenants: Sequence[str]) -> None:
        self._deployment, self._azure, self._tenants = deployment, azure, tenants

    async def run(self, workers: Sequence[Worker]) -> Round:
        from drift.schedule import tick

        contexts = await self._contexts()
        due = contexts[0].tenant.next_scan_at
        assert due is not None
        await self._azure.clear_requests()
        before = [worker.used() for worker in workers]
        began = datetime.now(UTC)
        started = await tick(self._deployment, now=due)
        if started != len(contexts):
            raise RuntimeError(f"{started} scans were started, of {len(contexts)}")
        waits = [(await _end(context) - began).total_seconds() for context in contexts]
        seconds = max(waits)
        used = [
            after - earlier
            for after, earlier in zip([one.used() for one in workers], before, strict=True)
        ]
        counts = (await self._azure.requests())["counts"]
        assert isinstance(counts, dict)
        asked = sum(n for kind, n in counts.items() if kind in {"graph", "arm-get", "arm-list"})
        await asyncio.sleep(SETTLING)
        busiest = max(one["cpu_seconds"] for one in used) / seconds
        return Round(seconds, tuple(waits), sum(used, Counter()), busiest, asked)

    async def capture(self) -> None:
        """What was seen becomes each subscription's baseline."""
        from drift.baselines import NewBaseline, capture
        from drift.subscriptions import subscriptions

        now = datetime.now(UTC)
        for context in await self._contexts():
            async for one in subscriptions(context.store):
                new = NewBaseline(one.subscription_id, "bench", note="", activate=True, now=now)
                await capture(context, new)

    async def _contexts(self) -> list[TenantContext]:
        from tenancy.access import serve
        from tenancy.ids import TenantId

        return [await serve(self._deployment, TenantId(one)) for one in self._tenants]


async def _end(context: TenantContext) -> datetime:
    """When the tenant's newest scan ended. Raises RuntimeError when it did not, or not completely."""
    from drift.scans import ENDED, ScanStatus, page_scans

    late = datetime.now(UTC) + timedelta(seconds=LONGEST)
    while datetime.now(UTC) < late:
        (scan, *_), _ = await page_scans(context.store, after="", limit=1)
        if scan.status in ENDED:
            if scan.status is not ScanStatus.COMPLETE or scan.finished_at is None:
                raise RuntimeError(f"a scan is {scan.status}: {scan.reason}")
            return scan.finished_at
        await asyncio.sleep(0.5)
    raise RuntimeError(f"a scan did not end in {LONGEST} seconds")


async def _onboard(
    stack: LocalStack, azure: AzureAdmin, tenants: int, recorded: Path | None
) -> list[str]:
    """So many tenants, each with a directory and a reader of its own; their ids."""
    lines = [msgspec.json.encode(one) for one in listed(RESOURCES, _PLACE, recorded)]
    async with platform_operator(stack) as operator:
        return [await _onboard_one(operator, azure, lines) for _ in range(tenants)]


async def _onboard_one(operator: Product, azure: AzureAdmin, lines: Sequence[bytes]) -> str:
    organisation = await put_organisation(azure)
    directory, readers = organisation.directory_id, [organisation.reader]
    for _ in range(SUBSCRIPTIONS):
        subscription = str(uuid.uuid4())
        await azure.put_subscription(subscription, directory_id=directory, readers=readers)
        moved = (line.replace(_PLACE.encode(), subscription.encode()) for line in lines)
        await azure.add_resources([msgspec.json.decode(line) for line in moved])
    return await create_tenant(operator, organisation, schedule=SCHEDULE)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
