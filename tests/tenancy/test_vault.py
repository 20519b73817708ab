"""Secrets in the vault, through the real client: whose they are, how they age, and where the app's token goes.

D10 to D14, F08, F09.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from dev.azure.admin import AzureAdmin
from errors import DriftError, NotFound, Throttled, Unavailable
from tenancy import vault as vault_module
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.vault import CACHE_SECONDS, GONE, KeptSecret, TenantVault, Vault
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


def answer(status: int) -> Any:
    headers = {"Retry-After": "45"}
    return SimpleNamespace(status_code=status, reason="Reason", headers=headers, text=lambda: "")


class Shelf:
    """Stands where the vault's client does: holds secrets as Key Vault describes them, and counts the reads."""

    def __init__(self) -> None:
        self.secrets: dict[str, Any] = {}
        self.reads = 0
        self.closed = False
        self.fails: Exception | None = None

    async def set_secret(
        self, name: str, value: str | None, *, tags: Any = None, expires_on: datetime | None = None
    ) -> None:
        properties = SimpleNamespace(
            name=name, tags=tags, expires_on=expires_on, enabled=True, updated_on=NOW
        )
        self.secrets[name] = SimpleNamespace(value=value, properties=properties)

    async def get_secret(self, name: str) -> Any:
        self.reads += 1
        if self.fails:
            raise self.fails
        if name not in self.secrets:
            raise ResourceNotFoundError("no", response=answer(404))
        return self.secrets[name]

    async def update_secret_properties(self, name: str, **changes: Any) -> None:
        vars((await self.get_secret(name)).properties).update(changes)

    async def delete_secret(self, name: str) -> None:
        await self.get_secret(name)
        del self.secrets[name]

    async def list_properties_of_secrets(self) -> AsyncIterator[Any]:
        for secret in list(self.secrets.values()):
            yield secret.properties

    async def close(self) -> None:
        self.closed = True


