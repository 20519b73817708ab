"""Every request that changes something leaves a row in the audit trail of its tenant.

The routes are those of the OpenAPI document: one that is new fails here until it is called, and so does one that tells
nobody what it did.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, principal_header
from tenancy.deployment import Deployment
from tests.api import access_changes, channel_changes, content_changes
from tests.api.desk import RECIPES, Desk, Route
from tests.api.members import Sign, add, body
from tests.api.uploads import Uploader

CHANGES_NOTHING = {
    ("POST", "/api/connection/test"): "reads Azure and says what it saw",
    ("POST", "/api/rules/preview"): "says what a rule would have hidden",
}


@pytest.fixture
async def desk(
    uploader: Uploader,
    operator: Product,
    deployment: Deployment,
    new_organisation: Any,
    sign_in: Sign,
) -> Desk:
    given = body(uploader.organisation, role="admin", name="Bob")
    await add(uploader.client, given)
    bob = sign_in(principal_header(given["directoryId"], given["objectId"], "Bob"))
    platform = sign_in(operator._client.headers["X-MS-CLIENT-PRINCIPAL"])
    return Desk(uploader.client, bob, platform, uploader, deployment, new_organisation, sign_in)


async def test_every_route_that_changes_something_is_called_here(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
    unsafe = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if method not in {"get", "head", "options"}
    }
    assert unsafe == RECIPES.keys() | CHANGES_NOTHING.keys()


__all__ = [
    "access_changes",
    "channel_changes",
    "content_changes",
]  # imported for the calls that they register
AREAS: dict[str, list[Route]] = {}
for _method, _path in RECIPES:
    AREAS.setdefault(_path.split("/")[2], []).append((_method, _path))


@pytest.mark.parametrize("area", AREAS)
async def test_change_is_told(desk: Desk, area: str) -> None:
    """One row more says it than before, in the right tenant, and by whom it was."""
    for route in AREAS[area]:
        before = await desk.trail(desk.uploader.tenant_id)
        tenant_id, action, answer = await RECIPES[route](desk)
        assert answer.is_success, (route, answer.text)
        after = await desk.trail(tenant_id)
        new = [after[key] for key in after.keys() - before.keys()]
        told = [row for row in new if row["action"] == action]
        assert len(told) == 1, (route, [row["action"] for row in new])
        assert told[0]["actor_name"] in {"Ada", "Bob", "Pia", "N"}, route
        assert told[0]["actor"], route
        assert told[0]["target"], route
        assert abs(told[0]["at"] - datetime.now(UTC)) < timedelta(minutes=1), route
