"""For tests of whole scans: an onboarded tenant with a small world of its own, and a queue host that hands real
messages to the real consumers, tries five times and then gives them up, as Functions does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import pytest
from azure.core.exceptions import ResourceExistsError
from azure.data.tables.aio import TableServiceClient

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product
from drift import consumers
from settings import Settings
from tenancy.deployment import Deployment

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueServiceClient

CONSUMERS = {
    "scan-tenant": consumers.scan_tenant,
    "scan-subscription": consumers.scan_subscription,
    "notices": consumers.deliver_notice,
    "scan-tenant-poison": consumers.fail_scan,
    "scan-subscription-poison": consumers.fail_subscription,
    "notices-poison": consumers.fail_notice,
}
MOST_TRIES = 5  # host.json maxDequeueCount
GRAPH = "/providers/Microsoft.ResourceGraph/resources"


class Host:
    """The queue side of Functions: it takes what is visible, runs it, deletes what succeeded."""

    def __init__(self, deployment: Deployment, queues: QueueServiceClient) -> None:
        self.deployment = deployment
        self._queues = queues

    async def prepare(self) -> None:
        for name in CONSUMERS:
            queue = self._queues.get_queue_client(name)
            with contextlib.suppress(ResourceExistsError):
                await queue.create_queue()
            await queue.clear_messages()

    async def put(self, queue: str, body: bytes | dict[str, Any]) -> None:
        """A message that the product did not send."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self._queues.get_queue_client(queue).send_message(base64.b64encode(data).decode())

    async def waiting(self, queue: str) -> int:
        """Messages in a queue, those with a delay too."""
        properties = await self._queues.get_queue_client(queue).get_queue_properties()
        return int(properties.approximate_message_count or 0)

    async def take(self, queue: str) -> list[bytes]:
        """Takes the visible messages out without running them."""
        bodies = []
        for message in await self._receive(queue):
            bodies.append(base64.b64decode(message.content))
            await self._queues.get_queue_client(queue).delete_message(message)
        return bodies

    async def run(self, queue: str, body: bytes) -> None:
        await CONSUMERS[queue](self.deployment, body)

    async def drain(self) -> list[Exception]:
        """Runs until no queue has a visible message; what consumers raised on the way."""
        errors: list[Exception] = []
        busy = True
        while busy:
            busy = False
            for queue in CONSUMERS:
                messages = await self._receive(queue)
                busy = busy or bool(messages)
                outcomes = await asyncio.gather(*(self._handle(queue, one) for one in messages))
                errors += [error for error in outcomes if error]
        return errors

    async def _receive(self, queue: str) -> list[QueueMessage]:
        client = self._queues.get_queue_client(queue)
        pages = client.receive_messages(messages_per_page=16, visibility_timeout=60).by_page()
        async for page in pages:
            return [message async for message in page]
        return []

    async def _handle(self, queue: str, message: QueueMessage) -> Exception | None:
        client = self._queues.get_queue_client(queue)
        try:
            await CONSUMERS[queue](self.deployment, base64.b64decode(message.content))
        except Exception as error:  # any error is a retry to the host
            if queue.endswith("-poison"):
                raise
            if (message.dequeue_count or 0) < MOST_TRIES:
                await client.update_message(message, visibility_timeout=0)
                return error
            poison = self._queues.get_queue_client(f"{queue}-poison")
            await poison.send_message(message.content)
            await client.delete_message(message)
            return error
        await client.delete_message(message)
        return None


