"""Nobody replaces or removes a connection that they have not seen. Connections that use an identity of the deployment
reach the tenant's own directory and no other, whoever else trusts that identity."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any

import httpx2 as httpx
import pytest

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, ProductError
from drift.arm import open_arm
from drift.collect import SubscriptionReader
from errors import Unreadable
from tenancy.access import serve
from tenancy.deployment import Deployment
from tests.api.members import Sign


def connection(kind: str, directory_id: str) -> dict[str, str]:
    return {"kind": kind, "directoryId": directory_id}


@pytest.fixture
async def app_object_id(environment: dict[str, str]) -> str:
    """The object id of the app's managed identity."""
    trust = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    headers = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]}
    query = {"resource": "https://management.azure.com", "api-version": "2019-08-01"}
    async with httpx.AsyncClient(verify=trust) as client:
        answer = await client.get(environment["IDENTITY_ENDPOINT"], params=query, headers=headers)
    claims = answer.json()["access_token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["oid"])


async def delegate(azure: AzureAdmin, organisation: Any, object_id: str) -> None:
    await azure.put_subscription(
        organisation.subscription_id,
        directory_id=organisation.directory_id,
        displayName="delegated",
        readers=[],
        delegatedTo=[object_id],
    )


async def test_edit_needs_the_etag_of_what_was_read(
    admin: httpx.AsyncClient, organisation: Any
) -> None:
    body = organisation.tenant_body()["connection"]
    first = (await admin.get("/api/connection")).headers["ETag"]

    async def put(**headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await admin.put("/api/connection", json=body, headers=sent)

    for refused in (await put(), await put(If_Match="*"), await admin.delete("/api/connection")):
        assert (refused.status_code, refused.json()["code"]) == (428, "precondition-required")
    assert (await put(If_None_Match="*")).status_code == 412
    assert (await put(If_None_Match="*", If_Match=first)).status_code == 422
    saved = await put(If_Match=first)
    assert saved.status_code == 200
    assert saved.headers["ETag"] == (await admin.get("/api/connection")).headers["ETag"] != first
    for stale in (
        await put(If_Match=first),
        await admin.delete("/api/connection", headers={"If-Match": first}),
    ):
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert (await admin.get("/api/connection")).headers["ETag"] == saved.headers["ETag"]


async def test_first_connection_needs_none(admin: httpx.AsyncClient, organisation: Any) -> None:
    body = organisation.tenant_body()["connection"]
    etag = (await admin.get("/api/connection")).headers["ETag"]
    gone = await admin.delete("/api/connection", headers={"If-Match": etag})
    assert gone.status_code == 204
    assert (await admin.get("/api/connection")).status_code == 404
    assert (await admin.delete("/api/connection", headers={"If-Match": etag})).status_code == 404
    late = await admin.put("/api/connection", json=body, headers={"If-Match": etag})
    assert late.status_code == 412
    made = await admin.put("/api/connection", json=body, headers={"If-None-Match": "*"})
    assert made.status_code == 200
    etag = made.headers["ETag"]
    await admin.delete("/api/connection", headers={"If-Match": etag})
    assert (await admin.put("/api/connection", json=body)).status_code == 200


@pytest.mark.parametrize("kind", ["federated", "lighthouse"])
async def test_identity_of_the_deployment_is_not_for_foreign_directories(
    operator: Product, sign_in: Sign, new_organisation: Any, kind: str
) -> None:
    own, foreign = await new_organisation(), await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", own.tenant_body())
    admin = sign_in(own.admin_header, tenant=tenant["id"])
    before = await admin.get("/api/connection")
    refused = await admin.put(
        "/api/connection",
        json=connection(kind, foreign.directory_id),
        headers={"If-Match": before.headers["ETag"]},
    )
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "directoryId"
    assert (await admin.get("/api/connection")).json() == before.json()
    body = own.tenant_body(connection=connection(kind, foreign.directory_id))
    with pytest.raises(ProductError, match=r"422.*directoryId"):
        await operator.request("POST", "/api/tenants", body)


async def test_lighthouse_reads_the_tenants_own_subscriptions_alone(
    operator: Product,
    url: str,
    azure: AzureAdmin,
    deployment: Deployment,
    new_organisation: Any,
    app_object_id: str,
) -> None:
    own, foreign = await new_organisation(), await new_organisation()
    await delegate(azure, own, app_object_id)
    await delegate(azure, foreign, app_object_id)
    body = own.tenant_body(connection=connection("lighthouse", own.directory_id))
    tenant = await operator.request("POST", "/api/tenants", body)
    async with Product(url, own.admin_header, tenant["id"]) as admin:
        listed = await admin.request("POST", "/api/subscriptions/refresh")
        assert [row["id"] for row in listed["value"]] == [own.subscription_id]
        lines = (await admin.request("POST", "/api/connection/test"))["value"]
        assert [line for line in lines if not line["ok"]] == []
    context = await serve(deployment, tenant["id"])
    arm = open_arm(context, await context.credential())
    await SubscriptionReader(arm, own.subscription_id).probe()
    with pytest.raises(Unreadable, match="another directory"):
        await SubscriptionReader(arm, foreign.subscription_id).probe()
