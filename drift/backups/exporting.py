"""Everything that is a tenant's, in open formats: a zip file with JSON Lines and a README that says what they mean.

A file is cut into parts: an answer of the app is held in memory as a whole by the Functions host, so that no single one
may be of any size. Each part is a zip file by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import msgspec

from drift.archive import load_pack, load_snapshot
from drift.backups.holdings import Holding, Way, held_rows
from drift.backups.jobs import (
    Job,
    JobKeeper,
    JobStatus,
    Kind,
    Part,
    TableCount,
    every_job,
    get_job,
    order,
)
from drift.backups.kinds import KINDS
from drift.backups.members import ExportKind, describe
from drift.backups.zips import Zips
from drift.engine.index import SnapshotIndex
from errors import Conflict, NotFound
from settings import VERSION
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.rowkeys import newest_first
from tenancy.store import Table

KEPT = timedelta(days=7)
PAGE = 100
_MOMENT = "m."  # drift/archive.py: states of before


async def request_export(context: TenantContext, *, now: datetime) -> Job:
    """Asks for an export. Raises Conflict while one is being made."""
    known = await every_job(context.store, Kind.EXPORT)
    if any(job.is_open(now) for job in known):
        raise Conflict("An export is being made already. Wait until it has ended.")
    job_id = f"{newest_first(now)}-{secrets.token_hex(4)}"
    job = Job(Kind.EXPORT, job_id, "manual", context.actor.key, context.actor.name, now)
    job = await order(context, job, now=now)
    await audit.record(context.store, context.actor, "export.make", job_id, now=now)
    return job


async def open_part(
    context: TenantContext, export_id: str, number: str, *, now: datetime
) -> tuple[Part, AsyncIterator[bytes]]:
    """One part of an export, which is told to the audit trail. Raises NotFound for one that is over, or never was."""
    job = await get_job(context.store, Kind.EXPORT, export_id)
    if job.status is not JobStatus.DONE:
        raise Conflict(f"This export is {job.status}.")
    if job.expires_at is None or job.expires_at <= now:
        raise NotFound("This export is over. Ask for a new one.")
    parts = {str(place): part for place, part in enumerate(job.parts, 1)}
    if number not in parts:
        raise NotFound(f"This export has the parts 1 to {len(parts)}.")
    part = parts[number]
    detail = msgspec.json.encode({"part": number}).decode()
    await audit.record(
        context.store, context.actor, "export.download", export_id, now=now, detail=detail
    )
    return part, context.blobs.read(part.blob)


async def export(keeper: JobKeeper, clock: Callable[[], datetime]) -> None:
    context, job = keeper.context, keeper.job
    zips = Zips(context.blobs, f"exports/{job.job_id}/{secrets.token_hex(4)}/")
    await zips.add("README.md", _once(readme(context, clock()).encode()))
    for kind in KINDS:
        await keeper.save(step=f"Writing {kind.name}.")
        await zips.add(f"{kind.name}.jsonl", _lines(context, kind))
    await _add_documents(keeper, zips)
    parts = await zips.finish()
    counts = tuple(TableCount(name, count) for name, count in zips.counts.items())
    await keeper.save(
        status=JobStatus.DONE,
        finished_at=clock(),
        expires_at=clock() + KEPT,
        step="",
        rows=sum(zips.counts.values()),
        size=sum(part.size for part in parts),
        tables=counts,
        parts=parts,
    )


async def _add_documents(keeper: JobKeeper, zips: Zips) -> None:
    """The resources as they are, and as each baseline version has them."""
    store = keeper.context.store
    async for row in store.rows(Table.CONFIGURATION):
        if not row.key.startswith(_MOMENT):
            await keeper.save(step=f"Writing the resources of {row.key}.")
            index = await load_snapshot(store, row.values["snapshot_id"])
            await zips.add(f"resources/{row.key}.jsonl", _documents(keeper.context, index))
    async for row in store.rows(Table.BASELINE, columns=["snapshot_id"]):
        await keeper.save(step=f"Writing the baseline {row.key}.")
        index = await load_snapshot(store, row.values["snapshot_id"])
        await zips.add(f"baselines/{row.key}.jsonl", _documents(keeper.context, index))


async def _lines(context: TenantContext, kind: ExportKind) -> AsyncIterator[bytes]:
    holding = Holding(kind.table, Way.KEEP, PAGE)
    async for row in held_rows(context.store, holding):
        if row.key.startswith(kind.prefix) and (not kind.below or row.key < kind.below):
            yield msgspec.json.encode(describe(kind, row)) + b"\n"


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _documents(context: TenantContext, index: SnapshotIndex) -> AsyncIterator[bytes]:
    for pack in index.packs:
        for document in await load_pack(context.store, pack.name):
            key = bytes.fromhex(document.key)
            if index.pack_of(key) == pack.name:
                yield (
                    msgspec.json.encode(
                        {
                            "key": document.key,
                            "resource_id": document.resource_id,
                            "resource_type": document.resource_type,
                            "configuration": msgspec.Raw(document.body),
                        }
                    )
                    + b"\n"
                )


def readme(context: TenantContext, now: datetime) -> str:
    """What is in the export, kind by kind and member by member."""
    tenant = context.tenant
    lines = [
        f"# Export of {tenant.name}",
        "",
        f"Tenant {tenant.tenant_id}, made {now:%Y-%m-%d %H:%M} UTC by Azure Drift Detector {VERSION}.",
        "",
        "Every file is JSON Lines in UTF-8: one object a line. Times are RFC 3339 in UTC. A file that did not fit into",
        "one part goes on in the next one as NAME.2.jsonl. A principal key is a digest of directory id and object id.",
        "No secret is in here: credentials stay in Key Vault, and secret-looking values of resources were replaced by",
        "keyed hashes before they were stored.",
        "",
        "## resources/SUBSCRIPTION.jsonl, baselines/VERSION.jsonl",
        "",
        "The resources of a subscription as last read, and as a baseline version has them.",
        "",
        "- `key`: of the resource, a digest of its id",
        "- `resource_id`: as Azure spells it",
        "- `resource_type`: in lower case",
        "- `configuration`: the document, without what is noise",
    ]
    for kind in KINDS:
        lines += ["", f"## {kind.name}.jsonl", "", kind.about, ""]
        lines += [f"- `{kind.key}`: names it"] if kind.key else []
        lines += [f"- `{name}`: {what}" for name, what in kind.fields.items()]
    return "\n".join(lines) + "\n"
