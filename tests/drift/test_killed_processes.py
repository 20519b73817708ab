"""Real processes, killed by SIGKILL in the middle of their work: nothing is lost, nothing is told twice.

I03 I04 I06 I11 I16 I20, fault 16 at the moments of faults 3 to 11. Each kill comes at a request that the killed process
has just made, never at a time. The next process takes over once the message is visible again and the lease of the dead
one is over. In the end all is as for a tenant with the same world whose scans nobody ever disturbed.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from dev.demo.client import ENDED
from tests.drift.conftest import NewTenant
from tests.drift.killing import Instances, Moment, instances, until
from tests.drift.watched import GRAPH
from tests.drift.world import World

WRITES = "^(POST|PUT|MERGE|PATCH|DELETE) "

# What the dead process had done, and the request to storage that tells it.
MOMENTS = {
    "written the packs": Moment("^POST \\S+batch", "/pack\\("),
    "moved the pointer": Moment("^POST \\S+batch", "/configuration\\("),
    "committed findings and events": Moment("^POST \\S+batch", "/finding\\("),
    "done all but deleting the message": Moment(
        "^DELETE \\S+/scan-subscription/messages/", done=False
    ),
}
ACCOUNTS = 12
PAGES = 2  # read before the kill; the accounts are three of them
MOST = 60  # rounds: more than a scan and its notice make requests that write


class Pair:
    """Two tenants with one world: while the one is scanned the instance is killed, the other's scans run in peace."""

    def __init__(self, killed: World, calm: World, running: Instances) -> None:
        self.killed, self.calm, self.running = killed, calm, running
        self.number = 0

    async def begin(self) -> None:
        for world in (self.killed, self.calm):
            await world.begin()
        await self.running.start()

    async def kill_at(self, moment: Moment) -> bool:
        """Whether the scan came to that moment: if it did, its instance is dead, and the next one takes over."""
        await self._change()
        self.running.kill_at(moment)
        scan_id = await self.killed.tenant.request_scan()
        died = await self._dies_or(scan_id)
        self.running.executioner.relent()
        if died:
            await self.running.start()
        await self._finish(scan_id)
        return died

    async def kill_after_pages(self, pages: int) -> None:
        """While Azure is asked for the page that follows."""
        await self._change()
        tenant = self.killed.tenant
        match = {"path": GRAPH, "nth": pages + 1, "directory": tenant.organisation.directory_id}
        fault = await tenant.azure.add_fault(match=match, delaySeconds=10, times=1)
        scan_id = await tenant.request_scan()
        await self.running.kill_while_asking(tenant.azure, fault)
        await self.running.start()
        await self._finish(scan_id)

    async def _change(self) -> None:
        for world in (self.killed, self.calm):
            await world.change(self.number)
        self.number += 1

    async def _dies_or(self, scan_id: str) -> bool:
        killed = self.running.executioner.killed
        await until(lambda: self._settled(self.killed, scan_id, or_when=killed))
        return killed.is_set()

    async def _finish(self, scan_id: str) -> None:
        calm = await self.calm.tenant.request_scan()
        await until(lambda: self._settled(self.killed, scan_id))
        await until(lambda: self._settled(self.calm, calm))

    async def _settled(
        self, world: World, scan_id: str, *, or_when: asyncio.Event | None = None
    ) -> bool:
        """I06: it has ended, and no message waits but those that end overdue scans in six hours."""
        if or_when is not None and or_when.is_set():
            return True
        if (await world.tenant.read_scan(scan_id))["status"] not in ENDED:
            return False
        host = world.tenant.host
        return not any([await host.waiting(name) for name in ("scan-subscription", "notices")])

    async def expect_no_trace(self) -> None:
        self.running.stop()
        await self.killed.expect_found()
        await self.killed.expect_told_once()
        assert await describe(self.killed) == await describe(self.calm)
        await self.killed.expect_quiet(datetime.now(UTC))


async def describe(world: World) -> dict[str, Any]:
    """What the API says and what is kept, without ids and times."""
    tenant = world.tenant
    findings = {one["id"]: one for one in await tenant.findings()}
    names = {key: one["resourceId"].rsplit("/", 1)[1] for key, one in findings.items()}
    members = ("change", "status", "evidence", "severity", "changes")
    told = Counter(
        tuple(sorted((names[finding], event) for finding, event in notice["events"]))
        for notice in await tenant.notices()
    )
    scans = [await tenant.read_scan(one["id"]) for one in await tenant.api.every("/api/scans")]
    read = ("status", "resources", "coverage", "skipped", "reason")
    said = {names[key]: [one[name] for name in members] for key, one in findings.items()}
    return {
        "findings": json.dumps(said, sort_keys=True).replace(tenant.subscription_id, "own"),
        "told": told,
        "scans": [scan["status"] for scan in scans],
        "parts": [[[part[name] for name in read] for part in scan["parts"]] for scan in scans],
        "history": len(await tenant.rows("configurationhistory")),
        "snapshots": len([key for key in await tenant.rows("pack") if key[1].startswith("s.")]),
    }


@pytest.fixture
async def make_pair(new_tenant: NewTenant, environment: dict[str, str]):
    async with instances(environment) as running:

        async def make(accounts: int) -> Pair:
            worlds = [World(await new_tenant(), accounts) for _ in range(2)]
            pair = Pair(*worlds, running)
            await pair.begin()
            return pair

        yield make


async def test_killed_processes_leave_no_trace(make_pair) -> None:
    pair = await make_pair(ACCOUNTS)
    await pair.kill_after_pages(PAGES)
    for name, moment in MOMENTS.items():
        assert await pair.kill_at(moment), name
    assert pair.running.killed == 1 + len(MOMENTS)
    await pair.expect_no_trace()


@pytest.mark.slow
@pytest.mark.timeout(900)  # some fifty processes
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_process_killed_at_every_write_leaves_no_trace(make_pair, done: bool) -> None:
    """From the first message of a scan to the last of its notices."""
    pair = await make_pair(MOST)
    while await pair.kill_at(Moment(WRITES, nth=pair.number + 1, done=done)):
        pass
    assert pair.number > 15
    await pair.expect_no_trace()
