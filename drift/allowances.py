"""What a tenant used beside what it may use, and the platform operator's change of that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import msgspec

from errors import Invalid
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.quotas import Quotas
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant
from tenancy.usage import MOST_DAYS, Day, sum_days

DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Allowance:
    """One quota and what of it is used. `used` is what was last seen of it; None as long as nothing was."""

    name: str
    limit: int | None
    used: int | None

    @property
    def share(self) -> float:
        """Of the limit, 0 without one; more than 1 when it was lowered."""
        return (self.used or 0) / self.limit if self.limit else float(self.limit == 0)


def period(
    since: date | None, until: date | None, *, today: date, days: int = DEFAULT_DAYS
) -> tuple[date, date]:
    """The days that are asked for: the last `days` without a word. Raises Invalid for none or too many."""
    until = until or today
    since = since or until - timedelta(days=days - 1)
    if since > until:
        raise Invalid("The first day is after the last one.", field="from")
    if (until - since).days >= MOST_DAYS:
        raise Invalid(f"At most {MOST_DAYS} days at once.", field="from")
    return since, until


def weigh(quotas: Quotas, days: list[Day], *, today: date) -> list[Allowance]:
    """Each quota beside its use: today's scans, and the resources and bytes of the newest day that knows them."""
    newest = sorted(days, key=lambda day: day.day, reverse=True)
    scans = sum(day.scans for day in days if day.day == today)
    resources = next((day.resources for day in newest if day.resources is not None), None)
    stored = next((day.stored_bytes for day in newest if day.stored_bytes is not None), None)
    return [
        Allowance("resources", quotas.resources, resources),
        Allowance("scansADay", quotas.scans_a_day, scans),
        Allowance("storedBytes", quotas.stored_bytes, stored),
    ]


def total(days: list[Day], *, last: date) -> Day:
    return sum_days(days, last)


async def set_quotas(context: TenantContext, quotas: Quotas, *, etag: str, now: datetime) -> Tenant:
    """Raises Stale when the tenant's record was changed after `etag` was read."""
    before = context.tenant
    tenant = replace(before, quotas=quotas)
    etag = await context.store.update(Table.TENANT, ROW, tenant.values(), etag=etag)
    said = {"before": before.quotas, "after": quotas}
    detail = msgspec.json.encode(said).decode()
    await audit.record(
        context.store, context.actor, "tenant.quotas", "tenant", now=now, detail=detail
    )
    return replace(tenant, etag=etag)
