"""The API versions that resources are confirmed with: asked for once a day, never trusted over an answer. I01 I02."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from drift.api_versions import KEPT, ApiVersions, newest_stable
from drift.arm import open_arm
from drift.collect import SubscriptionReader
from errors import Unavailable
from tenancy.access import serve
from tenancy.rows import split_binary
from tenancy.store import Table

STORAGE = "microsoft.storage/storageaccounts"
ROW = "versions.microsoft.storage"
PROVIDER = "/providers/Microsoft\\.Storage\\?"


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC)

    def __call__(self):
        return self.now


@pytest.fixture
async def context(tenant, deployment):
    return await serve(deployment, tenant.tenant_id)


@pytest.fixture
async def reader(tenant, context):
    return SubscriptionReader(open_arm(context, await context.credential()), tenant.subscription_id)


async def provider_reads(tenant) -> int:
    log = (await tenant.azure.requests())["log"]
    return sum(
        one["path"].lower().split("?")[0].endswith("/providers/microsoft.storage") for one in log
    )


async def drift(tenant, tls: str) -> None:
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={"/properties/minimumTlsVersion": tls}
    )


async def test_scans_of_a_day_ask_a_provider_once(tenant):
    await tenant.azure.clear_requests()
    for tls in ("TLS1_0", "TLS1_1"):
        await drift(tenant, tls)
        assert (await tenant.part())["status"] == "complete"
        finding = await tenant.finding()
        assert (finding["changes"][0]["after"], finding["evidence"]) == (tls, "confirmed")
    assert await provider_reads(tenant) == 1


async def test_versions_are_asked_for_anew_after_a_day(tenant, context, reader):
    clock = Clock()
    await tenant.azure.clear_requests()
    newest = await ApiVersions(context.store, reader, clock).of(STORAGE)
    assert newest
    for later, reads in ((KEPT - timedelta(seconds=1), 1), (KEPT, 2), (-timedelta(hours=1), 3)):
        # The third: a clock that was set back must not keep a row for ever.
        clock.now = (await context.store.get(Table.SUBSCRIPTION, ROW)).values["read_at"] + later
        assert await ApiVersions(context.store, reader, clock).of(STORAGE) == newest
        assert await provider_reads(tenant) == reads


async def test_failures_are_not_kept(tenant, context, reader):
    versions = ApiVersions(context.store, reader, Clock())
    await tenant.fault(path=PROVIDER, status=500, headers={"Retry-After": "86400"})
    with pytest.raises(Unavailable):
        await versions.of(STORAGE)
    await tenant.azure.clear_faults()
    await tenant.fault(
        path=PROVIDER, status=404, body='{"error":{"code":"InvalidResourceNamespace"}}'
    )
    assert await versions.of(STORAGE) == ""
    await tenant.azure.clear_faults()
    assert await context.store.find(Table.SUBSCRIPTION, ROW) is None
    assert await ApiVersions(context.store, reader, Clock()).of(STORAGE) != ""


@pytest.mark.parametrize("kept", ["2015-06-15", "1999-01-01-preview", "not-a-version"])
async def test_version_that_is_refused_is_asked_for_anew(tenant, context, reader, kept):
    """Fault 26: a version is retired while it is kept."""
    values = split_binary(msgspec.json.encode({"storageaccounts": kept}))
    now = datetime.now(UTC)
    await context.store.put(Table.SUBSCRIPTION, ROW, {"read_at": now, **values})
    await drift(tenant, "TLS1_0")
    assert (await tenant.part())["status"] == "complete"
    assert (await tenant.finding())["evidence"] == "confirmed"
    newest = await ApiVersions(context.store, reader, Clock()).of(STORAGE)
    assert newest > "2016"


@pytest.mark.parametrize(
    "code", ["InvalidResourceType", "NoRegisteredProviderFound", "SubscriptionNotFound"]
)
async def test_404_that_is_not_about_the_resource_is_no_removal(tenant, code):
    """Fault 26, I01: what the version or the subscription is told to lack says nothing of the resource."""
    network = tenant.network("net")["id"]
    await tenant.azure.edit(network, delete=True)
    body = msgspec.json.encode({"error": {"code": code, "message": "no"}}).decode()
    await tenant.get_fault(network, status=404, body=body)
    part = await tenant.part()
    assert (part["status"], part["findings"]) == ("complete", 0)
    assert await tenant.findings() == []
    await tenant.azure.clear_faults()
    assert (await tenant.part())["findings"] == 1
    assert (await tenant.finding())["change"] == "removed"


def test_newest_stable_version_is_taken():
    assert newest_stable(["2021-01-01", "2024-05-01-preview", "2023-04-01"]) == "2023-04-01"
    assert newest_stable(["2024-05-01-preview"]) == "2024-05-01-preview"
    assert newest_stable([]) == ""
