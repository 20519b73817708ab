"""Key Vault, asked by the SDK's client, which starts with the bearer challenge."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient


@pytest.fixture
async def vault(azure, admin, monkeypatch) -> AsyncIterator[SecretClient]:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", azure.identity_header)
    async with (
        ManagedIdentityCredential(
            client_id=azure.identity["clientId"], connection_verify=azure.ca
        ) as credential,
        SecretClient(
            azure.url,
            credential,
            verify_challenge_resource=False,
            connection_verify=azure.ca,
            retry_total=0,
        ) as client,
    ):
        yield client


@pytest.fixture
def name() -> str:
    return f"secret-{uuid.uuid4().hex}"


async def test_a_secret_is_kept_with_its_attributes(vault, azure, name):
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    await vault.set_secret(
        name, "one", tags={"tenant": "t1"}, content_type="text/plain", expires_on=expires
    )
    found = await vault.get_secret(name)
    assert (found.value, found.properties.tags) == ("one", {"tenant": "t1"})
    assert (found.properties.content_type, found.properties.expires_on) == ("text/plain", expires)
    assert found.id == f"{azure.url}/secrets/{name}/{found.properties.version}"
    assert found.properties.recovery_level == "Recoverable+Purgeable"


async def test_names_are_the_same_in_any_letter_case(vault, name):
    await vault.set_secret(name, "one")
    assert (await vault.get_secret(name.upper())).value == "one"


async def test_each_write_is_a_version(vault, name):
    first = await vault.set_secret(name, "one")
    await vault.set_secret(name, "two")
    assert (await vault.get_secret(name)).value == "two"
    assert (await vault.get_secret(name, first.properties.version)).value == "one"
    versions = [one.version async for one in vault.list_properties_of_secret_versions(name)]
    assert len(versions) == 2


async def test_lists_are_paged_and_hold_no_values(vault):
    prefix = uuid.uuid4().hex
    await asyncio.gather(*(vault.set_secret(f"{prefix}-{number:02d}", "v") for number in range(30)))
    found = [
        one.name async for one in vault.list_properties_of_secrets() if one.name.startswith(prefix)
    ]
    assert found == [f"{prefix}-{number:02d}" for number in range(30)]


async def test_a_disabled_secret_is_not_given(vault, name):
    written = await vault.set_secret(name, "one")
    await vault.update_secret_properties(name, written.properties.version, enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        await vault.get_secret(name)
    assert refused.value.status_code == 403


async def test_an_update_changes_only_what_it_names(vault, name):
    await vault.set_secret(name, "one", tags={"a": "b"}, content_type="text/plain")
    await vault.update_secret_properties(name, tags={"c": "d"})
    found = await vault.get_secret(name)
    assert (found.properties.tags, found.properties.content_type) == ({"c": "d"}, "text/plain")


async def test_a_deleted_secret_keeps_its_name_until_it_is_purged(vault, name):
    await vault.set_secret(name, "one")
    deleted = await vault.delete_secret(name)
    assert (deleted.scheduled_purge_date - deleted.deleted_date).days == 90
    with pytest.raises(ResourceNotFoundError):
        await vault.get_secret(name)
    with pytest.raises(ResourceExistsError) as refused:
        await vault.set_secret(name, "two")
    assert "deleted but recoverable" in refused.value.message
    assert name in [one.name async for one in vault.list_deleted_secrets()]
    await vault.purge_deleted_secret(name)
    await vault.set_secret(name, "two")
    assert (await vault.get_secret(name)).value == "two"


async def test_a_deleted_secret_is_recovered_with_its_versions(vault, name):
    first = await vault.set_secret(name, "one")
    await vault.set_secret(name, "two")
    await vault.delete_secret(name)
    await vault.recover_deleted_secret(name)
    assert (await vault.get_secret(name)).value == "two"
    assert (await vault.get_secret(name, first.properties.version)).value == "one"


async def test_an_absent_secret_is_not_found(vault, name):
    with pytest.raises(ResourceNotFoundError) as missing:
        await vault.get_secret(name)
    assert missing.value.error.code == "SecretNotFound"


@pytest.mark.parametrize("name", ["under_score", "x" * 128])
async def test_a_bad_name_is_refused(vault, name):
    with pytest.raises(HttpResponseError) as refused:
        await vault.set_secret(name, "v")
    assert refused.value.status_code == 400


async def test_a_value_over_25_kilobytes_and_16_tags_are_refused(vault, name):
    with pytest.raises(HttpResponseError) as refused:
        await vault.set_secret(name, "x" * (25 * 1024 + 1))
    assert refused.value.status_code == 400
    with pytest.raises(HttpResponseError) as refused:
        await vault.set_secret(name, "v", tags={str(number): "" for number in range(16)})
    assert refused.value.status_code == 400


async def test_without_a_token_the_challenge_names_the_authority(azure, http):
    answer = await http.get("/secrets/x?api-version=7.6")
    home = azure.identity["directoryId"]
    assert answer.status_code == 401
    assert (
        answer.headers["www-authenticate"]
        == f'Bearer authorization="{azure.url}/{home}", resource="https://vault.azure.net"'
    )


async def test_another_principal_is_forbidden_until_it_is_allowed(azure, admin, http):
    principal = str(uuid.uuid4())
    home = azure.identity["directoryId"]
    token = await admin.mint_token(home, "https://vault.azure.net", {"oid": principal})
    headers = {"authorization": f"Bearer {token}"}
    answer = await http.get("/secrets?api-version=7.6", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["innererror"]["code"] == "ForbiddenByRbac"
    await admin.settings(vaultPrincipals=[azure.identity["objectId"], principal])
    assert (await http.get("/secrets?api-version=7.6", headers=headers)).status_code == 200


@pytest.mark.parametrize("other", ["audience", "directory"])
async def test_a_token_of_another_audience_or_directory_is_challenged(azure, admin, http, other):
    home = azure.identity["directoryId"]
    directory = azure.contoso if other == "directory" else home
    audience = "https://management.azure.com" if other == "audience" else "https://vault.azure.net"
    token = await admin.mint_token(directory, audience, {"oid": azure.identity["objectId"]})
    answer = await http.get(
        "/secrets/x?api-version=7.6", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers
