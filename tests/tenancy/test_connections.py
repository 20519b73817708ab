"""Credentials in memory: one a tenant and generation, never closed under who uses it, never kept for ever.

E10, F10.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from settings import AUTHORITIES, SettingError, Settings, read_settings
from tenancy import connections
from tenancy.access import TenantContext, found
from tenancy.connections import (
    IDLE_SECONDS,
    LONGEST_USE,
    ROW,
    Connection,
    ConnectionKind,
    Credentials,
    make_credential,
    read_expiry,
)
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.store import Table
from tenancy.tenants import Tenant, TenantStatus

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Used:
    """A token source that says whether it was closed."""

    def __init__(self, connection: Connection, secret: str) -> None:
        self.made_of = (connection.generation, secret)
        self.closed = False

    async def get_token(self, *_, **__) -> AccessToken:
        assert not self.closed
        return AccessToken("token", 2**40)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def credentials(settings: Settings, time: Time, monkeypatch: pytest.MonkeyPatch) -> Credentials:
    monkeypatch.setattr(
        connections, "make_credential", lambda connection, secret, _: Used(connection, secret)
    )
    return Credentials(settings, clock=time)


@pytest.fixture
def make(deployment: Deployment, settings: Settings):
    home = DirectoryId(settings.platform_directory_id)
    operator = Principal(
        home, ObjectId(str(uuid.uuid4())), "Pia", frozenset({PLATFORM_ROLE}), False
    )

    async def make_tenant() -> TenantContext:
        tenant = Tenant(TenantId(str(uuid.uuid4())), "t", home, TenantStatus.ACTIVE, NOW, "")
        context = await found(deployment, tenant, operator)
        await connect(context, "first")
        return context

    return make_tenant


def connection(kind: ConnectionKind = ConnectionKind.CLIENT_SECRET) -> Connection:
    directory = DirectoryId(str(uuid.uuid4()))
    return Connection(kind, directory, str(uuid.uuid4()), "", uuid.uuid4().hex, NOW, "test")


async def connect(context: TenantContext, secret: str) -> None:
    name = await context.vault.keep("connection", secret)
    await context.store.put(Table.CONNECTION, ROW, replace(connection(), secret_name=name).values())


async def ask(credentials: Credentials, context: TenantContext):
    found = await credentials.of(context.tenant.tenant_id, context.store, context.vault)
    return found.token_source


async def test_two_tenants_never_share_one(credentials, make) -> None:
    one, other = await make(), await make()
    mine, theirs = await ask(credentials, one), await ask(credentials, other)
    assert mine is not theirs
    assert await ask(credentials, one) is mine


async def test_change_counts_at_once_and_closes_nothing_under_a_scan(
    credentials, make, time
) -> None:
    context = await make()
    held = await ask(credentials, context)
    await connect(context, "second")
    fresh = await ask(credentials, context)
    assert (held.made_of[1], fresh.made_of[1]) == ("first", "second")
    time.now = LONGEST_USE - 1
    assert await ask(credentials, context) is fresh
    assert not held.closed
    assert (await held.get_token("scope")).token == "token"
    time.now = LONGEST_USE
    await ask(credentials, context)
    assert (held.closed, fresh.closed) == (True, False)


async def test_forgotten_one_is_closed_later_too(credentials, make, time) -> None:
    context, other = await make(), await make()
    held = await ask(credentials, context)
    credentials.forget(context.tenant.tenant_id)
    assert not held.closed
    time.now = LONGEST_USE
    await ask(credentials, other)
    assert held.closed


async def test_idle_one_leaves_memory(credentials, make, time) -> None:
    idle, busy = await make(), await make()
    held = await ask(credentials, idle)
    time.now = IDLE_SECONDS - 1
    used = await ask(credentials, busy)
    assert len(credentials._known) == 2
    time.now = IDLE_SECONDS
    assert await ask(credentials, busy) is used
    assert list(credentials._known) == [busy.tenant.tenant_id]
    time.now += LONGEST_USE
    await ask(credentials, busy)
    assert held.closed


async def test_overflow_forgets_the_longest_unused(
    credentials, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGEST_CACHE", 2)
    first, second, third = await make(), await make(), await make()
    held = [await ask(credentials, context) for context in (first, second, third)]
    assert first.tenant.tenant_id not in credentials._known
    assert await ask(credentials, third) is held[2]
    assert [one.closed for one in held] == [False] * 3


@pytest.mark.parametrize(
    "kind", [kind for kind in ConnectionKind if kind is not ConnectionKind.LIGHTHOUSE]
)
async def test_challenge_that_names_another_directory_gets_no_token(
    settings: Settings, kind: ConnectionKind
) -> None:
    settings = replace(settings, app_client_id=str(uuid.uuid4()))
    secret = make_pem(NOW + timedelta(days=300)) if kind is ConnectionKind.CERTIFICATE else "x"
    credential = make_credential(connection(kind), secret, settings)
    try:
        with pytest.raises(ClientAuthenticationError, match="additionally_allowed_tenants"):
            await credential.get_token(settings.arm_scope, tenant_id=str(uuid.uuid4()))
    finally:
        await credential.close()


@pytest.mark.parametrize(
    "authority", ["https://login.evil.example", "login.microsoftonline.com.evil.example"]
)
def test_authority_in_azure_is_one_of_a_fixed_list(authority: str) -> None:
    environment = {
        "WEBSITE_INSTANCE_ID": "x",
        "WEBSITE_AUTH_ENABLED": "true",
        "AZURE_AUTHORITY_HOST": authority,
    }
    with pytest.raises(SettingError, match="AZURE_AUTHORITY_HOST"):
        read_settings(environment)
    assert all(one.startswith("https://login.") for one in AUTHORITIES)


def make_pem(until: datetime) -> str:
    """A self-signed certificate with its private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reader")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=365))
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    private = key.private_bytes(
        form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(form)).decode()


def test_end_of_a_certificate_is_read_from_it() -> None:
    until = NOW + timedelta(days=20)
    assert read_expiry(make_pem(until)) == until
    assert read_expiry("no certificate") is None
