"""A connection that stops working, half-way or before: the scan ends incomplete, in the words of whoever refused.

I14, fault 28.
"""

from __future__ import annotations

import asyncio

import pytest

from tenancy.access import serve

TLS = "/properties/minimumTlsVersion"


@pytest.fixture
async def drifted(tenant):
    """Drift that no scan has seen yet."""
    await tenant.azure.edit(tenant.account("alpha")["id"], set={TLS: "TLS1_0"})
    return tenant


async def change_secrets(tenant, *secrets):
    made = tenant.organisation
    application = {
        "clientId": made.client_id,
        "objectId": made.object_id,
        "name": "reader",
        "secrets": list(secrets),
    }
    await tenant.azure.put_directory(made.directory_id, name="test", applications=[application])


async def test_credential_refused_half_way_says_what_entra_said(drifted):
    """The listing still worked; then another instance asks for a token of its own."""
    expired = {"value": drifted.organisation.secret, "expires": "2020-01-01T00:00:00Z"}
    for secret, words in (("another", "AADSTS7000215"), (expired, "AADSTS7000222")):
        await change_secrets(drifted, drifted.organisation.secret)
        scan_id = await drifted.request_scan()
        (start,) = await drifted.host.take("scan-tenant")
        await drifted.host.run("scan-tenant", start)
        await change_secrets(drifted, secret)
        await drifted.host.deployment.credentials.close()
        assert await drifted.host.drain() == []
        scan = await drifted.read_scan(scan_id)
        assert scan["status"] == "incomplete"
        assert words in scan["parts"][0]["reason"]
        next_scan = await drifted.scan()
        assert (next_scan["status"], next_scan["parts"]) == ("incomplete", [])
        assert words in next_scan["reason"]
    assert await drifted.findings() == []
    await change_secrets(drifted, drifted.organisation.secret)
    assert (await drifted.part())["findings"] == 1


async def test_scans_at_once_share_one_credential(tenant):
    """The second to be made would close the first, in the middle of its request for a token."""
    deployment = tenant.host.deployment
    await deployment.credentials.close()
    deployment.vault._cache.clear()
    context = await serve(deployment, tenant.tenant_id)
    made = await asyncio.gather(*(context.credential() for _ in range(5)))
    assert len({id(credential) for credential in made}) == 1
    assert await context.credential() is made[0]


async def test_secret_that_left_the_vault_ends_the_scan(drifted):
    context = await serve(drifted.host.deployment, drifted.tenant_id)
    row = (await drifted.rows("connection"))["connection", "connection"]
    await context.vault.erase(row["secret_name"])
    await drifted.host.deployment.credentials.close()
    scan = await drifted.scan()
    assert (scan["status"], scan["parts"]) == ("incomplete", [])
    assert scan["reason"] == "The tenant's secret is not in the vault."


async def test_vault_that_refuses_ends_the_scan(drifted):
    await drifted.host.deployment.credentials.close()
    drifted.host.deployment.vault._cache.clear()
    await drifted.azure.add_fault(
        match={"method": "GET", "path": "/secrets/"}, status=403, body={"error": {"code": "no"}}
    )
    scan = await drifted.scan()
    assert scan["status"] == "incomplete"
    assert scan["reason"] == "Key Vault refused the request (403)."
    await drifted.azure.clear_faults()
    assert await drifted.findings() == []


async def test_missing_connection_ends_the_scan(drifted):
    await drifted.http.delete("/api/connection", headers=await drifted.if_match())
    scan = await drifted.scan()
    assert (scan["status"], scan["parts"]) == ("incomplete", [])
    assert scan["reason"] == "This tenant has no connection to Azure yet."
    assert await drifted.findings() == []
