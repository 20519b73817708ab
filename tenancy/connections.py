"""How a tenant's Azure is read: the connection row, and the credential made from it.

One credential object per (tenant, connection generation): azure-identity keeps tokens inside the object, so nothing is
shared between tenants. The authority comes from the deployment's settings, never from the tenant.

Two kinds of connection use an identity of the deployment, which other organisations let in as well. They reach the
tenant's own directory only, the one that the platform operator gave the tenant.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
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
IDLE_SECONDS = 3600.0  # a credential that nobody asked for leaves memory: its tenant may be gone
LONGEST_USE = 2400.0  # a scan is cut off after 30 minutes (host.json); until then it may hold one


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
    lineage: str = ""  # of the connection that it was made from


@dataclass(frozen=True, slots=True)
class Connection:
    kind: ConnectionKind
    directory_id: DirectoryId
    client_id: str
    secret_name: str  # name in Key Vault, '' for kinds without a secret
    generation: str
    updated_at: datetime
    updated_by: str
    secret_expires_at: datetime | None = None  # None: nobody said
    lineage: str = ""  # the same through all replacements, another one after a removal
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
            "secret_expires_at": self.secret_expires_at,
            "lineage": self.lineage,
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
        secret_expires_at=values.get("secret_expires_at"),
        lineage=values.get("lineage", ""),
        etag=row.etag,
    )


async def get_connection(store: TenantStore) -> Connection:
    row = await store.find(Table.CONNECTION, ROW)
    if row is None:
        raise NotFound("This tenant has no connection to Azure yet.")
    return read_connection(row)


@dataclass(slots=True)
class _Kept:
    generation: str
    credential: TenantCredential
    used_at: float


class Credentials:
    """The credentials of the tenants this process works for, by tenant and connection generation.

    The connection is read at each use, so a change counts in every process at once. What is replaced or forgotten is
    closed later: a scan that is under way may hold it.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._known: OrderedDict[TenantId, _Kept] = OrderedDict()  # the longest unused first
        self._retired: deque[tuple[float, TenantCredential]] = deque()

    async def of(
        self, tenant_id: TenantId, store: TenantStore, vault: TenantVault
    ) -> TenantCredential:
        """The tenant's credential. Raises NotFound without a connection or when its secret is gone."""
        await self._tidy()
        connection = await get_connection(store)
        known = self._find(tenant_id, connection.generation)
        if known:
            return known
        secret = await vault.read(connection.secret_name) if connection.secret_name else ""
        # Made by another task meanwhile, and in use. Nothing is awaited between this look and the entry, so that two
        # tasks never make one each.
        known = self._find(tenant_id, connection.generation)
        if known:
            return known
        # Lighthouse shows the app's identity the subscriptions of every organisation that delegated some.
        shared = connection.kind is ConnectionKind.LIGHTHOUSE
        credential = TenantCredential(
            make_credential(connection, secret, self._settings),
            connection.directory_id if shared else "",
            connection.lineage,
        )
        self.forget(tenant_id)
        self._known[tenant_id] = _Kept(connection.generation, credential, self._clock())
        return credential

    def forget(self, tenant_id: TenantId) -> None:
        """Nobody gets the credential from here any more."""
        known = self._known.pop(tenant_id, None)
        if known:
            self._retired.append((self._clock() + LONGEST_USE, known.credential))

    async def close(self) -> None:
        for tenant_id in list(self._known):
            self.forget(tenant_id)
        while self._retired:
            await self._retired.popleft()[1].token_source.close()

    def _find(self, tenant_id: TenantId, generation: str) -> TenantCredential | None:
        known = self._known.get(tenant_id)
        if known is None or known.generation != generation:
            return None
        known.used_at = self._clock()
        self._known.move_to_end(tenant_id)
        return known.credential

    async def _tidy(self) -> None:
        """Forgets the idle and the overflow, and closes what nobody can hold any more."""
        now = self._clock()
        for tenant_id, known in list(self._known.items()):
            if now - known.used_at < IDLE_SECONDS and len(self._known) < LARGEST_CACHE:
                break
            self.forget(tenant_id)
        while self._retired and self._retired[0][0] <= now:
            await self._retired.popleft()[1].token_source.close()


def read_expiry(certificate: str) -> datetime | None:
    """When a certificate in PEM ends. None for what is no certificate: azure-identity says what is wrong with it."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc
    except ValueError:
        return None


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
    scope = f"{settings.exchange_audience}/.default"
    return lambda: identity.get_token(scope).token
