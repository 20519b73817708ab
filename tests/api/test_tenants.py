"""Onboarding by HTTP: what it makes, who may do it, and that nothing half-made is usable."""

from __future__ import annotations

import uuid

import pytest

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, ProductError, principal_header
from settings import Settings
from tenancy.deployment import OWN, Deployment
from tenancy.tenants import PLATFORM


async def test_provisioned_tenant_works_at_once(
    operator: Product, url: str, new_organisation
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    assert tenant["status"] == "active"
    assert tenant["azureTenantId"] == organisation.directory_id
    async with Product(url, organisation.admin_header) as admin:
        me = await admin.request("GET", "/api/me")
        assert me["tenants"] == [
            {"tenantId": tenant["id"], "name": tenant["name"], "role": "admin"}
        ]
        assert me["platformOperator"] is False
        connection = await admin.request("GET", "/api/connection")
        assert connection["hasSecret"] is True
        assert organisation.secret not in str(connection)
        lines = (await admin.request("POST", "/api/connection/test"))["value"]
        assert [line for line in lines if not line["ok"]] == []
        assert [line["step"].rpartition(": ")[2] for line in lines] == [
            "token",
            "directory",
            "subscriptions",
            "read",
            "resource graph",
            "change history",
        ]
        listed = await admin.request("POST", "/api/subscriptions/refresh")
        assert [row["id"] for row in listed["value"]] == [organisation.subscription_id]


async def test_wrong_secret_says_what_entra_said_and_makes_nothing(
    operator: Product, deployment: Deployment, new_organisation
) -> None:
    organisation = await new_organisation()
    body = organisation.tenant_body()
    body["connection"] = {**body["connection"], "secret": "wrong"}
    before = [tenant.tenant_id async for tenant in deployment.registry.tenants()]
    with pytest.raises(
        ProductError, match=r"422 .*connection\.secret.*AADSTS7000215|AADSTS7000215"
    ):
        await operator.request("POST", "/api/tenants", body)
    after = [tenant.tenant_id async for tenant in deployment.registry.tenants()]
    assert before == after


async def test_unknown_directory_says_what_entra_said(operator: Product, new_organisation) -> None:
    organisation = await new_organisation()
    body = organisation.tenant_body()
    body["connection"] = {**body["connection"], "directoryId": str(uuid.uuid4())}
    with pytest.raises(ProductError, match="AADSTS90002"):
        await operator.request("POST", "/api/tenants", body)


async def test_same_operation_id_is_the_same_tenant(operator: Product, new_organisation) -> None:
    organisation = await new_organisation()
    operation = {"Operation-Id": str(uuid.uuid4())}
    body = organisation.tenant_body()
    first = await operator.request("POST", "/api/tenants", body, headers=operation)
    again = await operator.request("POST", "/api/tenants", body, headers=operation)
    assert again["id"] == first["id"]
    other = organisation.tenant_body(name="another")
    with pytest.raises(ProductError, match="409"):
        await operator.request("POST", "/api/tenants", other, headers=operation)


async def test_provisioning_that_broke_off_is_finished_by_repeating_it(
    operator: Product, url: str, azure: AzureAdmin, new_organisation
) -> None:
    organisation = await new_organisation()
    operation = {"Operation-Id": str(uuid.uuid4())}
    body = organisation.tenant_body()
    await azure.add_fault(match={"method": "PUT", "path": "/secrets/.*"}, status=403, times=1)
    with pytest.raises(ProductError, match="503"):
        await operator.request("POST", "/api/tenants", body, headers=operation)
    await azure.clear_faults()
    async with Product(url, organisation.admin_header) as admin:
        assert (await admin.request("GET", "/api/me"))["tenants"] == []
        tenant = await operator.request("POST", "/api/tenants", body, headers=operation)
        assert tenant["status"] == "active"
        assert len((await admin.request("GET", "/api/me"))["tenants"]) == 1


async def test_admin_of_a_try_that_broke_off_has_no_access(
    operator: Product, url: str, azure: AzureAdmin, new_organisation
) -> None:
    wrong, right = await new_organisation(), await new_organisation()
    operation = {"Operation-Id": str(uuid.uuid4())}
    body = right.tenant_body(connection=None)
    await azure.add_fault(match={"method": "PUT", "path": "/secrets/.*"}, status=403, times=1)
    mistaken = body | {"admin": wrong.tenant_body()["admin"]}
    with pytest.raises(ProductError, match="503"):
        await operator.request("POST", "/api/tenants", mistaken, headers=operation)
    await azure.clear_faults()
    tenant = await operator.request("POST", "/api/tenants", body, headers=operation)
    assert tenant["status"] == "active"
    async with (
        Product(url, wrong.admin_header) as nobody,
        Product(url, right.admin_header) as admin,
    ):
        assert (await nobody.request("GET", "/api/me"))["tenants"] == []
        assert len((await admin.request("GET", "/api/me"))["tenants"]) == 1


async def test_suspended_tenant_lets_nobody_work(
    operator: Product, url: str, new_organisation
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    async with Product(url, organisation.admin_header, tenant["id"]) as admin:
        await operator.request("POST", f"/api/tenants/{tenant['id']}/suspend")
        with pytest.raises(ProductError, match=r"403.*suspended"):
            await admin.request("GET", "/api/findings")
        await operator.request("POST", f"/api/tenants/{tenant['id']}/resume")
        assert (await admin.request("GET", "/api/findings"))["value"] == []


async def test_deleted_tenant_is_gone_at_once(
    operator: Product, url: str, new_organisation
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    await operator.request("DELETE", f"/api/tenants/{tenant['id']}")
    async with Product(url, organisation.admin_header, tenant["id"]) as admin:
        with pytest.raises(ProductError, match="404"):
            await admin.request("GET", "/api/findings")
    with pytest.raises(ProductError, match="404"):
        await operator.request("GET", f"/api/tenants/{tenant['id']}")


async def test_platform_routes_do_not_exist_for_tenants(
    operator: Product, url: str, new_organisation
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    async with Product(url, organisation.admin_header, tenant["id"]) as admin:
        for method, path in (
            ("GET", "/api/tenants"),
            ("GET", f"/api/tenants/{tenant['id']}"),
            ("DELETE", f"/api/tenants/{tenant['id']}"),
            ("POST", f"/api/tenants/{tenant['id']}/suspend"),
        ):
            with pytest.raises(ProductError, match="404"):
                await admin.request(method, path)


async def test_platform_role_of_a_foreign_directory_is_nothing(url: str) -> None:
    header = principal_header(str(uuid.uuid4()), str(uuid.uuid4()), "Eve", "Platform.Operator")
    async with Product(url, header) as eve:
        with pytest.raises(ProductError, match="404"):
            await eve.request("GET", "/api/tenants")


async def test_platform_operator_inside_a_tenant_is_audited(
    operator: Product, url: str, settings: Settings, deployment: Deployment, new_organisation
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    header = principal_header(
        settings.platform_directory_id, str(uuid.uuid4()), "Visitor", "Platform.Operator"
    )
    async with Product(url, header, tenant["id"]) as visitor:
        await visitor.request("GET", "/api/findings")
    client = await deployment.tables.client("audit")
    query = "PartitionKey eq @tenant and action eq 'platform.enter'"
    parameters = {"tenant": tenant["id"]}
    rows = [row async for row in client.query_entities(query, parameters=parameters)]
    assert [row["actor_name"] for row in rows] == ["Visitor"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"azureTenantId": "not-a-guid"}, "azureTenantId"),
        ({"azureTenantId": "{1b4e28ba-2fa1-4d21-883f-0016d3cca427}"}, "azureTenantId"),
        ({"admin": {}}, "admin.objectId"),
        ({"tenantId": "x"}, "tenantId"),
        ({"settings": {"schedule": "every day"}}, "schedule"),
        ({"settings": {"schedule": "* * * * *"}}, "schedule"),
    ],
)
async def test_bad_input_names_the_field(
    operator: Product, new_organisation, change: dict, field: str
) -> None:
    organisation = await new_organisation()
    with pytest.raises(ProductError, match=f"422.*{field}"):
        await operator.request("POST", "/api/tenants", organisation.tenant_body(**change))


async def test_index_outside_tenants_holds_ids_only(
    operator: Product, deployment: Deployment, new_organisation
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    client = await deployment.tables.client(PLATFORM)
    rows = [row async for row in client.query_entities(f"RowKey eq '{tenant['id']}'")]
    assert [set(row) - {"PartitionKey", "RowKey"} for row in rows] == [{"tenant_id"}]


async def test_tenants_page_by_page_with_a_signed_token(
    operator: Product, url: str, new_organisation
) -> None:
    made = set()
    for _ in range(3):
        body = (await new_organisation()).tenant_body(connection=None)
        made.add((await operator.request("POST", "/api/tenants", body))["id"])
    first = await operator.request("GET", "/api/tenants?maxpagesize=1")
    assert len(first["value"]) == 1
    link = first["nextLink"]
    assert first["value"][0]["id"] not in link  # the place is nobody's to choose
    for wrong in (link.replace("maxpagesize=1", "maxpagesize=2"), link[:-4] + "AAAA"):
        with pytest.raises(ProductError, match=r"422.*continuationToken"):
            await operator.request("GET", wrong)
    listed = [one["id"] for one in await operator.every("/api/tenants?maxpagesize=200")]
    assert made <= set(listed)
    assert listed == sorted(listed)
    second = await operator.request("GET", link)
    assert [one["id"] for one in (*first["value"], *second["value"])] == listed[:2]


async def test_signing_key_that_the_vault_lost_is_made_anew(
    operator: Product, deployment: Deployment, new_organisation
) -> None:
    for _ in range(2):
        body = (await new_organisation()).tenant_body(connection=None)
        await operator.request("POST", "/api/tenants", body)
    before = await deployment.signing_key()
    assert await deployment.signing_key() == before
    link = (await operator.request("GET", "/api/tenants?maxpagesize=1"))["nextLink"]
    await deployment.vault.of(OWN).erase(await deployment.registry.signing_secret())
    with pytest.raises(ProductError, match=r"422.*continuationToken"):
        await operator.request("GET", link)
    assert await deployment.signing_key() != before


async def test_new_name_needs_the_etag_of_what_was_read(
    operator: Product, url: str, sign_in, organisation, tenant_id: str
) -> None:
    pia = sign_in(operator._client.headers["X-MS-CLIENT-PRINCIPAL"])
    path = f"/api/tenants/{tenant_id}"
    etag = (await pia.get(path)).headers["ETag"]
    missing = await pia.patch(path, json={"name": "new"})
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition-required")
    renamed = await pia.patch(path, json={"name": "new"}, headers={"If-Match": etag})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "new")
    late = await pia.patch(path, json={"name": "newer"}, headers={"If-Match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    read = await pia.get(path)
    assert (read.json()["name"], read.headers["ETag"]) == ("new", renamed.headers["ETag"])
    trail = (await sign_in(organisation.admin_header).get("/api/audit?action=tenant.rename")).json()
    assert [one["detail"] for one in trail["value"]] == [
        {"before": organisation.tenant_body()["name"], "after": "new"}
    ]
