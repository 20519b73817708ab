"""Tenants and their users as rows, and the small index from principals to tenants that sign-in needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum

from azure.core.exceptions import ResourceNotFoundError

from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.migrations import bring_forward
from tenancy.principal import Principal
from tenancy.quotas import UNLIMITED, Quotas
from tenancy.retry import call_storage
from tenancy.roles import Role
from tenancy.rows import Row, Value, read_row
from tenancy.store import SERVICE, Table, Tables, TenantStore

ROW = "tenant"
APP_ROLES = {  # of the app registration, from weak to strong
    "Drift.Viewer": Role.VIEWER,
    "Drift.Operator": Role.OPERATOR,
    "Drift.Admin": Role.ADMIN,
}
# The only rows outside a tenant's partition: principal key -> tenant id, the time of the last tick, and the name in Key
# Vault of the deployment's own signing key.
PLATFORM = "platform"
TICK_PARTITION = "deployment"
TICK_ROW = "tick"
SIGNING_ROW = "signing"


class TenantStatus(StrEnum):
    PROVISIONING = "provisioning"  # half made: nobody can enter
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RESTORING = "restoring"  # its rows are being put back from a backup: nobody sees or changes them meanwhile
    DELETED = "deleted"


OPEN = frozenset({TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.RESTORING})


@dataclass(frozen=True, slots=True)
class Tenant:
    tenant_id: TenantId
    name: str
    directory_id: DirectoryId  # stored as azure_tenant_id
    status: TenantStatus
    created_at: datetime
    fingerprint_secret: str  # name in Key Vault of the key that hashes secret-looking values
    schedule: str = ""  # cron of the scans, UTC; '' is never. Here: a tick reads one row a tenant
    next_scan_at: datetime | None = None
    app_roles: bool = False  # whether app roles of its own directory make users without invitation
    quotas: Quotas = UNLIMITED  # what the platform operator allows it
    # Lineage of its connection; '' says nothing, only the connection's own row does.
    connection: str = ""
    etag: str = ""

    def values(self) -> dict[str, Value]:
        return {
            "name": self.name,
            "azure_tenant_id": self.directory_id,
            "status": self.status.value,
            "created_at": self.created_at,
            "fingerprint_secret": self.fingerprint_secret,
            "schedule": self.schedule,
            "next_scan_at": self.next_scan_at,
            "app_roles": self.app_roles,
            "connection": self.connection,
            **self.quotas.values(),
        }


class UserKind(StrEnum):
    PERSON = "person"
    APPLICATION = (
        "application"  # a service principal, which signs in without a person (app-only token)
    )


@dataclass(frozen=True, slots=True)
class User:
    directory_id: DirectoryId
    object_id: ObjectId
    name: str
    role: Role
    added_at: datetime
    added_by: str
    kind: UserKind = UserKind.PERSON
    etag: str = ""

    @property
    def key(self) -> str:
        return Principal(self.directory_id, self.object_id, "", frozenset(), False).key

    def values(self) -> dict[str, Value]:
        return {
            "directory_id": self.directory_id,
            "object_id": self.object_id,
            "name": self.name,
            "role": self.role.value,
            "added_at": self.added_at,
            "added_by": self.added_by,
            "kind": self.kind.value,
        }


def read_tenant(tenant_id: TenantId, row: Row) -> Tenant:
    values = row.values
    return Tenant(
        tenant_id=tenant_id,
        name=values["name"],
        directory_id=DirectoryId(values["azure_tenant_id"]),
        status=TenantStatus(values["status"]),
        created_at=values["created_at"],
        fingerprint_secret=values["fingerprint_secret"],
        schedule=values["schedule"],
        next_scan_at=values.get("next_scan_at"),
        app_roles=bool(values.get("app_roles")),
        connection=values.get("connection", ""),
        quotas=Quotas(**{one.name: values.get(f"quota_{one.name}") for one in fields(Quotas)}),
        etag=row.etag,
    )


def read_user(row: Row) -> User:
    values = row.values
    return User(
        directory_id=DirectoryId(values["directory_id"]),
        object_id=ObjectId(values["object_id"]),
        name=values["name"],
        role=Role(values["role"]),
        added_at=values["added_at"],
        added_by=values["added_by"],
        kind=UserKind(values.get("kind", UserKind.PERSON)),
        etag=row.etag,
    )


async def find_user(store: TenantStore, principal: Principal) -> User | None:
    row = await store.find(Table.USER, principal.key)
    if row is None:
        return None
    user = read_user(row)
    # The key is a digest; the ids behind it are what membership means.
    same = (user.directory_id, user.object_id) == (principal.directory_id, principal.object_id)
    # An application that was let in is no person that was, and the reverse.
    alike = (user.kind is UserKind.APPLICATION) == principal.application
    return user if same and alike else None


def tenant_role(principal: Principal) -> Role | None:
    """The role that the app roles of a principal's own directory give it where a tenant allows that. Guests have
    none: their app roles were given in a directory that is not theirs."""
    if principal.guest:
        return None
    roles = [role for name, role in APP_ROLES.items() if name in principal.app_roles]
    return roles[-1] if roles else None


def _directory_key(directory_id: DirectoryId) -> str:
    return f"directory.{directory_id}"


class Registry:
    """What the deployment knows across tenants: their records, and which tenants a principal belongs to.

    It reads no other table, so it cannot leak a tenant's content.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def tenants(self) -> AsyncIterator[Tenant]:
        """Every tenant, in order of id."""
        after = ""
        while True:
            page, after = await self.page(after=after, limit=1000)
            for tenant in page:
                yield tenant
            if not after:
                return

    async def page(self, *, after: str, limit: int) -> tuple[list[Tenant], str]:
        """Up to `limit` tenants behind tenant id `after`, and the id to go on with ('' at the end)."""
        client = await self._tables.client(Table.TENANT)

        async def read(_: int) -> list[Tenant]:
            found: list[Tenant] = []
            entities = client.query_entities(
                "PartitionKey gt @after and RowKey eq @row",
                parameters={"after": after, "row": ROW},
                results_per_page=min(limit + 1, 1000),
            )
            async for entity in entities:
                row = bring_forward(Table.TENANT, read_row(entity))
                found.append(read_tenant(TenantId(entity["PartitionKey"]), row))
                if len(found) > limit:
                    break
            return found

        tenants = await call_storage(read, service=SERVICE)
        return (
            (tenants[:limit], tenants[limit - 1].tenant_id)
            if len(tenants) > limit
            else (tenants, "")
        )

    async def tenants_of(self, principal: Principal) -> list[TenantId]:
        """Ids of the tenants the principal was added to, or that its app roles may let it into. The tenant itself
        decides what that is worth."""
        found = await self._linked(principal.key)
        if tenant_role(principal) is not None:
            found += await self._linked(_directory_key(principal.directory_id))
        return sorted(set(found))

    async def _linked(self, key: str) -> list[TenantId]:
        client = await self._tables.client(PLATFORM)

        async def read(_: int) -> list[TenantId]:
            entities = client.query_entities("PartitionKey eq @key", parameters={"key": key})
            return [TenantId(entity["RowKey"]) async for entity in entities]

        return await call_storage(read, service=SERVICE)

    async def link_directory(self, directory_id: DirectoryId, tenant_id: TenantId) -> None:
        """Lets principals with app roles of a directory find a tenant."""
        await self.link(_directory_key(directory_id), tenant_id)

    async def unlink_directory(self, directory_id: DirectoryId, tenant_id: TenantId) -> None:
        await self.unlink(_directory_key(directory_id), tenant_id)

    async def is_open(self, tenant_id: TenantId) -> bool:
        """Whether somebody can be a member of the tenant: it is neither half made nor deleted."""
        client = await self._tables.client(Table.TENANT)
        try:
            entity = await call_storage(
                lambda _: client.get_entity(tenant_id, ROW, select=["status"]), service=SERVICE
            )
        except ResourceNotFoundError:
            return False
        return entity["status"] in OPEN

    async def link(self, principal_key: str, tenant_id: TenantId) -> None:
        client = await self._tables.client(PLATFORM)
        entity = {"PartitionKey": principal_key, "RowKey": tenant_id, "tenant_id": tenant_id}
        await call_storage(lambda _: client.upsert_entity(entity), service=SERVICE)

    async def unlink(self, principal_key: str, tenant_id: TenantId) -> None:
        client = await self._tables.client(PLATFORM)
        try:
            await call_storage(
                lambda _: client.delete_entity(principal_key, tenant_id), service=SERVICE
            )
        except ResourceNotFoundError:
            return

    async def signing_secret(self) -> str:
        """Name in Key Vault of the key that signs what platform operators are handed; '' before the first."""
        client = await self._tables.client(PLATFORM)
        try:
            entity = await call_storage(
                lambda _: client.get_entity(TICK_PARTITION, SIGNING_ROW), service=SERVICE
            )
        except ResourceNotFoundError:
            return ""
        return str(entity["secret_name"])

    async def set_signing_secret(self, name: str) -> None:
        """The last one counts: what another process signed a moment ago is then refused, and asked for again."""
        client = await self._tables.client(PLATFORM)
        entity = {"PartitionKey": TICK_PARTITION, "RowKey": SIGNING_ROW, "secret_name": name}
        await call_storage(lambda _: client.upsert_entity(entity), service=SERVICE)

    async def record_tick(self, now: datetime) -> None:
        client = await self._tables.client(PLATFORM)
        entity = {"PartitionKey": TICK_PARTITION, "RowKey": TICK_ROW, "at": now}
        await call_storage(lambda _: client.upsert_entity(entity), service=SERVICE)

    async def last_tick(self) -> datetime | None:
        client = await self._tables.client(PLATFORM)
        try:
            entity = await call_storage(
                lambda _: client.get_entity(TICK_PARTITION, TICK_ROW), service=SERVICE
            )
        except ResourceNotFoundError:
            return None
        return datetime.fromtimestamp(entity["at"].timestamp(), UTC)
