"""The daily sweep: acceptances whose time is over open again, secrets that end soon are warned of, unused ones go, and
notices that wait too long are reminded of."""

from __future__ import annotations

import logging
from datetime import datetime

from drift.channels.upkeep import tend_channels
from drift.engine import findings as life
from drift.findings import Transition, commit, expired_findings
from drift.notices import publish
from drift.rotation import tidy_secrets, warn_before_expiry
from errors import Conflict, NotFound
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId
from tenancy.rowkeys import newest_first
from tenancy.tenants import TenantStatus

logger = logging.getLogger(__name__)


async def sweep(deployment: Deployment, *, now: datetime) -> int:
    """Sweeps every active tenant and returns how many findings opened again. Repeating it changes nothing more."""
    reopened = 0
    async for tenant in deployment.registry.tenants():
        if tenant.status is not TenantStatus.ACTIVE:
            continue
        try:
            context = await serve(deployment, tenant.tenant_id)
        except (NotFound, Conflict):  # closed since the list was read
            continue
        reopened += await _expire_acceptances(context, now=now)
        await warn_before_expiry(context, now=now)
        await tend_channels(context, now=now)
    await tidy_secrets(deployment, now=now)
    return reopened


async def _expire_acceptances(context: TenantContext, *, now: datetime) -> int:
    reopened = 0
    async for stored in expired_findings(context.store, now=now):
        step = life.expire(stored.finding, now=now)
        if not step.changed or step.finding is None:
            continue
        subscription_id = SubscriptionId(step.finding.subscription_id)
        transition = Transition(step.finding, stored.etag, step.event, stored.finding)
        await commit(context.store, subscription_id, f"{newest_first(now)}-sweep", [transition])
        await publish(context, subscription_id, now=now)
        reopened += 1
    return reopened
