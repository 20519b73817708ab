"""Provisioning step by step: what is given when, what is still missing, and that nobody enters before the end."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, ProductError
from drift.onboarding import activate
from drift.templates import TEMPLATES
from settings import Settings
from tenancy.access import govern, serve
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId
from tenancy.principal import PLATFORM_ROLE, Principal


def begin(organisation: Any, **members: Any) -> dict[str, Any]:
    return {"name": "step", "azureTenantId": organisation.directory_id} | members


async def test_steps_lead_to_a_tenant_that_works(
    operator: Product, url: str, new_organisation: Any
) -> None:
    organisation = await new_organisation()
    whole = organisation.tenant_body()
    tenant = await operator.request("POST", "/api/tenants", begin(organisation))
    path = f"/api/tenants/{tenant['id']}"
    assert tenant["status"] == "provisioning"
    assert [words.partition(":")[0] for words in tenant["missing"]] == [
        "Its settings",
        "Its first admin",
        "Its connection to Azure",
    ]
    with pytest.raises(ProductError, match=r"409.*settings.*admin"):
        await operator.request("POST", f"{path}/activate")
    after = await operator.request("PUT", f"{path}/settings", {"template": "strict"})
    assert [words.partition(":")[0] for words in after["missing"]] == [
        "Its first admin",
        "Its connection to Azure",
    ]
    connection = await operator.request("PUT", f"{path}/connection", whole["connection"])
    assert (connection["hasSecret"], organisation.secret in str(connection)) == (True, False)
    async with Product(url, organisation.admin_header, tenant["id"]) as admin:
        after = await operator.request("PUT", f"{path}/admin", whole["admin"])
        assert (after["missing"], after["status"]) == ([], "provisioning")
        with pytest.raises(ProductError, match="404"):
            await admin.request("GET", "/api/settings")
        assert (await admin.request("GET", "/api/me"))["tenants"] == []
        done = await operator.request("POST", f"{path}/activate")
        assert (done["status"], done["missing"]) == ("active", [])
        settings = await admin.request("GET", "/api/settings")
        assert settings["schedule"] == "*/15 * * * *"
        listed = await admin.request("POST", "/api/subscriptions/refresh")
        assert [row["id"] for row in listed["value"]] == [organisation.subscription_id]
    assert (await operator.request("POST", f"{path}/activate"))["id"] == tenant["id"]


async def test_later_step_replaces_an_earlier_one(
    operator: Product, url: str, new_organisation: Any
) -> None:
    organisation, other = await new_organisation(), await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", begin(organisation))
    path = f"/api/tenants/{tenant['id']}"
    for admin in (other.tenant_body()["admin"], organisation.tenant_body()["admin"]):
        await operator.request("PUT", f"{path}/admin", admin)
    for choice in (
        {"template": "quiet"},
        {"settings": {"schedule": "", "retention": {"scans": 30}}},
    ):
        await operator.request("PUT", f"{path}/settings", choice)
    await operator.request("POST", f"{path}/activate")
    async with (
        Product(url, other.admin_header, tenant["id"]) as nobody,
        Product(url, organisation.admin_header, tenant["id"]) as admin,
    ):
        with pytest.raises(ProductError, match="404"):
            await nobody.request("GET", "/api/settings")
        assert (await admin.request("GET", "/api/settings"))["retention"]["scans"] == 30


async def test_steps_are_for_a_tenant_that_is_not_finished(
    operator: Product, new_organisation: Any
) -> None:
    """Afterwards its own admins decide; the platform operator enters the tenant for it, and that is audited."""
    organisation = await new_organisation()
    body = organisation.tenant_body()
    tenant = await operator.request("POST", "/api/tenants", body)
    path = f"/api/tenants/{tenant['id']}"
    for step, given in (
        ("settings", {"template": "quiet"}),
        ("connection", body["connection"]),
        ("admin", body["admin"]),
    ):
        with pytest.raises(ProductError, match=r"409.*active already"):
            await operator.request("PUT", f"{path}/{step}", given)


async def test_unfinished_tenant_is_neither_suspended_nor_resumed(
    operator: Product, new_organisation: Any
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", begin(organisation))
    for action in ("suspend", "resume"):
        with pytest.raises(ProductError, match=r"409.*not provisioned yet"):
            await operator.request("POST", f"/api/tenants/{tenant['id']}/{action}")
    await operator.request("DELETE", f"/api/tenants/{tenant['id']}")
    with pytest.raises(ProductError, match="404"):
        await operator.request("GET", f"/api/tenants/{tenant['id']}")


async def test_last_step_twice_at_once_keeps_the_first_key(
    operator: Product, deployment: Deployment, settings: Settings, new_organisation: Any
) -> None:
    """Another key would make every secret that was ever hashed look changed."""
    body = (await new_organisation()).tenant_body()
    tenant = await operator.request(
        "POST", "/api/tenants", {"name": "twice", "azureTenantId": body["azureTenantId"]}
    )
    path = f"/api/tenants/{tenant['id']}"
    await operator.request("PUT", f"{path}/settings", {"template": "quiet"})
    await operator.request("PUT", f"{path}/admin", body["admin"])
    home = DirectoryId(settings.platform_directory_id)
    pia = Principal(home, ObjectId(str(uuid.uuid4())), "Pia", frozenset({PLATFORM_ROLE}), False)
    now = datetime.now(UTC)
    both = [await govern(deployment, pia, tenant["id"], now=now) for _ in range(2)]
    first, second = [(await activate(context, now=now)).tenant for context in both]
    assert first.fingerprint_secret
    assert second.fingerprint_secret == first.fingerprint_secret
    assert await (await serve(deployment, first.tenant_id)).fingerprint_key()


async def test_same_operation_id_says_how_far_it_is(
    operator: Product, url: str, azure: AzureAdmin, new_organisation: Any
) -> None:
    organisation = await new_organisation()
    operation = {"Operation-Id": str(uuid.uuid4())}
    body = begin(organisation, template="quiet")
    first = await operator._client.post("/api/tenants", json=body, headers=operation)
    assert first.status_code == 201
    again = await operator._client.post("/api/tenants", json=body, headers=operation)
    assert again.status_code == 200
    assert again.headers["Location"] == f"/api/tenants/{first.json()['id']}"
    assert again.json() == first.json()
    assert again.json()["status"] == "provisioning"
    whole = body | {"admin": organisation.tenant_body()["admin"]}
    done = await operator.request("POST", "/api/tenants", whole, headers=operation)
    assert (done["id"], done["status"]) == (first.json()["id"], "active")
    other = body | {"azureTenantId": str(uuid.uuid4())}
    with pytest.raises(ProductError, match=r"409.*another tenant"):
        await operator.request("POST", "/api/tenants", other, headers=operation)


async def test_refused_connection_of_a_step_changes_nothing(
    operator: Product, new_organisation: Any
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", begin(organisation))
    path = f"/api/tenants/{tenant['id']}"
    wrong = organisation.tenant_body()["connection"] | {"secret": "wrong"}
    with pytest.raises(ProductError, match=r"422.*AADSTS7000215.*credential reset"):
        await operator.request("PUT", f"{path}/connection", wrong)
    missing = (await operator.request("GET", path))["missing"]
    assert any(words.startswith("Its connection") for words in missing)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"template": "loud"}, "template"),
        ({"template": "quiet", "settings": {}}, "template"),
        ({}, "template"),
        ({"settings": {"schedule": "never"}}, "schedule"),
        ({"tenantId": "x"}, "tenantId"),
    ],
)
async def test_bad_choice_of_settings_names_the_field(
    operator: Product, new_organisation: Any, body: dict[str, Any], field: str
) -> None:
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", begin(organisation))
    with pytest.raises(ProductError, match=f"422.*{field}"):
        await operator.request("PUT", f"/api/tenants/{tenant['id']}/settings", body)


async def test_templates_are_listed_with_reasons(operator: Product) -> None:
    listed = (await operator.request("GET", "/api/tenants/templates"))["value"]
    assert [one["name"] for one in listed] == list(TEMPLATES) == ["standard", "quiet", "strict"]
    assert all(one["reason"] for one in listed)
    assert [one["settings"]["notify"] for one in listed] == [
        ["critical", "high"],
        ["critical"],
        ["critical", "high", "medium"],
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tenants/templates"),
        ("PUT", "/api/tenants/{id}/settings"),
        ("PUT", "/api/tenants/{id}/connection"),
        ("PUT", "/api/tenants/{id}/admin"),
        ("POST", "/api/tenants/{id}/activate"),
        ("PUT", "/api/tenants/{id}/shared-subscriptions/{id}"),
        ("DELETE", "/api/tenants/{id}/shared-subscriptions/{id}"),
    ],
)
async def test_steps_do_not_exist_for_tenants(
    operator: Product, url: str, new_organisation: Any, method: str, path: str
) -> None:
    organisation = await new_organisation()
    body = organisation.tenant_body()
    tenant = await operator.request("POST", "/api/tenants", body)
    given = {
        "settings": {"template": "quiet"},
        "connection": body["connection"],
        "admin": body["admin"],
    }.get(path.rpartition("/")[2])
    async with Product(url, organisation.admin_header, tenant["id"]) as admin:
        with pytest.raises(ProductError, match="404"):
            await admin.request(method, path.format(id=tenant["id"]), given)
