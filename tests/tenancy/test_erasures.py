"""The records of erasures, and the removal of what names a tenant outside its partition."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableEntity

from errors import Conflict, Stale
from tenancy.claims import Claims
from tenancy.erasures import Erasure, Erasures, ErasureState
from tenancy.ids import DirectoryId, SubscriptionId, TenantId
from tenancy.store import Tables
from tenancy.tenants import PLATFORM, Registry
from tests.tenancy.people import NOW, someone


@pytest.fixture
def erasures(tables: Tables) -> Erasures:
    return Erasures(tables)


class Answers:
    """The tables' client, that has so many rows, refuses to delete them, and remembers what it was asked."""

    def __init__(self, keys: tuple[str, ...] = (), deletion: int = 0) -> None:
        self.asked: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self._keys = keys
        self._deletion = deletion

    async def client(self, _: str) -> Answers:
        return self

    async def query_entities(self, query: str, **options: Any) -> AsyncIterator[TableEntity]:
        self.asked.append({"query": query, **options})
        for key in self._keys:
            row = TableEntity({"PartitionKey": "p", "RowKey": key})
            row._metadata = {"etag": f"W/{key}"}
            yield row

    async def delete_entity(self, partition: str, key: str, **options: Any) -> None:
        assert (partition, options["etag"]) == ("p", f"W/{key}")
        assert options["match_condition"] is MatchConditions.IfNotModified
        self.deleted.append(key)
        response: Any = SimpleNamespace(
            status_code=self._deletion, reason="No", headers={}, text=lambda: ""
        )
        raise HttpResponseError("no", response=response)


def new(tenant_id: str = "") -> Erasure:
    tenant = TenantId(tenant_id or str(uuid.uuid4()))
    return Erasure(tenant, ErasureState.WAITING, "who", NOW, NOW + timedelta(days=7))


async def test_record_comes_back_as_it_was_written(erasures: Erasures) -> None:
    erasure = replace(
        new(),
        state=ErasureState.DONE,
        hastened_by="other",
        begun_at=NOW,
        emptied_at=NOW,
        removed={"rows.audit": 3},
        secrets_until=NOW,
        reason="why",
        certificate="{}",
        signature="ab",
    )
    assert await erasures.find(erasure.tenant_id) is None
    await erasures.add(erasure)
    found = await erasures.find(erasure.tenant_id)
    assert found is not None
    assert found.etag
    assert replace(found, etag="") == erasure


async def test_tenant_has_one_record(erasures: Erasures) -> None:
    erasure = new()
    await erasures.add(erasure)
    with pytest.raises(Conflict) as refused:
        await erasures.add(replace(erasure, asked_by="another"))
    assert refused.value.message == "The erasure of this tenant was asked for already."
    found = await erasures.find(erasure.tenant_id)
    assert found is not None
    assert found.asked_by == "who"


async def test_record_is_saved_by_who_read_the_newest(erasures: Erasures) -> None:
    erasure = new()
    await erasures.add(erasure)
    first = await erasures.find(erasure.tenant_id)
    assert first is not None
    second = await erasures.save(replace(first, state=ErasureState.ERASING))
    assert (second.state, second.etag != first.etag) == (ErasureState.ERASING, True)
    with pytest.raises(Stale) as stale:
        await erasures.save(replace(first, state=ErasureState.DONE))
    assert stale.value.message == "This erasure is being carried out by somebody else as well."
    with pytest.raises(Stale):
        await erasures.save(replace(new(), etag=first.etag))
    third = await erasures.save(replace(second, state=ErasureState.PROVING))
    assert third.state is ErasureState.PROVING
    assert await erasures.find(erasure.tenant_id) == third


