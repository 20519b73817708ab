from __future__ import annotations

import uuid

import httpx2
import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from dev.azurite import Azurite
from dev.cloud import LENT, LocalCloud, RunningCloud, open_cloud
from dev.processes import ProcessError

# The names the app reads; see settings.py and local.settings.sample.json.
SETTINGS = {
    "AzureWebJobsStorage",
    "DRIFT_STORAGE_CONNECTION_STRING",
    "DRIFT_KEY_VAULT_URL",
    "DRIFT_ARM_ENDPOINT",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "DRIFT_PLATFORM_DIRECTORY_ID",
    "DRIFT_DEVELOPMENT_SIGN_IN",
    "DRIFT_DEVELOPMENT_CHANNELS",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "FUNCTIONS_WORKER_RUNTIME",
}


def test_environment_names_every_setting_of_the_app(cloud: LocalCloud) -> None:
    assert set(cloud.environment()) == SETTINGS
    assert all(cloud.environment().values())


def test_storage_services_answer(environment: dict[str, str]) -> None:
    connection = environment["DRIFT_STORAGE_CONNECTION_STRING"]
    name = f"probe{uuid.uuid4().hex[:12]}"
    with TableServiceClient.from_connection_string(connection) as tables:
        tables.create_table(name)
        assert name in {table.name for table in tables.list_tables()}
    with QueueServiceClient.from_connection_string(connection) as queues:
        queues.create_queue(name)
        assert name in {queue.name for queue in queues.list_queues()}
    with BlobServiceClient.from_connection_string(connection) as blobs:
        blobs.create_container(name)
        assert name in {container.name for container in blobs.list_containers()}


def test_two_clouds_share_nothing(storage: str, cloud: RunningCloud) -> None:
    """Each Azurite takes free ports of its own, so another one on this machine is never mistaken for it."""
    name = f"mine{uuid.uuid4().hex[:12]}"
    with Azurite() as other, QueueServiceClient.from_connection_string(storage) as mine:
        mine.create_queue(name)
        with QueueServiceClient.from_connection_string(other.connection_string) as theirs:
            assert list(theirs.list_queues()) == []


def test_managed_identity_reaches_the_vault(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDKs unchanged, told where the cloud is by the environment alone."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    credential = ManagedIdentityCredential(client_id=environment["AZURE_CLIENT_ID"])
    vault = SecretClient(
        environment["DRIFT_KEY_VAULT_URL"], credential, verify_challenge_resource=False
    )
    name = f"probe-{uuid.uuid4().hex[:12]}"
    with credential, vault:
        vault.set_secret(name, "kept")
        assert vault.get_secret(name).value == "kept"
        with pytest.raises(HttpResponseError):
            vault.get_secret("nobody-wrote-this")


def test_nothing_is_left_after_the_block() -> None:
    with LocalCloud() as cloud:
        url = cloud.admin_url
        assert httpx2.get(url).status_code < 500
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)


def _vault(cloud: RunningCloud) -> SecretClient:
    environment = cloud.environment()
    credential = ManagedIdentityCredential(client_id=environment["AZURE_CLIENT_ID"])
    url = environment["DRIFT_KEY_VAULT_URL"]
    return SecretClient(url, credential, verify_challenge_resource=False)


def _write_secret(cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    with _vault(cloud) as vault:
        vault.set_secret("left-behind", "x")
    assert _secret_names(cloud) == ["left-behind"]


def _secret_names(cloud: RunningCloud) -> list[str | None]:
    with _vault(cloud) as vault:
        return [one.name for one in vault.list_properties_of_secrets()]


def test_lent_cloud_gives_each_borrower_an_empty_account(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCloud(accounts=2) as cloud, cloud.lent() as environment:
        monkeypatch.setenv(LENT, environment[LENT])
        _write_secret(cloud, monkeypatch)
        httpx2.post(f"{cloud.admin_url}/faults", json={"match": {"path": "^/x"}, "status": 500})
        with open_cloud() as first, open_cloud() as second:
            assert httpx2.get(f"{cloud.admin_url}/faults").json()["value"] == []
            assert _secret_names(cloud) == []
            assert first.simulator == second.simulator == cloud.simulator
            accounts = [one.storage_connection_string for one in (cloud, first, second)]
            assert len(set(accounts)) == 3
            for account in accounts:
                with TableServiceClient.from_connection_string(account) as tables:
                    assert list(tables.list_tables()) == []
                    tables.create_table("mine")
        with pytest.raises(ProcessError, match="lent its last"), open_cloud():
            pass
