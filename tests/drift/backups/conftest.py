"""A tenant with something in every table, and its backups made and restored by the real consumers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drift.backups import jobs, making, restoring, running
from drift.backups.holdings import HOLDINGS
from drift.backups.jobs import Job, JobStatus, Kind
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.store import Table
from tests.drift.watched import Watched

Rows = dict[tuple[str, str], dict[str, Any]]
HELD = tuple(holding.table.value for holding in HOLDINGS)
TRANSIENT = ("lease.", "pace.", "rate.", "invitation.", "seen.")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Vaulted:
    """A tenant whose backups a test makes, restores and looks into."""

    watched: Watched
    deployment: Deployment

    async def context(self, *, restoring: bool = False) -> TenantContext:
        tenant_id = TenantId(self.watched.tenant_id)
        return await serve(self.deployment, tenant_id, restoring=restoring)

    async def rows(self, *tables: str) -> Rows:
        """What a restore must bring back: values without what each write makes anew."""
        found = await self.watched.rows(*(tables or HELD))
        return {
            (table, key): {
                name: value for name, value in row.items() if name not in {"etag", "_write"}
            }
            for (table, key), row in found.items()
            if not key.startswith(TRANSIENT)
        }

    async def wipe(self, *tables: str) -> None:
        for (table, key), _ in (await self.watched.rows(*(tables or HELD))).items():
            client = self.watched.tables.get_table_client(table)
            await client.delete_entity(self.watched.tenant_id, key)

    async def backup(self) -> Job:
        context = await self.context()
        job = await making.request_backup(context, now=now())
        return await self.run(job)

    async def dry_run(self, backup_id: str) -> Job:
        context = await self.context()
        return await self.run(await restoring.request_dry_run(context, backup_id, now=now()))

    async def ask_restore(self, backup_id: str) -> Job:
        context = await self.context(restoring=True)
        name = context.tenant.name
        return await restoring.request_restore(context, backup_id, name, now=now())

    async def restore(self, backup_id: str) -> Job:
        return await self.run(await self.ask_restore(backup_id))

    async def run(self, job: Job) -> Job:
        """The job's messages, until it has ended; a minute passes between two of them."""
        await self.watched.host.take("jobs")
        later = timedelta()
        for _ in range(5):
            context = await self.context(restoring=True)
            await running.run_job(context, job.key, clock=lambda: now() + later)  # noqa: B023
            job = await self.read(job)
            if job.status in {JobStatus.DONE, JobStatus.FAILED}:
                return job
            later += timedelta(minutes=6)  # a lease has ended by then
        return job

    async def read(self, job: Job) -> Job:
        context = await self.context(restoring=True)
        return await jobs.get_job(context.store, job.kind, job.job_id)

    async def status(self) -> str:
        rows = await self.watched.rows(Table.TENANT)
        return str(rows[Table.TENANT, "tenant"]["status"])

    async def blob(self, name: str) -> bytes:
        return await (await self.context(restoring=True)).blobs.get(name, most=10**8)

    async def overwrite(self, name: str, data: bytes) -> None:
        context = await self.context(restoring=True)
        await context.blobs.delete(name)
        await context.blobs.put(name, data)


NewVaulted = Callable[[], Awaitable[Vaulted]]


async def live_in(watched: Watched) -> None:
    """Scans, drift, a decision, a rule, a user, changed settings, versions: something in every table."""
    await watched.azure.edit(
        watched.account("alpha")["id"], set={"/properties/allowBlobPublicAccess": True}
    )
    assert (await watched.scan())["status"] == "complete"
    finding = await watched.finding()
    await watched.decide(finding, "acknowledge", reason="seen")
    rule = {"action": "ignore", "path": "/tags/a", "reason": "noise"}
    await watched.api.request("POST", "/api/rules", rule | {"expiresAt": "2099-01-01T00:00:00Z"})
    user = {"directoryId": watched.organisation.directory_id, "name": "Olga", "role": "operator"}
    await watched.api.request(
        "POST", "/api/users", user | {"objectId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"}
    )
    await watched.change_settings(retention={"scans": 90}, schedule="0 3 * * *")
    await watched.capture(name="second", activate=False)


@pytest.fixture
async def vaulted(tenant: Watched, deployment: Deployment) -> Vaulted:
    await live_in(tenant)
    context = await serve(deployment, TenantId(tenant.tenant_id))
    await context.store.put(Table.USAGE, "2026-11-27", {"scans": 3, "bytes": 2**40})
    return Vaulted(tenant, deployment)


@pytest.fixture
def make_vaulted(
    new_tenant: Callable[[], Awaitable[Watched]], deployment: Deployment
) -> NewVaulted:
    """A second tenant, with little in it."""

    async def make() -> Vaulted:
        watched = await new_tenant()
        await watched.add(watched.account("other"))
        assert (await watched.scan())["status"] == "complete"
        await watched.capture()
        return Vaulted(watched, deployment)

    return make


__all__ = ["Kind", "NewVaulted", "Vaulted"]
