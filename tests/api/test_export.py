"""Exports and the report over HTTP: the findings that the list has, in every form, and what is unknown."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from typing import Any

import httpx2 as httpx
import jsonschema_rs
import pytest

from drift.exports import KINDS, SCHEMA
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.store import Table
from tests.api.many import incident_of, seed_many
from tests.api.uploads import Uploader
from tests.drift.sarif import SARIF

COUNT = 23


@pytest.fixture
async def context(uploader: Uploader, deployment: Deployment) -> TenantContext:
    made = await serve(deployment, TenantId(uploader.tenant_id))
    await seed_many(made, uploader.subscription_id, COUNT)
    return made


async def export(client: httpx.AsyncClient, suffix: str, query: str = "") -> httpx.Response:
    answer = await client.get(f"/api/export/findings.{suffix}{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith('attachment; filename="findings-')
    assert answer.headers["content-disposition"].endswith(f'.{suffix}"')
    assert answer.headers["cache-control"] == "no-store"
    return answer


async def listed(client: httpx.AsyncClient, query: str) -> set[str]:
    """What the API's own list has, page by page."""
    found: set[str] = set()
    link = f"/api/findings{query}"
    while link:
        page = (await client.get(link)).json()
        found |= {one["resourceId"] for one in page["value"]}
        link = page.get("nextLink", "")
    return found


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?severity=high&severity=low",
        "?status=accepted",
        "?group=rg3",
        "?actor=AD",
        "?text=account1",
        "?resource=account2",
        f"?incident={incident_of(4)}",
        "?type=microsoft.storage/storageaccounts&status=open",
        "?since=2000-01-01T00:00:00Z",
    ],
)
async def test_every_form_has_what_the_list_has(
    uploader: Uploader, context: TenantContext, query: str
) -> None:
    client = uploader.client
    expected = await listed(client, query)
    assert (len(expected) > 0) == ("accepted" not in query)
    document = (await export(client, "json", query)).json()
    jsonschema_rs.validator_for(SCHEMA, validate_formats=True).validate(document)
    assert {one["resourceId"] for one in document["findings"]} == expected
    text = (await export(client, "csv", query)).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["resourceId"] for row in rows if row["status"] != "unknown"} == expected
    log = (await export(client, "sarif", query)).json()
    jsonschema_rs.validator_for(SARIF, validate_formats=True).validate(log)
    assert len(log["runs"][0]["results"]) == len(expected)
    cases = list(ET.fromstring((await export(client, "junit.xml", query)).text).iter("testcase"))
    assert sum(case.find("failure") is not None for case in cases) == len(expected)


async def test_each_form_says_that_a_subscription_was_never_read(
    uploader: Uploader, context: TenantContext
) -> None:
    document = (await export(uploader.client, "json")).json()
    assert document["complete"] is False
    (known,) = document["subscriptions"]
    assert (known["id"], known["state"]) == (uploader.subscription_id, "never_scanned")
    first = (await export(uploader.client, "csv")).text.splitlines()[1]
    assert ",unknown," in first
    run = (await export(uploader.client, "sarif")).json()["runs"][0]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert "<error" in (await export(uploader.client, "junit.xml")).text
    report = await uploader.client.get("/api/report")
    assert "Not everything is known" in report.text
    assert "in sync with" not in report.text
    told = (await uploader.client.get("/api/status")).json()
    assert (told["complete"], told["monitored"]) == (False, 1)
    assert told["subscriptions"][0]["findings"]["critical"] == 5
    assert told["findings"] == {
        "critical": 5, "high": 5, "medium": 5, "low": 4, "informational": 4
    }  # fmt: skip


async def test_subscription_that_is_not_there_is_unknown_and_not_repeated(
    uploader: Uploader, context: TenantContext
) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    document = (await export(uploader.client, "json", f"?subscription={other}")).json()
    assert (document["complete"], document["findings"]) == (False, [])
    assert other not in str(document)
    text = (await export(uploader.client, "csv", f"?subscription={other}")).text
    assert "No such subscription is known here." in text
    mine = await export(uploader.client, "json", f"?subscription={uploader.subscription_id}")
    assert mine.json()["filters"] == {"subscription": uploader.subscription_id}


async def test_media_types_are_those_that_the_forms_have(uploader: Uploader) -> None:
    for kind in KINDS.values():
        answer = await export(uploader.client, kind.suffix)
        assert answer.headers["content-type"] == kind.media_type


async def test_half_a_file_is_never_taken_for_the_whole(
    uploader: Uploader,
    context: TenantContext,
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row that no honest write has made stops the reading: before the first piece, or behind it."""
    table = await deployment.tables.client(Table.FINDING)
    await table.create_entity({"PartitionKey": uploader.tenant_id, "RowKey": "f.zzz"})
    for kind in KINDS.values():
        refused = await uploader.client.get(f"/api/export/findings.{kind.suffix}")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    monkeypatch.setattr("tenancy.store.PAGE_LIMIT", 5)
    monkeypatch.setattr("drift.reports.PIECE", 1)
    for kind in KINDS.values():
        with pytest.raises(httpx.RemoteProtocolError):
            await uploader.client.get(f"/api/export/findings.{kind.suffix}")


async def test_report_is_one_file_under_a_policy_that_lets_nothing_in(
    uploader: Uploader, context: TenantContext
) -> None:
    answer = await uploader.client.get("/api/report")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["content-type"].startswith("text/html")
    assert f"{COUNT} findings to deal with, 5 of them critical" in answer.text
    assert answer.text.count("storageAccounts/account") == COUNT


async def test_what_was_accepted_is_reported_with_reason_and_end(
    uploader: Uploader, context: TenantContext
) -> None:
    client = uploader.client
    finding = (await client.get("/api/findings?severity=critical")).json()["value"][0]
    await client.post(
        f"/api/findings/{finding['id']}/accept",
        json={"reason": "Until <b>the move</b>", "until": "2099-05-31T00:00:00Z"},
        headers={"If-Match": finding["etag"]},
    )
    report = (await client.get("/api/report")).text
    accepted = report.partition('id="accepted"')[2]
    assert "Until &lt;b&gt;the move&lt;/b&gt;" in accepted
    assert "2099-05-31 00:00 UTC" in accepted
    assert "Ada" in accepted
    query = "?status=accepted"
    (told,) = (await export(client, "json", query)).json()["findings"]
    assert (told["decidedBy"], told["reason"]) == ("Ada", "Until <b>the move</b>")
    assert told["acceptedUntil"] == "2099-05-31T00:00:00Z"


async def test_filters_that_are_not_there_are_refused(uploader: Uploader) -> None:
    for path in ("/api/export/findings.csv?colour=red", "/api/export/findings.json?status=red"):
        answer = await uploader.client.get(path)
        assert answer.status_code == 422
        assert json.loads(answer.text)["code"] == "invalid"


async def test_page_of_a_filter_that_meets_little_is_followed(
    uploader: Uploader, context: TenantContext
) -> None:
    page: dict[str, Any] = (
        await uploader.client.get("/api/findings?text=account7&maxpagesize=1")
    ).json()
    assert [one["resourceId"][-8:] for one in page["value"]] == ["account7"]
