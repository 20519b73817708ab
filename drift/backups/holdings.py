"""What of a tenant is in a backup, in which order it is copied, and what a restore does with it.

Rows that point come first and the packs that they point at last: what is collected as garbage meanwhile is then missed
(census.py) instead of being missing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

from drift.preferences import CHANGE
from tenancy.invitations import PREFIX as INVITATION
from tenancy.rates import PREFIX as RATE
from tenancy.rows import Row
from tenancy.store import Table, TenantStore


class Way(StrEnum):
    """What a restore does with the rows of a table."""

    REPLACE = "replace"  # they are as they were then; rows of later are gone
    KEEP = "keep"  # what is there now stays as it is; what is missing comes back
    ADD = "add"  # what is missing or damaged comes back; what nothing points at is collected later


@dataclass(frozen=True, slots=True)
class Holding:
    table: Table
    way: Way
    page: int  # rows read at once: a row of packs is up to 740 KiB, one of findings rarely over 10
    left_out: tuple[str, ...] = ()  # beginnings of the keys that are neither copied nor touched
    append_only: tuple[
        str, ...
    ] = ()  # in a table that is replaced: rows that are a record, as with KEEP

    def has(self, key: str) -> bool:
        return not key.startswith(self.left_out) if self.left_out else True

    def keeps(self, key: str) -> bool:
        """Whether a restore leaves the row of this key alone where there is one."""
        return self.way is Way.KEEP or bool(self.append_only and key.startswith(self.append_only))


HOLDINGS = (
    # An invitation is a code that works once. One that was used or withdrawn since must not work again.
    Holding(Table.USER, Way.KEEP, 200, left_out=(INVITATION,)),
    Holding(Table.CONNECTION, Way.KEEP, 200),
    # Leases and Azure's pace are of the moment, and a lease's fence must only grow.
    Holding(Table.SUBSCRIPTION, Way.REPLACE, 200, left_out=("lease.", "pace.")),
    Holding(Table.SETTINGS, Way.REPLACE, 50, append_only=(CHANGE,)),
    Holding(Table.RULE, Way.REPLACE, 200),
    Holding(Table.BASELINE, Way.REPLACE, 200),
    Holding(Table.CONFIGURATION, Way.REPLACE, 200),
    Holding(Table.CONFIGURATION_HISTORY, Way.REPLACE, 100),
    Holding(Table.SCAN, Way.REPLACE, 100),
    Holding(Table.FINDING, Way.REPLACE, 100),
    Holding(Table.NOTICE, Way.KEEP, 100),
    Holding(Table.AUDIT, Way.KEEP, 200),
    Holding(Table.USAGE, Way.KEEP, 200, left_out=(RATE,)),
    Holding(Table.PACK, Way.ADD, 4),
)
NOT_HELD = {
    Table.CHANNEL: "who was taken off the list must not hear of the tenant again, and its address is a secret anyhow",
    Table.DELIVERY: "what waited to be sent then must not be sent now",
    Table.TENANT: "whether a tenant is open is the platform's; its schedule follows from the settings",
    Table.BACKUP: "the list of backups is not rolled back by one of them",
}


async def held_rows(store: TenantStore, holding: Holding) -> AsyncIterator[Row]:
    """The rows of a table that are in a backup, in order of their keys, a few in memory at once."""
    cursor = ""
    while True:
        rows, cursor = await store.page(holding.table, after=cursor, limit=holding.page)
        for row in rows:
            if holding.has(row.key):
                yield row
        if not cursor:
            return
