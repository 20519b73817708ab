"""Resource Graph, asked by the SDK's client."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resourcegraph.aio import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions, QueryResponse

URL = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"


@pytest.fixture
async def client(azure, admin) -> AsyncIterator[ResourceGraphClient]:
    async with (
        azure.credential() as credential,
        ResourceGraphClient(credential, **azure.client_options, retry_total=0) as client,
    ):
        yield client


async def ask(
    client: ResourceGraphClient, subscription: str | None, query: str, **options: Any
) -> QueryResponse:
    options.setdefault("result_format", "objectArray")
    return await client.resources(
        QueryRequest(
            subscriptions=[subscription] if subscription else None,
            query=query,
            options=QueryRequestOptions(**options),
        )
    )


async def test_pages_hold_every_row_once_in_order(client, admin, subscription, make_vnet):
    names = [f"vnet{number:03d}" for number in range(250)]
    await admin.add_resources([make_vnet(name) for name in reversed(names)])
    found: list[str] = []
    token, counts = None, []
    while True:
        page = await ask(
            client,
            subscription,
            "resources | project id, name | order by id asc",
            top=100,
            skip_token=token,
        )
        found += [one["name"] for one in page.data]
        counts.append(page.count)
        assert (page.total_records, page.result_truncated) == (250, "false")
        token = page.skip_token
        if token is None:
            break
    assert found == names
    assert counts == [100, 100, 50]


async def test_a_row_has_the_envelope_that_azure_gives(
    client, admin, azure, subscription, make_vnet
):
    vnet = make_vnet("One", group="rg-Net", location="West Europe")
    await admin.add_resources([vnet])
    (found,) = (await ask(client, subscription, "resources")).data
    assert found == {
        "id": vnet["id"],
        "name": "One",
        "type": "microsoft.network/virtualnetworks",
        "tenantId": azure.contoso,
        "kind": "",
        "location": "westeurope",
        "resourceGroup": "rg-net",
        "subscriptionId": subscription,
        "managedBy": "",
        "sku": None,
        "plan": None,
        "properties": vnet["properties"],
        "tags": {"env": "test"},
        "identity": None,
        "zones": None,
        "extendedLocation": None,
    }


async def test_the_default_page_is_100_rows_and_the_largest_1000(
    client, admin, subscription, make_vnet
):
    await admin.add_resources([make_vnet(f"vnet{number:04d}") for number in range(1001)])
    assert (await ask(client, subscription, "project id")).count == 100
    assert (await ask(client, subscription, "project id", top=1000)).count == 1000
    with pytest.raises(HttpResponseError) as refused:
        await ask(client, subscription, "project id", top=1001)
    assert refused.value.status_code == 400


async def test_a_limited_query_has_no_pages(client, admin, subscription, make_vnet):
    await admin.add_resources([make_vnet(f"vnet{number:03d}") for number in range(5)])
    page = await ask(client, subscription, "project id | limit 4", top=3)
    assert (page.count, page.skip_token, page.result_truncated) == (3, None, "true")


async def test_a_query_of_only_dynamic_columns_has_no_pages(client, admin, subscription, make_vnet):
    await admin.add_resources([make_vnet(f"vnet{number:03d}") for number in range(5)])
    page = await ask(client, subscription, "project properties, tags", top=3)
    assert (page.count, page.skip_token, page.result_truncated) == (3, None, "true")


async def test_a_skip_token_of_another_query_is_refused(client, admin, subscription, make_vnet):
    await admin.add_resources([make_vnet(f"vnet{number}") for number in range(5)])
    page = await ask(client, subscription, "project id | order by id asc", top=3)
    with pytest.raises(HttpResponseError) as refused:
        await ask(client, subscription, "project id", top=3, skip_token=page.skip_token)
    assert refused.value.status_code == 400


async def test_a_page_holds_at_most_16_megabytes(client, admin, subscription, make_vnet):
    text = "x" * 3_000_000
    await admin.add_resources(
        [make_vnet(f"vnet{number}", properties={"text": text}) for number in range(7)]
    )
    first = await ask(client, subscription, "project id, properties | order by id asc", top=7)
    assert (first.count, first.total_records) == (5, 7)
    rest = await ask(
        client,
        subscription,
        "project id, properties | order by id asc",
        top=7,
        skip_token=first.skip_token,
    )
    assert (rest.count, rest.skip_token) == (2, None)


async def test_tables_hold_what_is_theirs(client, admin, subscription, make_vnet):
    vnet = make_vnet("one")
    scope = f"/subscriptions/{subscription}/providers/Microsoft.Authorization"
    await admin.add_resources(
        [
            vnet,
            {
                "id": f"{scope}/roleAssignments/r",
                "type": "Microsoft.Authorization/roleAssignments",
                "properties": {},
            },
            {
                "id": f"{scope}/policyAssignments/p",
                "type": "Microsoft.Authorization/policyAssignments",
            },
            {"id": f"{scope}/locks/l", "type": "Microsoft.Authorization/locks"},
            {"id": f"{vnet['id']}/subnets/s", "type": "Microsoft.Network/virtualNetworks/subnets"},
        ]
    )

    async def types(table: str) -> list[str]:
        query = f"{table} | where subscriptionId == '{subscription}' | project type"
        return sorted(one["type"] for one in (await ask(client, subscription, query)).data)

    assert await types("Resources") == ["microsoft.network/virtualnetworks"]
    assert await types("ResourceContainers") == [
        "microsoft.resources/subscriptions",
        "microsoft.resources/subscriptions/resourcegroups",
    ]
    assert await types("authorizationresources") == ["microsoft.authorization/roleassignments"]
    assert await types("policyresources") == ["microsoft.authorization/policyassignments"]
    assert await types("healthresources") == []


async def test_role_definitions_are_the_built_in_ones(client, subscription):
    query = (
        "authorizationresources | where type =~ 'microsoft.authorization/roledefinitions' "
        "and tostring(properties.roleName) == 'Reader' | project name"
    )
    assert (await ask(client, subscription, query)).data == [
        {"name": "acdd72a7-3385-48ef-bd42-f606fba81ae7"}
    ]


async def test_a_machine_has_its_power_state_here_only(client, admin, subscription):
    machine = {
        "id": f"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm",
        "name": "vm",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "properties": {"vmId": "1"},
    }
    await admin.add_resources([machine])
    (found,) = (await ask(client, subscription, "project properties")).data
    assert found["properties"]["vmId"] == "1"
    assert (
        found["properties"]["extended"]["instanceView"]["powerState"]["code"]
        == "PowerState/running"
    )


async def test_unreadable_subscriptions_are_left_out_without_a_word(
    client, admin, azure, subscription, make_vnet
):
    await admin.add_resources([make_vnet("one")])
    unreadable = str(uuid.uuid4())
    await admin.put_subscription(unreadable, directory_id=azure.contoso)
    page = await client.resources(
        QueryRequest(subscriptions=[subscription, unreadable], query="project id")
    )
    assert page.total_records == 1
    with pytest.raises(HttpResponseError) as refused:
        await ask(client, unreadable, "project id")
    assert refused.value.status_code == 403
    assert refused.value.error.details[0].code == "AccessDenied"


async def test_denied_types_are_left_out_without_a_word(
    client, admin, azure, subscription, make_vnet
):
    await admin.add_resources([make_vnet("one")])
    await admin.put_subscription(
        subscription,
        directory_id=azure.contoso,
        readers=[azure.app_object],
        denied=[
            {"objectId": azure.app_object, "resourceType": "Microsoft.Network/virtualNetworks"}
        ],
    )
    assert (await ask(client, subscription, "project id")).total_records == 0


async def test_a_query_that_cannot_be_read_is_400_in_azures_shape(client, subscription):
    with pytest.raises(HttpResponseError) as refused:
        await ask(client, subscription, "where where")
    error = refused.value.error
    assert error.code == "BadRequest"
    assert error.message.startswith(
        "Please provide below info when asking for support: timestamp = "
    )
    assert [one.code for one in error.details] == ["InvalidQuery", "ParserFailure"]


async def test_an_unknown_table_is_refused(client, subscription):
    with pytest.raises(HttpResponseError) as refused:
        await ask(client, subscription, "unheardof | project id")
    assert refused.value.error.details[1].code == "DisallowedLogicalTableName"


async def test_the_table_format_has_columns_and_rows(client, admin, subscription, make_vnet):
    await admin.add_resources([make_vnet("one")])
    page = await ask(
        client, subscription, "project name, tags, n = toint(1)", result_format="table"
    )
    assert page.data == {
        "columns": [
            {"name": "name", "type": "string"},
            {"name": "tags", "type": "object"},
            {"name": "n", "type": "integer"},
        ],
        "rows": [["one", {"env": "test"}, 1]],
    }


async def test_the_quota_is_told_and_kept(http, admin, azure, subscription):
    principal = str(uuid.uuid4())  # of its own: the quota counts by principal
    await admin.put_subscription(subscription, directory_id=azure.contoso, readers=[principal])
    token = await admin.mint_token(
        azure.contoso, "https://management.azure.com", {"oid": principal}
    )
    await admin.settings(quota=3)
    body = {"subscriptions": [subscription], "query": "project id"}
    headers = {"authorization": f"Bearer {token}"}
    answers = [await http.post(URL, json=body, headers=headers) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    left = [one.headers["x-ms-user-quota-remaining"] for one in answers]
    assert left == ["2", "1", "0", "0"]
    refused = answers[-1]
    assert refused.headers["x-ms-user-quota-resets-after"] <= "00:00:05"
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert refused.json()["error"]["details"][0]["code"] == "RateLimiting"


async def test_an_edit_is_seen_after_the_lag(client, admin, subscription, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    await admin.settings(graphLagSeconds=3600)
    await admin.edit(vnet["id"], set={"/tags/env": "prod"})
    query = "project env = tostring(tags.env)"
    assert (await ask(client, subscription, query)).data == [{"env": "test"}]
    assert (await ask(client, subscription, "resourcechanges")).total_records == 0
    await admin.settings(graphLagSeconds=0)
    assert (await ask(client, subscription, query)).data == [{"env": "prod"}]
    assert (await ask(client, subscription, "resourcechanges")).total_records == 1


async def test_every_edit_is_a_change_with_who_and_what(client, admin, subscription, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    actor = {"changedBy": "ann@contoso.example", "changedByType": "User", "clientType": "Azure CLI"}
    await admin.edit(
        vnet["id"],
        set={
            "/properties/addressSpace/addressPrefixes/0": "10.9.0.0/16",
            "/properties/new": {"a": 1},
        },
        actor=actor,
        correlationId="c-1",
    )
    (found,) = (await ask(client, subscription, "resourcechanges")).data
    properties = found["properties"]
    assert found["type"] == "microsoft.resources/changes"
    assert found["id"].startswith(f"{vnet['id']}/providers/Microsoft.Resources/changes/")
    assert properties["targetResourceId"] == vnet["id"]
    assert properties["targetResourceType"] == "microsoft.network/virtualnetworks"
    assert properties["changeType"] == "Update"
    attributes = properties["changeAttributes"]
    assert attributes | actor | {"changesCount": 1, "correlationId": "c-1"} == attributes
    assert attributes["operation"] == "microsoft.network/virtualnetworks/write"
    change = properties["changes"]["properties.addressSpace.addressPrefixes[0]"]
    assert (change["previousValue"], change["newValue"]) == ("10.0.0.0/16", "10.9.0.0/16")
    assert len(properties["changes"]) == 1  # what a write introduces is not reported


async def test_creation_and_deletion_are_changes_without_values(
    client, admin, subscription, make_vnet
):
    vnet = make_vnet("one")
    await admin.edit(create=vnet)
    await admin.edit(vnet["id"], delete=True)
    query = "resourcechanges | project kind = properties.changeType, n = properties.changeAttributes.changesCount"
    assert (await ask(client, subscription, query)).data == [
        {"kind": "Create", "n": 0},
        {"kind": "Delete", "n": 0},
    ]


async def test_a_silent_refresh_is_no_change(client, admin, subscription, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    await admin.edit(vnet["id"], set={"/properties/provisioningState": "Updating"}, silent=True)
    assert (await ask(client, subscription, "resourcechanges")).total_records == 0
    (found,) = (await ask(client, subscription, "project s = properties.provisioningState")).data
    assert found == {"s": "Updating"}


async def test_a_silent_deletion_is_no_change(client, admin, subscription, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    await admin.edit(vnet["id"], delete=True, silent=True)
    assert (await ask(client, subscription, "resources")).total_records == 0
    assert (await ask(client, subscription, "resourcechanges")).total_records == 0


async def test_a_changed_group_is_in_the_containers_history(client, admin, subscription, make_vnet):
    await admin.add_resources([make_vnet("one")])
    await admin.edit(
        f"/subscriptions/{subscription}/resourceGroups/rg-net", set={"/tags": {"a": "b"}}
    )
    assert (await ask(client, subscription, "resourcechanges")).total_records == 0
    assert (await ask(client, subscription, "resourcecontainerchanges")).total_records == 1


async def test_recent_changes_are_selected_by_time(client, admin, subscription, make_vnet):
    await admin.edit(create=make_vnet("one"))
    query = (
        "resourcechanges | extend at = todatetime(properties.changeAttributes.timestamp) "
        "| where at > ago({}) | project at"
    )
    assert (await ask(client, subscription, query.format("1h"))).total_records == 1
    assert (await ask(client, subscription, query.format("0s"))).total_records == 0


async def test_a_page_of_1000_rows_is_served_quickly(http, token, admin, subscription, make_vnet):
    """20 ms on a quiet machine; the bound leaves room for a busy one, not for work that grows with the world."""
    properties = {"text": "x" * 2500, "list": [{"name": str(number)} for number in range(20)]}
    await admin.add_resources(
        [make_vnet(f"v{number}", properties=properties) for number in range(1000)]
    )
    body = {
        "subscriptions": [subscription],
        "query": "project id, name, type, location, tags, properties | order by id asc",
        "options": {"$top": 1000},
    }
    headers = {"authorization": f"Bearer {token}"}
    times = []
    for _ in range(3):
        started = time.perf_counter()
        answer = await http.post(URL, json=body, headers=headers)
        times.append(time.perf_counter() - started)
    assert answer.json()["count"] == 1000
    assert min(times) < 1
