"""Baselines by HTTP: upload, versions, what is in one, how two differ, roll back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.uploads import Uploader


async def test_versions_are_numbered_and_one_is_active(uploader: Uploader) -> None:
    first = (await uploader.post([uploader.document("a")])).json()
    second = (await uploader.post([uploader.document("b")], activate=False)).json()
    assert [(one["version"], one["active"]) for one in (first, second)] == [(1, True), (2, False)]
    listed = (await uploader.client.get("/api/baselines")).json()["value"]
    assert [(one["id"], one["active"]) for one in listed] == [
        (second["id"], False),
        (first["id"], True),
    ]
    moved = await uploader.client.post(f"/api/baselines/{second['id']}/activate")
    assert moved.json()["active"] is True
    back = (await uploader.client.get(f"/api/baselines/{first['id']}")).json()
    assert back["active"] is False


async def test_active_version_cannot_be_deleted(uploader: Uploader) -> None:
    first = (await uploader.post([uploader.document("a")])).json()
    refused = await uploader.client.delete(f"/api/baselines/{first['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    await uploader.post([uploader.document("b")])
    assert (await uploader.client.delete(f"/api/baselines/{first['id']}")).status_code == 204
    assert (await uploader.client.get(f"/api/baselines/{first['id']}")).status_code == 404


async def test_resources_page_by_page(uploader: Uploader) -> None:
    documents = [uploader.document(f"st{number:03}") for number in range(30)]
    baseline = (await uploader.post(documents)).json()
    assert baseline["resources"] == 30
    found: list[str] = []
    link: str | None = f"/api/baselines/{baseline['id']}/resources?maxpagesize=7"
    while link:
        page = (await uploader.client.get(link)).json()
        assert len(page["value"]) <= 7
        found += [one["resourceId"] for one in page["value"]]
        link = page.get("nextLink")
    assert sorted(found) == sorted(document["id"] for document in documents)


async def test_token_of_another_list_is_refused(uploader: Uploader) -> None:
    documents = [uploader.document(f"st{number}") for number in range(4)]
    one = (await uploader.post(documents)).json()["id"]
    two = (await uploader.post(documents)).json()["id"]
    page = (await uploader.client.get(f"/api/baselines/{one}/resources?maxpagesize=2")).json()
    for wrong in (
        page["nextLink"].replace(one, two),
        page["nextLink"].replace("maxpagesize=2", "maxpagesize=3"),
        page["nextLink"][:-4] + "AAAA",
        page["nextLink"] + "%00é",
    ):
        answer = await uploader.client.get(wrong)
        assert answer.status_code == 422, wrong
        assert "continuationToken" in str(answer.json())


async def test_difference_of_two_versions(uploader: Uploader) -> None:
    document = uploader.document
    one = await uploader.post(
        [document("same"), document("gone"), document("tls", minimumTlsVersion="TLS1_2")]
    )
    two = await uploader.post(
        [document("same"), document("new"), document("tls", minimumTlsVersion="TLS1_0")]
    )
    path = f"/api/baselines/{one.json()['id']}/diff?to={two.json()['id']}"
    page = (await uploader.client.get(path)).json()
    found = {item["resourceId"].rpartition("/")[2]: item for item in page["value"]}
    assert {name: item["change"] for name, item in found.items()} == {
        "gone": "removed",
        "new": "added",
        "tls": "modified",
    }
    (change,) = found["tls"]["changes"]
    assert (change["path"], change["before"], change["after"], change["severity"]) == (
        "/properties/minimumTlsVersion",
        "TLS1_2",
        "TLS1_0",
        "high",
    )
    first = (await uploader.client.get(path + "&maxpagesize=2")).json()
    rest = (await uploader.client.get(first["nextLink"])).json()
    assert len(first["value"]) == 2
    assert len(rest["value"]) == 1
    assert "nextLink" not in rest


@pytest.mark.parametrize("resources", [[], [{"name": "x"}], [{"id": "", "type": "a/b"}], None])
async def test_inventory_that_is_none(uploader: Uploader, resources: Any) -> None:
    answer = await uploader.post(resources)
    assert answer.status_code == 422
    assert "resources" in str(answer.json()["errors"])
    assert (await uploader.client.get("/api/baselines")).json()["value"] == []


async def test_resource_of_another_subscription(uploader: Uploader) -> None:
    foreign = uploader.document("x")
    foreign["id"] = foreign["id"].replace(
        uploader.subscription_id, "0" * 8 + uploader.subscription_id[8:]
    )
    answer = await uploader.post([uploader.document("a"), foreign])
    assert answer.status_code == 422
    assert foreign["id"] in answer.json()["detail"]


async def test_unknown_subscription_and_baseline(uploader: Uploader) -> None:
    other = "33333333-3333-4333-8333-333333333333"
    assert (await uploader.post([uploader.document("a")], subscriptionId=other)).status_code == 404
    body = {"subscriptionId": other, "name": "live"}
    assert (await uploader.client.post("/api/baselines", json=body)).status_code == 404
    for path in ("", "/resources", "/diff?to=x"):
        assert (await uploader.client.get(f"/api/baselines/nothing{path}")).status_code == 404


async def test_capture_before_the_first_scan(uploader: Uploader) -> None:
    body = {"subscriptionId": uploader.subscription_id, "name": "live"}
    answer = await uploader.client.post("/api/baselines", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "scan" in answer.json()["detail"]
