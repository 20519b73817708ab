"""One resource of a baseline edited: what becomes of the versions, of secrets, and of two people at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from drift.engine.model import resource_key
from settings import Settings
from tests.api.uploads import Uploader

Rows = Callable[[], Awaitable[set[str]]]


@pytest.fixture
async def pack_rows(settings: Settings, tenant_id: str) -> Any:
    """Asks for the keys of the tenant's packs and snapshots."""
    connection = settings.storage_connection_string
    async with TableServiceClient.from_connection_string(connection) as service:

        async def read() -> set[str]:
            entities = service.get_table_client("pack").query_entities(
                "PartitionKey eq @tenant", parameters={"tenant": tenant_id}, select=["RowKey"]
            )
            return {entity["RowKey"] async for entity in entities}

        yield read


def path_of(baseline: dict[str, Any], document: dict[str, Any]) -> str:
    return f"/api/baselines/{baseline['id']}/resources/{resource_key(document['id'])}"


async def test_edit_makes_a_version_and_leaves_the_old_one(uploader: Uploader) -> None:
    document = uploader.document
    first = await uploader.make([document("a", minimumTlsVersion="TLS1_0"), document("b")])
    answer = await uploader.edit(
        first, resource=document("a", minimumTlsVersion="TLS1_2"), note="as agreed"
    )
    assert answer.status_code == 201
    second = answer.json()
    assert answer.headers["Location"] == f"/api/baselines/{second['id']}"
    assert {name: second[name] for name in ("version", "name", "note", "author", "source")} == {
        "version": 2,
        "name": "agreed",
        "note": "as agreed",
        "author": "Ada",
        "source": "edit",
    }
    assert (second["editedFrom"], second["resources"], second["active"]) == (first["id"], 2, True)
    (difference,) = await uploader.differences(first["id"], second["id"])
    (change,) = difference["changes"]
    assert (change["path"], change["before"], change["after"]) == (
        "/properties/minimumTlsVersion",
        "TLS1_0",
        "TLS1_2",
    )
    old = await uploader.client.get(path_of(first, document("a")))
    assert old.json()["configuration"]["properties"] == {"minimumTlsVersion": "TLS1_0"}
    trail = (await uploader.client.get("/api/audit?action=baseline.add")).json()["value"]
    assert trail[0]["detail"] == {
        "version": 2,
        "source": "edit",
        "from": 1,
        "edited": f"modified {document('a')['id']}",
    }


async def test_resource_added_and_removed(uploader: Uploader) -> None:
    first = await uploader.make([uploader.document("a")])
    second = (await uploader.edit(first, resource=uploader.document("b", x=1), name="more")).json()
    assert (second["resources"], second["name"]) == (2, "more")
    # ARM ids have no letter case.
    gone = uploader.document("a")["id"].upper()
    third = (await uploader.edit(second, remove=gone)).json()
    assert third["resources"] == 1
    found = await uploader.differences(first["id"], third["id"])
    assert {one["resourceId"].rpartition("/")[2]: one["change"] for one in found} == {
        "a": "removed",
        "b": "added",
    }
    assert (await uploader.client.get(path_of(third, uploader.document("a")))).status_code == 404


async def test_edit_follows_the_edited_version_into_force(uploader: Uploader) -> None:
    """An old version that is edited does not take over by itself, unless that is asked for."""
    first = await uploader.make([uploader.document("a")])
    await uploader.make([uploader.document("b")])
    assert await uploader.active() == [2]
    third = (await uploader.edit(first, resource=uploader.document("c"))).json()
    assert (third["active"], await uploader.active()) == (False, [2])
    fourth = (await uploader.edit(third, resource=uploader.document("d"), activate=True)).json()
    assert (fourth["active"], await uploader.active()) == (True, [4])
    fifth = (await uploader.edit(fourth, resource=uploader.document("e"), activate=False)).json()
    assert (fifth["active"], await uploader.active()) == (False, [4])


async def test_two_editors_do_not_overwrite_each_other(uploader: Uploader) -> None:
    first = await uploader.make([uploader.document("a")])
    answers = await asyncio.gather(
        *(uploader.edit(first, resource=uploader.document(name)) for name in ("b", "c", "d"))
    )
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [201, 412, 412]
    for late in (answer for answer in answers if answer.status_code == 412):
        assert "Somebody else edited this version" in late.json()["detail"]
    made = answers[statuses.index(201)].json()
    listed = (await uploader.client.get("/api/baselines")).json()["value"]
    assert {one["id"] for one in listed} == {first["id"], made["id"]}
    # On purpose, having looked, a version can be edited again.
    branch = await uploader.edit(await uploader.read(first["id"]), resource=uploader.document("z"))
    assert branch.status_code == 201
    assert branch.json()["editedFrom"] == first["id"]


