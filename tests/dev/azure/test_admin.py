"""The admin and its client: errors name the field, edits are whole or not at all, faults hit whom they should."""

from __future__ import annotations

import time

import httpx2 as httpx
import pytest

from dev.azure.admin import AdminRefusedError

VERSION = "api-version=2024-05-01"
UNUSED = "00000000-0000-0000-0000-0000000000ff"


@pytest.fixture
def headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_documents_come_back_as_they_were_sent(admin, subscription, make_vnet):
    sent = [make_vnet("one"), make_vnet("two", group="rg-other", kind=None)]
    assert await admin.add_resources(sent) == 2
    found = [
        one for one in await admin.resources(subscription) if "virtualNetworks" in str(one["id"])
    ]
    assert found == sent


async def test_members_with_an_underscore_are_notes_and_dropped(admin, subscription, make_vnet):
    await admin.add_resources([make_vnet("one", _source="somewhere")])
    assert "_source" not in (await admin.resources(subscription))[-1]


async def test_one_bad_line_keeps_all_out(admin, subscription, make_vnet):
    with pytest.raises(AdminRefusedError, match="line 2: id: 'x' is no id"):
        await admin.add_resources([make_vnet("one"), {"id": "x"}])
    assert await admin.resources(subscription) == []


async def test_an_edit_sets_and_removes_by_pointer(admin, subscription, make_vnet):
    vnet = make_vnet("one")
    vnet["properties"]["subnets"] = [{"name": "web", "cidr": "1"}, {"name": "app", "cidr": "2"}]
    vnet["tags"]["a/b"] = "slash"
    await admin.add_resources([vnet])
    await admin.edit(
        vnet["id"],
        set={
            "/properties/subnets/[name=app]/cidr": "3",
            "/properties/subnets/-": {"name": "new"},
            "/properties/made/on/the/way": True,
            "/tags/a~1b": "changed",
        },
        remove=["/properties/addressSpace", "/properties/subnets/0"],
    )
    found = next(one for one in await admin.resources(subscription) if one["name"] == "one")
    assert found["properties"] == {
        "provisioningState": "Succeeded",
        "subnets": [{"name": "app", "cidr": "3"}, {"name": "new"}],
        "made": {"on": {"the": {"way": True}}},
    }
    assert found["tags"] == {"env": "test", "a/b": "changed"}
    assert found["etag"] != 'W/"1"'


async def test_a_silent_edit_leaves_the_bookkeeping_alone(admin, subscription, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    await admin.edit(vnet["id"], set={"/etag": 'W/"2"'}, silent=True)
    found = next(one for one in await admin.resources(subscription) if one["name"] == "one")
    assert found == {**vnet, "etag": 'W/"2"'}


async def test_an_edit_that_fails_half_way_changes_nothing(admin, subscription, make_vnet):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    with pytest.raises(AdminRefusedError, match="'/tags/absent'"):
        await admin.edit(vnet["id"], set={"/tags/env": "x"}, remove=["/tags/absent"])
    assert vnet in await admin.resources(subscription)


async def test_deleting_a_resource_takes_what_is_below_it(admin, subscription, make_vnet):
    vnet = make_vnet("one")
    lock = {"id": f"{vnet['id']}/providers/Microsoft.Authorization/locks/l"}
    await admin.add_resources(
        [vnet, {"id": f"{vnet['id']}/subnets/s"}, lock, make_vnet("one-more")]
    )
    await admin.edit(vnet["id"], delete=True)
    left = [one["name"] for one in await admin.resources(subscription)]
    assert left == ["rg-net", "one-more"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/directories/nonsense", {}, "id"),
        (
            "PUT",
            f"/directories/{UNUSED}",
            {"applications": [{"clientId": "x"}]},
            "applications.0.objectId",
        ),
        (
            "PUT",
            f"/subscriptions/{UNUSED}",
            {"directoryId": UNUSED},
            "directoryId",
        ),
        ("PUT", f"/subscriptions/{UNUSED}", {"directoryId": "x", "state": "Odd"}, "state"),
        ("PUT", "/settings", {"quota": 0}, "quota"),
        ("PUT", "/settings", {"quotas": 1}, "quotas"),
        ("POST", "/faults", {"match": {"path": "("}}, "match.path"),
        ("POST", "/faults", {"replace": {"(": ""}}, "replace"),
        ("DELETE", f"/directories/{UNUSED}", None, "id"),
        ("POST", "/edits", {}, "resourceId"),
        ("POST", "/edits", {"resourceId": "/subscriptions/x/resourceGroups/y"}, "resourceId"),
        ("GET", "/resources", None, "subscription"),
        ("POST", "/tokens", {"directoryId": "x", "audience": "y"}, "directoryId"),
    ],
)
async def test_a_refusal_names_the_field(azure, admin, method, path, body, field):
    async with httpx.AsyncClient(base_url=azure.admin_url) as client:
        answer = await client.request(method, path, json=body)
    assert answer.status_code in {400, 404}
    assert answer.json()["field"] == field


