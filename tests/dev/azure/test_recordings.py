"""The same shapes as recorded answers of Azure, where the recordings are at hand."""

from __future__ import annotations

import gzip
import json
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest

RECORDINGS = Path(__file__).parents[4] / "shared" / "data" / "arm-http.jsonl.gz"
VERSION = "2024-05-01"

pytestmark = pytest.mark.skipif(
    not RECORDINGS.exists(), reason="recorded answers of Azure are not beside the project"
)


@cache
def recorded(category: str) -> dict[str, Any]:
    with gzip.open(RECORDINGS, "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["_category"].startswith(category):
                assert isinstance(entry, dict)
                return entry
    raise LookupError(category)


def shape(value: Any) -> Any:
    """Keys and types; of a list the first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def words(message: str) -> list[str]:
    """A message without what is quoted in it."""
    return message.split("'")[::2]


@pytest.fixture
def headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_subscription_has_the_recorded_members(http, headers, subscription):
    answer = await http.get(
        f"/subscriptions/{subscription}?api-version=2020-01-01", headers=headers
    )
    assert shape(answer.json()) == shape(recorded("get-subscription")["body"])


async def test_resource_groups_have_the_recorded_members(
    http, headers, admin, subscription, make_vnet
):
    await admin.add_resources([make_vnet("one")])
    answer = await http.get(
        f"/subscriptions/{subscription}/resourcegroups?api-version=2022-09-01", headers=headers
    )
    expected = recorded("list-resourcegroups")["body"]
    assert shape(answer.json()["value"]) == shape(expected["value"])


async def test_an_item_of_a_resource_list_has_only_recorded_members(
    http, headers, admin, subscription, make_vnet
):
    await admin.add_resources(
        [make_vnet("one", kind="x", sku={"name": "y"}, identity={"type": "None"})]
    )
    answer = await http.get(
        f"/subscriptions/{subscription}/resources",
        params={
            "api-version": "2022-09-01",
            "$expand": "createdTime,changedTime,provisioningState",
        },
        headers=headers,
    )
    items = recorded("list-sub-resources chain page 1/2")["body"]["value"]
    known = {name for one in items for name in one}
    (item,) = answer.json()["value"]
    assert set(item) <= known
    assert {"createdTime", "changedTime", "provisioningState"} <= set(item)


async def test_a_filtered_list_begins_with_an_empty_page_as_recorded(
    http, headers, admin, subscription, make_vnet
):
    assert recorded("list-sub-resources chain page 1/3 (0 items)")["body"]["value"] == []
    await admin.add_resources([make_vnet("one")])
    first = await http.get(
        f"/subscriptions/{subscription}/resources",
        params={"api-version": "2022-09-01", "$filter": "name eq 'one'"},
        headers=headers,
    )
    assert first.json()["value"] == []
    assert "skiptoken=" in first.json()["nextLink"]
    second = await http.get(first.json()["nextLink"], headers=headers)
    assert [one["name"] for one in second.json()["value"]] == ["one"]


@pytest.mark.parametrize(
    ("category", "path"),
    [
        ("error-404-ResourceNotFound", "rg-net/providers/Microsoft.Network/virtualNetworks/absent"),
        (
            "error-404-ResourceGroupNotFound",
            "rg-none/providers/Microsoft.Network/virtualNetworks/one",
        ),
        (
            "error-404-ParentResourceNotFound",
            "rg-net/providers/Microsoft.Network/virtualNetworks/x/subnets/y",
        ),
    ],
)
async def test_absence_is_told_as_recorded(
    http, headers, admin, subscription, make_vnet, category, path
):
    vnet = make_vnet("one")
    await admin.add_resources([vnet, {"id": f"{vnet['id']}/subnets/s"}])
    answer = await http.get(
        f"/subscriptions/{subscription}/resourceGroups/{path}?api-version={VERSION}",
        headers=headers,
    )
    expected = recorded(category)
    assert answer.status_code == expected["status"]
    assert answer.headers["x-ms-failure-cause"] == expected["headers"]["x-ms-failure-cause"]
    assert shape(answer.json()) == shape(expected["body"])
    error, known = answer.json()["error"], expected["body"]["error"]
    assert (error["code"], words(error["message"])) == (known["code"], words(known["message"]))


async def test_a_refused_version_is_told_as_recorded(http, headers, admin, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    answer = await http.get(f"{vnet['id']}?api-version=2018-05-02", headers=headers)
    known = recorded("error-400-NoRegisteredProviderFound")["body"]["error"]
    error = answer.json()["error"]
    assert (error["code"], words(error["message"])) == (known["code"], words(known["message"]))


async def test_a_missing_role_is_told_as_recorded(http, headers, admin, azure):
    other = str(uuid.uuid4())
    await admin.put_subscription(other, directory_id=azure.contoso)
    answer = await http.get(
        f"/subscriptions/{other}/resourcegroups/none?api-version=2022-09-01", headers=headers
    )
    expected = recorded("error-403-AuthorizationFailed")
    error, known = answer.json()["error"], expected["body"]["error"]
    assert answer.status_code == expected["status"]
    assert error["code"] == known["code"]
    # Newer answers go on after the scope ("or the scope is invalid…"); up to it they read the same.
    assert words(error["message"])[:4] == words(known["message"])[:4]


async def test_an_expired_token_is_told_as_recorded(http, admin, azure, subscription):
    token = await admin.mint_token(
        azure.contoso,
        "https://management.azure.com",
        {"oid": azure.app_object, "exp": 1_539_713_372},
    )
    answer = await http.get(
        f"/subscriptions/{subscription}?api-version=2022-12-01",
        headers={"authorization": f"Bearer {token}"},
    )
    expected = recorded("error-401-ExpiredAuthenticationToken")
    error, known = answer.json()["error"], expected["body"]["error"]
    assert (error["code"], words(error["message"])) == (known["code"], words(known["message"]))
    assert error["message"].split("'")[1] == "10/16/2018 6:09:32 PM"
    assert answer.headers["www-authenticate"] == expected["headers"]["www-authenticate"]


async def test_a_graph_page_has_the_recorded_members(http, headers, admin, subscription, make_vnet):
    await admin.add_resources([make_vnet("one"), make_vnet("two")])
    answer = await http.post(
        "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        json={"subscriptions": [subscription], "query": "project id, tags, properties | limit 2"},
        headers=headers,
    )
    expected = recorded("resource-graph 200")
    found, known = answer.json(), expected["body"]
    assert list(found) == list(known)
    assert (found["totalRecords"], found["count"], found["resultTruncated"]) == (2, 2, "false")
    assert list(found["data"][0]) == list(known["data"][0])
    wanted = {name for name in expected["headers"] if name.startswith("x-ms-user-quota")}
    assert wanted
    assert wanted <= set(answer.headers)


async def test_the_old_graph_version_answers_with_a_table_as_recorded(
    http, headers, admin, subscription, make_vnet
):
    await admin.add_resources([make_vnet("one")])
    answer = await http.post(
        "/providers/Microsoft.ResourceGraph/resources?api-version=2019-04-01",
        json={"subscriptions": [subscription], "query": "project id"},
        headers=headers,
    )
    assert answer.json()["data"]["columns"] == [{"name": "id", "type": "string"}]


async def test_a_graph_syntax_error_is_told_as_recorded(http, headers, subscription):
    answer = await http.post(
        "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        json={"subscriptions": [subscription], "query": "where where"},
        headers=headers,
    )
    expected = recorded("resource-graph 400")
    found, known = answer.json()["error"], expected["body"]["error"]
    assert answer.status_code == expected["status"]
    assert shape(found) == shape(known)
    assert [one["code"] for one in found["details"]] == [one["code"] for one in known["details"]]
    for name in ("line", "characterPositionInLine"):
        assert found["details"][1][name] == known["details"][1][name]
