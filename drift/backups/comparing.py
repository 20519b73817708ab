"""A backup beside what is there now: which rows a restore writes, which it removes and which it leaves alone.

Both sides come in order of their keys and are read side by side, so that nothing but the row at hand is in memory. The
dry run counts what is found here and the restore writes it: what the one said is what the other does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import msgspec

from drift.backups.holdings import Holding, Way, held_rows
from drift.backups.lines import TableFile, read_lines
from drift.preferences import ROW as SETTINGS
from drift.preferences import Preferences
from errors import NotFound
from tenancy.access import TenantContext
from tenancy.audit import Filter, page_entries
from tenancy.rows import Row, Value, join_binary, split_binary
from tenancy.store import Table
from tenancy.users import KEYS_END

REMOVED = "user.remove"
_SUBSCRIPTION = "s."  # drift/subscriptions.py


class Effect(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    KEPT = "kept"  # it differs, and stays as it is now
    RENEWED = "renewed"  # it is the same, and written anew


@dataclass(frozen=True, slots=True)
class Difference:
    effect: Effect
    key: str
    values: Mapping[str, Value] | None = None  # what is to be written
    then: Row | None = None


class Comparison:
    """Of one backup with the tenant. `taken_out` are the keys of users whom somebody removed since.

    With `renew`, packs that are there already are written all the same: whoever removes what nothing pointed at before
    the restore looks at their ETag last of all, and lets them be.
    """

    def __init__(
        self, context: TenantContext, taken_out: frozenset[str], *, renew: bool = False
    ) -> None:
        self._context = context
        self._taken_out = taken_out
        self._renew = renew

    async def of(self, holding: Holding, file: TableFile) -> AsyncIterator[Difference]:
        async for key, then, now in _side_by_side(
            read_lines(self._context.blobs, file), held_rows(self._context.store, holding)
        ):
            difference = await self._compare(holding, key, then, now)
            if difference is not None:
                yield difference

    async def _compare(
        self, holding: Holding, key: str, then: Row | None, now: Row | None
    ) -> Difference | None:
        if then is None:
            gone = holding.way is Way.REPLACE and not holding.keeps(key)
            return Difference(Effect.REMOVED, key) if gone else None
        if now is None:
            back = await self._comes_back(holding.table, then)
            return Difference(Effect.ADDED if back else Effect.KEPT, key, then.values, then)
        wanted = _fit(holding.table, then, now)
        if wanted == now.values:
            renewed = self._renew and holding.way is Way.ADD
            return Difference(Effect.RENEWED, key, wanted, then) if renewed else None
        if holding.keeps(key):
            return Difference(Effect.KEPT, key)
        return Difference(Effect.CHANGED, key, wanted, then)

    async def _comes_back(self, table: Table, then: Row) -> bool:
        """Whoever was taken out since stays out, and a connection is of no use without its secret."""
        if table is Table.USER:
            return then.key not in self._taken_out
        name = then.values.get("secret_name", "") if table is Table.CONNECTION else ""
        if not name:
            return True
        try:
            await self._context.vault.read(name)
        except NotFound:
            return False
        return True


def _fit(table: Table, then: Row, now: Row) -> Mapping[str, Value]:
    """A row of then as it may be today: numbers of baseline versions are given once, and one person alone does not
    switch four-eyes approval off."""
    if table is Table.SUBSCRIPTION and then.key.startswith(_SUBSCRIPTION):
        newest = max(then.values["baseline_version"], now.values["baseline_version"])
        # What is another tenant's stays so; a refresh of the subscriptions asks for it again.
        taken = now.values.get("taken", False) and then.values["monitored"]
        held = {"monitored": False, "taken": True} if taken else {}
        return {**then.values, "baseline_version": newest, **held}
    if table is Table.SETTINGS and then.key == SETTINGS:
        before, after = _read_settings(now), _read_settings(then)
        if before.four_eyes and not after.four_eyes:
            return split_binary(msgspec.json.encode(replace(after, four_eyes=True)))
    return then.values


def _read_settings(row: Row) -> Preferences:
    return msgspec.json.decode(join_binary(row.values), type=Preferences)


async def _side_by_side(
    then: AsyncIterator[Row], now: AsyncIterator[Row]
) -> AsyncIterator[tuple[str, Row | None, Row | None]]:
    one, other = await anext(then, None), await anext(now, None)
    while one is not None or other is not None:
        key = min(row.key for row in (one, other) if row is not None)
        old = one if one is not None and one.key == key else None
        new = other if other is not None and other.key == key else None
        yield key, old, new
        if old is not None:
            one = await anext(then, None)
        if new is not None:
            other = await anext(now, None)


async def users_taken_out(context: TenantContext, since: datetime) -> frozenset[str]:
    """Keys of the users whom somebody removed since, by the audit trail. Who was let in again is a user now."""
    found: set[str] = set()
    cursor = ""
    while True:
        wanted = Filter(action=REMOVED, since=since)
        entries, cursor = await page_entries(context.store, wanted, after=cursor, limit=200)
        found |= {entry.target for entry in entries}
        if not cursor:
            return frozenset(found)


def is_user(key: str) -> bool:
    return key < KEYS_END
