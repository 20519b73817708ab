"""Members of a tenant in tests: how they sign in, and what an admin does with them."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx2 as httpx

from dev.demo.client import principal_header

Sign = Callable[..., httpx.AsyncClient]


def header_of(directory_id: str, object_id: str, *roles: str, **claims: str) -> str:
    """A principal with further claims."""
    document = json.loads(base64.b64decode(principal_header(directory_id, object_id, "N", *roles)))
    document["claims"] += [{"typ": typ, "val": val} for typ, val in claims.items()]
    return base64.b64encode(json.dumps(document).encode()).decode()


def body(organisation: Any, **members: str) -> dict[str, str]:
    given = {"directoryId": organisation.directory_id, "objectId": str(uuid.uuid4())}
    return given | {"name": "Olga", "role": "operator"} | members


async def add(client: httpx.AsyncClient, given: dict[str, str]) -> dict[str, Any]:
    answer = await client.post("/api/users", json=given)
    assert answer.status_code == 201, answer.text
    assert answer.headers["ETag"] == answer.json()["etag"]
    return dict(answer.json())


async def give(client: httpx.AsyncClient, user: dict[str, Any], role: str) -> httpx.Response:
    return await client.patch(
        f"/api/users/{user['id']}", json={"role": role}, headers={"If-Match": user["etag"]}
    )


async def take_out(client: httpx.AsyncClient, user: dict[str, Any]) -> httpx.Response:
    return await client.delete(f"/api/users/{user['id']}", headers={"If-Match": user["etag"]})


async def allow_roles(client: httpx.AsyncClient, allowed: object) -> httpx.Response:
    """Allows app roles of the tenant's own directory, or forbids them."""
    path = "/api/users/app-roles"
    etag = (await client.get(path)).headers["ETag"]
    return await client.put(path, json={"allowed": allowed}, headers={"If-Match": etag})
