"""The whole product on this machine: the local cloud and the function app on the local host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from dev.cloud import LocalCloud
from dev.processes import ChildProcess, recognise_json

PROJECT = Path(__file__).resolve().parent.parent
STARTING_SECONDS = 60


class LocalStack:
    """A context manager. `url` is the app, `admin_url` is where the simulated Azure takes edits and faults."""

    def __init__(
        self,
        *,
        port: int = 0,
        worlds: Sequence[Path] = (),
        settings: Mapping[str, str] | None = None,
        people: Callable[[str], str] | None = None,
        logs: Path | None = None,
        lease: float | None = None,
    ) -> None:
        """A busy `port` is answered with a free one. `settings` are added to the cloud's own. `people` says, of the
        platform's directory, whom the sign-in page offers. `logs` is a folder that exists. `lease` shortens the time
        after which the messages of a killed host come again."""
        self.cloud = LocalCloud(worlds=worlds, logs=logs)
        self.url = ""
        self._port = port
        self._settings = dict(settings or {})
        self._people = people
        self._log = logs / "host.log" if logs else None
        self._lease = lease
        self._host: ChildProcess
        self._parts = ExitStack()

    @property
    def admin_url(self) -> str:
        return self.cloud.admin_url

    def environment(self) -> dict[str, str]:
        known = {**self.cloud.environment(), **self._settings}
        if self._people:
            known["DRIFT_DEVELOPMENT_PEOPLE"] = self._people(known["DRIFT_PLATFORM_DIRECTORY_ID"])
        return known

    def start_host(self) -> None:
        """Again, after `kill_host`; `url` may have changed."""
        self._host = ChildProcess(
            "The Functions host", self._command(), environment=self.environment(), log=self._log
        )
        self.url = self._host.wait_for(recognise_json, seconds=STARTING_SECONDS)["url"]

    def kill_host(self) -> None:
        """As when an instance in Azure is lost in the middle of its work."""
        self._host.kill()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            parts.enter_context(self.cloud)
            self.start_host()
            parts.callback(self._stop_host)
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def _stop_host(self) -> None:
        self._host.stop()

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "dev.host", "--app", str(PROJECT), "--stop-with-parent"]
        command += ["--port", str(self._port), "--or-free-port"]
        return [*command, "--lease", str(self._lease)] if self._lease else command
