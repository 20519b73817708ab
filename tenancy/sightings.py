"""When somebody was last in a tenant, and by which way: at most one row a day for each, for the access review."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from errors import DriftError
from tenancy.audit import Actor
from tenancy.ids import TenantId
from tenancy.roles import Role
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore

logger = logging.getLogger(__name__)

PREFIX = "seen."
LARGEST_MEMORY = 20_000  # entries; a process that meets more writes some rows twice


class Way(StrEnum):
    """How somebody came to a role."""

    USER = "user"  # a row of the tenant's own
    APP_ROLE = "appRole"  # an app role of the tenant's own directory
    PLATFORM = "platform"  # the deployment's operator


@dataclass(frozen=True, slots=True)
class Sighting:
    key: str  # of the principal
    name: str
    role: Role
    way: Way
    at: datetime


class Sightings:
    """What this process has written today."""

    def __init__(self) -> None:
        self._known: dict[tuple[TenantId, str, Way, Role], date] = {}

    async def record(
        self, store: TenantStore, actor: Actor, role: Role, way: Way, *, now: datetime
    ) -> None:
        """Notes a visit. It is of no use to the visitor, so one that cannot be written is logged and forgotten."""
        known = (store.tenant_id, actor.key, way, role)
        if self._known.get(known) == now.date():
            return
        if len(self._known) >= LARGEST_MEMORY:
            self._known.clear()
        self._known[known] = now.date()
        values: dict[str, Value] = {
            "name": actor.name,
            "role": role.value,
            "way": way.value,
            "at": now,
        }
        try:
            await store.put(Table.USER, PREFIX + actor.key, values)
        except DriftError:
            logger.warning("a visit could not be noted", extra={"tenant_id": store.tenant_id})


async def page_sightings(
    store: TenantStore, *, after: str, limit: int
) -> tuple[list[Sighting], str]:
    """Everybody who came in, in order of the principals' keys."""
    rows, cursor = await store.page(Table.USER, prefix=PREFIX, after=PREFIX + after, limit=limit)
    return [_read(row) for row in rows], cursor.removeprefix(PREFIX)


async def find_sighting(store: TenantStore, key: str) -> Sighting | None:
    """The last visit of a principal that is known."""
    row = await store.find(Table.USER, PREFIX + key)
    return _read(row) if row else None


def _read(row: Row) -> Sighting:
    key, values = row.key.removeprefix(PREFIX), row.values
    return Sighting(key, values["name"], Role(values["role"]), Way(values["way"]), values["at"])
