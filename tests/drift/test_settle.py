"""The next state of a subscription: what is gone is proven, one by one; what merely was not listed stays.

I01 I22; Resource Graph follows Resource Manager by seconds to minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drift.arm import open_arm
from drift.collect import SubscriptionReader
from tenancy.access import serve

LAG = 3600.0


async def changes(tenant):
    return sorted(
        (item["resourceId"].rsplit("/", 1)[1], item["change"], item["status"])
        for item in await tenant.findings()
    )


async def test_resource_that_the_provider_still_has_is_not_removed(tenant):
    network = tenant.network("net")
    await tenant.azure.edit(network["id"], delete=True)
    # The graph has seen the deletion; the resource comes back, and of that it does not know yet.
    await query_graph(tenant)
    await tenant.azure.settings(graphLagSeconds=LAG)
    await tenant.azure.edit(create=network)
    part = await tenant.part()
    assert part["coverage"][0]["rows"] == 1
    assert (part["status"], part["resources"], part["changed"]) == ("complete", 4, 0)
    assert await changes(tenant) == []


async def query_graph(tenant):
    """Makes the simulated graph catch up: it does so when it is asked."""
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    reader = SubscriptionReader(
        open_arm(context, await context.credential()), tenant.subscription_id
    )
    async for _ in reader.query("resources | project id | order by id asc"):
        pass


async def test_deleted_resource_is_a_confirmed_removal(tenant):
    network = tenant.network("net")
    await tenant.azure.edit(network["id"], delete=True)
    part = await tenant.part()
    assert (part["status"], part["resources"], part["changed"]) == ("complete", 3, 1)
    finding = await tenant.finding()
    assert (finding["resourceId"], finding["change"]) == (network["id"], "removed")
    assert (finding["status"], finding["evidence"]) == ("open", "confirmed")


async def test_provider_that_does_not_say_404_keeps_the_resource(tenant):
    network = tenant.network("net")
    await tenant.azure.edit(network["id"], delete=True)
    for status in (401, 403, 429, 500, 503):
        await tenant.get_fault(network["id"], status=status, headers={"Retry-After": "3600"})
        part = await tenant.part()
        assert (part["resources"], part["changed"], part["findings"]) == (4, 0, 0), status
        assert await changes(tenant) == []
        await tenant.azure.clear_faults()
    await tenant.scan()
    assert await changes(tenant) == [("net", "removed", "open")]


async def test_provider_whose_versions_cannot_be_read_keeps_the_resource(tenant):
    await tenant.azure.edit(tenant.network("net")["id"], delete=True)
    path = "/providers/microsoft.network\\?"
    for status in (404, 500):
        await tenant.fault(path=path, status=status, headers={"Retry-After": "3600"})
        assert (await tenant.part())["resources"] == 4
        assert await changes(tenant) == []
        await tenant.azure.clear_faults()


async def test_edit_that_the_graph_does_not_show_yet_is_found_later(tenant):
    await query_graph(tenant)
    await tenant.azure.settings(graphLagSeconds=LAG)
    edit = {"/properties/minimumTlsVersion": "TLS1_0"}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    part = await tenant.part()
    assert (part["status"], part["changed"]) == ("complete", 0)
    assert await changes(tenant) == []
    await tenant.azure.settings(graphLagSeconds=0)
    await tenant.scan()
    assert await changes(tenant) == [("alpha", "modified", "open")]


async def test_addition_that_is_gone_already_is_not_reported(tenant):
    document = tenant.account("beta")
    await tenant.azure.edit(create=document)
    await query_graph(tenant)
    await tenant.azure.settings(graphLagSeconds=LAG)
    await tenant.azure.edit(document["id"], delete=True)
    part = await tenant.part()
    assert (part["status"], part["findings"]) == ("complete", 0)
    assert await changes(tenant) == []


async def test_change_that_the_provider_contradicts_waits_for_confirmation(tenant):
    """The graph still shows an edit that was undone meanwhile: nobody is told."""
    account = tenant.account("alpha")
    await tenant.azure.edit(account["id"], set={"/properties/minimumTlsVersion": "TLS1_0"})
    await query_graph(tenant)
    await tenant.azure.settings(graphLagSeconds=LAG)
    await tenant.azure.edit(account["id"], set={"/properties/minimumTlsVersion": "TLS1_2"})
    await tenant.scan()
    assert [item["evidence"] for item in await tenant.findings()] in ([], ["observed"])
    assert await tenant.notices() == []
    await tenant.azure.settings(graphLagSeconds=0)
    await tenant.scan()
    assert {item["status"] for item in await tenant.findings()} <= {"resolved"}
    assert await tenant.notices() == []


async def test_resource_in_the_middle_of_an_update_waits_for_confirmation(tenant):
    account = tenant.account("alpha")
    await tenant.azure.edit(
        account["id"],
        set={
            "/properties/allowBlobPublicAccess": True,
            "/properties/provisioningState": "Updating",
        },
    )
    await tenant.scan()
    assert (await tenant.finding())["evidence"] == "observed"
    assert await tenant.notices() == []
    await tenant.azure.edit(account["id"], set={"/properties/provisioningState": "Succeeded"})
    await tenant.scan()
    assert (await tenant.finding())["evidence"] == "confirmed"
    assert len(await tenant.notices()) == 1


@pytest.fixture
async def crowd(new_tenant):
    """Thirty accounts and their group, scanned and captured."""
    tenant = await new_tenant()
    await tenant.add(*(tenant.account(f"account{number:02d}") for number in range(30)))
    assert (await tenant.part())["resources"] == 31
    await tenant.capture()
    return tenant


async def delete(tenant, count):
    for number in range(count):
        await tenant.azure.edit(tenant.account(f"account{number:02d}")["id"], delete=True)


async def test_mass_removal_is_held_back_until_it_is_seen_again(crowd):
    """I22, and then each one is confirmed by its provider."""
    await delete(crowd, 12)
    part = await crowd.part()
    assert part["status"] == "incomplete"
    assert part["reason"].startswith("12 of 31 resources vanished at once.")
    assert await changes(crowd) == []
    assert await crowd.notices() == []
    kept = crowd.account("account03")
    await crowd.get_fault(kept["id"], status=403, body="{}")
    part = await crowd.part()
    assert (part["status"], part["resources"], part["changed"]) == ("complete", 20, 11)
    expected = [(f"account{number:02d}", "removed", "open") for number in range(12) if number != 3]
    assert await changes(crowd) == expected


async def test_mass_that_comes_back_is_forgotten(crowd):
    await delete(crowd, 12)
    assert (await crowd.part())["status"] == "incomplete"
    await crowd.add(*(crowd.account(f"account{number:02d}") for number in range(12)))
    part = await crowd.part()
    assert (part["status"], part["resources"], part["changed"]) == ("complete", 31, 0)
    await delete(crowd, 12)
    assert (await crowd.part())["status"] == "incomplete"
    assert await changes(crowd) == []


async def test_less_than_a_mass_is_settled_at_once(crowd):
    await delete(crowd, 9)
    part = await crowd.part()
    assert (part["status"], part["changed"], part["findings"]) == ("complete", 9, 9)


async def test_held_back_scan_that_is_repeated_still_holds_back(crowd):
    """I04: a message that comes again is not the second scan that confirms the mass."""
    await delete(crowd, 12)
    scan_id = await crowd.request_scan()
    (start,) = await crowd.host.take("scan-tenant")
    await crowd.host.run("scan-tenant", start)
    (body,) = await crowd.host.take("scan-subscription")
    before = await crowd.rows("scan")
    await crowd.host.run("scan-subscription", body)
    # As if the process had died before it wrote that the part has ended, and the time of its lease were over.
    row = before["scan", f"p.{scan_id}.{crowd.subscription_id}"]
    row.pop("etag")
    await crowd.tables.get_table_client("scan").upsert_entity(row)
    leases = await crowd.rows("subscription")
    lease = leases["subscription", f"lease.{crowd.subscription_id}"]
    lease.pop("etag")
    over = {**lease, "expires_at": datetime.now(UTC)}
    await crowd.tables.get_table_client("subscription").upsert_entity(over)
    await crowd.host.run("scan-subscription", body)
    (part,) = (await crowd.read_scan(scan_id))["parts"]
    assert part["status"] == "incomplete"
    assert await changes(crowd) == []
    assert (await crowd.part())["changed"] == 12


async def test_history_has_one_row_a_change(tenant):
    assert await tenant.rows("configurationhistory") == {}
    edit = {"/properties/minimumTlsVersion": "TLS1_0"}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    await tenant.scan()
    assert len(await tenant.rows("configurationhistory")) == 1
