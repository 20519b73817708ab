"""The same subscription seen by two tenants: one watches it, the other is told so and nothing else. E04."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product
from drift.scan import scan_tenant
from tenancy.access import serve


@dataclass
class Side:
    tenant_id: str
    api: Product
    http: httpx.AsyncClient

    async def refresh(self) -> dict[str, Any]:
        (row,) = (await self.api.request("POST", "/api/subscriptions/refresh"))["value"]
        return dict(row)

    async def monitor(self, monitored: bool) -> httpx.Response:
        row = (await self.api.request("GET", "/api/subscriptions"))["value"][0]
        return await self.http.patch(
            f"/api/subscriptions/{row['id']}",
            json={"monitored": monitored},
            headers={"If-Match": row["etag"]},
        )


@pytest.fixture
async def sides(
    operator: Product, url: str, new_organisation: Any
) -> AsyncIterator[tuple[Side, Side]]:
    """Two tenants with the same organisation's Azure, such as a company and the one that looks after it."""
    organisation = await new_organisation()
    async with AsyncExitStack() as opened:

        async def make() -> Side:
            tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
            header = organisation.admin_header
            api = await opened.enter_async_context(Product(url, header, tenant["id"]))
            headers = {"X-MS-CLIENT-PRINCIPAL": header, "X-Tenant-Id": tenant["id"]}
            http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
            return Side(tenant["id"], api, await opened.enter_async_context(http))

        yield await make(), await make()


async def test_second_tenant_does_not_monitor_it_and_is_told_nothing_of_the_first(sides) -> None:
    first, second = sides
    assert (await first.refresh())["monitored"] is True
    row = await second.refresh()
    assert (row["monitored"], row["taken"]) == (False, True)
    refused = await second.monitor(True)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert first.tenant_id not in refused.text
    assert "org-" not in refused.text
    assert (await second.refresh())["taken"] is True
    assert (await first.refresh())["monitored"] is True


async def test_scan_of_the_second_reads_nothing_of_it(sides, deployment) -> None:
    first, second = sides
    await first.refresh()
    scan = await second.api.request("POST", "/api/scans")
    context = await serve(deployment, second.tenant_id)
    await scan_tenant(context, scan["id"], now=datetime.now(UTC))
    found = await second.api.request("GET", f"/api/scans/{scan['id']}")
    assert (found["status"], found["parts"]) == ("complete", [])


async def test_given_back_it_is_free(sides) -> None:
    first, second = sides
    await first.refresh()
    await second.refresh()
    assert (await first.monitor(False)).status_code == 200
    assert (await second.monitor(True)).status_code == 200
    assert (await first.monitor(True)).status_code == 409
    assert (await first.refresh())["monitored"] is False  # by its own choice


async def test_of_a_deleted_tenant_it_is_free(sides, operator: Product) -> None:
    first, second = sides
    await first.refresh()
    assert (await second.refresh())["taken"] is True
    await operator.request("DELETE", f"/api/tenants/{first.tenant_id}")
    row = await second.refresh()
    assert (row["monitored"], row["taken"]) == (True, False)


async def test_platform_operator_may_share_it_and_take_that_back(sides, operator: Product) -> None:
    first, second = sides
    shared = (await first.refresh())["id"]
    await second.refresh()
    path = f"/api/tenants/{second.tenant_id}/shared-subscriptions/{shared}"
    await operator.request("PUT", path)
    assert (await second.refresh())["monitored"] is True
    assert (await first.refresh())["monitored"] is True
    await operator.request("DELETE", path)
    row = (await second.api.request("GET", "/api/subscriptions"))["value"][0]
    assert (row["monitored"], row["taken"]) == (False, True)
    assert (await first.refresh())["monitored"] is True
