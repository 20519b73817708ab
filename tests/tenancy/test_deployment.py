"""What one process holds: which endpoints its clients talk to, as whom, and that nothing stays open."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import azure.core.pipeline.transport
import azure.keyvault.secrets.aio
import azure.storage.blob.aio
import azure.storage.queue.aio
import pytest

from settings import Settings, read_settings
from tenancy import deployment as module
from tenancy.claims import Claims
from tenancy.connections import Credentials
from tenancy.deployment import Deployment
from tenancy.origins import OneHostPolicy
from tenancy.tenants import Registry

CLOSED: list[str] = []
PATIENCE = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 60}


class Client:
    """An SDK's client that notes what it is made of, and when it is closed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments = arguments
        self.options = options

    @classmethod
    def from_connection_string(cls, *arguments: Any, **options: Any) -> Client:
        return cls("connection string", *arguments, **options)

    async def close(self) -> None:
        CLOSED.append(type(self).__name__)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a deployment in Azure: endpoints and a managed identity."""
    CLOSED.clear()
    for owner, name in (
        (module, "TableServiceClient"),
        (azure.storage.queue.aio, "QueueServiceClient"),
        (azure.storage.blob.aio, "BlobServiceClient"),
        (azure.keyvault.secrets.aio, "SecretClient"),
        (azure.core.pipeline.transport, "AioHttpTransport"),
    ):
        monkeypatch.setattr(owner, name, type(name, (Client,), {}))
    identity = type("Identity", (Client,), {})()
    monkeypatch.setattr(module, "app_identity", lambda _: identity)
    return read_settings(
        {
            "DRIFT_TABLE_ENDPOINT": "https://x.table.example",
            "DRIFT_QUEUE_ENDPOINT": "https://x.queue.example",
            "DRIFT_BLOB_ENDPOINT": "https://x.blob.example",
            "DRIFT_KEY_VAULT_URL": "https://x.vault.example",
            "DRIFT_PLATFORM_DIRECTORY_ID": "d",
        }
    )


def test_storage_is_reached_as_the_app_itself(settings: Settings) -> None:
    deployment = Deployment(settings)
    tables: Any = deployment.tables._service
    assert tables.arguments == ("https://x.table.example",)
    assert tables.options == {"credential": deployment.identity, **PATIENCE}
    queues: Any = deployment.queues._connect()
    assert queues.arguments == ("https://x.queue.example",)
    assert queues.options == {"credential": deployment.identity, **PATIENCE}
    blobs: Any = deployment.blobs._connect()
    assert blobs.arguments == ("https://x.blob.example",)
    assert blobs.options == {"credential": deployment.identity, **PATIENCE}


def test_storage_is_reached_by_a_connection_string_where_there_is_one(settings: Settings) -> None:
    deployment = Deployment(replace(settings, storage_connection_string="UseDevelopmentStorage"))
    lazy = (deployment.queues._connect(), deployment.blobs._connect())
    for service in (deployment.tables._service, *lazy):
        client: Any = service
        assert client.arguments == ("connection string", "UseDevelopmentStorage")
        assert client.options == PATIENCE
    assert deployment._identity is None


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://x.vault.example", True),
        ("https://127.0.0.1.vault.example", True),
        ("https://127.0.0.1:8443", False),
        ("https://localhost:8443", False),
    ],
)
def test_vault_is_one_host_and_follows_nothing(settings: Settings, url: str, checked: bool) -> None:
    deployment = Deployment(replace(settings, key_vault_url=url))
    client: Any = deployment._secret_client()
    assert client.arguments == (url, deployment.identity)
    (policy,) = client.options.pop("per_retry_policies")
    assert isinstance(policy, OneHostPolicy)
    assert policy._origins == OneHostPolicy(url)._origins
    assert client.options == {
        "verify_challenge_resource": checked,
        "permit_redirects": False,
        **PATIENCE,
    }
    vault_client: Any = deployment.vault._connect()
    assert vault_client.arguments == client.arguments


async def test_parts_share_the_tables_and_are_the_deployments_own(settings: Settings) -> None:
    deployment = Deployment(settings)
    assert deployment.settings is settings
    registry: Registry = deployment.registry
    claims: Claims = deployment.claims
    credentials: Credentials = deployment.credentials
    assert registry._tables is claims._tables is deployment.tables
    assert credentials._settings is settings
    assert deployment.sightings._known == {}
    assert deployment.erasures._tables is deployment.tables
    assert deployment.rates._limit == settings.requests_per_minute
    assert deployment.usage._tallies == {}
    assert deployment.bearer_tokens._settings is settings
    keys = deployment.bearer_tokens._keys
    assert keys._authority == settings.authority_host
    transport: Any = deployment.transport
    assert deployment.transport is transport
    assert keys._transport() is transport
    assert transport.options == {"connection_timeout": 10, "read_timeout": 60}


async def test_closing_closes_what_was_opened_and_opens_nothing(settings: Settings) -> None:
    deployment = Deployment(replace(settings, storage_connection_string="x"))
    await deployment.close()
    assert sorted(CLOSED) == ["TableServiceClient"]
    CLOSED.clear()
    deployment = Deployment(settings)
    assert deployment.transport is not None
    assert deployment.identity is not None
    deployment.vault._client = deployment._secret_client()
    deployment.queues._service = deployment.queues._connect()
    deployment.blobs._service = deployment.blobs._connect()
    used = SimpleNamespace(token_source=type("Credential", (Client,), {})())
    deployment.credentials._retired.append((0.0, used))
    await deployment.close()
    assert sorted(CLOSED) == [
        "AioHttpTransport",
        "BlobServiceClient",
        "Credential",
        "Identity",
        "QueueServiceClient",
        "SecretClient",
        "TableServiceClient",
    ]
