from __future__ import annotations

import random

from dev.azure.document import encode
from dev.azure.restlessness import stir
from dev.azure.world import build_world

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
RULES = [{"name": name, "etag": 'W/"1"'} for name in "abcdef"]


def stirred(document: dict[str, object], seed: int = 1) -> dict[str, object]:
    return stir(document, random.Random(seed), 1_790_000_000.0)


def test_volatile_values_change_and_configured_ones_stay():
    document = {
        "id": "/subscriptions/s/resourceGroups/g",
        "etag": 'W/"1"',
        "tags": {"env": "prod"},
        "systemData": {"lastModifiedAt": "2024-01-01T00:00:00.0000000Z", "createdAt": "2023"},
        "properties": {
            "lastModifiedTimeUtc": "2024-01-01T00:00:00",
            "messageCount": 5000,
            "size": 5000,
        },
    }
    found = stirred(document)
    assert found["id"] == document["id"]
    assert found["tags"] == {"env": "prod"}
    assert str(found["etag"]).startswith('W/"')
    assert found["etag"] != document["etag"]
    assert found["systemData"] == {
        "lastModifiedAt": "2026-09-21T14:13:20.0000000Z",
        "createdAt": "2023",
    }
    assert found["properties"]["lastModifiedTimeUtc"] == "2026-09-21T14:13:20"
    assert found["properties"]["messageCount"] < 1000
    assert found["properties"]["size"] == 5000


def test_only_unordered_arrays_are_reordered():
    document = {"properties": {"securityRules": RULES, "dnsServers": list("abcdef")}}
    found = stirred(document)["properties"]
    names = [one["name"] for one in found["securityRules"]]
    assert names != list("abcdef")
    assert sorted(names) == list("abcdef")
    assert found["dnsServers"] == list("abcdef")


def test_the_same_seed_stirs_the_same_way():
    document = next(iter(build_world("c", SUBSCRIPTION)))
    assert encode(stirred(document)) == encode(stirred(document))
    assert encode(stirred(document, 1)) != encode(stirred(document, 2))


async def test_a_stirred_subscription_has_the_same_resources_and_no_history(
    admin, http, token, subscription
):
    before = list(build_world("c", subscription))
    await admin.add_resources(before)
    assert await admin.stir(subscription, seed=3) == len(before)
    after = await admin.resources(subscription)
    assert [one["id"] for one in after] == [one["id"] for one in before]
    assert sum(encode(one) != encode(other) for one, other in zip(before, after, strict=True)) > 60
    answer = await http.post(
        "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        json={"subscriptions": [subscription], "query": "resourcechanges | count"},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.json()["data"] == [{"Count": 0}]
