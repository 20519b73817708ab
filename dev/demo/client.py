"""The product's HTTP API as one signed-in person sees it. Development sign-in: the app believes it on loopback only."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx

ENDED = {"complete", "incomplete", "failed", "cancelled"}


class ProductError(Exception):
    """The API refused; the message is its own."""


def principal_header(directory_id: str, object_id: str, name: str, *roles: str) -> str:
    """What App Service authentication would send for this person."""
    claims = [("tid", directory_id), ("oid", object_id), ("name", name)]
    claims += [("roles", role) for role in roles]
    document = {"auth_typ": "aad", "claims": [{"typ": typ, "val": val} for typ, val in claims]}
    return base64.b64encode(json.dumps(document).encode()).decode()


class Product:
    """The API. Every call is one HTTP request; a refusal raises ProductError."""

    def __init__(self, url: str, principal: str, tenant_id: str = "") -> None:
        headers = {"X-MS-CLIENT-PRINCIPAL": principal, "X-Requested-With": "dev.demo"}
        if tenant_id:
            headers["X-Tenant-Id"] = tenant_id
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        response = await self._client.request(method, path, json=body, headers=headers)
        if response.status_code >= 400:
            raise ProductError(f"{method} {path}: {response.status_code} {response.text[:800]}")
        found = response.json() if response.content else {}
        assert isinstance(found, dict)
        return found

    async def every(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        link: str | None = path
        while link:
            page = await self.request("GET", link)
            items += page["value"]
            link = page.get("nextLink")
        return items

    async def scan(
        self, *, seconds: float = 120, watch: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> dict[str, Any]:
        """Starts a scan and waits for its end; `watch` sees every state on the way."""
        scan = await self.request("POST", "/api/scans")
        deadline = time.monotonic() + seconds
        while True:
            state = await self.request("GET", f"/api/scans/{scan['id']}")
            watch(state)
            if state["status"] in ENDED:
                return state
            if time.monotonic() > deadline:
                raise ProductError(f"The scan {scan['id']} is still {state['status']}.")
            await asyncio.sleep(0.1)
