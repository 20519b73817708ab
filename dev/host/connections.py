"""Storage connections by the name of a setting, as bindings give them: a connection string or an identity."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from dev.host.configuration import HostError

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

DEFAULT = "AzureWebJobsStorage"


class Connections:
    """One client per connection name, closed together."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._services: dict[str, QueueServiceClient] = {}
        self._credentials: list[AsyncTokenCredential] = []

    def queue(self, connection: str | None, name: str) -> QueueClient:
        """Raises HostError, naming the setting, when the connection is not configured."""
        connection = connection or DEFAULT
        if connection not in self._services:
            self._services[connection] = self._connect(connection)
        return self._services[connection].get_queue_client(name)

    async def close(self) -> None:
        for service in self._services.values():
            await service.close()
        for credential in self._credentials:
            await credential.close()

    def _connect(self, connection: str) -> QueueServiceClient:
        for name in (f"AzureWebJobs{connection}", connection):
            if self._environment.get(name):
                return QueueServiceClient.from_connection_string(self._environment[name])
            endpoint = self._endpoint(name)
            if endpoint:
                return QueueServiceClient(endpoint, credential=self._identity(name))
        raise HostError(
            f"the setting {connection} is missing: a connection string, or {connection}__accountName for an identity"
        )

    def _endpoint(self, name: str) -> str:
        account = self._environment.get(f"{name}__accountName")
        default = f"https://{account}.queue.core.windows.net" if account else ""
        return self._environment.get(f"{name}__queueServiceUri") or default

    def _identity(self, name: str) -> AsyncTokenCredential:
        from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

        credential: AsyncTokenCredential
        if self._environment.get(f"{name}__credential", "").lower() == "managedidentity":
            client_id = self._environment.get(f"{name}__clientId")
            credential = ManagedIdentityCredential(client_id=client_id)
        else:
            credential = DefaultAzureCredential()
        self._credentials.append(credential)
        return credential


async def create_queue(queue: QueueClient) -> None:
    with contextlib.suppress(ResourceExistsError):
        await queue.create_queue()
