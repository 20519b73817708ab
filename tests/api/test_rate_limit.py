"""The limit of requests as callers meet it, over two instances of the app. E08: one floods, the others are served."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, principal_header
from settings import Settings
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.rates import ALONE, BLOCK, PREFIX
from tenancy.store import Table
from tests.api.instances import running

LIMIT = 40
NOW = datetime(2026, 11, 27, 12, 0, 15, tzinfo=UTC)


@pytest.fixture
async def instances(settings: Settings) -> AsyncIterator[list[str]]:
    """Two, that share storage and nothing else, in a minute that does not end."""
    limited = replace(settings, requests_per_minute=LIMIT)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running(limited, lambda: NOW)) for _ in range(2)]


class Caller:
    """Somebody who asks whichever instance."""

    def __init__(self, header: str, **headers: str) -> None:
        self._headers = {"X-MS-CLIENT-PRINCIPAL": header, "X-Requested-With": "test", **headers}

    async def ask(self, instances: list[str], times: int, path: str) -> list[httpx.Response]:
        few = httpx.Limits(max_connections=8)
        patient = httpx.Timeout(60, pool=None)
        async with httpx.AsyncClient(headers=self._headers, timeout=patient, limits=few) as client:
            urls = [instances[n % len(instances)] + path for n in range(times)]
            return list(await asyncio.gather(*(client.get(url) for url in urls)))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


@pytest.fixture
async def second(operator: Product, new_organisation: Any) -> Any:
    """Another organisation, onboarded."""
    other = await new_organisation()
    await operator.request("POST", "/api/tenants", other.tenant_body())
    return other


async def test_flood_is_told_when_to_come_back(
    instances: list[str], organisation: Any, tenant_id: str
) -> None:
    answers = await Caller(organisation.admin_header).ask(instances[:1], LIMIT + 5, "/api/settings")
    assert statuses(answers) == {200: LIMIT, 429: 5}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "45"
    assert refused.headers["x-ms-request-id"]
    problem = refused.json()
    assert (problem["code"], problem["status"]) == ("throttled", 429)
    assert problem["detail"] == (
        f"You made more than {LIMIT} requests in a minute. Try again in 45 s."
    )


async def test_instances_share_the_limit(
    instances: list[str], organisation: Any, tenant_id: str, deployment: Deployment
) -> None:
    answers = await Caller(organisation.admin_header).ask(instances, 3 * LIMIT, "/api/settings")
    served = statuses(answers)[200]
    assert LIMIT * (1 - BLOCK) <= served <= LIMIT * (1 + 2 * ALONE)
    assert set(statuses(answers)) == {200, 429}
    context = await serve(deployment, TenantId(tenant_id))
    rows = [row async for row in context.store.rows(Table.USAGE, prefix=PREFIX)]
    assert len(rows) == 1  # in the tenant's own partition


async def test_e08_flood_of_one_refuses_no_other(
    instances: list[str], organisation: Any, tenant_id: str, second: Any, operator: Product
) -> None:
    colleague = str(uuid.uuid4())
    given = {"directoryId": organisation.directory_id, "objectId": colleague}
    headers = {"X-Tenant-Id": tenant_id}
    body = given | {"name": "Bob", "role": "viewer"}
    await operator.request("POST", "/api/users", body, headers=headers)
    flooder = Caller(organisation.admin_header)
    await flooder.ask(instances, 2 * LIMIT, "/api/settings")
    flood = asyncio.create_task(flooder.ask(instances, 5 * LIMIT, "/api/settings"))
    bob = Caller(principal_header(organisation.directory_id, colleague, "Bob"))
    for other in (bob, Caller(second.admin_header)):
        assert statuses(await other.ask(instances, LIMIT // 2, "/api/settings")) == {200: 20}
    assert statuses(await flood) == {429: 5 * LIMIT}


async def test_stranger_is_limited_and_leaves_no_row(
    instances: list[str], organisation: Any, tenant_id: str, deployment: Deployment
) -> None:
    for path, headers, status in (
        ("/api/settings", {"X-Tenant-Id": tenant_id}, 404),
        ("/api/settings", {}, 403),
        ("/api/me", {}, 200),
    ):
        eve = principal_header(str(uuid.uuid4()), str(uuid.uuid4()), "Eve")
        answers = await Caller(eve, **headers).ask(instances[:1], LIMIT + 5, path)
        assert statuses(answers) == {status: LIMIT, 429: 5}
    context = await serve(deployment, TenantId(tenant_id))
    assert [row async for row in context.store.rows(Table.USAGE)] == []


async def test_platform_operators_are_limited_too(
    instances: list[str], settings: Settings, tenant_id: str
) -> None:
    def pia() -> str:
        home = settings.platform_directory_id
        return principal_header(home, str(uuid.uuid4()), "Pia", "Platform.Operator")

    inside = Caller(pia(), **{"X-Tenant-Id": tenant_id})
    assert statuses(await inside.ask(instances[:1], LIMIT + 5, "/api/settings")) == {
        200: LIMIT,
        429: 5,
    }
    answers = await Caller(pia()).ask(instances[:1], LIMIT + 5, "/api/tenants")
    assert statuses(answers) == {200: LIMIT, 429: 5}


async def test_nobody_who_is_not_signed_in_is_counted(instances: list[str]) -> None:
    async with httpx.AsyncClient() as client:
        answers = [await client.get(instances[0] + "/api/me") for _ in range(LIMIT + 5)]
    assert statuses(answers) == {401: LIMIT + 5}
