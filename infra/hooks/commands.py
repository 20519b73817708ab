"""The two programs the hooks work through: `az rest` for Microsoft Graph, `azd env set` for what azd must remember.

They carry the sign-in, so no token passes through here. Standard library only: a hook runs before anything is
installed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Json = dict[str, Any]

REPLICATION_SECONDS = 120.0
FIRST_WAIT = 0.25
LONGEST_WAIT = 8.0
# What Graph answers while an object made a moment ago has not reached the server that was asked.
NOT_THERE_YET = frozenset({"Request_ResourceNotFound", "NoBackingApplicationObject"})
# `az rest` prints the status text and, in brackets, the body.
_BODY = re.compile(r"\((\{.*\})\)\s*$", re.DOTALL)


class HookError(Exception):
    """The hook cannot go on; the message says what to do."""


class GraphError(HookError):
    """Microsoft Graph refused a request."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class CloudAddresses:
    graph: str  # https://graph.microsoft.com
    login: str  # https://login.microsoftonline.com


class Graph:
    """Microsoft Graph as whoever signed in with `az login`."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def get(self, path: str) -> Json:
        return self._send("GET", path)

    def list(self, path: str) -> list[Json]:
        """All items; Graph pages its lists."""
        answer = self.get(path)
        items: list[Json] = list(answer["value"])
        while "@odata.nextLink" in answer:
            answer = self._call("GET", answer["@odata.nextLink"])
            items += answer["value"]
        return items

    def post(self, path: str, body: Json) -> Json:
        return self._send("POST", path, body)

    def patch(self, path: str, body: Json) -> None:
        self._send("PATCH", path, body)

    def _send(self, method: str, path: str, body: Json | None = None) -> Json:
        return self._call(method, f"{self._origin}/v1.0{path}", body)

    def _call(self, method: str, url: str, body: Json | None = None) -> Json:
        command = ["rest", "--method", method, "--url", url, "--resource", self._origin]
        if body is not None:
            command += ["--headers", "Content-Type=application/json", "--body", json.dumps(body)]
        ended = _run("az", command)
        if ended.returncode == 0:
            answer: Json = json.loads(ended.stdout) if ended.stdout.strip() else {}
            return answer
        raise _graph_error(method, url, ended.stderr)


def read_cloud() -> CloudAddresses:
    """The addresses of the cloud that `az` is set to."""
    ended = _run("az", ["cloud", "show", "--output", "json"])
    if ended.returncode != 0:
        raise HookError(f"az cloud show failed: {ended.stderr.strip()}. Run az login first.")
    endpoints = json.loads(ended.stdout)["endpoints"]
    return CloudAddresses(
        graph=endpoints["microsoftGraphResourceId"].rstrip("/"),
        login=endpoints["activeDirectory"].rstrip("/"),
    )


def remember(name: str, value: str) -> None:
    """Keeps a value in the azd environment, for the parameters of the infrastructure and for later hooks."""
    ended = _run("azd", ["env", "set", name, value])
    if ended.returncode != 0:
        raise HookError(f"azd env set {name} failed: {ended.stderr.strip()}")


def until_replicated(action: Callable[[], T], *, seconds: float = REPLICATION_SECONDS) -> T:
    """What `action` returns, tried again while Graph does not know an object that was just made."""
    deadline = time.monotonic() + seconds
    wait = FIRST_WAIT
    while True:
        try:
            return action()
        except GraphError as error:
            if error.code not in NOT_THERE_YET or time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)
        wait = min(LONGEST_WAIT, wait * 2)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _graph_error(method: str, url: str, printed: str) -> GraphError:
    found = _BODY.search(printed)
    try:
        error = json.loads(found[1])["error"] if found else {}
    except (ValueError, KeyError):
        error = {}
    code = str(error.get("code", ""))
    reason = error.get("message") or printed.strip().removeprefix("ERROR: ") or "no reason given"
    advice = ""
    if code == "Authorization_RequestDenied":
        advice = (
            " You need the Entra role Application Developer (or Cloud Application Administrator); or let somebody who "
            "has it make the registration and set DRIFT_SKIP_REGISTRATION: see docs/deploy.md."
        )
    return GraphError(f"{method} {url} was refused: {reason}{advice}", code)


def _run(program: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    path = shutil.which(program)  # az is az.cmd on Windows
    if path is None:
        raise HookError(
            f"{program} is not installed, or not on PATH. docs/deploy.md says where it is."
        )
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
