"""Secrets in the vault, through the real client: whose they are, how they age, and where the app's token goes.

D10 to D14, F08, F09.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dev.azure.admin import AzureAdmin
from errors import NotFound, Unavailable
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.vault import CACHE_SECONDS, TenantVault, Vault
from tests.listener import listening

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def new_tenant() -> TenantId:
    return TenantId(str(uuid.uuid4()))


@pytest.fixture
def own(deployment: Deployment) -> TenantVault:
    return deployment.vault.of(new_tenant())


@pytest.fixture
async def faulty(azure: AzureAdmin) -> AsyncIterator[AzureAdmin]:
    yield azure
    await azure.clear_faults()


async def find(deployment: Deployment, name: str):
    return next((one for one in await deployment.vault.kept() if one.name == name), None)


async def test_name_says_nothing_and_is_never_the_same(own: TenantVault) -> None:
    first, second = await own.keep("connection", "one"), await own.keep("connection", "two")
    assert first != second
    assert all(len(name) == 64 and set(name) <= set("0123456789abcdef") for name in (first, second))
    assert (await own.read(first), await own.read(second)) == ("one", "two")


async def test_deleted_secret_does_not_stand_in_the_way_of_the_next(own: TenantVault) -> None:
    await own.erase(await own.keep("connection", "old"))
    assert await own.read(await own.keep("connection", "new")) == "new"


async def test_secret_of_another_tenant_is_not_there(
    deployment: Deployment, own: TenantVault
) -> None:
    name = await own.keep("connection", "mine")
    foreign = deployment.vault.of(new_tenant())
    with pytest.raises(NotFound):
        await foreign.read(name)
    await foreign.erase(name)
    await foreign.retire(name, now=NOW)
    assert await own.read(name) == "mine"
    assert (await find(deployment, name)).retired_at is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 63,
        "A" * 64,
        "../" + "a" * 61,
        "a" * 64 + "/0123",
        "https://evil.example/secrets/x",
        "\u0660" * 64,
    ],
)
async def test_reference_that_is_no_name_of_ours_is_never_asked_for(
    own: TenantVault, azure: AzureAdmin, name: str
) -> None:
    await azure.clear_requests()
    with pytest.raises(NotFound):
        await own.read(name)
    assert (await azure.requests())["counts"] == {}


async def test_value_leaves_memory_in_time(deployment: Deployment) -> None:
    time = [0.0]
    vault = Vault(deployment._secret_client, clock=lambda: time[0])
    own = vault.of(new_tenant())
    try:
        first, second = await own.keep("connection", "one"), await own.keep("connection", "two")
        await own.read(first)
        time[0] = CACHE_SECONDS - 1
        await own.read(second)
        assert {name for _, name in vault._cache} == {first, second}
        time[0] = CACHE_SECONDS
        assert await own.read(second) == "two"  # from memory, still good
        await own.read(await own.keep("connection", "three"))
        assert first not in {name for _, name in vault._cache}
    finally:
        await vault.close()


async def test_replaced_secret_is_readable_until_it_is_disabled(
    deployment: Deployment, own: TenantVault
) -> None:
    name = await own.keep("connection", "old", expires=NOW + timedelta(days=9000))
    await own.retire(name, now=NOW)
    kept = await find(deployment, name)
    assert (kept.retired_at, kept.enabled, kept.purpose) == (NOW, True, "connection")
    assert await own.read(name) == "old"
    await deployment.vault.disable(kept.tenant_id, name)
    with pytest.raises(NotFound, match="disabled"):
        await own.read(name)
    kept = await find(deployment, name)
    assert (kept.retired_at, kept.enabled) == (NOW, False)
    await deployment.vault.erase_disabled(kept)
    assert await find(deployment, name) is None
    await deployment.vault.disable(kept.tenant_id, name)  # two sweeps at once
    await deployment.vault.erase_disabled(kept)


async def test_list_leads_to_no_other_host(
    faulty: AzureAdmin, deployment: Deployment, own: TenantVault
) -> None:
    await own.keep("connection", "x")
    async with listening() as elsewhere:
        link = f"{elsewhere.origin}/secrets?api-version=7.6&$skiptoken=x"
        body = {"value": [], "nextLink": link}
        await faulty.add_fault(match={"path": r"^/secrets\?"}, status=200, body=body)
        with pytest.raises(Unavailable, match="another host"):
            await deployment.vault.kept()
        assert elsewhere.calls == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(faulty: AzureAdmin, own: TenantVault, status: int) -> None:
    name = await own.keep("connection", "x")
    async with listening() as elsewhere:
        headers = {"Location": f"{elsewhere.origin}/secrets/{name}"}
        await faulty.add_fault(match={"path": f"^/secrets/{name}"}, status=status, headers=headers)
        with pytest.raises(Unavailable):
            await own.read(name)
        assert elsewhere.calls == 0


async def test_challenge_to_another_directory_moves_no_token(
    faulty: AzureAdmin, deployment: Deployment
) -> None:
    """A challenge names where to get a token; the app's identity has its own place and asks nowhere else."""
    own = deployment.vault.of(new_tenant())
    name = await own.keep("connection", "x")
    async with listening() as elsewhere:
        challenge = (
            f'Bearer authorization="{elsewhere.origin}/x", resource="https://vault.azure.net"'
        )
        headers = {"WWW-Authenticate": challenge}
        await faulty.add_fault(match={"path": f"^/secrets/{name}"}, status=401, headers=headers)
        with pytest.raises(Unavailable):
            await own.read(name)
        assert elsewhere.calls == 0