class Kept:
    """A vault on a shelf, with a clock of the test's own."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.time = 0.0
        self.connected = 0
        self.vault = Vault(self._connect, clock=lambda: self.time)
        self.own = self.vault.of(TenantId("ours"))
        self.foreign = self.vault.of(TenantId("theirs"))

    def _connect(self) -> Any:
        self.connected += 1
        return self.shelf


@pytest.fixture
def kept() -> Kept:
    return Kept()


async def test_value_in_memory_is_its_own_tenants_only(kept: Kept) -> None:
    name = await kept.own.keep("connection", "mine")
    assert await kept.own.read(name) == "mine"
    with pytest.raises(NotFound) as refused:
        await kept.foreign.read(name)
    assert refused.value.message == GONE


async def test_value_is_asked_for_again_when_its_time_is_over(kept: Kept) -> None:
    name = await kept.own.keep("connection", "x")
    reads = []
    for moment in (0.0, CACHE_SECONDS - 1, CACHE_SECONDS, CACHE_SECONDS + 1, 2 * CACHE_SECONDS):
        kept.time = moment
        assert await kept.own.read(name) == "x"
        reads.append(kept.shelf.reads)
    assert reads == [1, 1, 2, 2, 3]
    assert kept.connected == 1


@pytest.mark.parametrize("act", ["retire", "disable", "erase"])
async def test_value_leaves_memory_with_what_is_done_to_the_secret(kept: Kept, act: str) -> None:
    name = await kept.own.keep("connection", "x")
    await kept.own.read(name)
    if act == "retire":
        await kept.own.retire(name, now=NOW)
    elif act == "disable":
        await kept.vault.disable(TenantId("ours"), name)
    else:
        await kept.own.erase(name)
    assert kept.vault._cache == {}
    if act == "erase":
        with pytest.raises(NotFound):
            await kept.own.read(name)


async def test_what_is_done_to_a_secret_that_is_not_there_is_done(kept: Kept) -> None:
    for name in ("0" * 64, "no name of ours"):
        await kept.own.retire(name, now=NOW)
        await kept.own.erase(name)
    await kept.vault.disable(TenantId("ours"), "0" * 64)
    assert kept.shelf.secrets == {}


async def test_secret_is_tagged_with_tenant_purpose_and_end(kept: Kept) -> None:
    name = await kept.own.keep("connection", "x", expires=NOW)
    properties = kept.shelf.secrets[name].properties
    assert properties.tags == {"tenant": "ours", "purpose": "connection"}
    assert properties.expires_on == NOW
    await kept.own.retire(name, now=NOW)
    assert properties.tags == {
        "tenant": "ours",
        "purpose": "connection",
        "retired": "2026-11-24T12:00:00+00:00",
    }
    await kept.vault.disable(TenantId("ours"), name)
    assert properties.enabled is False
    assert kept.shelf.secrets[await kept.own.keep("x", "y")].properties.expires_on is None


async def test_name_differs_by_tenant_and_purpose_and_is_unguessable(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []

    def token_hex(length: int) -> str:
        lengths.append(length)
        return "00ff"

    monkeypatch.setattr(vault_module, "secrets", SimpleNamespace(token_hex=token_hex))
    name = await kept.own.keep("connection", "x")
    assert name == hashlib.sha256(b"ours|connection|00ff").hexdigest()
    assert name not in {
        await kept.foreign.keep("connection", "x"),
        await kept.own.keep("fingerprint", "x"),
    }
    assert lengths == [8] * 3


@pytest.mark.parametrize("tags", [None, {}, {"purpose": "connection"}, {"tenant": "theirs"}])
async def test_secret_that_is_not_tagged_as_the_tenants_is_not_there(
    kept: Kept, tags: dict[str, str] | None
) -> None:
    await kept.shelf.set_secret("0" * 64, "x", tags=tags)
    with pytest.raises(NotFound) as refused:
        await kept.own.read("0" * 64)
    assert refused.value.message == GONE
    await kept.own.erase("0" * 64)
    await kept.own.retire("0" * 64, now=NOW)
    assert kept.shelf.secrets["0" * 64].properties.tags == tags


async def test_secret_without_a_value_is_not_there(kept: Kept) -> None:
    await kept.shelf.set_secret("0" * 64, None, tags={"tenant": "ours"})
    with pytest.raises(NotFound) as refused:
        await kept.own.read("0" * 64)
    assert refused.value.message == GONE


async def test_list_is_of_our_secrets_only(kept: Kept) -> None:
    name = await kept.own.keep("connection", "x")
    other = await kept.foreign.keep("fingerprint", "y")
    for odd, tags in (
        ("1" * 64, None),
        ("2" * 64, {"tenant": "ours"}),
        ("3" * 64, {"purpose": "connection"}),
        ("4" * 63, {"tenant": "ours", "purpose": "connection"}),
    ):
        await kept.shelf.set_secret(odd, "z", tags=tags)
    await kept.shelf.set_secret("", "z", tags={"tenant": "ours", "purpose": "connection"})
    kept.shelf.secrets[""].properties.name = None
    await kept.foreign.retire(other, now=NOW)
    await kept.vault.disable(TenantId("theirs"), other)
    assert await kept.vault.kept() == [
        KeptSecret(name, TenantId("ours"), "connection", True, NOW, None),
        KeptSecret(other, TenantId("theirs"), "fingerprint", False, NOW, NOW),
    ]
    for one in await kept.vault.kept():
        await kept.vault.erase_disabled(one)
        await kept.vault.erase_disabled(one)
    assert await kept.vault.kept() == []


@pytest.mark.parametrize(
    ("status", "text", "kind", "told"),
    [
        (404, "", NotFound, "The tenant's secret is not in the vault."),
        (401, "", Unavailable, "Key Vault refused the app's own identity."),
        (
            403,
            "Operation get is not allowed on a disabled secret.",
            NotFound,
            "The tenant's secret is disabled in the vault: it was replaced.",
        ),
        (403, "Forbidden by firewall", Unavailable, "Key Vault refused the request (403)."),
        (429, "", Throttled, "Key Vault asks to wait 45 s."),
    ],
)
async def test_what_the_vault_answers_in_words_of_ours(
    kept: Kept, status: int, text: str, kind: type[DriftError], told: str
) -> None:
    kinds = {404: ResourceNotFoundError, 401: ClientAuthenticationError}
    kept.shelf.fails = kinds.get(status, HttpResponseError)(text, response=answer(status))
    with pytest.raises(kind) as failed:
        await kept.own.read("0" * 64)
    assert failed.value.message == told


async def test_vault_that_nobody_used_has_no_client_to_close(kept: Kept) -> None:
    await kept.vault.close()
    assert (kept.connected, kept.shelf.closed) == (0, False)
    await kept.own.keep("connection", "x")
    await kept.vault.close()
    assert kept.shelf.closed
