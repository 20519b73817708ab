"""Real ARM documents of hundreds of types, scanned and held against baselines by the product as it runs.

The simulated Azure lists what Azure would: Resource Graph has resources, children with a location of their own, groups,
role and policy assignments; locks come from Resource Manager. That is about 16,000 of the 26,000 documents, of some 880
types. The others (subnets, firewall rules, jobs, operations …) are in the world too and are rightly not seen.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from tests.drift.real_edits import choose_edits
from tests.drift.real_world import DOCUMENTS, TYPES, RealDocument, read_documents
from tests.drift.writable import Writable

pytestmark = pytest.mark.skipif(
    not DOCUMENTS.is_file(), reason=f"the real documents are not there: {DOCUMENTS.name}"
)
SUBSCRIPTIONS = 4
LOADED_AT_ONCE = 2000


@pytest.fixture
async def estate(new_tenant: Any) -> tuple[Any, list[RealDocument]]:
    """A tenant with several subscriptions, and the documents that are in them."""
    tenant = await new_tenant()
    # Fixed ids: they decide which documents are edited.
    tenant.subscriptions = [str(uuid.UUID(int=0xD21F7 + n)) for n in range(SUBSCRIPTIONS)]
    for subscription_id in tenant.subscriptions:
        await tenant.put_subscription(subscription_id)
    documents = list(read_documents(tenant.subscriptions))
    for chunk in _chunks(documents):
        await tenant.azure.add_resources(msgspec.Raw(document.line) for document in chunk)
    return tenant, documents


async def test_real_resources_are_silent_until_somebody_edits_them(
    estate: tuple[Any, list[RealDocument]],
) -> None:
    tenant, documents = estate
    first = await tenant.scan()
    _check_complete(first)
    assert sum(part["resources"] for part in first["parts"]) > 16_000
    for subscription_id in tenant.subscriptions:
        await tenant.capture(subscription_id)
    packs = await _packs(tenant)

    second = await tenant.scan()
    _check_complete(second)
    assert await tenant.findings() == []
    assert sum(part["changed"] for part in second["parts"]) == 0
    assert await _packs(tenant) == packs

    edits = choose_edits(documents, Writable(TYPES))
    for edit in edits:
        await tenant.azure.edit(edit.resource_id, set=edit.set, remove=list(edit.remove))
    _check_complete(await tenant.scan())
    findings = await tenant.findings()
    found = {(one["resourceId"], change["path"]) for one in findings for change in one["changes"]}
    edited = {(edit.resource_id, edit.path) for edit in edits}
    assert {"missed": edited - found, "false": found - edited} == {"missed": set(), "false": set()}
    assert len(findings) == len(edits) == 50
    assert {(one["status"], one["evidence"]) for one in findings} == {("open", "confirmed")}


def _check_complete(scan: dict[str, Any]) -> None:
    ended = [(part["status"], part["reason"], part["skipped"]) for part in scan["parts"]]
    # The organisation's own subscription is empty and scanned with the others.
    assert ended == [("complete", "", 0)] * (SUBSCRIPTIONS + 1)


async def _packs(tenant: Any) -> set[str]:
    """The keys of everything that holds documents."""
    entities = tenant.tables.get_table_client("pack").query_entities(
        "PartitionKey eq @tenant", parameters={"tenant": tenant.tenant_id}, select=["RowKey"]
    )
    return {entity["RowKey"] async for entity in entities}


def _chunks(documents: Sequence[RealDocument]) -> Iterable[Sequence[RealDocument]]:
    documents = iter(documents)
    return iter(lambda: list(itertools.islice(documents, LOADED_AT_ONCE)), [])
