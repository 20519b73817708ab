"""Who works with a tenant in tests, and how every route that changes something is called by them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from tenancy.deployment import Deployment
from tests.api.members import Sign
from tests.api.uploads import Uploader

Route = tuple[str, str]


@dataclass
class Desk:
    """A tenant's admin and a platform operator at work."""

    admin: httpx.AsyncClient
    bob: httpx.AsyncClient  # another admin
    platform: httpx.AsyncClient
    uploader: Uploader
    deployment: Deployment
    new_organisation: Callable[[], Awaitable[Any]]
    sign_in: Sign

    async def if_match(self, path: str, client: httpx.AsyncClient | None = None) -> dict[str, str]:
        read = await (client or self.admin).get(path)
        assert read.status_code == 200, read.text
        return {"If-Match": read.headers["ETag"]}

    async def make(self, path: str, given: Any = None) -> dict[str, Any]:
        answer = await self.admin.post(path, json=given)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def provisioning(self) -> tuple[str, Any]:
        """A tenant that is half made, and whose it is."""
        organisation = await self.new_organisation()
        given = {"name": "half", "azureTenantId": organisation.directory_id}
        made = await self.platform.post("/api/tenants", json=given)
        return made.json()["id"], organisation

    async def trail(self, tenant_id: str) -> dict[str, dict[str, Any]]:
        """Key -> row of everything but the entries of platform operators, which are told anyway."""
        client = await self.deployment.tables.client("audit")
        rows = client.query_entities("PartitionKey eq @tenant", parameters={"tenant": tenant_id})
        return {row["RowKey"]: dict(row) async for row in rows if row["action"] != "platform.enter"}


Told = tuple[str, str, httpx.Response]  # tenant, action, answer
Recipe = Callable[[Desk], Awaitable[Told]]
RECIPES: dict[Route, Recipe] = {}


def calls(method: str, path: str) -> Callable[[Recipe], Recipe]:
    def register(recipe: Recipe) -> Recipe:
        RECIPES[method, path] = recipe
        return recipe

    return register


def own(desk: Desk, action: str, answer: httpx.Response) -> Told:
    return desk.uploader.tenant_id, action, answer