async def test_a_fault_answers_instead_of_the_service_so_many_times(
    admin, http, headers, make_vnet
):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    await admin.add_fault(
        match={"method": "get", "path": "/virtualnetworks/one"},
        status=503,
        headers={"retry-after": "7"},
        body={"error": {"code": "ServiceUnavailable"}},
        times=2,
    )
    answers = [await http.get(f"{vnet['id']}?{VERSION}", headers=headers) for _ in range(3)]
    assert [one.status_code for one in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json() == {"error": {"code": "ServiceUnavailable"}}


async def test_faults_tell_how_often_they_were_met(admin, azure, http, headers, subscription):
    await admin.add_fault(match={"path": subscription, "nth": 2}, status=500, delaySeconds=0)
    for _ in range(3):
        await http.get(f"/subscriptions/{subscription}?api-version=2022-12-01", headers=headers)
    async with httpx.AsyncClient(base_url=azure.admin_url) as client:
        (fault,) = (await client.get("/faults")).json()["value"]
    assert (fault["seen"], fault["used"], fault["delaySeconds"]) == (3, 1, 0)
    assert fault["match"] == {"method": "", "path": subscription, "directory": "", "nth": 2}


async def test_a_fault_can_hit_only_the_nth_request(admin, http, headers, subscription):
    await admin.add_fault(match={"path": f"/subscriptions/{subscription}", "nth": 2}, status=500)
    url = f"/subscriptions/{subscription}?api-version=2022-12-01"
    statuses = [(await http.get(url, headers=headers)).status_code for _ in range(3)]
    assert statuses == [200, 500, 200]


async def test_a_fault_can_hit_one_directory_alone(admin, azure, http, headers, subscription):
    await admin.add_fault(match={"directory": azure.fabrikam}, status=500)
    url = f"/subscriptions/{subscription}?api-version=2022-12-01"
    assert (await http.get(url, headers=headers)).status_code == 200
    assert (await http.post(f"/{azure.fabrikam}/oauth2/v2.0/token")).status_code == 500
    assert (await http.post(f"/{azure.contoso}/oauth2/v2.0/token")).status_code == 400


async def test_a_delayed_answer_is_the_services_own(admin, http, headers, subscription):
    await admin.add_fault(match={"path": subscription}, delaySeconds=0.2)
    started = time.perf_counter()
    answer = await http.get(
        f"/subscriptions/{subscription}?api-version=2022-12-01", headers=headers
    )
    assert answer.status_code == 200
    assert time.perf_counter() - started >= 0.2


async def test_an_aborted_answer_breaks_in_the_middle(admin, http, headers, subscription):
    await admin.add_fault(match={"path": subscription}, body='{"id": ', abort=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(f"/subscriptions/{subscription}?api-version=2022-12-01", headers=headers)
    await admin.clear_faults()
    answer = await http.get(
        f"/subscriptions/{subscription}?api-version=2022-12-01", headers=headers
    )
    assert answer.status_code == 200


async def test_a_fault_can_alter_the_services_own_answer(
    admin, http, headers, subscription, make_vnet
):
    await admin.add_resources([make_vnet(f"vnet{number}") for number in range(3)])
    await admin.add_fault(
        match={"path": "ResourceGraph"},
        replace={r'"totalRecords":\d+': '"totalRecords":7', r',"\$skipToken":"[^"]*"': ""},
    )
    answer = await http.post(
        "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        headers=headers,
        json={"subscriptions": [subscription], "query": "project id", "options": {"$top": 2}},
    )
    page = answer.json()
    assert (page["totalRecords"], page["count"], "$skipToken" in page) == (7, 2, False)
    assert answer.headers["x-ms-user-quota-remaining"]


async def test_a_deleted_directory_is_unknown_to_entra(admin, azure, http):
    await admin.delete_directory(azure.fabrikam)
    answer = await http.post(f"/{azure.fabrikam}/oauth2/v2.0/token")
    assert answer.json()["error_codes"] == [90002]


async def test_requests_are_counted_by_kind_and_listed(
    admin, azure, http, headers, subscription, make_vnet
):
    vnet = make_vnet("one")
    await admin.add_resources([vnet])
    await admin.clear_requests()
    await http.get(f"{vnet['id']}?{VERSION}", headers=headers)
    await http.get(
        f"/subscriptions/{subscription}/resources?api-version=2021-04-01", headers=headers
    )
    await http.delete(f"{vnet['id']}?{VERSION}", headers=headers)
    await http.post(
        "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        headers=headers,
        json={"query": "count"},
    )
    await http.get("/secrets/x")
    await http.post(f"/{azure.contoso}/oauth2/v2.0/token")
    told = await admin.requests()
    assert told["counts"] == {
        "arm-get": 1,
        "arm-list": 1,
        "arm-write": 1,
        "graph": 1,
        "vault": 1,
        "token": 1,
    }
    first = told["log"][0]
    assert (first["method"], first["status"], first["principal"]) == ("GET", 200, azure.app_object)
    assert first["path"] == f"{vnet['id']}?{VERSION}"
    assert [one["status"] for one in told["log"]] == [200, 200, 403, 200, 401, 400]
