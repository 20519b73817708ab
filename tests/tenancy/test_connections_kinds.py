"""The credential of each kind of connection: made of the tenant's own row and the deployment's authority, nothing else.

E10.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from errors import Conflict
from settings import AUTHORITIES, SettingError, Settings, read_settings
from tenancy.connections import (
    Connection,
    ConnectionKind,
    app_identity,
    make_credential,
    read_expiry,
)
from tenancy.ids import DirectoryId

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def connection(kind: ConnectionKind = ConnectionKind.CLIENT_SECRET) -> Connection:
    directory = DirectoryId(str(uuid.uuid4()))
    return Connection(kind, directory, str(uuid.uuid4()), "", uuid.uuid4().hex, NOW, "test")


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


class Made:
    """An azure-identity class that notes what it is made of."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments = arguments
        self.options = options

    def get_token(self, scope: str) -> AccessToken:
        return AccessToken(f"token for {scope}", 0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "ClientSecretCredential",
        "CertificateCredential",
        "ClientAssertionCredential",
        "ManagedIdentityCredential",
        "AzureCliCredential",
    ):
        monkeypatch.setattr(aio, name, type(name, (Made,), {}))
    monkeypatch.setattr(azure.identity, "ManagedIdentityCredential", Made)


CLOUD = replace(
    read_settings(
        {
            "DRIFT_STORAGE_CONNECTION_STRING": "x",
            "DRIFT_KEY_VAULT_URL": "https://vault.example",
            "DRIFT_PLATFORM_DIRECTORY_ID": "d",
            "AZURE_AUTHORITY_HOST": "login.microsoftonline.us",
            "AZURE_CLIENT_ID": "app-identity",
            "DRIFT_APP_CLIENT_ID": "app",
        }
    ),
    managed_identity=True,
)
OPTIONS = {
    "authority": "https://login.microsoftonline.us",
    "disable_instance_discovery": False,
    "retry_total": 2,
    "timeout": 30,
}


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ConnectionKind.CLIENT_SECRET, "ClientSecretCredential"),
        (ConnectionKind.CERTIFICATE, "CertificateCredential"),
        (ConnectionKind.FEDERATED, "ClientAssertionCredential"),
        (ConnectionKind.LIGHTHOUSE, "ManagedIdentityCredential"),
    ],
)
def test_credential_of_each_kind_is_made_of_the_connection_and_the_deployments_authority(
    kind: ConnectionKind, name: str
) -> None:
    row = connection(kind)
    credential: Any = make_credential(row, "secret", CLOUD)
    assert type(credential).__name__ == name
    if kind is ConnectionKind.CLIENT_SECRET:
        assert credential.arguments == (row.directory_id, row.client_id, "secret")
        assert credential.options == OPTIONS
    elif kind is ConnectionKind.CERTIFICATE:
        assert credential.arguments == (row.directory_id, row.client_id)
        assert credential.options == {"certificate_data": b"secret", **OPTIONS}
    elif kind is ConnectionKind.LIGHTHOUSE:
        assert (credential.arguments, credential.options) == ((), {"client_id": "app-identity"})
    else:
        directory, client, assertion = credential.arguments
        assert (directory, client) == (row.directory_id, "app")
        assert assertion() == f"token for {CLOUD.exchange_audience}/.default"
        assert credential.options == OPTIONS


@pytest.mark.usefixtures("made")
def test_authority_that_entra_does_not_know_is_not_looked_up_there() -> None:
    """Discovery would ask Microsoft about a stand-in on this machine."""
    settings = replace(CLOUD, authority_host="https://127.0.0.1:8443")
    credential: Any = make_credential(connection(), "secret", settings)
    assert credential.options == OPTIONS | {
        "authority": "https://127.0.0.1:8443",
        "disable_instance_discovery": True,
    }


@pytest.mark.usefixtures("made")
def test_federation_needs_the_multitenant_app() -> None:
    with pytest.raises(Conflict) as refused:
        make_credential(connection(ConnectionKind.FEDERATED), "", replace(CLOUD, app_client_id=""))
    assert refused.value.message == (
        "Federated connections need DRIFT_APP_CLIENT_ID, the multitenant app registration."
    )


@pytest.mark.parametrize(("client_id", "given"), [("app-identity", "app-identity"), ("", None)])
def test_managed_identity_is_the_named_one_or_the_only_one(
    client_id: str, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities: list[Made] = []

    class Identity(Made):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            identities.append(self)

    monkeypatch.setattr(aio, "ManagedIdentityCredential", Identity)
    monkeypatch.setattr(azure.identity, "ManagedIdentityCredential", Identity)
    settings = replace(CLOUD, client_id=client_id)
    app_identity(settings)
    make_credential(connection(ConnectionKind.FEDERATED), "", settings)
    assert [one.options for one in identities] == [{"client_id": given}] * 2


@pytest.mark.usefixtures("made")
def test_developer_is_who_signed_in_with_az() -> None:
    identity = app_identity(replace(CLOUD, managed_identity=False))
    assert type(identity).__name__ == "AzureCliCredential"
