"""A tenant's store in an Azurite by itself; an app that knows its audience, somebody of a directory of the test's own,
and a clock that stands."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from azure.data.tables.aio import TableServiceClient

from dev.azure.admin import AzureAdmin
from settings import Settings
from tenancy.access import TenantContext, found
from tenancy.bearer import BearerTokens
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.signing_keys import SigningKeys
from tenancy.store import Tables, TenantStore
from tenancy.tenants import Tenant, TenantStatus
from tests.tenancy.people import NOW, someone
from tests.tenancy.tokens import CLIENT_ID, Time


@pytest.fixture
async def tables(storage: str) -> AsyncIterator[Tables]:
    tables = Tables(TableServiceClient.from_connection_string(storage, retry_total=0))
    yield tables
    await tables.close()


@pytest.fixture
def store(tables: Tables) -> TenantStore:
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


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def app(settings: Settings) -> Settings:
    """An app that App Service authentication told its client id."""
    audiences = frozenset({CLIENT_ID, f"api://{CLIENT_ID}", "https://drift.example/api"})
    return replace(settings, audiences=audiences)


@pytest.fixture
def tokens(app: Settings, deployment: Deployment, time: Time) -> BearerTokens:
    return BearerTokens(app, SigningKeys(app, lambda: deployment.transport, time))


@pytest.fixture
async def principal(azure: AzureAdmin) -> Principal:
    """Somebody of a directory of the test's own, as the sign-in header says."""
    directory_id = str(uuid.uuid4())
    await azure.put_directory(directory_id, name="test")
    return Principal(
        DirectoryId(directory_id), ObjectId(str(uuid.uuid4())), "Ada", frozenset(), False
    )


@pytest.fixture
async def faults(azure: AzureAdmin) -> AsyncIterator[AzureAdmin]:
    yield azure
    await azure.clear_faults()
