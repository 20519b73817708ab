"""Comments on a finding: who said what, when; as text, for good."""

from __future__ import annotations

import pytest

from drift.comments import LONGEST
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tests.api.many import seed_many
from tests.api.uploads import Uploader
from tests.drift.reported import PAYLOAD


@pytest.fixture
async def context(uploader: Uploader, deployment: Deployment) -> TenantContext:
    return await serve(deployment, TenantId(uploader.tenant_id))


@pytest.fixture
async def paths(uploader: Uploader, context: TenantContext) -> list[str]:
    ids = await seed_many(context, uploader.subscription_id, 2)
    return [f"/api/findings/{one}/comments" for one in ids]


async def test_comments_are_told_newest_first_with_author_and_time(
    uploader: Uploader, paths: list[str]
) -> None:
    said = ["first", PAYLOAD, "three\nlines\there"]
    for text in said:
        made = await uploader.client.post(paths[0], json={"text": text})
        assert made.status_code == 201, made.text
        assert (made.json()["author"], made.json()["text"]) == ("Ada", text)
    listed = (await uploader.client.get(paths[0])).json()["value"]
    assert [one["text"] for one in listed] == said[::-1]
    assert [one["at"] for one in listed] == sorted((one["at"] for one in listed), reverse=True)
    assert (await uploader.client.get(paths[1])).json()["value"] == []
    entries = (await uploader.client.get("/api/audit?action=finding.comment")).json()["value"]
    assert [entry["detail"] for entry in entries] == [one["id"] for one in listed]
    assert PAYLOAD not in str(entries)


@pytest.mark.parametrize("text", ["", "   ", "x" * (LONGEST + 1), "a\x00b", "a\x1b[2Jb", 7, None])
async def test_text_that_is_none_or_too_much_is_refused(
    uploader: Uploader, paths: list[str], text: object
) -> None:
    answer = await uploader.client.post(paths[0], json={"text": text})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "text"
    assert (await uploader.client.get(paths[0])).json()["value"] == []


async def test_longest_text_is_taken(uploader: Uploader, paths: list[str]) -> None:
    answer = await uploader.client.post(paths[0], json={"text": "ä" * LONGEST})
    assert answer.status_code == 201


async def test_finding_that_is_not_there_has_no_comments(
    uploader: Uploader, context: TenantContext
) -> None:
    path = f"/api/findings/{uploader.subscription_id}.{'a' * 32}/comments"
    assert (await uploader.client.get(path)).status_code == 404
    assert (await uploader.client.post(path, json={"text": "x"})).status_code == 404
