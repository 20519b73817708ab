"""All secrets of a tenant go, purged where the vault allows that, and those of others stay."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dev.azure.admin import AzureAdmin
from errors import NotFound
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.vault import Remains, TenantVault


def new_tenant() -> TenantId:
    return TenantId(str(uuid.uuid4()))


@pytest.fixture
def own(deployment: Deployment) -> TenantVault:
    return deployment.vault.of(new_tenant())


@pytest.fixture
async def faulty(azure: AzureAdmin) -> AsyncIterator[AzureAdmin]:
    yield azure
    await azure.clear_faults()


async def test_all_secrets_of_a_tenant_go_and_those_of_others_stay(
    deployment: Deployment, own: TenantVault
) -> None:
    vault, other = deployment.vault, deployment.vault.of(new_tenant())
    names = [await own.keep("connection", "a"), await own.keep("fingerprint", "b")]
    kept = await other.keep("connection", "c")
    await vault.disable(own._tenant_id, names[0])
    assert await own.read(names[1]) == "b"
    assert (await vault.remains(own._tenant_id)).alive == 2
    await vault.erase_all(own._tenant_id)
    assert await vault.remains(own._tenant_id) == Remains(0, 0, None)
    with pytest.raises(NotFound):  # not even from memory
        await own.read(names[1])
    assert await other.read(kept) == "c"
    await vault.erase_all(own._tenant_id)


@pytest.mark.parametrize("status", [403, 404, 409])
async def test_vault_that_purges_nothing_keeps_it_until_its_date(
    deployment: Deployment, own: TenantVault, faulty: AzureAdmin, status: int
) -> None:
    await own.keep("connection", "a")
    await faulty.add_fault(match={"method": "DELETE", "path": "^/deletedsecrets/"}, status=status)
    await deployment.vault.erase_all(own._tenant_id)
    left = await deployment.vault.remains(own._tenant_id)
    assert (left.alive, left.deleted) == (0, 1)
    assert left.until is not None
    assert timedelta(days=88) < left.until - datetime.now(UTC) < timedelta(days=91)


async def test_secret_that_was_deleted_before_is_purged_too(
    deployment: Deployment, own: TenantVault
) -> None:
    await own.erase(await own.keep("connection", "a"))
    assert (await deployment.vault.remains(own._tenant_id)).deleted == 1
    await deployment.vault.erase_all(own._tenant_id)
    assert (await deployment.vault.remains(own._tenant_id)).deleted == 0
