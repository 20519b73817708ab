"""A tenant's connection to Azure: proved before it is stored, replaced without harm to a scan under way, removed."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from azure.core.exceptions import AzureError, ClientAuthenticationError

from drift import remedies
from errors import Conflict, Invalid, NotFound, Refused, Stale
from settings import Settings
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.connections import (
    NEEDS_SECRET,
    ROW,
    Connection,
    ConnectionKind,
    get_connection,
    make_credential,
    read_connection,
    read_expiry,
)
from tenancy.ids import DirectoryId
from tenancy.records import change_tenant
from tenancy.store import Table

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

WARNED_BEFORE = timedelta(days=30)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What an admin gives. `secret` is a client secret, or a certificate with its private key in PEM."""

    kind: ConnectionKind
    directory_id: DirectoryId
    client_id: str = ""
    secret: str = ""
    secret_expires_at: datetime | None = None  # of a client secret; a certificate says it itself


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token says that a connection is in Azure; '' when it does not say. For commands, never for a decision."""

    object_id: str


async def verify(
    new: NewConnection, settings: Settings, *, home: DirectoryId, now: datetime
) -> None:
    """Proves that Entra ID accepts the credential, before anything of it is stored. Raises Invalid, or Refused.

    Without a secret of its own a tenant could point the deployment's identity at any organisation that trusts it:
    such a connection is to the tenant's `home` directory or none.
    """
    if new.kind not in NEEDS_SECRET and new.directory_id != home:
        raise Invalid(
            f"A connection of kind {new.kind} reads the tenant's own directory, {home}.",
            field="directoryId",
        )
    _check_fields(new, now=now)
    connection = _connection(new, "", "", now=now, actor="")
    try:
        credential = make_credential(connection, new.secret, settings)
    except ValueError as error:
        raise Invalid(f"The certificate cannot be read: {error}", field="secret") from error
    try:
        await sign_in(credential, settings.arm_scope)
    except Refused as error:
        remedy = remedies.of_sign_in(error.message, connection, settings)
        words = (error.message, remedy.words, remedy.command)
        raise Refused(" ".join(filter(None, words))) from error
    finally:
        await credential.close()


def _check_fields(new: NewConnection, *, now: datetime) -> None:
    if new.kind in NEEDS_SECRET and not new.secret:
        raise Invalid(f"A connection of kind {new.kind} needs its secret.", field="secret")
    if new.kind not in NEEDS_SECRET and new.secret:
        raise Invalid(f"A connection of kind {new.kind} takes no secret.", field="secret")
    if new.kind in NEEDS_SECRET and not new.client_id:
        raise Invalid(f"A connection of kind {new.kind} needs clientId.", field="clientId")
    if new.secret_expires_at is None:
        return
    if new.kind is not ConnectionKind.CLIENT_SECRET:
        raise Invalid("Only a client secret is said when it expires.", field="secretExpiresAt")
    if new.secret_expires_at <= now:
        raise Invalid("The client secret has expired already.", field="secretExpiresAt")


async def set_connection(
    context: TenantContext, new: NewConnection, *, before: Connection | None, now: datetime
) -> Connection:
    """Verifies a connection and stores it in place of `before`: the secret in Key Vault, the rest in the tenant's row.

    The secret that it replaces stays for a while: a scan under way may hold it (drift/rotation.py). Raises Stale or
    Conflict when somebody else set or removed the connection meanwhile.
    """
    await verify(new, context.deployment.settings, home=context.tenant.directory_id, now=now)
    lineage = before.lineage if before else secrets.token_hex(8)
    connection = _connection(new, "", lineage, now=now, actor=context.actor.name)
    if new.secret:
        expires = connection.secret_expires_at
        name = await context.vault.keep("connection", new.secret, expires=expires)
        connection = replace(connection, secret_name=name)
    try:
        etag = await _write(context, connection, before.etag if before else "")
    except (Conflict, NotFound):
        await context.vault.erase(connection.secret_name)
        raise
    await _show(context, connection)
    if before and before.secret_name:
        await context.vault.retire(before.secret_name, now=now)
    detail = {"before": _shown(before) if before else None, "after": _shown(connection)}
    text = msgspec.json.encode(detail).decode()
    store, actor = context.store, context.actor
    await audit.record(store, actor, "connection.set", new.kind, now=now, detail=text)
    return replace(connection, etag=etag)


def _shown(connection: Connection) -> dict[str, object]:
    """What the audit trail may say of a connection."""
    return {
        "kind": connection.kind,
        "directoryId": connection.directory_id,
        "clientId": connection.client_id,
        "secretExpiresAt": connection.secret_expires_at,
    }


async def _write(context: TenantContext, connection: Connection, etag: str) -> str:
    """Over the connection that was read before, so that the secret of a third one is never forgotten."""
    store, values = context.store, connection.values()
    if etag:
        return await store.update(Table.CONNECTION, ROW, values, etag=etag)
    return await store.insert(Table.CONNECTION, ROW, values)


async def _show(context: TenantContext, connection: Connection) -> None:
    """Writes into the tenant's row which connection there is, so that a scan under way sees all it looks at in one row.
    Where that does not succeed the row says nothing, and the connection's own is looked at as well."""
    if context.tenant.connection == connection.lineage:
        return
    with suppress(NotFound, Stale):  # deleted, or changed by many
        await _mark(context, connection.lineage)
        known = await find_connection(context)
        if known is None or known.lineage != connection.lineage:  # removed while this was written
            await _mark(context, "")


