"""A tenant under test: its world in the simulated Azure, what the API says of it, and its rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from azure.data.tables.aio import TableServiceClient

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product
from tests.drift.host import Host

GRAPH = "/providers/Microsoft.ResourceGraph/resources"


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

    async def fan_out(self) -> tuple[str, list[bytes]]:
        """A scan up to its scan-subscription messages, which are taken out of their queue."""
        scan_id = await self.request_scan()
        (start,) = await self.host.take("scan-tenant")
        await self.host.run("scan-tenant", start)
        return scan_id, await self.host.take("scan-subscription")

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

    async def put_connection(self, **members: Any) -> httpx.Response:
        """The organisation's own connection with other members, in place of the present one."""
        body = self.organisation.tenant_body()["connection"] | members
        return await self.http.put("/api/connection", json=body, headers=await self.if_match())

    async def if_match(self, path: str = "/api/connection") -> dict[str, str]:
        """The header of an edit of what is read there."""
        return {"If-Match": (await self.http.get(path)).headers["ETag"]}

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

    async def rows(self, *tables: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Every row in the tenant's partition of these tables, of all tables when none is named."""
        found = {}
        there = await self.table_names()  # a table comes with its first row
        for table in there if not tables else [name for name in tables if name in there]:
            entities = self.tables.get_table_client(table).query_entities(
                "PartitionKey eq @tenant", parameters={"tenant": self.tenant_id}
            )
            async for entity in entities:
                found[table, entity["RowKey"]] = dict(entity) | {"etag": entity.metadata["etag"]}
        return found

    async def table_names(self) -> list[str]:
        return [table.name async for table in self.tables.list_tables()]

    async def etags(self, *tables: str) -> dict[tuple[str, str], str]:
        return {key: row["etag"] for key, row in (await self.rows(*tables)).items()}
