"""Who made a change: the newest record of it, asked for again when it is late, and never what a finding waits for."""

from __future__ import annotations

import asyncio
import uuid

TLS = "/properties/minimumTlsVersion"


async def test_finding_says_who_did_it(tenant):
    correlation = str(uuid.uuid4())
    await tenant.azure.edit(
        tenant.account("alpha")["id"],
        set={TLS: "TLS1_0"},
        actor={
            "changedBy": "bob@contoso.example",
            "changedByType": "User",
            "clientType": "Azure Portal",
        },
        operation="microsoft.storage/storageaccounts/write",
        correlationId=correlation,
    )
    await tenant.scan()
    attribution = (await tenant.finding())["attribution"]
    assert attribution.pop("timestamp")
    assert attribution == {
        "changedBy": "bob@contoso.example",
        "changedByType": "User",
        "clientType": "Azure Portal",
        "operation": "microsoft.storage/storageaccounts/write",
        "correlationId": correlation,
    }


async def test_newest_change_is_who_did_it(tenant):
    for who, version in (("first", "TLS1_1"), ("second", "TLS1_0")):
        await tenant.azure.edit(
            tenant.account("alpha")["id"], set={TLS: version}, actor={"changedBy": who}
        )
        await asyncio.sleep(0.01)  # the simulated history counts in milliseconds
    await tenant.scan()
    assert (await tenant.finding())["attribution"]["changedBy"] == "second"


async def test_attribution_that_comes_late_is_added(tenant):
    account = tenant.account("alpha")
    await tenant.azure.edit(account["id"], set={TLS: "TLS1_0"}, silent=True)
    await tenant.scan()
    finding = await tenant.finding()
    assert (finding["status"], finding["attribution"]) == ("open", None)
    # The same value written again: nothing changes but Azure's record of who wrote.
    await tenant.azure.edit(account["id"], set={TLS: "TLS1_0"}, actor={"changedBy": "bob"})
    await tenant.scan()
    finding = await tenant.finding()
    assert (finding["status"], finding["attribution"]["changedBy"]) == ("open", "bob")
    assert len(await tenant.notices()) == 1
    before = await tenant.etags("finding")
    await tenant.scan()
    assert await tenant.etags("finding") == before


async def test_history_that_cannot_be_read_does_not_hide_drift(tenant):
    """The sixth query asks for the change history; the scan says that it got no answer (I17)."""
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={TLS: "TLS1_0"}, actor={"changedBy": "bob"}
    )
    await tenant.graph_fault(nth=6, status=500, headers={"Retry-After": "3600"})
    part = await tenant.part()
    assert (part["status"], part["findings"]) == ("incomplete", 1)
    assert part["reason"].startswith("resourcechanges: ")
    missed = [one["source"] for one in part["coverage"] if not one["read"]]
    assert missed == ["resourcechanges"]
    finding = await tenant.finding()
    assert (finding["status"], finding["attribution"]) == ("open", None)
    await tenant.azure.clear_faults()
    assert (await tenant.part())["status"] == "complete"
    finding = await tenant.finding()
    assert (finding["status"], finding["attribution"]["changedBy"]) == ("open", "bob")
