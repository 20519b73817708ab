"""A world of real documents, with all their odd ids and types, where they are at hand."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dev.azure.arm_ids import fold, parse_arm_id
from dev.azure.document import encode
from dev.azure.inventory import read_resource

DOCUMENTS = Path(__file__).parents[4] / "shared" / "data" / "arm-resources.jsonl.gz"
EVERY = 60  # a GET for each of these: real ids hold blanks, percent signs, hashes and letters of all kinds

pytestmark = pytest.mark.skipif(
    not DOCUMENTS.exists(), reason="real ARM documents are not beside the project"
)


@pytest.fixture
def documents(subscription: str) -> dict[str, dict[str, Any]]:
    """By folded id, all in the test's subscription; of one id the last document."""
    found = {}
    with gzip.open(DOCUMENTS, "rt") as lines:
        for line in lines:
            document = json.loads(line)
            del document["_source"]
            document["id"] = re.sub(
                "^/subscriptions/[^/]*",
                f"/subscriptions/{subscription}",
                document["id"],
                flags=re.I,
            )
            found[fold(document["id"])] = document
    return found


async def test_real_documents_are_paged_and_read_as_they_are(
    http, token, admin, subscription, documents
):
    await admin.add_resources(documents.values())
    headers = {"authorization": f"Bearer {token}"}
    seen: list[str] = []
    skip: str | None = None
    while True:
        body = {
            "subscriptions": [subscription],
            "query": "project id, properties | order by id asc",
            "options": {"$top": 1000, "$skipToken": skip},
        }
        answer = await http.post(
            "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
            json=body,
            headers=headers,
        )
        page = answer.json()
        seen += [one["id"] for one in page["data"]]
        skip = page.get("$skipToken")
        if skip is None:
            break
    tracked = [one["id"] for one in documents.values() if read_resource(encode(one), 0).is_tracked]
    assert len(tracked) > 5000
    assert sorted(seen) == sorted(tracked)
    for resource_id in seen[::EVERY]:
        await check_get(http, headers, documents[fold(resource_id)])


async def check_get(http: Any, headers: dict[str, str], document: dict[str, Any]) -> None:
    arm_id = parse_arm_id(document["id"])
    assert arm_id is not None
    provider = await http.get(
        f"/providers/{quote(arm_id.namespace)}?api-version=2021-04-01", headers=headers
    )
    version = provider.json()["resourceTypes"][0]["defaultApiVersion"]
    answer = await http.get(f"{quote(document['id'])}?api-version={version}", headers=headers)
    assert answer.json() == document
