"""The audit trail as rows: what one says, in which order they are read, and how much a filter reads for one page."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tenancy.audit import (
    MOST_PAGES,
    Actor,
    Entry,
    Filter,
    page_entries,
    record,
    record_denial,
    record_entry,
)
from tenancy.rowkeys import newest_first
from tenancy.store import Table, TenantStore
from tests.tenancy.people import NOW

ADA, BOB = Actor("ada", "Ada"), Actor("bob", "Bob")
HOUR = timedelta(hours=1)


async def read(
    store: TenantStore, wanted: Filter | None = None, *, after: str = "", limit: int = 100
) -> list[str]:
    entries, cursor = await page_entries(store, wanted or Filter(), after=after, limit=limit)
    assert cursor == ""
    return [entry.target for entry in entries]


async def test_row_says_who_did_what_to_what_and_when(store: TenantStore) -> None:
    await record(store, ADA, "user.add", "bob", now=NOW, detail='{"role":"viewer"}')
    ((entry,), cursor) = await page_entries(store, Filter(), after="", limit=1)
    key, _, random = entry.entry_id.partition(".")
    assert key == newest_first(NOW)
    assert (len(random), set(random) <= set("0123456789abcdef")) == (8, True)
    detail = '{"role":"viewer"}'
    assert entry == Entry(entry.entry_id, NOW, "ada", "Ada", "user.add", "bob", detail)
    assert cursor == entry.entry_id


async def test_detail_is_optional_and_cut_where_a_row_would_not_hold_it(
    store: TenantStore,
) -> None:
    await record(store, ADA, "a", "none", now=NOW)
    await record(store, ADA, "a", "long", now=NOW + HOUR, detail="x" * 8001)
    entries, _ = await page_entries(store, Filter(), after="", limit=10)
    assert [entry.detail for entry in entries] == ["x" * 8000, ""]


async def test_newest_come_first_page_by_page(store: TenantStore) -> None:
    for number in range(5):
        await record(store, ADA, "a", f"{number}", now=NOW + number * HOUR)
    assert await read(store) == ["4", "3", "2", "1", "0"]
    cursor, seen = "", []
    for _ in range(3):
        entries, cursor = await page_entries(store, Filter(), after=cursor, limit=2)
        seen.append([entry.target for entry in entries])
    assert (seen, cursor) == ([["4", "3"], ["2", "1"], ["0"]], "")


@pytest.mark.parametrize(
    ("wanted", "targets"),
    [
        (Filter(), ["role", "add", "scan"]),
        (Filter(actor="ada"), ["add", "scan"]),
        (Filter(actor="ad"), []),
        (Filter(action="user"), ["role", "add"]),
        (Filter(action="user.add"), ["add"]),
        (Filter(action="use"), []),
        (Filter(action="user.add.x"), []),
        (Filter(target="scan"), ["scan"]),
        (Filter(target="sca"), []),
        (Filter(actor="bob", action="user", target="role"), ["role"]),
        (Filter(actor="ada", action="user", target="role"), []),
        (Filter(since=NOW + HOUR), ["role", "add"]),
        (Filter(since=NOW + HOUR + timedelta(microseconds=1)), ["role"]),
        (Filter(until=NOW + HOUR), ["add", "scan"]),
        (Filter(until=NOW + HOUR - timedelta(microseconds=1)), ["scan"]),
        (Filter(since=NOW + HOUR, until=NOW + HOUR), ["add"]),
        (Filter(until=NOW - 5 * HOUR), []),
        (Filter(since=NOW + 9 * HOUR), []),
    ],
)
async def test_filter(store: TenantStore, wanted: Filter, targets: list[str]) -> None:
    await record(store, ADA, "scan.start", "scan", now=NOW)
    await record(store, ADA, "user.add", "add", now=NOW + HOUR)
    await record(store, BOB, "user.role", "role", now=NOW + 2 * HOUR)
    assert await read(store, wanted) == targets


async def test_time_is_that_of_the_entry_though_its_key_is_of_the_hour(
    store: TenantStore,
) -> None:
    late = NOW + timedelta(minutes=59)
    await record_entry(store, ADA, now=late)
    ((entry,), _) = await page_entries(store, Filter(), after="", limit=10)
    key = f"{newest_first(NOW)}.entry.ada"
    assert entry == Entry(key, late, "ada", "Ada", "platform.enter", "tenant", "")
    assert await read(store, Filter(since=late)) == ["tenant"]
    assert await read(store, Filter(until=late)) == ["tenant"]
    assert await read(store, Filter(until=late - timedelta(minutes=1))) == []
    assert await read(store, Filter(since=late + timedelta(minutes=1))) == []


async def test_times_spare_reading_what_lies_outside(store: TenantStore) -> None:
    """An hour of slack and no more: the rest of a long trail is neither read nor gone through page by page."""
    for number in range(2 * MOST_PAGES):
        await record(store, ADA, "a", f"{number}", now=NOW + 2 * number * HOUR)
    old, _ = await page_entries(store, Filter(until=NOW), after="", limit=1)
    assert [entry.target for entry in old] == ["0"]
    new = Filter(since=NOW + 4 * (MOST_PAGES - 1) * HOUR)
    entries, cursor = await page_entries(store, new, after="", limit=2)
    assert [entry.target for entry in entries] == [f"{2 * MOST_PAGES - 1}", f"{2 * MOST_PAGES - 2}"]
    entries, cursor = await page_entries(store, new, after=cursor, limit=2)
    assert (entries, cursor) == ([], "")


async def test_page_goes_on_behind_its_cursor_also_where_a_time_ends_it(
    store: TenantStore,
) -> None:
    for number in range(4):
        await record(store, ADA, "a", f"{number}", now=NOW + number * HOUR)
    wanted = Filter(until=NOW + 2 * HOUR)
    entries, cursor = await page_entries(store, wanted, after="", limit=1)
    assert [entry.target for entry in entries] == ["2"]
    assert await read(store, wanted, after=cursor) == ["1", "0"]


async def test_filter_that_meets_little_gives_short_pages(store: TenantStore) -> None:
    """Of one request no more than MOST_PAGES of storage are read; the cursor leads on."""
    await record(store, BOB, "a", "hit", now=NOW)
    for number in range(1, 2 * MOST_PAGES + 1):
        await record(store, ADA, "a", f"{number}", now=NOW + number * HOUR)
    wanted, cursors, cursor = Filter(actor="bob"), [], ""
    found: list[Entry] = []
    while not found:
        found, cursor = await page_entries(store, wanted, after=cursor, limit=1)
        cursors.append(cursor)
    rows = [row.key async for row in store.rows(Table.AUDIT)]
    assert cursors == [rows[MOST_PAGES - 1], rows[2 * MOST_PAGES - 1], rows[-1]]
    assert [entry.target for entry in found] == ["hit"]


MOMENTS = [
    NOW,
    NOW + timedelta(microseconds=7),
    NOW.replace(minute=59, second=59, microsecond=999_999),
]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_entry_of_the_platform_is_one_row_an_hour(
    store: TenantStore, moment: datetime
) -> None:
    await record_entry(store, ADA, now=NOW + timedelta(minutes=30))
    await record_entry(store, ADA, now=moment)
    await record_entry(store, BOB, now=moment)
    rows = {row.key: row.values async for row in store.rows(Table.AUDIT)}
    members = {"at": moment, "action": "platform.enter", "target": "tenant"}
    assert rows == {
        f"{newest_first(NOW)}.entry.ada": {"actor": "ada", "actor_name": "Ada", **members},
        f"{newest_first(NOW)}.entry.bob": {"actor": "bob", "actor_name": "Bob", **members},
    }
    await record_entry(store, ADA, now=NOW + HOUR)
    assert len([row async for row in store.rows(Table.AUDIT)]) == 3


@pytest.mark.parametrize("moment", MOMENTS)
async def test_denial_is_one_row_an_hour_and_target(store: TenantStore, moment: datetime) -> None:
    await record_denial(store, ADA, "there", now=NOW + timedelta(minutes=30))
    for target in ("there", "elsewhere"):
        await record_denial(store, ADA, target, now=moment)
    rows = {row.key: row.values async for row in store.rows(Table.AUDIT)}
    members = {"at": moment, "actor": "ada", "actor_name": "Ada", "action": "access.denied"}
    assert rows == {
        f"{newest_first(NOW)}.denied.ada.there": {"target": "there", **members},
        f"{newest_first(NOW)}.denied.ada.elsewhere": {"target": "elsewhere", **members},
    }