async def _mark(context: TenantContext, lineage: str) -> None:
    await change_tenant(context, lambda tenant: replace(tenant, connection=lineage))


async def find_connection(context: TenantContext) -> Connection | None:
    row = await context.store.find(Table.CONNECTION, ROW)
    return read_connection(row) if row else None


async def remove_connection(context: TenantContext, *, etag: str, now: datetime) -> None:
    """Removes the connection and its secret. Scans end incomplete, saying so; one under way does at its next step.

    Raises Stale when it was changed after `etag` was read.
    """
    connection = await get_connection(context.store)
    # First, so that no scan takes the tenant's row at its word if this ends here.
    with suppress(NotFound):  # deleted: no scan of it goes on
        await _mark(context, "")
    await context.store.delete(Table.CONNECTION, ROW, etag=etag)
    with suppress(NotFound, Stale):
        await _mark(context, "")  # and again: who set it just now may have written meanwhile
    context.deployment.credentials.forget(context.tenant.tenant_id)
    if connection.secret_name:
        await context.vault.erase(connection.secret_name)
    await audit.record(context.store, context.actor, "connection.remove", connection.kind, now=now)


def warn_of_expiry(connection: Connection, *, now: datetime) -> str:
    """What to say of a secret that ends within 30 days, '' before that."""
    expires = connection.secret_expires_at
    if expires is None or expires - now > WARNED_BEFORE:
        return ""
    what = "certificate" if connection.kind is ConnectionKind.CERTIFICATE else "client secret"
    verb = "expired" if expires <= now else "expires"
    return f"The {what} {verb} on {expires:%Y-%m-%d}. Set a new one, or no scan can read Azure."


async def sign_in(credential: AsyncTokenCredential, scope: str) -> Identity:
    """Gets a token. Raises Refused in Entra's words."""
    try:
        token = await credential.get_token(scope)
    except ClientAuthenticationError as error:
        raise Refused(_entra_message(error)) from error
    except AzureError as error:
        raise Refused(f"Entra ID could not be asked: {_entra_message(error)}") from error
    return read_identity(token.token)


def read_identity(token: str) -> Identity:
    """Tokens are the receiver's to read, and may stop being readable: then nothing is known."""
    middle = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(middle + "==="))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return Identity("")
    object_id = str(claims.get("oid", "")) if isinstance(claims, dict) else ""
    return Identity(object_id if _GUID.fullmatch(object_id) else "")


def _entra_message(error: AzureError) -> str:
    """What Entra said: its AADSTS line, without the SDK's preamble and trace ids."""
    text = str(error.message)
    start = text.find("AADSTS")
    return text[max(start, 0) :].splitlines()[0][:500]


def _connection(
    new: NewConnection, name: str, lineage: str, *, now: datetime, actor: str
) -> Connection:
    certificate = new.kind is ConnectionKind.CERTIFICATE
    return Connection(
        kind=new.kind,
        directory_id=new.directory_id,
        client_id=new.client_id,
        secret_name=name,
        generation=secrets.token_hex(8),
        updated_at=now,
        updated_by=actor,
        secret_expires_at=read_expiry(new.secret) if certificate else new.secret_expires_at,
        lineage=lineage,
    )
