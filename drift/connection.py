"""Setting up a tenant's connection to Azure and testing it line by line, each failure with what to do about it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ClientAuthenticationError

from drift.arm import Arm, open_arm
from drift.collect import SeenSubscription, SubscriptionReader, list_subscriptions
from errors import DriftError, Invalid, Refused, Unreadable
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
)
from tenancy.ids import DirectoryId, TenantId
from tenancy.store import Table

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What an admin gives. `secret` is a client secret, or a certificate with its private key in PEM."""

    kind: ConnectionKind
    directory_id: DirectoryId
    client_id: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class TestLine:
    """One step of the connection test."""

    step: str
    ok: bool
    detail: str
    fix: str = ""


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
    if new.kind in NEEDS_SECRET and not new.secret:
        raise Invalid(f"A connection of kind {new.kind} needs its secret.", field="secret")
    if new.kind not in NEEDS_SECRET and new.secret:
        raise Invalid(f"A connection of kind {new.kind} takes no secret.", field="secret")
    if new.kind in NEEDS_SECRET and not new.client_id:
        raise Invalid(f"A connection of kind {new.kind} needs clientId.", field="clientId")
    try:
        credential = make_credential(_connection(new, "", now=now, actor=""), new.secret, settings)
    except ValueError as error:
        raise Invalid(f"The certificate cannot be read: {error}", field="secret") from error
    try:
        await _token(credential, settings.arm_scope)
    finally:
        await credential.close()


async def set_connection(
    context: TenantContext, new: NewConnection, *, now: datetime
) -> Connection:
    """Verifies a connection and stores it: the secret in Key Vault, the rest in the tenant's row."""
    await verify(new, context.deployment.settings, home=context.tenant.directory_id, now=now)
    before = await context.store.find(Table.CONNECTION, ROW)
    name = await context.vault.keep("connection", new.secret) if new.secret else ""
    connection = _connection(new, name, now=now, actor=context.actor.name)
    await context.store.put(Table.CONNECTION, ROW, connection.values())
    if before and before.values["secret_name"]:
        await context.vault.erase(before.values["secret_name"])
    await audit.record(context.store, context.actor, "connection.set", new.kind, now=now)
    return connection


async def remove_connection(context: TenantContext, *, now: datetime) -> None:
    """Removes the connection and its secret. Scans then end incomplete, saying so."""
    connection = await get_connection(context.store)
    await context.store.delete(Table.CONNECTION, ROW)
    await context.deployment.credentials.forget(TenantId(context.tenant.tenant_id))
    if connection.secret_name:
        await context.vault.erase(connection.secret_name)
    await audit.record(context.store, context.actor, "connection.remove", connection.kind, now=now)


async def test_connection(context: TenantContext) -> list[TestLine]:
    """Everything a scan needs, tried in order; stops where the rest cannot work either."""
    connection = await get_connection(context.store)
    credential = await context.credential()
    try:
        await _token(credential.token_source, context.deployment.settings.arm_scope)
    except Refused as error:
        fix = "Check client id and secret of the app registration, and that its secret has not expired."
        return [TestLine("token", False, error.message, fix)]
    lines = [TestLine("token", True, f"Entra ID signs the {connection.kind} connection in.")]
    arm = open_arm(context, credential)
    try:
        listed = await list_subscriptions(arm)
    except DriftError as error:
        return [*lines, TestLine("subscriptions", False, error.message, _grant(connection, "<id>"))]
    if not listed:
        detail = "The connection sees no subscription."
        return [*lines, TestLine("subscriptions", False, detail, _grant(connection, "<id>"))]
    lines.append(TestLine("subscriptions", True, f"{len(listed)} subscriptions are visible."))
    for seen in listed:
        lines.extend([line async for line in _test_subscription(arm, seen, connection)])
    return lines


async def _test_subscription(
    arm: Arm, seen: SeenSubscription, connection: Connection
) -> AsyncIterator[TestLine]:
    reader = SubscriptionReader(arm, seen.subscription_id)
    steps: dict[str, Callable[[], Awaitable[None]]] = {
        "read": reader.probe,
        "resource graph": partial(_first_page, reader, "resources"),
        "change history": partial(_first_page, reader, "resourcechanges"),
    }
    for step, run in steps.items():
        name = f"{seen.name or seen.subscription_id}: {step}"
        try:
            await run()
        except Unreadable as error:
            detail = f"{error.message} Missing: {error.permission or 'read access'}."
            yield TestLine(name, False, detail, _grant(connection, seen.subscription_id))
            return
        except DriftError as error:
            yield TestLine(name, False, error.message)
            return
        yield TestLine(name, True, f"{seen.subscription_id} answers.")


async def _first_page(reader: SubscriptionReader, table: str) -> None:
    async for _ in reader.query(f"{table} | project id | order by id asc"):
        return


async def _token(credential: AsyncTokenCredential, scope: str) -> None:
    try:
        await credential.get_token(scope)
    except ClientAuthenticationError as error:
        raise Refused(_entra_message(error)) from error
    except AzureError as error:
        raise Refused(f"Entra ID could not be asked: {_entra_message(error)}") from error


def _entra_message(error: AzureError) -> str:
    """What Entra said: its AADSTS line, without the SDK's preamble and trace ids."""
    text = str(error.message)
    start = text.find("AADSTS")
    return text[max(start, 0) :].splitlines()[0][:500]


def _grant(connection: Connection, subscription_id: str) -> str:
    assignee = connection.client_id or "<client id of the app>"
    return (
        f"az role assignment create --assignee {assignee} --role Reader "
        f"--scope /subscriptions/{subscription_id}"
    )


def _connection(new: NewConnection, name: str, *, now: datetime, actor: str) -> Connection:
    return Connection(
        kind=new.kind,
        directory_id=new.directory_id,
        client_id=new.client_id,
        secret_name=name,
        generation=secrets.token_hex(8),
        updated_at=now,
        updated_by=actor,
    )
