"""Secrets, in Key Vault only. A tenant's secret is reached through its TenantVault, which checks whose secret it is.

Names are digests of tenant, purpose and a random generation: vault names are case-insensitive, `tenant--name` collides,
and a soft-deleted name cannot be used again (Key Vault soft delete). The name is kept in the tenant's own row.

A value that was replaced is only tagged at first: a scan that is under way may still need it. The daily sweep disables
and deletes it later (drift/rotation.py), and finds what a crash left behind by the tags.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from errors import NotFound, Unavailable
from tenancy.ids import TenantId
from tenancy.retry import call_with_retry

if TYPE_CHECKING:
    from azure.keyvault.secrets import DeletedSecret, KeyVaultSecret, SecretProperties
    from azure.keyvault.secrets.aio import SecretClient

T = TypeVar("T")

SERVICE = "Key Vault"
CACHE_SECONDS = 300.0
GONE = "The tenant's secret is not in the vault."
PURGEABLE = "Purgeable"  # in the recovery level of a vault without purge protection
_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TENANT, _PURPOSE, _RETIRED = "tenant", "purpose", "retired"  # the tags of every secret


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """What the vault says of one secret of ours; never its value."""

    name: str
    tenant_id: TenantId
    purpose: str
    enabled: bool
    updated_at: datetime
    retired_at: datetime | None  # when another took its place


@dataclass(frozen=True, slots=True)
class Remains:
    """What the vault has of a tenant."""

    alive: int
    deleted: int  # in soft delete: nobody reads them
    until: datetime | None  # when soft delete lets go of the last of those


class Vault:
    """The deployment's Key Vault with a short cache. The SDK is imported at first use: HTTP-only starts do without."""

    def __init__(
        self, connect: Callable[[], SecretClient], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect = connect
        self._client: SecretClient | None = None
        self._cache: dict[tuple[TenantId, str], tuple[float, str]] = {}
        self._clock = clock

    def of(self, tenant_id: TenantId) -> TenantVault:
        return TenantVault(self, tenant_id)

    async def read(self, tenant_id: TenantId, name: str) -> str:
        now = self._clock()
        known = self._cache.get((tenant_id, name))
        if known and now < known[0]:
            return known[1]
        secret = await self._own(tenant_id, name)
        if secret.value is None:
            raise NotFound(GONE)
        # What is out of date leaves memory too, whether or not anybody asks for it again.
        self._cache = {key: kept for key, kept in self._cache.items() if now < kept[0]}
        self._cache[tenant_id, name] = (now + CACHE_SECONDS, secret.value)
        return secret.value

    async def write(
        self, tenant_id: TenantId, name: str, value: str, purpose: str, expires: datetime | None
    ) -> None:
        tags = {_TENANT: tenant_id, _PURPOSE: purpose}
        await self._call(
            lambda client: client.set_secret(name, value, tags=tags, expires_on=expires)
        )

    async def retire(self, tenant_id: TenantId, name: str, *, now: datetime) -> None:
        """Tags a secret as replaced. One that is not there is fine."""
        self._cache.pop((tenant_id, name), None)
        try:
            secret = await self._own(tenant_id, name)
        except NotFound:
            return
        tags = {**(secret.properties.tags or {}), _RETIRED: now.isoformat()}
        await self._call(lambda client: client.update_secret_properties(name, tags=tags))

    async def disable(self, tenant_id: TenantId, name: str) -> None:
        """No process can read it from now on. One that is not there is fine."""
        self._cache.pop((tenant_id, name), None)
        with contextlib.suppress(NotFound):
            await self._call(lambda client: client.update_secret_properties(name, enabled=False))

    async def erase(self, tenant_id: TenantId, name: str) -> None:
        """Deletes (soft) a secret of the tenant. One that is not there is fine."""
        self._cache.pop((tenant_id, name), None)
        try:
            await self._own(tenant_id, name)
            await self._call(lambda client: client.delete_secret(name))
        except NotFound:
            return

    async def erase_disabled(self, secret: KeptSecret) -> None:
        """Deletes (soft) what the list named: a disabled secret cannot be read to see whose it is."""
        with contextlib.suppress(NotFound):
            await self._call(lambda client: client.delete_secret(secret.name))

    async def kept(self) -> list[KeptSecret]:
        """Every secret of this product in the vault, of all tenants, without values."""

        async def read(client: SecretClient) -> list[KeptSecret]:
            found = [_describe(one) async for one in client.list_properties_of_secrets()]
            return [one for one in found if one is not None]

        return await self._call(read)

    async def erase_all(self, tenant_id: TenantId) -> None:
        """Deletes every secret of a tenant, and purges it where the vault allows that."""
        for secret in await self.kept():
            if secret.tenant_id == tenant_id:
                await self.erase_disabled(secret)
        self._cache = {key: kept for key, kept in self._cache.items() if key[0] != tenant_id}
        for deleted in await self._deleted(tenant_id):
            if PURGEABLE in (deleted.properties.recovery_level or ""):
                await self._call(partial(_purge, name=str(deleted.name)))

    async def remains(self, tenant_id: TenantId) -> Remains:
        """What the vault still has of a tenant, deleted secrets too."""
        alive = [one for one in await self.kept() if one.tenant_id == tenant_id]
        deleted = await self._deleted(tenant_id)
        ends = [one.scheduled_purge_date for one in deleted if one.scheduled_purge_date]
        return Remains(len(alive), len(deleted), max(ends, default=None))

    async def _deleted(self, tenant_id: TenantId) -> list[DeletedSecret]:
        async def read(client: SecretClient) -> list[DeletedSecret]:
            every = [one async for one in client.list_deleted_secrets()]
            return [one for one in every if (one.properties.tags or {}).get(_TENANT) == tenant_id]

        return await self._call(read)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _call(self, action: Callable[[SecretClient], Awaitable[T]]) -> T:
        if self._client is None:
            self._client = self._connect()
        client = self._client
        try:
            return await call_with_retry(lambda _: action(client), service=SERVICE)
        except ResourceNotFoundError:
            raise NotFound(GONE) from None
        except ClientAuthenticationError as error:
            raise Unavailable("Key Vault refused the app's own identity.") from error
        except HttpResponseError as error:
            if "disabled secret" in str(error.message):
                raise NotFound(
                    "The tenant's secret is disabled in the vault: it was replaced."
                ) from None
            raise Unavailable(f"Key Vault refused the request ({error.status_code}).") from error

    async def _own(self, tenant_id: TenantId, name: str) -> KeyVaultSecret:
        """The secret with its tags checked. NotFound when it is gone, another tenant's, or no name of ours at all."""
        if not _NAME.fullmatch(name):
            raise NotFound(GONE)
        secret = await self._call(lambda client: client.get_secret(name))
        if (secret.properties.tags or {}).get(_TENANT) != tenant_id:
            raise NotFound(GONE)
        return secret


class TenantVault:
    """One tenant's secrets."""

    def __init__(self, vault: Vault, tenant_id: TenantId) -> None:
        self._vault = vault
        self._tenant_id = tenant_id

    async def keep(self, purpose: str, value: str, *, expires: datetime | None = None) -> str:
        """Stores a value under a new name and returns the name."""
        generation = secrets.token_hex(8)
        text = f"{self._tenant_id}|{purpose}|{generation}"
        name = hashlib.sha256(text.encode()).hexdigest()
        await self._vault.write(self._tenant_id, name, value, purpose, expires)
        return name

    async def read(self, name: str) -> str:
        """The value; NotFound when it is gone or is another tenant's."""
        return await self._vault.read(self._tenant_id, name)

    async def retire(self, name: str, *, now: datetime) -> None:
        """For a value that another one replaced: the sweep disables it after a grace period."""
        await self._vault.retire(self._tenant_id, name, now=now)

    async def erase(self, name: str) -> None:
        await self._vault.erase(self._tenant_id, name)


async def _purge(client: SecretClient, *, name: str) -> None:
    """What a vault does not let go, because of its purge protection or of our rights, it keeps until its date."""
    try:
        await client.purge_deleted_secret(name)
    except HttpResponseError as error:
        if error.status_code not in {403, 404, 409}:
            raise


def _describe(properties: SecretProperties) -> KeptSecret | None:
    """None for what is not ours: the vault may hold other things."""
    tags = properties.tags or {}
    name = properties.name or ""
    if _TENANT not in tags or _PURPOSE not in tags or not _NAME.fullmatch(name):
        return None
    assert properties.updated_on is not None
    retired = tags.get(_RETIRED)
    return KeptSecret(
        name=name,
        tenant_id=TenantId(tags[_TENANT]),
        purpose=tags[_PURPOSE],
        enabled=bool(properties.enabled),
        updated_at=properties.updated_on,
        retired_at=datetime.fromisoformat(retired) if retired else None,
    )
