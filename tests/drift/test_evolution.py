"""A provider's API grew between two scans: what it shows for the first time is told apart from what a person did."""

from __future__ import annotations

from typing import Any

from drift.archive import find_configuration, load_snapshot
from drift.engine.compare import EVOLVED_NOTE
from tenancy.access import serve

STORAGE = "microsoft.storage/storageaccounts"


async def _versions(tenant: Any) -> dict[str, str]:
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    configuration = await find_configuration(context.store, tenant.subscription_id)
    assert configuration is not None
    return (await load_snapshot(context.store, configuration.snapshot_id)).stamp.api_versions


async def test_property_that_came_with_a_newer_api_is_informational(tenant: Any) -> None:
    before = await _versions(tenant)
    await tenant.azure.settings(graphVersions={STORAGE: "2099-01-01"})
    account = tenant.account("alpha")["id"]
    await tenant.azure.edit(
        account,
        set={"/properties/dnsEndpointType": "Standard", "/properties/minimumTlsVersion": "TLS1_1"},
    )
    await tenant.scan()
    assert (before[STORAGE], (await _versions(tenant))[STORAGE]) == ("2024-01-01", "2099-01-01")
    assert {
        change["path"]: (change["severity"], change["note"])
        for change in (await tenant.finding())["changes"]
    } == {
        "/properties/dnsEndpointType": ("informational", EVOLVED_NOTE),
        "/properties/minimumTlsVersion": ("high", ""),
    }


async def test_property_that_came_without_a_newer_api_is_drift(tenant: Any) -> None:
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={"/properties/dnsEndpointType": "Standard"}
    )
    await tenant.scan()
    (change,) = (await tenant.finding())["changes"]
    assert (change["severity"], change["note"]) == ("medium", "")


async def test_new_property_that_opens_the_resource_is_no_excuse(tenant: Any) -> None:
    await tenant.azure.settings(graphVersions={STORAGE: "2099-01-01"})
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={"/properties/publicNetworkAccess": "Enabled"}
    )
    await tenant.scan()
    assert (await tenant.finding())["severity"] == "high"


async def test_versions_that_cannot_be_read_excuse_nothing(tenant: Any) -> None:
    await tenant.azure.settings(graphVersions={STORAGE: "2099-01-01"})
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={"/properties/dnsEndpointType": "Standard"}
    )
    await tenant.graph_fault(nth=5, status=400)  # after the four tables
    await tenant.scan()
    assert (await _versions(tenant))[STORAGE] == "2024-01-01"
    assert (await tenant.finding())["severity"] == "medium"
