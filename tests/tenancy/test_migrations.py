"""Rows of an earlier form are read as today's, those of a newer one are refused, and no step changes once it was
deployed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from azure.data.tables.aio import TableServiceClient

from errors import Unavailable
from settings import Settings
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.migrations import STEPS, bring_forward, reads_alike, version_of
from tenancy.rows import BINARY_PROPERTY, Row, join_binary, split_binary
from tenancy.store import Table
from tenancy.tenants import TenantStatus
from tests.tenancy.rows import plant_fixture


@pytest.fixture
async def old(settings: Settings) -> AsyncIterator[str]:
    """A tenant whose rows are of form 1."""
    async with TableServiceClient.from_connection_string(
        settings.storage_connection_string
    ) as tables:
        yield await plant_fixture(tables)


def test_every_step_belongs_to_a_table_and_raises_its_version() -> None:
    assert set(STEPS) <= {table.value for table in Table}
    for table in Table:
        assert version_of(table) == 1 + len(STEPS.get(table, ()))


def change_of(*documents: object) -> dict[str, bytes]:
    return {"at": b"", **split_binary(msgspec.json.encode(documents))}


@pytest.mark.parametrize(
    ("days", "kept"),
    [
        (7, {"scans": 7, "findings": 30, "history": 30, "audit": 365, "notices": 7}),
        (1096, dict.fromkeys(("scans", "findings", "history", "audit", "notices"), 1096)),
    ],
)
def test_one_number_of_days_becomes_days_by_kind(days: int, kept: dict[str, int]) -> None:
    before = {"schedule": "0 5 * * *", "retention_days": days}
    row = Row("settings", split_binary(msgspec.json.encode(before)), "e", 1)
    after = bring_forward("settings", row)
    assert msgspec.json.decode(join_binary(after.values)) == {
        "schedule": "0 5 * * *",
        "retention": kept | {"usage": 400},
    }
    assert (after.etag, after.version) == ("e", 1)  # still as stored, for who writes it back


def test_history_of_settings_is_brought_forward_and_other_rows_are_left() -> None:
    row = Row("change.8.a", change_of(None, {"retention_days": 400}), "", 1)
    before, after = msgspec.json.decode(join_binary(bring_forward("settings", row).values))
    assert before is None
    assert after["retention"]["scans"] == 400
    slot = Row("slot.four-eyes", {"approval_id": "x"}, "", 1)
    assert bring_forward("settings", slot) is slot


def test_document_that_got_shorter_leaves_no_piece_behind_and_other_columns_are_kept() -> None:
    spread = b'{"retention_days":400' + b" " * BINARY_PROPERTY + b"}"
    others = {"at": b"", "day": "monday", "x1": 1}
    row = Row("settings", others | split_binary(spread), "", 1)
    assert row.values.keys() == {*others, "d0", "d1"}
    after = bring_forward("settings", row).values
    assert after.keys() == {*others, "d0"}
    assert {name: after[name] for name in others} == others


def test_row_of_today_is_left_as_it_is() -> None:
    row = Row("settings", {"d0": b"not even JSON"}, "", version_of("settings"))
    assert bring_forward("settings", row) is row


def test_single_columns_are_believed_only_where_they_mean_the_same() -> None:
    assert reads_alike("finding", 1)
    assert not reads_alike("settings", 1)
    assert reads_alike("settings", 2)
    assert reads_alike("audit", 1)


async def test_row_of_a_newer_version_is_refused_and_left(old: str, deployment: Deployment) -> None:
    client = await deployment.tables.client(Table.RULE)
    newer = {"PartitionKey": old, "RowKey": "z-newer", "tenant_id": old, "_schema": 2, "x": 1}
    await client.upsert_entity(newer)
    store = (await serve(deployment, old)).store
    for read in (store.find(Table.RULE, "z-newer"), store.page(Table.RULE, limit=10)):
        with pytest.raises(Unavailable, match="rule was written by a newer version"):
            await read
    assert dict(await client.get_entity(old, "z-newer"))["x"] == 1
    await client.delete_entity(old, "z-newer")


async def test_tenant_row_of_a_newer_version_is_refused(deployment: Deployment) -> None:
    client = await deployment.tables.client(Table.TENANT)
    tenant_id = "ffffffff-ffff-4fff-8fff-ffffffffffff"
    row = {"PartitionKey": tenant_id, "RowKey": "tenant", "tenant_id": tenant_id, "_schema": 9}
    await client.upsert_entity(row | {"status": TenantStatus.SUSPENDED.value})
    with pytest.raises(Unavailable, match="newer version"):
        await deployment.registry.page(after="ffffffff", limit=100)
    await client.delete_entity(tenant_id, "tenant")


async def test_columns_of_an_old_row_are_those_of_today(old: str, deployment: Deployment) -> None:
    store = (await serve(deployment, old)).store
    rows, _ = await store.page(Table.SETTINGS, prefix="settings", limit=10, columns=("d0", "gone"))
    assert rows[0].values.keys() == {"d0", "gone"}
    assert b'"retention":{' in rows[0].values["d0"]
    assert rows[0].values["gone"] is None
    assert rows[0].version == 1


async def test_written_row_has_the_version_of_today(old: str, deployment: Deployment) -> None:
    store = (await serve(deployment, old)).store
    row = await store.get(Table.SETTINGS, "settings")
    await store.update(Table.SETTINGS, row.key, row.values, etag=row.etag)
    client = await deployment.tables.client(Table.SETTINGS)
    assert (await client.get_entity(old, "settings"))["_schema"] == 2
    again = await store.get(Table.SETTINGS, "settings")
    assert (again.values, again.version) == (row.values, 2)
