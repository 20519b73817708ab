"""A backup is whole, signed, free of secrets, made once a night, and not kept for ever."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from drift.backups import making, running
from drift.backups.holdings import HOLDINGS, NOT_HELD, Holding
from drift.backups.jobs import Job, JobStatus, Kind, every_job
from drift.backups.lines import decode
from drift.backups.manifest import folder_of, get_manifest, name_of
from drift.upkeep import keep
from errors import Conflict, Stale
from settings import VERSION, Settings
from tenancy.access import serve
from tenancy.ids import TenantId
from tenancy.migrations import version_of
from tenancy.rows import Row, split_binary
from tenancy.store import Table, TenantStore
from tests.drift.backups.conftest import HELD, Vaulted, now
from tests.drift.dying import DyingDeployment


def unpacked(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data) as stream:
        return stream.read()


def test_every_table_is_held_or_left_out_for_a_reason() -> None:
    held = [holding.table for holding in HOLDINGS]
    assert len(set(held)) == len(held)
    assert set(held) | NOT_HELD.keys() == set(Table)
    assert set(held) & NOT_HELD.keys() == set()
    assert held[-1] is Table.PACK  # what is pointed at is copied after what points


def test_version_is_that_of_the_project() -> None:
    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    assert f'version = "{VERSION}"' in project.read_text()


@pytest.mark.slow
async def test_memory_of_a_backup_is_that_of_a_page_whatever_the_tenant_holds(
    vaulted: Vaulted,
) -> None:
    """Incompressible rows of some 3 KB: what was held of them would be seen."""
    context, peaks = await vaulted.context(), []
    for grown in (1000, 4000):
        rows = (
            (f"{secrets.token_hex(16)}.{number}", split_binary(secrets.token_bytes(3000)))
            for number in range(grown)
        )
        await context.store.put_all(Table.CONFIGURATION_HISTORY, rows)
        job = await making.request_backup(context, now=now())
        await vaulted.watched.host.take("jobs")
        tracemalloc.start()
        try:
            await running.run_job(context, job.key, clock=now)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        done = await vaulted.read(job)
        assert (done.status, done.rows > grown) == (JobStatus.DONE, True)
    small, large = peaks  # of 3 MB and of 15 MB of rows
    assert large < 1.4 * small
    assert large < 40_000_000


async def test_manifest_says_whose_it_is_and_what_there_is_and_is_signed(vaulted: Vaulted) -> None:
    rows = await vaulted.rows()
    begun = now()
    job = await vaulted.backup()
    context = await vaulted.context()
    data = await vaulted.blob(name_of(job.job_id))
    line, signature, _ = data.split(b"\n")
    secret = await context.vault.read(context.tenant.fingerprint_secret)
    key = hmac.digest(secret.encode(), b"backup manifest 1", "sha256")
    assert signature.decode() == hmac.new(key, line, hashlib.sha256).hexdigest()
    said = json.loads(line)
    assert said["tenant_id"] == vaulted.watched.tenant_id
    assert said["tenant_name"] == context.tenant.name
    assert said["product"] == VERSION
    manifest = await get_manifest(context, job.job_id)
    assert begun <= manifest.started_at <= manifest.finished_at <= now()
    assert [file.table for file in manifest.files] == list(HELD)
    for file in manifest.files:
        stored = await vaulted.blob(file.blob)
        assert hashlib.sha256(stored).hexdigest() == file.sha256
        assert len(stored) == file.size
        assert file.version == version_of(file.table) >= 1
        assert unpacked(stored).count(b"\n") == file.rows
        there = {key for table, key in rows if table == file.table}
        copied = {decode(one).key for one in unpacked(stored).splitlines()}
        assert there <= copied, file.table
    assert (job.rows, job.size) == (manifest.rows, manifest.size)
    blobs = await context.blobs.list(folder_of(job.job_id))
    assert {blob.name for blob in blobs} == {name_of(job.job_id)} | {
        file.blob for file in manifest.files
    }


async def test_names_of_secrets_are_in_it_and_no_secret_is(vaulted: Vaulted) -> None:
    job = await vaulted.backup()
    context = await vaulted.context()
    connection = (await vaulted.watched.rows("connection"))["connection", "connection"]
    secrets = [vaulted.watched.organisation.secret]
    secrets.append(await context.vault.read(context.tenant.fingerprint_secret))
    code = await vaulted.watched.api.request(
        "POST", "/api/invitations", {"name": "Gus", "role": "viewer"}
    )
    job = await vaulted.backup()
    manifest = await get_manifest(context, job.job_id)
    text = b"".join([unpacked(await vaulted.blob(file.blob)) for file in manifest.files])
    text += await vaulted.blob(name_of(job.job_id))
    assert connection["secret_name"].encode() in text
    for secret in (*secrets, code["code"], code["code"].partition(".")[2]):
        assert secret.encode() not in text
    assert b'"key":"invitation.' not in text


async def test_nightly_backup_is_asked_for_once_and_at_the_tenants_own_time(
    vaulted: Vaulted,
) -> None:
    host, night = vaulted.watched.host, now()
    waiting = await host.waiting("jobs")
    context = await vaulted.context()
    for _ in range(2):
        await keep(context, clock=lambda: night)
    (job,) = await every_job(context.store, Kind.BACKUP)
    assert (job.trigger, job.status) == ("nightly", JobStatus.QUEUED)
    assert await host.waiting("jobs") > waiting  # not to be seen yet, unless its turn is now
    await making.order_nightly(context, now=night + timedelta(days=1))
    assert len(await every_job(context.store, Kind.BACKUP)) == 2
    assert (await vaulted.run(job)).status is JobStatus.DONE


async def test_backups_that_are_too_many_go_and_nobody_pushes_out_the_nightly_ones(
    vaulted: Vaulted,
) -> None:
    await vaulted.watched.change_settings(backupsKept=2)
    context = await vaulted.context()
    for night in range(3):
        await making.order_nightly(context, now=now() - timedelta(days=3 - night))
    for job in reversed(await every_job(context.store, Kind.BACKUP)):
        await vaulted.run(job)
    manual = [await vaulted.backup() for _ in range(3)]
    kept = await every_job(context.store, Kind.BACKUP)
    assert [job.trigger for job in kept].count("nightly") == 2
    assert {job.job_id for job in kept if job.trigger == "manual"} == {
        job.job_id for job in manual[1:]
    }
    assert await context.blobs.list(folder_of(manual[0].job_id)) == []
    assert await context.blobs.list(folder_of(manual[1].job_id)) != []


async def test_failed_backup_goes_after_a_week(vaulted: Vaulted) -> None:
    context = await vaulted.context()
    job = await making.request_backup(context, now=now() - timedelta(days=8))
    await running.give_up(context, job.key, clock=now)
    failed = await vaulted.read(job)
    assert failed.status is JobStatus.FAILED
    assert failed.reason.startswith("It could not be carried out in five tries")
    assert await vaulted.watched.host.drain() == []
    told = [one["text"] for one in await vaulted.watched.notices()]
    assert f"The backup of {job.created_at:%Y-%m-%d} failed. {failed.reason}" in told
    await context.blobs.put(f"{folder_of(job.job_id)}x/rule.0.jsonl.zst", b"half")
    assert await making.tidy(context, now=job.created_at + timedelta(days=6)) == 0
    assert await making.tidy(context, now=now()) == 1
    assert await context.blobs.list(folder_of(job.job_id)) == []


async def test_one_backup_at_a_time_is_asked_for(vaulted: Vaulted) -> None:
    context = await vaulted.context()
    job = await making.request_backup(context, now=now())
    with pytest.raises(Conflict, match="being made already"):
        await making.request_backup(context, now=now())
    assert (await vaulted.run(job)).status is JobStatus.DONE
    assert (await vaulted.backup()).status is JobStatus.DONE


async def test_message_that_comes_twice_at_once_makes_one_backup(vaulted: Vaulted) -> None:
    context = await vaulted.context()
    job = await making.request_backup(context, now=now())
    await vaulted.watched.host.take("jobs")
    await asyncio.gather(*(running.run_job(context, job.key, clock=now) for _ in range(3)))
    await running.run_job(context, job.key, clock=now)
    assert (await vaulted.read(job)).status is JobStatus.DONE
    assert (await vaulted.dry_run(job.job_id)).status is JobStatus.DONE


async def test_backup_is_not_made_while_packs_that_are_needed_vanish(vaulted: Vaulted) -> None:
    context = await vaulted.context()
    (baseline, *_) = [row async for row in context.store.rows(Table.BASELINE)]
    async for row in context.store.rows(Table.PACK, prefix="p."):
        await context.store.delete(Table.PACK, row.key)
    job = await making.request_backup(context, now=now())
    with pytest.raises(Stale, match="No whole copy could be made"):
        await running.run_job(context, job.key, clock=now)
    assert baseline.key
    assert [blob for blob in await context.blobs.list("") if blob.name.endswith("manifest")] == []


async def test_findings_and_their_counts_are_of_one_moment(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody decides on a finding between its count and the finding itself: both are copied again."""
    original, decided = making.held_rows, []
    finding = await vaulted.watched.finding()

    async def interrupted(store: TenantStore, holding: Holding) -> AsyncIterator[Row]:
        async for row in original(store, holding):
            yield row
            if holding.table is Table.FINDING and not decided:
                decided.append(await vaulted.watched.decide(finding, "accept", reason="agreed"))

    monkeypatch.setattr(making, "held_rows", interrupted)
    job = await vaulted.backup()
    assert job.status is JobStatus.DONE, job.reason
    assert len(decided) == 1
    manifest = await get_manifest(await vaulted.context(), job.job_id)
    (file,) = [one for one in manifest.files if one.table == "finding"]
    assert file.blob.endswith("finding.1.jsonl.zst")
    copied = [decode(one) for one in unpacked(await vaulted.blob(file.blob)).splitlines()]
    stored = await vaulted.rows("finding")
    for row in copied:
        now_there: dict[str, Any] = stored["finding", row.key]
        assert row.values.items() <= now_there.items()


@pytest.fixture
async def dying(settings: Settings) -> AsyncIterator[DyingDeployment]:
    deployment = DyingDeployment(settings)
    yield deployment
    await deployment.close()


async def test_death_at_any_step_makes_no_half_backup(
    vaulted: Vaulted, dying: DyingDeployment
) -> None:
    job = await making.request_backup(await vaulted.context(), now=now())
    await vaulted.watched.host.take("jobs")
    deaths = 0
    for steps in range(2, 200, 11):
        context = await serve(dying, TenantId(vaulted.watched.tenant_id))
        await dying.survives(running.run_job(context, job.key, clock=now), steps)
        known: Job = await vaulted.read(job)
        if known.status is JobStatus.DONE:
            break
        deaths += 1
        names = [blob.name for blob in await context.blobs.list("")]
        assert name_of(job.job_id) not in names or steps > 30
    assert deaths > 2
    assert (await vaulted.dry_run(job.job_id)).status is JobStatus.DONE
    leftovers = await (await vaulted.context()).blobs.list(folder_of(job.job_id))
    assert len(leftovers) == len(HOLDINGS) + 1
    assert replace(known, etag="").rows > 30
