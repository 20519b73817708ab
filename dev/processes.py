"""Child processes of the development tools: started, waited for until they are ready, and stopped whatever happens.

A child never outlives its parent: its stdin is a pipe that only the parent holds, and every child stops when it reads
the end of it. That also holds when the parent is killed, on any system, without naming or searching processes.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any, Self, TypeVar

Ready = TypeVar("Ready")

TAIL_LINES = 40
_live: weakref.WeakSet[ChildProcess] = weakref.WeakSet()


class ProcessError(Exception):
    """A child did not start; the message carries the end of what it printed."""


class ChildProcess:
    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """`environment` is added to this process's own; all output goes to `log` if there is one."""
        self.name = name
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._log: IO[str] | None = log.open("a", encoding="utf-8") if log else None
        self._process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            process_group=0,  # Ctrl-C reaches the parent alone, which then stops its children in order
        )
        self._reader = threading.Thread(
            target=self._read_output, name=f"{name} output", daemon=True
        )
        self._reader.start()
        _live.add(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, recognise: Callable[[str], Ready | None], *, seconds: float = 30) -> Ready:
        """What `recognise` makes of the first output line that it knows. Raises ProcessError, and stops the child."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.stop()
                raise ProcessError(self._describe(f"was not ready after {seconds:.0f} s")) from None
            if line is None:
                self.stop()
                code = self._process.returncode
                raise ProcessError(
                    self._describe(f"ended with exit code {code} before it was ready")
                )
            ready = recognise(line)
            if ready is not None:
                return ready

    def stop(self, *, grace: float = 10) -> int:
        """The exit code. Asks first (SIGTERM and the end of stdin), kills after `grace` seconds."""
        if self.running:
            self._process.terminate()
        self._close_stdin()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._finish()

    def kill(self) -> None:
        """As a crash or a power cut would: no chance to clean up."""
        self._process.kill()
        self._close_stdin()
        self._finish()

    def _finish(self) -> int:
        code = self._process.wait()
        self._reader.join()
        if self._log:
            self._log.close()
        _live.discard(self)
        return code

    def _close_stdin(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def _read_output(self) -> None:
        """Reads to the end, also after `wait_for`: a full pipe would stop the child in the middle of its work."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._tail.append(line)
                self._lines.put(line)
                if self._log:
                    self._log.write(line)
                    self._log.flush()
        self._lines.put(None)

    def _describe(self, what: str) -> str:
        output = "".join(self._tail).strip() or "(it printed nothing)"
        return f"{self.name} {what}. It printed:\n{output}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def recognise_json(line: str) -> dict[str, Any] | None:
    """For children that say they are ready with one line that is a JSON object."""
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def exit_on_terminate() -> None:
    """Lets SIGTERM unwind the program as Ctrl-C does, so that every `with` block stops what it started."""
    signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


@atexit.register
def _stop_all() -> None:
    for child in list(_live):
        child.stop(grace=2)