async def test_edit_needs_the_etag_of_what_was_read(uploader: Uploader) -> None:
    first = await uploader.make([uploader.document("a")])
    path = f"/api/baselines/{first['id']}/edit"
    body = {"resource": uploader.document("b")}
    missing = await uploader.client.post(path, json=body)
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition-required")
    read = await uploader.client.get(f"/api/baselines/{first['id']}")
    assert read.headers["ETag"] == read.json()["etag"] == first["etag"]
    assert (await uploader.edit(first, **body)).status_code == 201
    stale = await uploader.edit(first, **body)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")


async def test_secrets_are_hashed_and_a_hash_sent_back_is_the_same_secret(
    uploader: Uploader,
) -> None:
    secret = "a canary in the mine"
    document = uploader.document("a", adminPassword=secret, minimumTlsVersion="TLS1_2")
    first = await uploader.make([uploader.document("b")])
    second = (await uploader.edit(first, resource=document)).json()
    shown = (await uploader.client.get(path_of(second, document))).json()["configuration"]
    assert secret not in str(shown)
    assert shown["properties"]["adminPassword"].startswith("hmac:")
    shown["properties"]["minimumTlsVersion"] = "TLS1_3"
    third = (await uploader.edit(second, resource=shown)).json()
    (difference,) = await uploader.differences(second["id"], third["id"])
    assert [change["path"] for change in difference["changes"]] == ["/properties/minimumTlsVersion"]
    # The secret itself is the hash as well.
    whole = uploader.document("a", adminPassword=secret, minimumTlsVersion="TLS1_3")
    same = await uploader.edit(third, resource=whole)
    assert (same.status_code, same.json()["code"]) == (409, "conflict")
    other = uploader.document("a", adminPassword="another", minimumTlsVersion="TLS1_3")
    assert (await uploader.edit(third, resource=other)).status_code == 201


async def test_edit_costs_what_it_changes(uploader: Uploader, pack_rows: Rows) -> None:
    """Of the packs of a large baseline one is written anew, beside the small index."""
    many = [uploader.document(f"st{number:04}", text="x") for number in range(5000)]
    first = await uploader.make(many)
    before = await pack_rows()
    assert sum(key.startswith("p.") for key in before) > 3
    second = (await uploader.edit(first, resource=uploader.document("st1000", text="y"))).json()
    packs = [key for key in await pack_rows() - before if key.startswith("p.")]
    assert len(packs) == 1
    third = (await uploader.edit(second, remove=many[0]["id"])).json()
    assert third["resources"] == 4999
    whole = await uploader.make(
        [*many[1:1000], uploader.document("st1000", text="y"), *many[1001:]]
    )
    assert await uploader.differences(third["id"], whole["id"]) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "resource"),
        ({"resource": {"id": "/x"}, "remove": "/x"}, "resource"),
        ({"resource": {"name": "no id"}}, "resource"),
        ({"resource": {"id": "", "type": "a/b"}}, "resource"),
        ({"resource": []}, "resource"),
        ({"resource": "text"}, "resource"),
        ({"remove": "/x" * 2000}, "remove"),
        ({"resource": {"id": "/x"}, "colour": "blue"}, "colour"),
    ],
)
async def test_bad_edit_names_the_field(uploader: Uploader, body: Any, field: str) -> None:
    first = await uploader.make([uploader.document("a")])
    answer = await uploader.edit(first, **body)
    assert answer.status_code == 422
    assert field in {one["field"] for one in answer.json()["errors"]}
    assert (await uploader.read(first["id"]))["etag"] == first["etag"]


async def test_edit_of_what_is_not_there(uploader: Uploader) -> None:
    first = await uploader.make([uploader.document("a")])
    foreign = uploader.document("a")
    foreign["id"] = foreign["id"].replace(uploader.subscription_id, "0" * 36)
    refused = await uploader.edit(first, resource=foreign)
    assert (refused.status_code, foreign["id"] in refused.json()["detail"]) == (422, True)
    assert (await uploader.edit(first, remove=foreign["id"])).status_code == 404
    last = await uploader.edit(first, remove=uploader.document("a")["id"])
    assert (last.status_code, last.json()["errors"][0]["field"]) == (422, "remove")
    nothing = await uploader.edit({**first, "id": "nothing"}, resource=uploader.document("b"))
    assert nothing.status_code == 404
    for key, status in (("beef", 422), ("x" * 32, 422), (resource_key("/nothing"), 404)):
        answer = await uploader.client.get(f"/api/baselines/{first['id']}/resources/{key}")
        assert (key, answer.status_code) == (key, status)


async def test_rolling_back_activates_the_earlier_version(uploader: Uploader) -> None:
    """The versions stay as they are, with their numbers: what is active is a pointer."""
    first = await uploader.make([uploader.document("a")])
    await uploader.make([uploader.document("b")])
    back = await uploader.client.post(f"/api/baselines/{first['id']}/activate")
    assert (back.json()["version"], back.json()["active"]) == (1, True)
    assert await uploader.active() == [1]
    third = await uploader.make([uploader.document("c")])
    assert third["version"] == 3
    trail = (await uploader.client.get("/api/audit?action=baseline.activate")).json()["value"]
    assert [one["target"] for one in trail][:2] == [third["id"], first["id"]]
    assert trail[0]["detail"]["before"] == first["id"]
