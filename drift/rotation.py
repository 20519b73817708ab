"""What becomes of secrets that nobody needs: replaced ones, those of deleted tenants, and what a crash left behind.

Only what is surely ours to remove is removed: a secret with a purpose known here, of a tenant whose record was read,
and to which none of its rows points. The vault may be shared with another deployment, whose tenants are unknown here.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from drift.channels.edits import PURPOSE as CHANNEL
from drift.channels.rows import read_desk
from drift.connection import WARNED_BEFORE, find_connection, warn_of_expiry
from drift.notices import announce
from errors import DriftError
from tenancy.access import TenantContext, tend
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.rowkeys import newest_first
from tenancy.tenants import Tenant, TenantStatus
from tenancy.vault import KeptSecret

logger = logging.getLogger(__name__)

GRACE = timedelta(hours=1)  # twice the longest scan, which may hold what was replaced
KEPT_DISABLED = timedelta(days=7)  # time to notice a mistake; soft delete adds the vault's own
ORPHANED = timedelta(days=1)  # a secret is written before the row that points at it
CONNECTION, FINGERPRINT = "connection", "fingerprint"


async def tidy_secrets(deployment: Deployment, *, now: datetime) -> int:
    """Looks through the vault and returns how many secrets were disabled or deleted. Repeating it is harmless.

    A tenant whose rows cannot be read keeps everything.
    """
    by_tenant: dict[TenantId, list[KeptSecret]] = {}
    for secret in await deployment.vault.kept():
        by_tenant.setdefault(secret.tenant_id, []).append(secret)
    touched = 0
    async for tenant in deployment.registry.tenants():
        for secret in await _unused(deployment, tenant, by_tenant.get(tenant.tenant_id, [])):
            touched += await _tidy(deployment, tenant, secret, now=now)
    return touched


async def _unused(
    deployment: Deployment, tenant: Tenant, secrets: list[KeptSecret]
) -> list[KeptSecret]:
    if not secrets:
        return []
    try:
        context = tend(deployment, tenant)
        connection = await find_connection(context)
        channels = (await read_desk(context.store)).channels
    except DriftError as error:
        extra = {"tenant_id": tenant.tenant_id, "reason": error.message}
        logger.error("secrets not tidied", extra=extra)  # noqa: TRY400 - the reason says it all
        return []
    # A deleted tenant reads no Azure any more and tells nobody. Its fingerprint key goes with its rows.
    alive = tenant.status is not TenantStatus.DELETED
    needed = {
        CONNECTION: {connection.secret_name} if connection and alive else set(),
        CHANNEL: {channel.secret_name for channel in channels} if alive else set(),
        FINGERPRINT: {tenant.fingerprint_secret},
    }
    return [one for one in secrets if one.name not in needed.get(one.purpose, {one.name})]


async def _tidy(
    deployment: Deployment, tenant: Tenant, secret: KeptSecret, *, now: datetime
) -> bool:
    retired, vault = secret.retired_at, deployment.vault
    if not secret.enabled:
        if now - (retired or secret.updated_at) < KEPT_DISABLED:
            return False
        await vault.erase_disabled(secret)
    elif retired is not None:
        if now - retired < GRACE:
            return False
        await vault.disable(tenant.tenant_id, secret.name)
    else:
        if now - secret.updated_at < ORPHANED and tenant.status is not TenantStatus.DELETED:
            return False
        await vault.erase(tenant.tenant_id, secret.name)
    extra = {"tenant_id": tenant.tenant_id, "purpose": secret.purpose}
    logger.info("unused secret disabled or deleted", extra=extra)
    return True


async def warn_before_expiry(context: TenantContext, *, now: datetime) -> bool:
    """Tells the tenant once that the secret of its connection ends soon. Whether there was anything to tell."""
    connection = await find_connection(context)
    text = warn_of_expiry(connection, now=now) if connection else ""
    if not connection or not text or connection.secret_expires_at is None:
        return False
    # The moment from which it was to be said, so that the notice stands where people look for it.
    since = max(connection.updated_at, connection.secret_expires_at - WARNED_BEFORE)
    key = f"{newest_first(since)}-secret-{connection.generation}"
    await announce(context, key, text, now=now)
    return True
