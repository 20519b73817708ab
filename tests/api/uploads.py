"""Baselines in tests: who uploads them, and the resources in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2 as httpx


@dataclass(frozen=True)
class Uploader:
    client: httpx.AsyncClient
    subscription_id: str
    tenant_id: str
    organisation: Any

    def document(self, name: str, **properties: Any) -> dict[str, Any]:
        kind = "Microsoft.Storage/storageAccounts"
        scope = f"/subscriptions/{self.subscription_id}/resourceGroups/rg"
        return {
            "id": f"{scope}/providers/{kind}/{name}",
            "name": name,
            "type": kind,
            "properties": properties,
        }

    async def post(self, resources: Any, **changes: Any) -> httpx.Response:
        body = {
            "source": "upload",
            "subscriptionId": self.subscription_id,
            "name": "agreed",
            "resources": resources,
        }
        return await self.client.post("/api/baselines", json=body | changes)

    async def make(self, resources: Any, **changes: Any) -> dict[str, Any]:
        answer = await self.post(resources, **changes)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def edit(self, baseline: dict[str, Any], **body: Any) -> httpx.Response:
        headers = {"If-Match": baseline["etag"]}
        path = f"/api/baselines/{baseline['id']}/edit"
        return await self.client.post(path, json=body, headers=headers)

    async def read(self, baseline_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"/api/baselines/{baseline_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def differences(self, one: str, other: str) -> list[dict[str, Any]]:
        answer = await self.client.get(f"/api/baselines/{one}/diff?to={other}")
        return list(answer.json()["value"])

    async def active(self) -> list[int]:
        """The numbers of the versions that are active."""
        listed = (await self.client.get("/api/baselines")).json()["value"]
        return [one["version"] for one in listed if one["active"]]