async def test_records_come_in_pages(erasures: Erasures) -> None:
    before, _ = await erasures.page(after="", limit=1000)
    made = [new(f"{number}{str(uuid.uuid4())[1:]}") for number in (3, 1, 2)]
    for erasure in made:
        await erasures.add(erasure)
    every = sorted([one.tenant_id for one in (*before, *made)])
    seen, after = [], ""
    while True:
        page, after = await erasures.page(after=after, limit=2)
        assert len(page) <= 2
        seen += [one.tenant_id for one in page]
        if not after:
            break
    assert seen == every
    page, after = await erasures.page(after="", limit=len(every))
    assert (len(page), after) == (len(every), "")


@pytest.mark.parametrize(("limit", "asked_for"), [(1, 2), (999, 1000), (1000, 1000), (5000, 1000)])
async def test_page_asks_for_one_row_more_and_never_for_more_than_storage_gives(
    limit: int, asked_for: int
) -> None:
    """Storage refuses to be asked for more than 1,000."""
    tables = Answers()
    await Erasures(tables).page(after="x", limit=limit)
    assert tables.asked == [
        {
            "query": "PartitionKey eq @partition and RowKey gt @after",
            "parameters": {"partition": "erasure", "after": "x"},
            "results_per_page": asked_for,
        }
    ]


async def test_index_is_read_for_its_keys_only() -> None:
    tables = Answers()
    assert await Erasures(tables).count_index(TenantId("t")) == 0
    assert tables.asked == [
        {
            "query": "tenant_id eq @tenant",
            "parameters": {"tenant": "t"},
            "select": ["PartitionKey", "RowKey"],
        }
    ]


@pytest.mark.parametrize("status", [404, 412])
async def test_row_of_the_index_that_is_gone_or_another_s_meanwhile_stops_nothing(
    status: int,
) -> None:
    tables = Answers(keys=("a", "b"), deletion=status)
    assert await Erasures(tables).erase_index(TenantId("t")) == 2
    assert tables.deleted == ["a", "b"]


async def test_row_of_the_index_that_cannot_be_removed_is_no_success() -> None:
    with pytest.raises(HttpResponseError):
        await Erasures(Answers(keys=("a", "b"), deletion=409)).erase_index(TenantId("t"))


async def test_index_of_one_tenant_goes_and_that_of_others_stays(
    erasures: Erasures, tables: Tables
) -> None:
    registry, claims = Registry(tables), Claims(tables)
    gone, other = new().tenant_id, new().tenant_id
    mine, shared = SubscriptionId(str(uuid.uuid4())), SubscriptionId(str(uuid.uuid4()))
    who, directory = someone(str(uuid.uuid4())), DirectoryId(str(uuid.uuid4()))
    for tenant_id in (gone, other):
        await registry.link(who.key, tenant_id)
        await registry.link_directory(directory, tenant_id)
    assert await claims.take(gone, mine)
    assert await claims.take(other, shared)
    await claims.share(gone, shared)
    await erasures.add(replace(new(), tenant_id=gone))
    assert await erasures.count_index(gone) == 4
    assert await erasures.erase_index(gone) == 4
    assert await erasures.count_index(gone) == 0
    assert await erasures.erase_index(gone) == 0
    assert await erasures.count_index(other) == 3
    assert await registry.tenants_of(who) == [other]
    assert await claims.take(other, mine)
    assert await erasures.find(gone) is not None  # the record itself is no row of the index


async def test_record_names_its_tenant_in_the_key_alone(erasures: Erasures, tables: Tables) -> None:
    erasure = new()
    await erasures.add(erasure)
    row = await (await tables.client(PLATFORM)).get_entity("erasure", erasure.tenant_id)
    assert set(row) == {"PartitionKey", "RowKey", "body"}


async def test_key_of_certificates_is_known_by_its_name(erasures: Erasures) -> None:
    await erasures.set_key_name("first")
    assert await erasures.key_name() == "first"
    await erasures.set_key_name("second")
    assert await erasures.key_name() == "second"


async def test_before_the_first_certificate_there_is_no_key(
    erasures: Erasures, tables: Tables
) -> None:
    client = await tables.client(PLATFORM)
    await client.delete_entity("deployment", "certificates")
    assert await erasures.key_name() == ""
