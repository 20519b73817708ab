"""A tenant of the test's own, its admin, and clients of anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product
from tests.api.members import Sign
from tests.api.uploads import Uploader


@pytest.fixture
async def organisation(new_organisation: Any) -> Any:
    return await new_organisation()


@pytest.fixture
async def tenant_id(operator: Product, organisation: Any) -> str:
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    return str(tenant["id"])


@pytest.fixture
async def sign_in(url: str) -> AsyncIterator[Sign]:
    """Makes clients: `sign_in(header)`, with `tenant` for one that chooses."""
    clients = []

    def client(header: str, *, tenant: str = "") -> httpx.AsyncClient:
        headers = {"X-MS-CLIENT-PRINCIPAL": header, "X-Requested-With": "test"}
        headers |= {"X-Tenant-Id": tenant} if tenant else {}
        clients.append(httpx.AsyncClient(base_url=url, headers=headers, timeout=30))
        return clients[-1]

    yield client
    for one in clients:
        await one.aclose()


@pytest.fixture
def admin(sign_in: Sign, organisation: Any, tenant_id: str) -> httpx.AsyncClient:
    return sign_in(organisation.admin_header)


@pytest.fixture
async def uploader(admin: httpx.AsyncClient, organisation: Any, tenant_id: str) -> Uploader:
    await admin.post("/api/subscriptions/refresh")
    return Uploader(admin, organisation.subscription_id, tenant_id, organisation)
