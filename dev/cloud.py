"""The local cloud: Azurite and the simulated Azure, started together, and the app's settings for them."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from dev.azurite import Azurite, further_account
from dev.processes import ChildProcess, ProcessError, recognise_json

LENT = "DRIFT_LENT_CLOUD"  # names the file that says where a lent cloud is


@dataclass(frozen=True, slots=True)
class Simulator:
    """What the simulated Azure says of itself when it is ready."""

    url: str
    admin_url: str
    ca: str
    client_id: str
    directory_id: str
    identity_header: str


class RunningCloud:
    """A cloud that answers; what the app, the tests and the tools need to know of it."""

    def __init__(self, storage_connection_string: str, simulator: Simulator) -> None:
        self.storage_connection_string = storage_connection_string
        self.simulator = simulator

    @property
    def admin_url(self) -> str:
        """Where edits and faults of the simulated Azure are ordered; the product never sees it."""
        return self.simulator.admin_url

    def environment(self) -> dict[str, str]:
        """The settings that make the app use this cloud and nothing else."""
        storage = self.storage_connection_string
        azure = self.simulator
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
            "DRIFT_DEVELOPMENT_CHANNELS": "true",
        }


class LocalCloud(RunningCloud):
    """A context manager: the cloud exists inside the `with` block and nothing of it is left afterwards."""

    def __init__(
        self, *, worlds: Sequence[Path] = (), logs: Path | None = None, accounts: int = 0
    ) -> None:
        """`worlds` are JSON Lines of ARM documents that the simulated Azure starts with; `logs` is a folder;
        `accounts` are empty storage accounts to lend."""
        self._worlds = worlds
        self._logs = logs
        self._accounts = accounts
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            folder = parts.enter_context(tempfile.TemporaryDirectory(prefix="drift-cloud-"))
            # Both start while the other does.
            azurite = Azurite(log=self._log("azurite"), accounts=self._accounts)
            parts.callback(azurite.stop)
            simulator = parts.enter_context(self._start_simulator(folder))
            self._azurite = azurite.wait()
            self.storage_connection_string = self._azurite.connection_string
            self.simulator = _describe(simulator.wait_for(recognise_json))
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    @contextmanager
    def lent(self) -> Iterator[dict[str, str]]:
        """The environment in which `open_cloud` of other processes finds this cloud instead of starting one."""
        with tempfile.NamedTemporaryFile("w", prefix="drift-lent-", suffix=".json") as place:
            lent = {"simulator": asdict(self.simulator), "ports": self._azurite.ports}
            json.dump({**lent, "accounts": self._accounts}, place)
            place.flush()
            yield {LENT: place.name}

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


@contextmanager
def open_cloud() -> Iterator[RunningCloud]:
    """A cloud of this process's own, or what another process lends: its simulated Azure, cleared of faults, secrets
    and the memory of requests, and a storage account that nobody had before."""
    place = os.environ.get(LENT)
    if place is None:
        with LocalCloud() as cloud:
            yield cloud
    else:
        yield _borrow(Path(place))


def _borrow(place: Path) -> RunningCloud:
    with place.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # of several processes each takes another account
        lent = json.load(file)
        if not lent["accounts"]:
            raise ProcessError("The local cloud has lent its last storage account.")
        lent["accounts"] -= 1
        file.seek(0)
        json.dump(lent, file)
        file.truncate()
    simulator = Simulator(**lent["simulator"])
    for memory in ("faults", "requests", "secrets"):
        request = urllib.request.Request(f"{simulator.admin_url}/{memory}", method="DELETE")  # noqa: S310 (loopback)
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
    return RunningCloud(further_account(lent["ports"], lent["accounts"]), simulator)
