"""Rows of an earlier version are written anew in today's form, a page at a time.

Reading does without (tenancy/migrations.py brings a row forward when it is read); but what no reader can make up is
written here: a finding of before there were summaries has none beside it, and no list shows it until then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from drift.summaries import read_tally
from errors import Conflict, NotFound
from tenancy.migrations import STEPS, version_of
from tenancy.rows import Row
from tenancy.store import Table, TenantStore

TABLES = tuple(Table(name) for name in STEPS)
PAGE = 500  # rows looked at in one step


async def renew_page(store: TenantStore, after: str) -> tuple[int, str]:
    """Looks at the next rows of the tables that have earlier versions. Returns how many were written anew and where to
    go on: '' at the end. Repeating it is harmless; what somebody writes meanwhile is in today's form by that."""
    name, _, cursor = after.partition(":")
    table = Table(name) if name else TABLES[0]
    rows, cursor = await store.page(table, after=cursor, limit=PAGE, columns=("_schema",))
    old = [row for row in rows if row.version < version_of(table)]
    renewed = await _WRITERS.get(table, _write_anew)(store, table, old)
    if cursor:
        return renewed, f"{table}:{cursor}"
    following = TABLES.index(table) + 1
    return renewed, f"{TABLES[following]}:" if following < len(TABLES) else ""


async def _write_anew(store: TenantStore, table: Table, old: Sequence[Row]) -> int:
    renewed = 0
    for row in old:
        whole = await store.find(table, row.key)
        if whole is not None and whole.version < version_of(table):
            with contextlib.suppress(Conflict, NotFound):  # somebody wrote or removed it meanwhile
                await store.update(table, row.key, whole.values, etag=whole.etag)
                renewed += 1
    return renewed


async def _write_findings(store: TenantStore, table: Table, old: Sequence[Row]) -> int:
    """With their summaries, which are made, like the counts, when these are read."""
    subscriptions = {row.key.split(".")[1] for row in old if row.key.startswith("f.")}
    for subscription_id in sorted(subscriptions):
        await read_tally(store, subscription_id)
    return await _write_anew(store, table, old)


Writer = Callable[[TenantStore, Table, Sequence[Row]], Awaitable[int]]
_WRITERS: dict[Table, Writer] = {Table.FINDING: _write_findings}
