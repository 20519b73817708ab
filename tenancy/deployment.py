"""What one process of the app holds: connections to tables, blobs, vault and queues, and the credential cache.

Made once and lazily, shared by HTTP, timers and queues (the FastAPI lifespan runs once per concurrent first request and
never for other triggers, so nothing is built there).
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.data.tables.aio import TableServiceClient

from errors import NotFound
from settings import Settings
from tenancy.bearer import BearerTokens
from tenancy.blobs import Blobs
from tenancy.claims import Claims
from tenancy.connections import Credentials, app_identity
from tenancy.erasures import Erasures
from tenancy.ids import TenantId
from tenancy.origins import OneHostPolicy
from tenancy.principal import LOOPBACK_HOSTS
from tenancy.queues import Queues
from tenancy.rates import Rates
from tenancy.sightings import Sightings
from tenancy.signing_keys import SigningKeys
from tenancy.store import Tables
from tenancy.tenants import Registry
from tenancy.usage import Usage
from tenancy.vault import Vault

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.keyvault.secrets.aio import SecretClient
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueServiceClient

# Retries are ours (tenancy/retry.py); the SDK's would be stacked on top.
NO_SDK_RETRIES: dict[str, Any] = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 60}


# Whose the deployment's own secrets are. No tenant has this id: theirs are GUIDs.
OWN = TenantId("deployment")


class Deployment:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._identity: AsyncTokenCredential | None = None
        self.tables = Tables(self._table_service())
        self.registry = Registry(self.tables)
        self.claims = Claims(self.tables)
        self.erasures = Erasures(self.tables)
        self.queues = Queues(self._queue_service)
        self.blobs = Blobs(self._blob_service)
        self.vault = Vault(self._secret_client)
        self.sightings = Sightings()
        self.rates = Rates(settings.requests_per_minute)
        self.usage = Usage()
        self.credentials = Credentials(settings)
        self.bearer_tokens = BearerTokens(settings, SigningKeys(settings, lambda: self.transport))
        self._transport: AioHttpTransport | None = None

    async def close(self) -> None:
        for part in (self.credentials, self.vault, self.queues, self.blobs, self.tables):
            await part.close()
        if self._identity is not None:
            await self._identity.close()
        if self._transport is not None:
            await self._transport.close()

    @property
    def transport(self) -> AioHttpTransport:
        """Connections to Azure, pooled for all tenants. Tokens are per request, cookies are not kept."""
        if self._transport is None:
            from azure.core.pipeline.transport import AioHttpTransport

            self._transport = AioHttpTransport(connection_timeout=10, read_timeout=60)
        return self._transport

    @property
    def identity(self) -> AsyncTokenCredential:
        """The app's own identity, for storage and vault."""
        if self._identity is None:
            self._identity = app_identity(self.settings)
        return self._identity

    async def signing_key(self) -> bytes:
        """The deployment's own key, of no tenant. It is made at its first use, and made anew if the vault lost it."""
        vault = self.vault.of(OWN)
        name = await self.registry.signing_secret()
        if name:
            with contextlib.suppress(NotFound):
                return (await vault.read(name)).encode()
        value = secrets.token_hex(32)
        await self.registry.set_signing_secret(await vault.keep("signing", value))
        return value.encode()

    def _table_service(self) -> TableServiceClient:
        connection = self.settings.storage_connection_string
        if connection:
            return TableServiceClient.from_connection_string(connection, **NO_SDK_RETRIES)
        return TableServiceClient(
            self.settings.table_endpoint, credential=self.identity, **NO_SDK_RETRIES
        )

    def _queue_service(self) -> QueueServiceClient:
        from azure.storage.queue.aio import QueueServiceClient

        connection = self.settings.storage_connection_string
        if connection:
            return QueueServiceClient.from_connection_string(connection, **NO_SDK_RETRIES)
        return QueueServiceClient(
            self.settings.queue_endpoint, credential=self.identity, **NO_SDK_RETRIES
        )

    def _blob_service(self) -> BlobServiceClient:
        from azure.storage.blob.aio import BlobServiceClient

        connection = self.settings.storage_connection_string
        if connection:
            return BlobServiceClient.from_connection_string(connection, **NO_SDK_RETRIES)
        return BlobServiceClient(
            self.settings.blob_endpoint, credential=self.identity, **NO_SDK_RETRIES
        )

    def _secret_client(self) -> SecretClient:
        from azure.keyvault.secrets.aio import SecretClient

        url = self.settings.key_vault_url
        return SecretClient(
            url,
            self.identity,
            # The challenge names Azure's own vault domain; only a stand-in on this machine lives elsewhere.
            verify_challenge_resource=urlsplit(url).hostname not in LOOPBACK_HOSTS,
            # The SDK follows redirects and the `nextLink` of its lists; its own clean-up of headers is for redirects.
            per_retry_policies=[OneHostPolicy(url)],
            permit_redirects=False,
            **NO_SDK_RETRIES,
        )
