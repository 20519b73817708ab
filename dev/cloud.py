"""The local cloud: Azurite and the simulated Azure, started together, and the app's settings for them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dev.azurite import Azurite
from dev.processes import ChildProcess, recognise_json


@dataclass(frozen=True, slots=True)
class Simulator:
    """What the simulated Azure says of itself when it is ready."""

    url: str
    admin_url: str
    ca: str
    client_id: str
    directory_id: str
    identity_header: str


class LocalCloud:
    """A context manager: the cloud exists inside the `with` block and nothing of it is left afterwards."""

    def __init__(self, *, worlds: Sequence[Path] = (), logs: Path | None = None) -> None:
        """`worlds` are JSON Lines of ARM documents that the simulated Azure starts with; `logs` is a folder."""
        self._worlds = worlds
        self._logs = logs
        self._parts = ExitStack()
        self._azurite: Azurite
        self._simulator: Simulator

    @property
    def storage_connection_string(self) -> str:
        return self._azurite.connection_string

    @property
    def simulator(self) -> Simulator:
        return self._simulator

    @property
    def admin_url(self) -> str:
        """Where edits and faults of the simulated Azure are ordered; the product never sees it."""
        return self._simulator.admin_url

    def environment(self) -> dict[str, str]:
        """The settings that make the app use this cloud and nothing else."""
        storage = self._azurite.connection_string
        azure = self._simulator
        return {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsStorage": storage,
            "DRIFT_STORAGE_CONNECTION_STRING": storage,
            "AZURE_AUTHORITY_HOST": azure.url,
            "DRIFT_ARM_ENDPOINT": azure.url,
            "DRIFT_KEY_VAULT_URL": azure.url,
            "AZURE_CLIENT_ID": azure.client_id,
            "IDENTITY_ENDPOINT": f"{azure.url}/msi/token",
            "IDENTITY_HEADER": azure.identity_header,
            # aiohttp obeys the first, requests the second; neither obeys the other's.
            "SSL_CERT_FILE": azure.ca,
            "REQUESTS_CA_BUNDLE": azure.ca,
            "DRIFT_PLATFORM_DIRECTORY_ID": azure.directory_id,
            "DRIFT_DEVELOPMENT_SIGN_IN": "true",
        }

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            folder = parts.enter_context(tempfile.TemporaryDirectory(prefix="drift-cloud-"))
            azurite = Azurite(log=self._log("azurite"))  # both start while the other does
            parts.callback(azurite.stop)
            simulator = parts.enter_context(self._start_simulator(folder))
            self._azurite = azurite.wait()
            self._simulator = _describe(simulator.wait_for(recognise_json))
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def _start_simulator(self, folder: str) -> ChildProcess:
        command: list[str | Path] = [sys.executable, "-m", "dev.azure", "--directory", folder]
        command += ["--port", "0", "--admin-port", "0"]
        for world in self._worlds:
            command += ["--world", world]
        return ChildProcess("The simulated Azure", command, log=self._log("azure"))

    def _log(self, name: str) -> Path | None:
        return self._logs / f"{name}.log" if self._logs else None


def _describe(ready: dict[str, Any]) -> Simulator:
    identity = ready["managedIdentity"]
    return Simulator(
        url=ready["url"],
        admin_url=ready["adminUrl"],
        ca=ready["ca"],
        client_id=identity["clientId"],
        directory_id=identity["directoryId"],
        identity_header=ready["identityHeader"],
    )
