"""A deleted tenant is erased: everything of it goes, it is looked for a second time, and a signed certificate stays.

A tenant is closed the moment it is deleted: nobody gets in, no message of it is served. After GRACE (or at once, when
somebody said so twice) its erasure is due. It goes in three steps, each written down before the next, so that one that
died is gone on with and nothing is counted twice:
  waiting -> erasing   everything that there is, is counted
  erasing -> proving   everything is removed: index rows, secrets, files, rows; the tenant's own row last
  proving -> done      not before QUIET after the closing, when no function of before can be at work any more, all is
                       looked for again; what came late is removed as well, and only a look that finds nothing ends it
The daily sweep sends the message of every erasure that is due and has not ended, whatever became of the one before.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from errors import Conflict, DriftError, Invalid, NotFound, Stale
from tenancy.access import TenantContext, bury
from tenancy.deployment import OWN, Deployment
from tenancy.erasures import Erasure, ErasureState
from tenancy.ids import TenantId
from tenancy.queues import Queue
from tenancy.store import PAGE_LIMIT, Table
from tenancy.tenants import Tenant

logger = logging.getLogger(__name__)

GRACE = timedelta(
    days=7
)  # time to notice a mistake; a backup elsewhere is the only way back after it
QUIET = timedelta(
    hours=1
)  # twice what a function may take: who wrote for the tenant when it was closed has ended
BUDGET = timedelta(minutes=15)  # of one message; what is left is done by the next
BROKEN = "The erasure could not be carried out in five tries. The daily sweep tries again; the log says why."
STATEMENT = (
    "Everything that this deployment had stored of the tenant was removed, and a second look at verifiedAt found "
    "nothing. What a storage account or vault keeps of deleted things by its own settings (soft delete) is beyond it."
)
_ROWS = [table for table in Table if table is not Table.TENANT] + [Table.TENANT]
_NOBODY = "system"


def confirm(tenant: Tenant, typed: str) -> None:
    """Raises Invalid unless somebody typed the tenant's name: an erasure at once cannot be taken back."""
    if typed != tenant.name:
        raise Invalid("Type the tenant's name to erase it at once.", field="confirm")


async def ask(context: TenantContext, *, at_once: bool, now: datetime) -> None:
    """Writes down that the tenant, which was closed just now, is to be erased. Asked twice it is the first time."""
    deployment, tenant_id = context.deployment, context.tenant.tenant_id
    due = now if at_once else now + GRACE
    erasure = Erasure(tenant_id, ErasureState.WAITING, context.actor.key, now, due)
    try:
        await deployment.erasures.add(erasure)
    except Conflict:
        return
    if at_once:
        await send(deployment, tenant_id)


async def adopt(deployment: Deployment, tenant: Tenant, *, now: datetime) -> None:
    """A deleted tenant that nobody wrote an erasure down for (a run died, or an earlier version deleted it)."""
    if await deployment.erasures.find(tenant.tenant_id) is None:
        erasure = Erasure(tenant.tenant_id, ErasureState.WAITING, _NOBODY, now, now + GRACE)
        await deployment.erasures.add(erasure)


async def hasten(
    deployment: Deployment, tenant_id: TenantId, who: str, typed: str, *, now: datetime
) -> None:
    """Does not wait for the end of GRACE. Raises NotFound when no erasure was asked for."""
    erasure = await get_erasure(deployment, tenant_id)
    if erasure.state is not ErasureState.WAITING:
        return
    context = await bury(deployment, tenant_id)
    confirm(context.tenant, typed)
    await deployment.erasures.save(replace(erasure, due_at=now, hastened_by=who))
    await send(deployment, tenant_id)


async def get_erasure(deployment: Deployment, tenant_id: TenantId) -> Erasure:
    erasure = await deployment.erasures.find(tenant_id)
    if erasure is None:
        raise NotFound("No erasure of this tenant was asked for.")
    return erasure


async def send(deployment: Deployment, tenant_id: TenantId, *, delay: int = 0) -> None:
    body: dict[str, str | int] = {"version": 1, "tenant_id": tenant_id}
    await deployment.queues.send(Queue.ERASE_TENANT, body, delay=delay)


async def send_due(deployment: Deployment, *, now: datetime) -> int:
    """Sends a message for every erasure that is due and has not ended, and returns how many."""
    sent, after, more = 0, "", True
    while more:
        page, after = await deployment.erasures.page(after=after, limit=1000)
        for erasure in page:
            if erasure.state is not ErasureState.DONE and erasure.due_at <= now:
                await send(deployment, erasure.tenant_id)
                sent += 1
        more = bool(after)
    return sent


async def erase(
    deployment: Deployment, tenant_id: TenantId, *, clock: Callable[[], datetime]
) -> None:
    """Goes on with the erasure of a tenant as far as it can. A message for one that is not due, or has ended, or that
    nobody asked for, does nothing."""
    erasure = await deployment.erasures.find(tenant_id)
    if erasure is None or erasure.state is ErasureState.DONE or clock() < erasure.due_at:
        return
    try:
        await _go_on(await bury(deployment, tenant_id), erasure, clock)
    except Stale:
        raise
    except DriftError as error:
        await note(deployment, tenant_id, error.message)
        raise