@dataclass
class Watched:
    """A tenant of the product with one subscription in the simulated Azure, seen through the API."""

    organisation: Any
    tenant_id: str
    api: Product
    http: httpx.AsyncClient  # for tests that look at statuses and headers
    azure: AzureAdmin
    host: Host
    tables: TableServiceClient
    subscriptions: list[str]

    @property
    def subscription_id(self) -> str:
        return self.subscriptions[0]

    @property
    def group(self) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/shop"

    def id_of(self, kind: str, name: str) -> str:
        return f"{self.group}/providers/{kind}/{name}"

    def account(self, name: str, **properties: Any) -> dict[str, Any]:
        """A storage account."""
        return {
            "id": self.id_of("Microsoft.Storage/storageAccounts", name),
            "name": name,
            "type": "Microsoft.Storage/storageAccounts",
            "location": "westeurope",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS", "tier": "Standard"},
            "properties": {
                "provisioningState": "Succeeded",
                "supportsHttpsTrafficOnly": True,
                "minimumTlsVersion": "TLS1_2",
                "allowBlobPublicAccess": False,
                **properties,
            },
        }

    def network(self, name: str, *, prefix: str = "10.0.0.0/24") -> dict[str, Any]:
        """A virtual network with one subnet."""
        return {
            "id": self.id_of("Microsoft.Network/virtualNetworks", name),
            "name": name,
            "type": "Microsoft.Network/virtualNetworks",
            "location": "westeurope",
            "properties": {
                "provisioningState": "Succeeded",
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "web", "properties": {"addressPrefix": prefix}}],
            },
        }

    def lock(self) -> dict[str, Any]:
        return {
            "id": f"{self.group}/providers/Microsoft.Authorization/locks/keep",
            "name": "keep",
            "type": "Microsoft.Authorization/locks",
            "properties": {"level": "CanNotDelete", "notes": "do not delete"},
        }

    async def add(self, *documents: dict[str, Any]) -> None:
        await self.azure.add_resources(documents)

    async def request_scan(self) -> str:
        return str((await self.api.request("POST", "/api/scans"))["id"])

    async def read_scan(self, scan_id: str) -> dict[str, Any]:
        return await self.api.request("GET", f"/api/scans/{scan_id}")

    async def scan(self) -> dict[str, Any]:
        """A scan from request to end, without any consumer failing."""
        scan_id = await self.request_scan()
        assert await self.host.drain() == []
        return await self.read_scan(scan_id)

    async def part(self) -> dict[str, Any]:
        """Scans and returns the part of the one subscription."""
        scan = await self.scan()
        (part,) = scan["parts"]
        assert scan["status"] == part["status"]
        return dict(part)

    async def capture(self, subscription_id: str = "", **members: Any) -> dict[str, Any]:
        body = {"subscriptionId": subscription_id or self.subscription_id, "name": "agreed"}
        return await self.api.request("POST", "/api/baselines", body | members)

    async def findings(self, query: str = "") -> list[dict[str, Any]]:
        return await self.api.every(f"/api/findings{query}")

    async def finding(self) -> dict[str, Any]:
        (finding,) = await self.findings()
        return finding

    async def decide(self, finding: dict[str, Any], action: str, **body: Any) -> dict[str, Any]:
        return await self.api.request(
            "POST",
            f"/api/findings/{finding['id']}/{action}",
            body,
            headers={"If-Match": finding["etag"]},
        )

    async def notices(self) -> list[dict[str, Any]]:
        return await self.api.every("/api/notices")

    async def change_settings(self, **members: Any) -> None:
        read = await self.http.get("/api/settings")
        headers = {"If-Match": read.headers["ETag"]}
        saved = await self.http.put("/api/settings", json=read.json() | members, headers=headers)
        saved.raise_for_status()

    async def fault(self, *, method: str = "", path: str, nth: int = 0, **members: Any) -> None:
        """A fault that no other tenant meets."""
        directory = self.organisation.directory_id
        match = {"method": method, "path": path, "nth": nth, "directory": directory}
        await self.azure.add_fault(match=match, **members)

    async def graph_fault(self, nth: int = 0, **members: Any) -> None:
        await self.fault(method="POST", path=GRAPH, nth=nth, **members)

    async def get_fault(self, resource_id: str, **members: Any) -> None:
        """A fault of the GET that asks the provider for one resource."""
        await self.fault(method="GET", path=f"^{re.escape(resource_id)}\\?", **members)

    async def put_subscription(self, subscription_id: str = "", **members: Any) -> None:
        allowed = {"displayName": "main", "readers": [self.organisation.object_id]}
        await self.azure.put_subscription(
            subscription_id or self.subscription_id,
            directory_id=self.organisation.directory_id,
            **(allowed | members),
        )

    async def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every row of every table in the tenant's partition."""
        found = {}
        for table in await self.table_names():
            entities = self.tables.get_table_client(table).query_entities(
                "PartitionKey eq @tenant", parameters={"tenant": self.tenant_id}
            )
            async for entity in entities:
                found[table, entity["RowKey"]] = dict(entity) | {"etag": entity.metadata["etag"]}
        return found

    async def table_names(self) -> list[str]:
        return [table.name async for table in self.tables.list_tables()]

    async def etags(self) -> dict[tuple[str, str], str]:
        return {key: row["etag"] for key, row in (await self.rows()).items()}


def changed(
    before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]
) -> list[tuple[str, str]]:
    """Rows that are new, other or gone."""
    keys: Iterable[tuple[str, str]] = before.keys() | after.keys()
    return sorted(key for key in keys if before.get(key) != after.get(key))


@pytest.fixture
def written() -> Callable[..., list[tuple[str, str]]]:
    return changed


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
