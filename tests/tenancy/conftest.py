"""A tenant of the test's own, without the HTTP API."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from azure.data.tables.aio import TableServiceClient

from settings import Settings
from tenancy.access import TenantContext, found
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, TenantId
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.store import Tables, TenantStore
from tenancy.tenants import Tenant, TenantStatus
from tests.tenancy.people import NOW, someone


@pytest.fixture
async def tables(storage: str) -> AsyncIterator[Tables]:
    tables = Tables(TableServiceClient.from_connection_string(storage, retry_total=0))
    yield tables
    await tables.close()


@pytest.fixture
def store(tables: Tables) -> TenantStore:
    """The rows of a tenant that has none yet, on storage alone."""
    return TenantStore(tables, TenantId(str(uuid.uuid4())))


@pytest.fixture
def operator(settings: Settings) -> Principal:
    return someone(settings.platform_directory_id, PLATFORM_ROLE)


@pytest.fixture
async def context(deployment: Deployment, operator: Principal) -> TenantContext:
    """A tenant of the test's own, active, entered by the platform's operator."""
    tenant = Tenant(
        TenantId(str(uuid.uuid4())),
        "test",
        DirectoryId(str(uuid.uuid4())),
        TenantStatus.ACTIVE,
        NOW,
        fingerprint_secret="",
    )
    return await found(deployment, tenant, operator)
