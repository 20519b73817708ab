"""How a tenant's Azure is read: the connection row, and the credential made from it.

One credential object per (tenant, connection generation): azure-identity keeps tokens inside the object, so nothing is
shared between tenants. The authority comes from the deployment's settings, never from the tenant.

Two kinds of connection use an identity of the deployment, which other organisations let in as well. They reach the
tenant's own directory only, the one that the platform operator gave the tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from errors import Conflict, NotFound
from settings import Settings
from tenancy.ids import DirectoryId, TenantId
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore
from tenancy.vault import TenantVault

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

ROW = "connection"
LARGEST_CACHE = (
    2000  # credentials kept in one process; ten thousand tenants do not fit one instance anyway
)


class ConnectionKind(StrEnum):
    FEDERATED = "federated"  # managed identity as federated credential of the multitenant app: no secret at all
    LIGHTHOUSE = "lighthouse"  # the app's own identity, delegated by the customer
    CLIENT_SECRET = "client_secret"  # noqa: S105 - the name of a kind
    CERTIFICATE = "certificate"


NEEDS_SECRET = frozenset({ConnectionKind.CLIENT_SECRET, ConnectionKind.CERTIFICATE})


@dataclass(frozen=True, slots=True)
class TenantCredential:
    """A tenant's credential, and where it may be used."""

    token_source: AsyncTokenCredential
    only_directory: str  # whose subscriptions it may read; '' when what Azure shows it is the tenant's own affair


@dataclass(frozen=True, slots=True)
class Connection:
    kind: ConnectionKind
    directory_id: DirectoryId
    client_id: str
    secret_name: str  # name in Key Vault, '' for kinds without a secret
    generation: str
    updated_at: datetime
    updated_by: str
    etag: str = ""

    def values(self) -> dict[str, Value]:
        return {
            "kind": self.kind.value,
            "directory_id": self.directory_id,
            "client_id": self.client_id,
            "secret_name": self.secret_name,
            "generation": self.generation,
            "updated_at": self.updated_at,
            "updated_by": self.updated_by,
        }


def read_connection(row: Row) -> Connection:
    values = row.values
    return Connection(
        kind=ConnectionKind(values["kind"]),
        directory_id=DirectoryId(values["directory_id"]),
        client_id=values["client_id"],
        secret_name=values["secret_name"],
        generation=values["generation"],
        updated_at=values["updated_at"],
        updated_by=values["updated_by"],
        etag=row.etag,
    )


async def get_connection(store: TenantStore) -> Connection:
    row = await store.find(Table.CONNECTION, ROW)
    if row is None:
        raise NotFound("This tenant has no connection to Azure yet.")
    return read_connection(row)


class Credentials:
    """The credentials of the tenants this process works for, by tenant and connection generation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[TenantId, tuple[str, TenantCredential]] = {}

    async def of(
        self, tenant_id: TenantId, store: TenantStore, vault: TenantVault
    ) -> TenantCredential:
        """The tenant's credential. Raises NotFound without a connection or when its secret is gone."""
        connection = await get_connection(store)
        known = self._known.get(tenant_id)
        if known and known[0] == connection.generation:
            return known[1]
        secret = await vault.read(connection.secret_name) if connection.secret_name else ""
        known = self._known.get(tenant_id)
        if (
            known and known[0] == connection.generation
        ):  # made by another task meanwhile, and in use
            return known[1]
        # Lighthouse shows the app's identity the subscriptions of every organisation that delegated some.
        shared = connection.kind is ConnectionKind.LIGHTHOUSE
        credential = TenantCredential(
            make_credential(connection, secret, self._settings),
            connection.directory_id if shared else "",
        )
        # Nothing is awaited between the look and the entry, so that two tasks never make one each.
        replaced = self._known.pop(tenant_id, None)
        self._known[tenant_id] = (connection.generation, credential)
        if replaced:
            await replaced[1].token_source.close()
        if len(self._known) > LARGEST_CACHE:
            await self.forget(next(iter(self._known)))
        return credential

    async def forget(self, tenant_id: TenantId) -> None:
        known = self._known.pop(tenant_id, None)
        if known:
            await known[1].token_source.close()

    async def close(self) -> None:
        for tenant_id in list(self._known):
            await self.forget(tenant_id)


def make_credential(
    connection: Connection, secret: str, settings: Settings
) -> AsyncTokenCredential:
    """azure-identity's credential for the connection. `additionally_allowed_tenants` stays empty on purpose."""
    from azure.identity import aio

    options: dict[str, Any] = {
        "authority": settings.authority_host,
        "disable_instance_discovery": not settings.known_authority,
        "retry_total": 2,
        "timeout": 30,
    }
    directory, client = connection.directory_id, connection.client_id
    if connection.kind is ConnectionKind.CLIENT_SECRET:
        return aio.ClientSecretCredential(directory, client, secret, **options)
    if connection.kind is ConnectionKind.CERTIFICATE:
        return aio.CertificateCredential(
            directory, client, certificate_data=secret.encode(), **options
        )
    if connection.kind is ConnectionKind.LIGHTHOUSE:
        return app_identity(settings)
    if not settings.app_client_id:
        raise Conflict(
            "Federated connections need DRIFT_APP_CLIENT_ID, the multitenant app registration."
        )
    return aio.ClientAssertionCredential(
        directory, settings.app_client_id, _assertion(settings), **options
    )


def app_identity(settings: Settings) -> AsyncTokenCredential:
    """The app's own identity: its managed identity, or on a developer's machine whoever signed in with `az login`."""
    from azure.identity import aio

    if settings.managed_identity:
        return aio.ManagedIdentityCredential(client_id=settings.client_id or None)
    return aio.AzureCliCredential()


def _assertion(settings: Settings) -> Any:
    """A function that returns the managed identity's token for the federated exchange.

    azure.identity.aio calls it without await, so it must be the synchronous credential (azure-identity 1.27 source).
    """
    from azure.identity import ManagedIdentityCredential

    identity = ManagedIdentityCredential(client_id=settings.client_id or None)
    return lambda: identity.get_token("api://AzureADTokenExchange/.default").token
