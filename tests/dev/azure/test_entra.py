"""Entra ID and managed identities, asked by azure-identity, async and sync."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential as SyncClientSecretCredential
from azure.identity import ManagedIdentityCredential as SyncManagedIdentityCredential
from azure.identity.aio import (
    CertificateCredential,
    ClientAssertionCredential,
    ManagedIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SCOPE = "https://management.azure.com/.default"
EXCHANGE = "api://AzureADTokenExchange/.default"


async def claims_of(http: Any, directory: str, token: str, audience: str) -> dict[str, Any]:
    """Checked as any receiver would: with the directory's published keys."""
    configuration = (await http.get(f"/{directory}/v2.0/.well-known/openid-configuration")).json()
    keys = jwt.PyJWKSet.from_dict((await http.get(configuration["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience)


async def refusal_of(awaitable: Any) -> str:
    with pytest.raises(ClientAuthenticationError) as refused:
        await awaitable
    return refused.value.message


async def test_a_secret_gets_a_signed_token_of_the_directory(azure, admin, http):
    async with azure.credential() as credential:
        token = await credential.get_token(SCOPE)
    claims = await claims_of(http, azure.contoso, token.token, "https://management.azure.com")
    assert claims["tid"] == azure.contoso
    assert claims["oid"] == claims["sub"] == azure.app_object
    assert claims["appid"] == azure.app
    assert claims["iss"] == f"https://sts.windows.net/{azure.contoso}/"
    assert abs(claims["exp"] - token.expires_on) <= 2


async def test_the_sync_credential_works_too(azure, admin, monkeypatch):
    credential = SyncClientSecretCredential(
        azure.contoso,
        azure.app,
        azure.secret,
        authority=azure.url,
        disable_instance_discovery=True,
        connection_verify=azure.ca,
    )
    with contextlib.closing(credential):
        assert (await asyncio.to_thread(credential.get_token, SCOPE)).token


async def test_a_wrong_secret_is_aadsts7000215(azure, admin):
    async with azure.credential(secret="wrong") as credential:
        assert "AADSTS7000215" in await refusal_of(credential.get_token(SCOPE))


async def test_an_unknown_directory_is_aadsts90002(azure, admin):
    async with azure.credential(directory=str(uuid.uuid4())) as credential:
        assert "AADSTS90002" in await refusal_of(credential.get_token(SCOPE))


async def test_an_application_of_another_directory_is_aadsts700016(azure, admin):
    async with azure.credential(directory=azure.fabrikam) as credential:
        assert "AADSTS700016" in await refusal_of(credential.get_token(SCOPE))


async def test_an_expired_secret_is_aadsts7000222(azure, admin):
    application = {
        "clientId": azure.app,
        "objectId": azure.app_object,
        "secrets": [{"value": "old", "expires": "2024-01-01T00:00:00Z"}],
    }
    await admin.put_directory(azure.contoso, name="Contoso", applications=[application])
    async with azure.credential(secret="old") as credential:
        assert "AADSTS7000222" in await refusal_of(credential.get_token(SCOPE))


async def test_an_unknown_resource_is_aadsts500011(azure, admin):
    async with azure.credential() as credential:
        message = await refusal_of(credential.get_token("https://unheard.example/.default"))
    assert "AADSTS500011" in message


async def test_a_scope_without_default_is_aadsts1002012(azure, admin):
    async with azure.credential() as credential:
        message = await refusal_of(
            credential.get_token("https://management.azure.com/user_impersonation")
        )
    assert "AADSTS1002012" in message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file with key and certificate, and the certificate alone, as one registers it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "contoso")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("certificate") / "contoso.pem"
    path.write_bytes(private + pem)
    return path, pem.decode()


async def test_a_registered_certificate_gets_a_token(azure, admin, certificate):
    path, pem = certificate
    application = {"clientId": azure.app, "objectId": azure.app_object, "certificates": [pem]}
    await admin.put_directory(azure.contoso, name="Contoso", applications=[application])
    async with CertificateCredential(
        azure.contoso,
        azure.app,
        str(path),
        authority=azure.url,
        disable_instance_discovery=True,
        connection_verify=azure.ca,
    ) as credential:
        assert (await credential.get_token(SCOPE)).token


async def test_an_unregistered_certificate_is_aadsts700027(azure, admin, certificate):
    async with CertificateCredential(
        azure.contoso,
        azure.app,
        str(certificate[0]),
        authority=azure.url,
        disable_instance_discovery=True,
        connection_verify=azure.ca,
    ) as credential:
        assert "AADSTS700027" in await refusal_of(credential.get_token(SCOPE))


@pytest.fixture
def managed_identity(
    azure, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SyncManagedIdentityCredential]:
    """As in App Service, where two variables name the endpoint."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", azure.identity_header)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure.ca)
    with SyncManagedIdentityCredential(client_id=azure.identity["clientId"]) as credential:
        yield credential


def assertion_credential(
    azure: Any, token: str, client_id: str, directory: str
) -> ClientAssertionCredential:
    return ClientAssertionCredential(
        directory,
        client_id,
        lambda: token,
        authority=azure.url,
        disable_instance_discovery=True,
        connection_verify=azure.ca,
    )


def federated(azure: Any, subject: str) -> dict[str, str]:
    home = azure.identity["directoryId"]
    return {
        "issuer": f"{azure.url}/{home}/v2.0",
        "subject": subject,
        "audience": "api://AzureADTokenExchange",
    }


async def test_a_managed_identity_gets_a_token(azure, admin, http, managed_identity):
    token = await asyncio.to_thread(managed_identity.get_token, "https://vault.azure.net/.default")
    claims = await claims_of(
        http, azure.identity["directoryId"], token.token, "https://vault.azure.net"
    )
    assert claims["oid"] == azure.identity["objectId"]


async def test_the_async_managed_identity_works_too(azure, admin, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", azure.identity_header)
    async with ManagedIdentityCredential(
        client_id=azure.identity["clientId"], connection_verify=azure.ca
    ) as credential:
        assert (await credential.get_token(SCOPE)).token


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "?resource=https://vault.azure.net", 401),
        ({"x-identity-header": "wrong"}, "?resource=https://vault.azure.net", 401),
        (None, "", 400),
        (
            None,
            "?resource=https://vault.azure.net&client_id=11111111-0000-0000-0000-000000000000",
            400,
        ),
    ],
)
async def test_the_identity_endpoint_serves_only_its_app(azure, http, headers, query, status):
    sent = {"x-identity-header": azure.identity_header} if headers is None else headers
    assert (await http.get(f"/msi/token{query}", headers=sent)).status_code == status


async def test_a_managed_identity_is_exchanged_for_a_multitenant_applications_token(
    azure, admin, http, managed_identity
):
    """The application lives at home with its federated credential; the customer's directory has a principal of it."""
    client_id, home, away = (str(uuid.uuid4()) for _ in range(3))
    await admin.put_directory(
        azure.identity["directoryId"],
        name="Home",
        applications=[
            {
                "clientId": client_id,
                "objectId": home,
                "federatedCredentials": [federated(azure, azure.identity["objectId"])],
            }
        ],
    )
    await admin.put_directory(
        azure.fabrikam, name="Fabrikam", applications=[{"clientId": client_id, "objectId": away}]
    )
    token = (await asyncio.to_thread(managed_identity.get_token, EXCHANGE)).token
    async with assertion_credential(azure, token, client_id, azure.fabrikam) as credential:
        found = (await credential.get_token(SCOPE)).token
    claims = await claims_of(http, azure.fabrikam, found, "https://management.azure.com")
    assert (claims["tid"], claims["oid"], claims["appid"]) == (azure.fabrikam, away, client_id)


async def test_an_identity_that_is_not_registered_is_aadsts700213(azure, admin, managed_identity):
    application = {
        "clientId": azure.app,
        "objectId": azure.app_object,
        "federatedCredentials": [federated(azure, str(uuid.uuid4()))],
    }
    await admin.put_directory(azure.contoso, name="Contoso", applications=[application])
    token = (await asyncio.to_thread(managed_identity.get_token, EXCHANGE)).token
    async with assertion_credential(azure, token, azure.app, azure.contoso) as credential:
        assert "AADSTS700213" in await refusal_of(credential.get_token(SCOPE))


async def test_a_forged_assertion_is_refused(azure, admin):
    forged = jwt.encode(
        {
            "iss": f"{azure.url}/x/v2.0",
            "sub": "x",
            "aud": "api://AzureADTokenExchange",
            "exp": 9_999_999_999,
        },
        os.urandom(32),
        algorithm="HS256",
    )
    async with assertion_credential(azure, forged, azure.app, azure.contoso) as credential:
        assert "AADSTS700211" in await refusal_of(credential.get_token(SCOPE))


@pytest.mark.parametrize(
    ("form", "error", "code"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type", 70003),
        ({"grant_type": "client_credentials"}, "invalid_request", 900144),
    ],
)
async def test_a_request_that_is_no_client_credentials_grant_is_refused(
    azure, admin, http, form, error, code
):
    answer = await http.post(f"/{azure.contoso}/oauth2/v2.0/token", data=form)
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["error_codes"]) == (error, [code])


async def test_keys_of_no_directory_in_particular_say_whose_tokens_they_sign(azure, admin, http):
    for name in ("common", "organizations"):
        found = (await http.get(f"/{name}/v2.0/.well-known/openid-configuration")).json()
        assert found["issuer"] == f"{azure.url}/{{tenantid}}/v2.0"
        assert found["jwks_uri"] == f"{azure.url}/{name}/discovery/v2.0/keys"
        keys = (await http.get(found["jwks_uri"])).json()["keys"]
        assert {one["issuer"] for one in keys} == {found["issuer"]}
    own = (await http.get(f"/{azure.contoso}/discovery/v2.0/keys")).json()["keys"]
    assert {one["issuer"] for one in own} == {f"{azure.url}/{azure.contoso}/v2.0"}


async def test_rotated_keys_sign_and_are_listed_as_ordered(azure, admin, http):
    async def listed() -> list[str]:
        return [
            one["kid"] for one in (await http.get("/common/discovery/v2.0/keys")).json()["keys"]
        ]

    async def signing() -> str:
        token = await admin.mint_token(azure.contoso, "x", {})
        return jwt.get_unverified_header(token)["kid"]

    first, before = await signing(), await listed()
    await admin.rotate_keys()
    second = await signing()
    assert await listed() == [*before, second]
    await admin.rotate_keys(publish=False)
    assert await signing() not in {first, second, *await listed()}
    await admin.rotate_keys(withdraw=True)
    assert await listed() == [await signing()]
