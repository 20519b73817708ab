"""Two tenants that live side by side for the whole session, everybody who may try to get in, and a watch over what a
try must not touch or show."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2 as httpx
import pytest

from api.app import create_app
from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, principal_header
from settings import Settings
from tenancy import retry
from tenancy.deployment import Deployment
from tenancy.principal import PLATFORM_ROLE
from tests.drift.host import Host
from tests.drift.watched import Watched
from tests.isolation.cast import Cast
from tests.isolation.planted import Cellar, Planted, State, plant
from tests.isolation.proxy import Proxy, Shaky
from tests.isolation.watch import Watch

Settle = Callable[[], Awaitable[Planted]]
WatchNew = Callable[[str], Awaitable[Watched]]


@pytest.fixture(scope="session")
async def cellar(deployment: Deployment, settings: Settings) -> AsyncIterator[Cellar]:
    from azure.data.tables.aio import TableServiceClient
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueServiceClient

    connection = settings.storage_connection_string
    async with (
        TableServiceClient.from_connection_string(connection) as tables,
        QueueServiceClient.from_connection_string(connection) as queues,
        BlobServiceClient.from_connection_string(connection) as blobs,
        deployment._secret_client() as secrets,
    ):
        yield Cellar(deployment, tables, queues, blobs, secrets)


@pytest.fixture(scope="session")
async def host(deployment: Deployment, cellar: Cellar) -> Host:
    host = Host(deployment, cellar.queues)
    await host.prepare()
    return host


@pytest.fixture
async def quiet(host: Host, cellar: Cellar) -> Host:
    """Queues with nothing in them, for tests that let the consumers run."""
    cellar.known = None
    await host.prepare()
    return host


@pytest.fixture(scope="session")
async def watch_new(
    operator: Product,
    url: str,
    azure: AzureAdmin,
    new_organisation: Any,
    host: Host,
    cellar: Cellar,
) -> AsyncIterator[WatchNew]:
    """Makes a tenant whose admin and settings bear a name."""
    async with AsyncExitStack() as opened:

        async def make(name: str) -> Watched:
            made = await new_organisation()
            admin = {"directoryId": made.directory_id, "objectId": made.admin_object_id}
            settings = {"schedule": "", "scope": {"excludeGroups": [name]}}
            body = made.tenant_body(name=name, admin=admin | {"name": name}, settings=settings)
            tenant = await operator.request("POST", "/api/tenants", body)
            header = principal_header(made.directory_id, made.admin_object_id, name)
            api = await opened.enter_async_context(Product(url, header, tenant["id"]))
            headers = {"X-MS-CLIENT-PRINCIPAL": header, "X-Tenant-Id": tenant["id"]}
            http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
            await opened.enter_async_context(http)
            subscriptions = [made.subscription_id]
            return Watched(made, tenant["id"], api, http, azure, host, cellar.tables, subscriptions)

        yield make


@pytest.fixture(scope="session")
def settle(
    watch_new: WatchNew, deployment: Deployment, azure: AzureAdmin, host: Host, cellar: Cellar
) -> Settle:
    async def make() -> Planted:
        cellar.known = None
        await host.prepare()  # its scans run whatever waits
        before = await azure.settings()
        await azure.settings(quota=10_000)  # none that a test could meet by accident
        canary = f"canary-{uuid.uuid4().hex}"
        planted = await plant(await watch_new(canary), canary, deployment)
        await azure.settings(**before)
        return planted

    return make


@pytest.fixture(scope="session")
async def own(settle: Settle) -> Planted:
    """The attacker's own tenant."""
    return await settle()


@pytest.fixture(scope="session")
async def foreign(settle: Settle) -> Planted:
    """The tenant under attack."""
    return await settle()


@pytest.fixture(scope="session")
async def lodging(settle: Settle) -> Planted:
    """A tenant in which things may be changed and ended."""
    return await settle()


@pytest.fixture(scope="session")
async def shut(operator: Product, watch_new: WatchNew) -> dict[str, Watched]:
    """A suspended tenant and a deleted one."""
    made = {role: await watch_new(role) for role in ("suspended", "deleted")}
    await operator.request("POST", f"/api/tenants/{made['suspended'].tenant_id}/suspend")
    await operator.request("DELETE", f"/api/tenants/{made['deleted'].tenant_id}")
    return made


@pytest.fixture(scope="session")
def cast(own: Planted, shut: dict[str, Watched], settings: Settings) -> Cast:
    home, somebody = settings.platform_directory_id, str(uuid.uuid4())
    return Cast(own, shut, principal_header(home, somebody, "Pia", PLATFORM_ROLE))


@pytest.fixture(scope="session")
async def wire(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that brings no headers of its own, and keeps no cookie: nobody stays signed in."""
    nothing = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with httpx.AsyncClient(base_url=url, timeout=60, cookies=nothing) as client:
        yield client


@pytest.fixture(scope="module")
def afresh(cellar: Cellar) -> None:
    """Between two files of this folder tests of others may have run, and those empty the queues."""
    cellar.known = None


async def find_whole(cellar: Cellar, foreign: Planted, host: Host) -> State:
    """All that is the tenant's, a waiting message too."""
    if cellar.known:
        return cellar.known
    if not any(one["tenant_id"] == foreign.tenant_id for one in await cellar.messages()):
        message = {"version": 1, "tenant_id": foreign.tenant_id}
        await host.put("scan-tenant", message | {"scan_id": foreign.ids["scan_id"]})
    return await cellar.state_of(foreign.tenant_id)


@pytest.fixture
async def watch(
    cellar: Cellar,
    own: Planted,
    foreign: Planted,
    host: Host,
    wire: httpx.AsyncClient,
    afresh: None,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Watch]:
    caplog.set_level(logging.INFO)
    for name in ("azure", "httpx2"):  # every request that storage is sent; they are dear to collect
        caplog.set_level(logging.WARNING, logger=name)
    before = await find_whole(cellar, foreign, host)
    cellar.known = None  # whoever fails leaves nothing to be believed
    watch = Watch(cellar, own, foreign, wire, datetime.now(UTC), before)
    caplog.clear()  # what was logged while this looked into the vault
    yield watch
    await watch.check(caplog)
    cellar.known = before


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long storage and vault are waited for is tested elsewhere; here it would only take time."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    monkeypatch.setitem(retry.call_with_retry.__kwdefaults__, "budget", 0.4)


@pytest.fixture
async def shaky(settings: Settings, impatient: None) -> AsyncIterator[Shaky]:
    connection = settings.storage_connection_string
    async with (
        Proxy(_port(connection, "Table")) as tables,
        Proxy(_port(connection, "Queue")) as queues,
    ):
        for proxy in (tables, queues):
            connection = connection.replace(f":{proxy.target}/", f":{proxy.port}/")
        deployment = Deployment(replace(settings, storage_connection_string=connection))
        app = create_app(lambda: deployment)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Shaky(deployment, client, (tables, queues))
        await deployment.close()


def _port(connection: str, service: str) -> int:
    found = re.search(rf"{service}Endpoint=http://127\.0\.0\.1:(\d+)/", connection)
    assert found
    return int(found[1])
