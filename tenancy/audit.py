"""The audit trail of a tenant: who did what, newest first, append-only. Never holds a secret."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from tenancy.rowkeys import newest_first
from tenancy.store import Table, TenantStore


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a principal, or the system itself."""

    key: str
    name: str


SYSTEM = Actor("system", "Azure Drift Detector")


async def record(
    store: TenantStore, actor: Actor, action: str, target: str, *, now: datetime, detail: str = ""
) -> None:
    """Appends one row, e.g. action `baseline.activate`, target a baseline id, detail JSON of before and after."""
    key = f"{newest_first(now)}.{secrets.token_hex(4)}"
    await store.insert(
        Table.AUDIT,
        key,
        {
            "at": now,
            "actor": actor.key,
            "actor_name": actor.name,
            "action": action,
            "target": target,
            "detail": detail[:8000],
        },
    )


async def record_entry(store: TenantStore, actor: Actor, *, now: datetime) -> None:
    """A platform operator entered the tenant. One row an hour: the key repeats within it."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    await store.put(
        Table.AUDIT,
        f"{newest_first(hour)}.entry.{actor.key}",
        {
            "at": now,
            "actor": actor.key,
            "actor_name": actor.name,
            "action": "platform.enter",
            "target": "tenant",
        },
    )
