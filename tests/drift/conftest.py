"""Fixtures of whole scans: an onboarded tenant with a small world of its own, and a host for its messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2 as httpx
import pytest
from azure.data.tables.aio import TableServiceClient

import telemetry
from dev.azure.admin import AzureAdmin
from dev.demo.client import Product
from settings import Settings
from tenancy import retry
from tenancy.deployment import Deployment
from tenancy.usage import PREFIX as COUNTED
from tests.drift.host import Host
from tests.drift.strikes import StruckDeployment
from tests.drift.watched import Watched
from tests.told import Told

Etags = dict[tuple[str, str], str]


def list_written(before: Etags, after: Etags) -> list[tuple[str, str]]:
    """Table and key of the rows that are new, other or gone. What was asked is counted elsewhere, in blocks."""
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return sorted((table, key) for table, key in changed if not key.startswith(COUNTED))


@pytest.fixture
def written() -> Callable[[Etags, Etags], list[tuple[str, str]]]:
    return list_written


@pytest.fixture
def told() -> Iterator[Told]:
    yield Told()
    telemetry.stop()


@pytest.fixture
async def tables(settings: Settings) -> AsyncIterator[TableServiceClient]:
    async with TableServiceClient.from_connection_string(
        settings.storage_connection_string
    ) as service:
        yield service


@pytest.fixture
async def host(deployment: Deployment, settings: Settings) -> AsyncIterator[Host]:
    # aiohttp reads SSL_CERT_FILE when it is imported, so not before the settings are in place.
    from azure.storage.queue.aio import QueueServiceClient

    async with QueueServiceClient.from_connection_string(
        settings.storage_connection_string
    ) as service:
        host = Host(deployment, service)
        await host.prepare()
        yield host


@pytest.fixture
async def calm(azure: AzureAdmin) -> AsyncIterator[None]:
    """No quota that a test could meet by accident, and no fault or lag that outlives its test."""
    before = await azure.settings()
    await azure.settings(quota=10_000)
    yield
    await azure.clear_faults()
    await azure.settings(**before)


@pytest.fixture
async def struck(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StruckDeployment]:
    """How long storage is waited for is tested elsewhere; here it would only take time."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    deployment = StruckDeployment(settings)
    yield deployment
    await deployment.close()


NewTenant = Callable[[], Awaitable[Watched]]


@pytest.fixture
async def new_tenant(
    operator: Product,
    url: str,
    azure: AzureAdmin,
    new_organisation: Any,
    host: Host,
    tables: TableServiceClient,
    calm: None,
) -> AsyncIterator[NewTenant]:
    async with AsyncExitStack() as opened:

        async def make() -> Watched:
            organisation = await new_organisation()
            tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
            header = organisation.admin_header
            api = await opened.enter_async_context(Product(url, header, tenant["id"]))
            headers = {"X-MS-CLIENT-PRINCIPAL": header, "X-Tenant-Id": tenant["id"]}
            http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
            await opened.enter_async_context(http)
            subscriptions = [organisation.subscription_id]
            return Watched(
                organisation, tenant["id"], api, http, azure, host, tables, subscriptions
            )

        yield make


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Watched:
    """A storage account, a network, their resource group and a lock; scanned once, and that is the baseline."""
    made = await new_tenant()
    await made.add(made.account("alpha"), made.network("net"), made.lock())
    assert (await made.scan())["status"] == "complete"
    await made.capture()
    return made
