"""Secrets, in Key Vault only. A tenant's secret is reached through its TenantVault, which checks whose secret it is.

Names are digests of tenant, purpose and a random generation: vault names are case-insensitive, `tenant--name` collides,
and a soft-deleted name cannot be used again (Key Vault soft delete). The name is kept in the tenant's own row.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
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
    from azure.keyvault.secrets.aio import SecretClient

T = TypeVar("T")

SERVICE = "Key Vault"
CACHE_SECONDS = 300.0


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
        secret = await self._call(lambda client: client.get_secret(name))
        if (secret.properties.tags or {}).get("tenant") != tenant_id or secret.value is None:
            raise NotFound("The tenant's secret is not in the vault.")
        self._cache[tenant_id, name] = (now + CACHE_SECONDS, secret.value)
        return secret.value

    async def write(
        self, tenant_id: TenantId, name: str, value: str, purpose: str, expires: datetime | None
    ) -> None:
        tags = {"tenant": tenant_id, "purpose": purpose}
        await self._call(
            lambda client: client.set_secret(name, value, tags=tags, expires_on=expires)
        )

    async def erase(self, tenant_id: TenantId, name: str) -> None:
        """Deletes (soft) a secret of the tenant. One that is not there is fine."""
        self._cache.pop((tenant_id, name), None)
        try:
            secret = await self._call(lambda client: client.get_secret(name))
            if (secret.properties.tags or {}).get("tenant") == tenant_id:
                await self._call(lambda client: client.delete_secret(name))
        except NotFound:
            return

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
            raise NotFound("The tenant's secret is not in the vault.") from None
        except ClientAuthenticationError as error:
            raise Unavailable("Key Vault refused the app's own identity.") from error
        except HttpResponseError as error:
            raise Unavailable(f"Key Vault refused the request ({error.status_code}).") from error


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

    async def erase(self, name: str) -> None:
        await self._vault.erase(self._tenant_id, name)