async def give_up(deployment: Deployment, tenant_id: TenantId) -> None:
    """The message was tried five times. The record keeps the reason that the last try met, if that one knew it."""
    logger.error("erasure failed", extra={"tenant_id": tenant_id})
    erasure = await deployment.erasures.find(tenant_id)
    if erasure is not None and not erasure.reason:
        await note(deployment, tenant_id, BROKEN)


async def note(deployment: Deployment, tenant_id: TenantId, reason: str) -> None:
    """Writes down why an erasure did not come to its end, for the platform operator."""
    erasure = await deployment.erasures.find(tenant_id)
    if erasure is not None and erasure.state is not ErasureState.DONE:
        await deployment.erasures.save(replace(erasure, reason=reason))


async def _go_on(context: TenantContext, erasure: Erasure, clock: Callable[[], datetime]) -> None:
    erasures = context.deployment.erasures
    until = clock() + BUDGET
    if erasure.state is ErasureState.WAITING:
        found = await _count(context)
        erasing = replace(erasure, state=ErasureState.ERASING, begun_at=clock(), removed=found)
        erasure = await erasures.save(erasing)
    if erasure.state is ErasureState.ERASING:
        if not await _remove(context, lambda: clock() < until):
            await send(context.deployment, erasure.tenant_id)
            return
        proving = replace(erasure, state=ErasureState.PROVING, emptied_at=clock(), reason="")
        erasure = await erasures.save(proving)
    quiet_at = erasure.asked_at + QUIET
    if clock() < quiet_at:
        delay = int((quiet_at - clock()).total_seconds()) + 1
        await send(context.deployment, erasure.tenant_id, delay=delay)
        return
    left = await _count(context)
    if any(left.values()):
        total = dict(Counter(erasure.removed) + Counter(left))
        await erasures.save(replace(erasure, state=ErasureState.ERASING, removed=total))
        await send(context.deployment, erasure.tenant_id)
        return
    await _certify(context, erasure, clock())


async def _count(context: TenantContext) -> dict[str, int]:
    """What there is of the tenant, by place. A secret in soft delete is not there: nobody can read it."""
    deployment, tenant_id = context.deployment, context.tenant.tenant_id
    found = {}
    for table in _ROWS:
        rows = context.store.rows(table, columns=("_schema",))
        found[f"rows.{table}"] = len([row.key async for row in rows])
    found["index"] = await deployment.erasures.count_index(tenant_id)
    found["secrets"] = (await deployment.vault.remains(tenant_id)).alive
    found["files"] = len(await context.blobs.list(""))
    return {place: number for place, number in found.items() if number}


async def _remove(context: TenantContext, in_time: Callable[[], bool]) -> bool:
    """Removes all of it, the tenant's own row last. False when the time was over before the end."""
    deployment, tenant_id = context.deployment, context.tenant.tenant_id
    deployment.credentials.forget(tenant_id)
    await deployment.erasures.erase_index(tenant_id)
    await deployment.vault.erase_all(tenant_id)
    await context.blobs.erase()
    for table in _ROWS:
        while rows := (await context.store.page(table, limit=PAGE_LIMIT, columns=("_schema",)))[0]:
            if not in_time():
                return False
            await context.store.delete_all(table, rows)
    return True


async def _certify(context: TenantContext, erasure: Erasure, now: datetime) -> None:
    deployment = context.deployment
    key_name, key = await _signing_key(deployment)
    kept_until = (await deployment.vault.remains(erasure.tenant_id)).until
    text = msgspec.json.encode(
        {
            "version": 1,
            "tenantId": erasure.tenant_id,
            "askedBy": erasure.asked_by,
            "hastenedBy": erasure.hastened_by,
            "closedAt": erasure.asked_at,
            "begunAt": erasure.begun_at,
            "emptiedAt": erasure.emptied_at,
            "verifiedAt": now,
            "removed": dict(sorted(erasure.removed.items())),
            "left": 0,
            "secretsInSoftDeleteUntil": kept_until,
            "statement": STATEMENT,
            "key": key_name,
        }
    ).decode()
    done = replace(
        erasure,
        state=ErasureState.DONE,
        secrets_until=kept_until,
        reason="",
        certificate=text,
        signature=_sign(text, key),
    )
    await deployment.erasures.save(done)
    logger.info("tenant erased", extra={"tenant_id": erasure.tenant_id})


async def is_genuine(deployment: Deployment, erasure: Erasure) -> bool:
    """Whether the certificate is the one that was signed. False also when the vault has its key no more."""
    if not erasure.certificate:
        return False
    name = msgspec.json.decode(erasure.certificate).get("key", "")
    try:
        key = await deployment.vault.of(OWN).read(name)
    except NotFound:
        return False
    return hmac.compare_digest(_sign(erasure.certificate, key), erasure.signature)


def _sign(text: str, key: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


async def _signing_key(deployment: Deployment) -> tuple[str, str]:
    """Name and value of the key of certificates. It is made at its first use and never replaced while it is there."""
    vault = deployment.vault.of(OWN)
    name = await deployment.erasures.key_name()
    if name:
        try:
            return name, await vault.read(name)
        except NotFound:
            logger.error("key of certificates lost")  # noqa: TRY400 - a new one is made
    value = secrets.token_hex(32)
    name = await vault.keep("certificate", value)
    await deployment.erasures.set_key_name(name)
    return name, value
