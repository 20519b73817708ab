"""The whole product on this machine: the local cloud and the function app on the local host."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from dev.cloud import LocalCloud
from dev.processes import ChildProcess, recognise_json

PROJECT = Path(__file__).resolve().parent.parent


class LocalStack:
    """A context manager. `url` is the app, `admin_url` is where the simulated Azure takes edits and faults."""

    def __init__(
        self,
        *,
        port: int = 0,
        worlds: Sequence[Path] = (),
        settings: Mapping[str, str] | None = None,
        logs: Path | None = None,
    ) -> None:
        """`settings` are added to the cloud's own. A busy `port` is answered with a free one."""
        self.cloud = LocalCloud(worlds=worlds, logs=logs)
        self.url = ""
        self._port = port
        self._settings = dict(settings or {})
        self._logs = logs
        self._parts = ExitStack()

    @property
    def admin_url(self) -> str:
        return self.cloud.admin_url

    def environment(self) -> dict[str, str]:
        return {**self.cloud.environment(), **self._settings}

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            parts.enter_context(self.cloud)
            command = [sys.executable, "-m", "dev.host", "--app", str(PROJECT)]
            command += ["--port", str(self._port), "--or-free-port", "--stop-with-parent"]
            log = self._logs / "host.log" if self._logs else None
            host = parts.enter_context(
                ChildProcess("The Functions host", command, environment=self.environment(), log=log)
            )
            self.url = host.wait_for(recognise_json, seconds=60)["url"]
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()
