"""Resource Manager, asked by the SDK's own clients."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity.aio import ClientSecretCredential
from azure.mgmt.resource.resources.aio import ResourceManagementClient
from azure.mgmt.resource.subscriptions.aio import SubscriptionClient

VERSION = "2024-05-01"


@pytest.fixture
async def credential(azure, admin) -> AsyncIterator[ClientSecretCredential]:
    async with azure.credential() as credential:
        yield credential


@pytest.fixture
async def client(azure, credential, subscription) -> AsyncIterator[ResourceManagementClient]:
    async with ResourceManagementClient(
        credential, subscription, **azure.client_options, retry_total=0
    ) as client:
        yield client


@pytest.fixture
async def subscriptions(azure, credential) -> AsyncIterator[SubscriptionClient]:
    async with SubscriptionClient(credential, **azure.client_options, retry_total=0) as client:
        yield client


async def test_resources_are_listed_without_properties_over_all_pages(client, admin, make_vnet):
    names = [f"vnet{number:02d}" for number in range(25)]
    await admin.add_resources([make_vnet(name) for name in names])
    await admin.settings(pageSize=10, emptyPages=2)
    found = [one async for one in client.resources.list()]
    assert [one.name for one in found] == names
    assert found[0].type == "Microsoft.Network/virtualNetworks"
    assert found[0].tags == {"env": "test"}
    assert "properties" not in found[0]


async def test_a_list_of_several_pages_has_empty_ones_with_a_next_link(
    http, token, admin, subscription, make_vnet
):
    await admin.add_resources([make_vnet(f"vnet{number}") for number in range(3)])
    await admin.settings(pageSize=2, emptyPages=1)
    sizes, link = [], f"/subscriptions/{subscription}/resources?api-version=2021-04-01"
    while link:
        page = (await http.get(link, headers={"authorization": f"Bearer {token}"})).json()
        sizes.append(len(page["value"]))
        link = page.get("nextLink")
    assert sizes == [2, 0, 1]


async def test_an_expanded_list_tells_times_and_provisioning_state(client, admin, make_vnet):
    await admin.add_resources([make_vnet("one")])
    (found,) = [
        one
        async for one in client.resources.list(expand="createdTime,changedTime,provisioningState")
    ]
    assert found.provisioning_state == "Succeeded"
    assert found.created_time == found.changed_time


async def test_a_filter_selects_by_type_and_name(client, admin, make_vnet):
    await admin.add_resources([make_vnet("one"), make_vnet("two")])
    text = "resourceType eq 'microsoft.network/VIRTUALNETWORKS' and name eq 'two'"
    assert [one.name async for one in client.resources.list(filter=text)] == ["two"]


async def test_an_unsupported_filter_is_refused(client):
    with pytest.raises(HttpResponseError) as refused:
        _ = [one async for one in client.resources.list(filter="substringof('x', name)")]
    assert refused.value.error.code == "InvalidFilterInQueryString"


async def test_a_get_finds_an_id_in_any_letter_case_and_keeps_the_documents_own(
    client, admin, make_vnet
):
    vnet = make_vnet("MixedCase")
    await admin.add_resources([vnet])
    found = await client.resources.get_by_id(
        vnet["id"].upper().replace("/SUBSCRIPTIONS", "/subscriptions"), api_version=VERSION
    )
    assert found.as_dict() == vnet


async def test_a_get_shows_the_etag_as_a_header(http, token, admin, make_vnet):
    vnet = make_vnet("tagged")
    await admin.add_resources([vnet])
    answer = await http.get(
        f"{vnet['id']}?api-version={VERSION}", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["x-ms-request-id"] == answer.headers["x-ms-correlation-request-id"]
    assert int(answer.headers["x-ms-ratelimit-remaining-subscription-reads"]) <= 249


async def test_existence_is_answered_without_a_body(client, admin, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    assert await client.resources.check_existence_by_id(vnet["id"], api_version=VERSION)
    assert not await client.resources.check_existence_by_id(vnet["id"] + "x", api_version=VERSION)


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        ("rg-net/providers/Microsoft.Network/virtualNetworks/absent", "ResourceNotFound"),
        ("rg-none/providers/Microsoft.Network/virtualNetworks/one", "ResourceGroupNotFound"),
        ("rg-net/providers/Microsoft.Sql/servers/none/databases/db", "ParentResourceNotFound"),
        ("rg-net/providers/Microsoft.Network/unheardOf/one", "InvalidResourceType"),
    ],
)
async def test_what_is_absent_is_404_in_azures_words(
    client, admin, subscription, make_vnet, tail, code
):
    database = make_vnet("x") | {
        "id": f"/subscriptions/{subscription}/resourceGroups/rg-net/providers/Microsoft.Sql/servers/s/databases/d"
    }
    await admin.add_resources([make_vnet("one"), database])
    versions = {"Sql": "2023-08-01", "Network": VERSION}
    version = next(value for name, value in versions.items() if name in tail)
    with pytest.raises(ResourceNotFoundError) as missing:
        await client.resources.get_by_id(
            f"/subscriptions/{subscription}/resourceGroups/{tail}", api_version=version
        )
    assert missing.value.error.code == code


async def test_an_unsupported_version_is_refused_with_the_supported_ones(client, admin, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    with pytest.raises(HttpResponseError) as refused:
        await client.resources.get_by_id(vnet["id"], api_version="2015-05-05")
    assert refused.value.status_code == 400
    assert refused.value.error.code == "NoRegisteredProviderFound"
    assert "2024-05-01" in refused.value.message


async def test_a_request_without_version_is_refused(http, token, subscription):
    answer = await http.get(
        f"/subscriptions/{subscription}", headers={"authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (
        400,
        "MissingApiVersionParameter",
    )


async def test_providers_tell_the_versions_of_each_type(client, admin, make_vnet):
    await admin.add_resources([make_vnet("one")])
    provider = await client.providers.get("microsoft.network")
    (kind,) = [one for one in provider.resource_types if one.resource_type == "virtualNetworks"]
    assert kind.default_api_version == VERSION
    assert VERSION in kind.api_versions
    assert "Microsoft.Network" in [one.namespace async for one in client.providers.list()]


async def test_an_unknown_namespace_is_404(client):
    with pytest.raises(ResourceNotFoundError) as missing:
        await client.providers.get("Contoso.Nothing")
    assert missing.value.error.code == "InvalidResourceNamespace"


async def test_a_resource_group_exists_as_soon_as_a_resource_is_in_it(client, admin, make_vnet):
    await admin.add_resources([make_vnet("one", group="rg-Implied")])
    assert [one.name async for one in client.resource_groups.list()] == ["rg-Implied"]
    assert (await client.resource_groups.get("RG-IMPLIED")).location == "westeurope"
    assert [one.name async for one in client.resources.list_by_resource_group("rg-implied")] == [
        "one"
    ]


async def test_children_locks_and_role_assignments_are_listed_by_scope(
    http, token, admin, subscription, make_vnet
):
    vnet = make_vnet("one")
    scope = f"/subscriptions/{subscription}"
    lock = {
        "id": f"{vnet['id']}/providers/Microsoft.Authorization/locks/keep",
        "properties": {"level": "ReadOnly"},
    }
    assignment = {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/a",
        "properties": {},
    }
    subnet = {"id": f"{vnet['id']}/subnets/web", "properties": {}}
    await admin.add_resources([vnet, lock, assignment, subnet])
    headers = {"authorization": f"Bearer {token}"}
    for path, version, expected in (
        (f"{scope}/providers/Microsoft.Authorization/locks", "2020-05-01", lock),
        (f"{scope}/providers/microsoft.authorization/roleassignments", "2022-04-01", assignment),
        (f"{vnet['id']}/subnets", VERSION, subnet),
    ):
        answer = await http.get(f"{path}?api-version={version}", headers=headers)
        assert answer.json() == {"value": [expected]}


async def test_subscriptions_are_those_the_principal_may_read(
    subscriptions, admin, azure, subscription
):
    hidden, foreign = str(uuid.uuid4()), str(uuid.uuid4())
    await admin.put_subscription(hidden, directory_id=azure.contoso)
    await admin.put_subscription(foreign, directory_id=azure.fabrikam, readers=[azure.app_object])
    found = {one.subscription_id: one async for one in subscriptions.subscriptions.list()}
    assert subscription in found
    assert not {hidden, foreign} & set(found)
    assert found[subscription].state == "Enabled"
    assert found[subscription].tenant_id == azure.contoso


async def test_a_subscription_without_a_role_is_forbidden_by_name(subscriptions, admin, azure):
    other = str(uuid.uuid4())
    await admin.put_subscription(other, directory_id=azure.contoso)
    with pytest.raises(HttpResponseError) as refused:
        await subscriptions.subscriptions.get(other)
    assert refused.value.status_code == 403
    assert refused.value.error.code == "AuthorizationFailed"
    for part in (azure.app, azure.app_object, "Microsoft.Resources/subscriptions/read", other):
        assert part in refused.value.message


async def test_a_subscription_of_another_directory_refuses_the_token(subscriptions, admin, azure):
    other = str(uuid.uuid4())
    await admin.put_subscription(other, directory_id=azure.fabrikam, readers=[azure.app_object])
    with pytest.raises(ClientAuthenticationError) as refused:
        await subscriptions.subscriptions.get(other)
    assert refused.value.error.code == "InvalidAuthenticationTokenTenant"
    assert azure.fabrikam in refused.value.message


async def test_a_delegated_subscription_is_read_with_the_home_directorys_token(
    subscriptions, admin, azure
):
    delegated = str(uuid.uuid4())
    await admin.put_subscription(
        delegated, directory_id=azure.fabrikam, delegatedTo=[azure.app_object]
    )
    found = await subscriptions.subscriptions.get(delegated)
    assert found.tenant_id == azure.fabrikam
    assert [one.tenant_id for one in found.managed_by_tenants] == [azure.contoso]


async def test_a_deleted_subscription_is_not_found(subscriptions, admin, azure, subscription):
    await admin.put_subscription(
        subscription, directory_id=azure.contoso, state="Deleted", readers=[azure.app_object]
    )
    with pytest.raises(ResourceNotFoundError) as missing:
        await subscriptions.subscriptions.get(subscription)
    assert missing.value.error.code == "SubscriptionNotFound"


async def test_a_denied_type_is_403_on_get_and_missing_from_lists(
    client, admin, azure, subscription, make_vnet
):
    vnet, secret = make_vnet("seen"), make_vnet("unseen", group="rg-secret")
    await admin.add_resources([vnet, secret])
    await admin.put_subscription(
        subscription,
        directory_id=azure.contoso,
        readers=[azure.app_object],
        denied=[{"objectId": azure.app_object, "resourceGroup": "RG-Secret"}],
    )
    with pytest.raises(HttpResponseError) as refused:
        await client.resources.get_by_id(secret["id"], api_version=VERSION)
    assert refused.value.status_code == 403
    assert "Microsoft.Network/virtualNetworks/read" in refused.value.message
    assert [one.name async for one in client.resources.list()] == ["seen"]


async def test_a_reader_may_not_write(client, admin, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    with pytest.raises(HttpResponseError) as refused:
        await client.resources.begin_delete_by_id(vnet["id"], api_version=VERSION)
    assert refused.value.status_code == 403
    assert "Microsoft.Network/virtualNetworks/delete" in refused.value.message


async def test_a_writer_creates_changes_and_deletes(client, admin, azure, subscription, make_vnet):
    await admin.put_subscription(
        subscription, directory_id=azure.contoso, writers=[azure.app_object]
    )
    vnet = make_vnet("made", location="northeurope")
    del vnet["etag"]
    poller = await client.resources.begin_create_or_update_by_id(
        vnet["id"], vnet, api_version=VERSION
    )
    assert (await poller.result()).location == "northeurope"
    poller = await client.resources.begin_update_by_id(
        vnet["id"], {"tags": {"env": "prod", "team": "net"}}, api_version=VERSION
    )
    assert (await poller.result()).tags == {"env": "prod", "team": "net"}
    await (await client.resources.begin_delete_by_id(vnet["id"], api_version=VERSION)).result()
    assert not await client.resources.check_existence_by_id(vnet["id"], api_version=VERSION)


async def test_a_write_with_a_stale_etag_is_refused(client, admin, azure, subscription, make_vnet):
    await admin.put_subscription(
        subscription, directory_id=azure.contoso, writers=[azure.app_object]
    )
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    with pytest.raises(HttpResponseError) as refused:
        await client.resources.begin_delete_by_id(
            vnet["id"], api_version=VERSION, headers={"If-Match": 'W/"0"'}
        )
    assert refused.value.status_code == 412


async def test_a_disabled_subscription_is_read_only(client, admin, azure, subscription, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    await admin.put_subscription(
        subscription, directory_id=azure.contoso, state="Disabled", writers=[azure.app_object]
    )
    assert (await client.resources.get_by_id(vnet["id"], api_version=VERSION)).name == "one"
    with pytest.raises(ResourceExistsError) as refused:
        await client.resources.begin_delete_by_id(vnet["id"], api_version=VERSION)
    assert refused.value.error.code == "ReadOnlyDisabledSubscription"


async def test_throttling_answers_429_when_the_bucket_is_empty(http, token, admin, subscription):
    await admin.settings(throttle=True)
    url = f"/subscriptions/{subscription}?api-version=2022-12-01"
    headers = {"authorization": f"Bearer {token}"}
    for _ in range(5000):  # the bucket holds 250 and gains 25 a second: a slow machine asks longer
        answer = await http.get(url, headers=headers)
        if answer.status_code == 429:
            break
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "SubscriptionRequestsThrottled"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [("", "AuthenticationFailed"), ("Bearer nonsense", "InvalidAuthenticationToken")],
)
async def test_no_token_or_a_broken_one_is_401(http, subscription, authorization, code):
    headers = {"authorization": authorization} if authorization else {}
    answer = await http.get(
        f"/subscriptions/{subscription}?api-version=2022-12-01", headers=headers
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=")


async def test_a_token_for_another_service_is_refused(http, azure, admin, subscription):
    token = await admin.mint_token(
        azure.contoso, "https://vault.azure.net", {"oid": azure.app_object}
    )
    answer = await http.get(
        f"/subscriptions/{subscription}?api-version=2022-12-01",
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.json()["error"]["code"] == "InvalidAuthenticationTokenAudience"


async def test_an_expired_token_is_refused(http, azure, admin, subscription):
    token = await admin.mint_token(
        azure.contoso,
        "https://management.azure.com",
        {"oid": azure.app_object, "exp": 1_700_000_000},
    )
    answer = await http.get(
        f"/subscriptions/{subscription}?api-version=2022-12-01",
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"
    assert "'11/14/2023 10:13:20 PM'" in answer.json()["error"]["message"]
