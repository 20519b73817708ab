"""What came in, counted and listed; and the faults that were ordered for it."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dev.azure.document import Json
from dev.azure.tokens import claimed_directory

LOG_LENGTH = 2000

_KINDS = (
    ("token", re.compile(r"^/[^/]+/oauth2/v2\.0/token$")),
    ("managed-identity", re.compile(r"^/msi/token$")),
    ("entra-metadata", re.compile(r"^/[^/]+/(v2\.0/\.well-known|discovery)/")),
    ("graph", re.compile(r"^/providers/microsoft\.resourcegraph/resources$", re.IGNORECASE)),
    ("microsoft-graph", re.compile(r"^/v1\.0/")),
    ("vault", re.compile(r"^/(deleted)?secrets(/|$)", re.IGNORECASE)),
    ("arm", re.compile(r"^/(subscriptions|tenants|providers)(/|$)", re.IGNORECASE)),
)
_DIRECTORY_PATH = re.compile(r"^/([0-9a-fA-F-]{36})/")


def kind_of(method: str, path: str) -> str:
    """token, managed-identity, entra-metadata, graph, microsoft-graph, vault, arm-get, arm-list, arm-write or other."""
    kind = next((name for name, pattern in _KINDS if pattern.match(path)), "other")
    if kind != "arm":
        return kind
    if method not in {"GET", "HEAD"}:
        return "arm-write"
    segments = path.strip("/").lower().split("/")
    after = segments[::-1].index("providers") if "providers" in segments else len(segments) + 1
    return "arm-get" if after % 2 == 1 else "arm-list"


@dataclass(frozen=True, slots=True)
class FaultMatch:
    method: str = ""
    path: str = ""  # a regular expression, searched in path?query, letter case ignored
    directory: str = ""  # of the caller's token, or of the token endpoint
    nth: int = 0  # only the nth matching request (from 1); 0: each


@dataclass(slots=True)
class Fault:
    id: int
    match: FaultMatch
    status: int = 0  # 0: the service answers, after the delay
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    delay_seconds: float = 0.0
    times: int = 0  # 0: until removed
    abort: bool = False  # break the connection in the middle of the answer
    replace: dict[str, str] = field(default_factory=dict)  # patterns in the service's own answer
    seen: int = 0
    used: int = 0

    def claims(self, method: str, path: str, directory: str) -> bool:
        """Whether this request gets the fault. Counts it if it matches."""
        match = self.match
        if match.method and match.method.upper() != method:
            return False
        if match.path and not re.search(match.path, path, re.IGNORECASE):
            return False
        if match.directory and match.directory.lower() != directory.lower():
            return False
        self.seen += 1
        if (match.nth and self.seen != match.nth) or (self.times and self.used >= self.times):
            return False
        self.used += 1
        return True


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    method: str
    path: str
    status: int
    principal: str
    kind: str
    fault: int  # id of the fault that answered, 0 for none


class Traffic:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.log: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)
        self._next_fault = 1

    def add_fault(self, fault: Fault) -> Fault:
        fault.id = self._next_fault
        self._next_fault += 1
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        self.counts.clear()
        self.log.clear()

    def fault_for(self, method: str, path: str, directory: str) -> Fault | None:
        """The first fault in the order they were added that claims the request."""
        return next((one for one in self.faults if one.claims(method, path, directory)), None)

    def record(self, scope: Scope, target: str, status: int, fault: Fault | None) -> None:
        kind = kind_of(scope["method"], scope["path"])
        principal = scope.get("azure.principal", "")
        self.counts[kind] += 1
        self.log.append(
            LoggedRequest(
                scope["method"], target, status, principal, kind, fault.id if fault else 0
            )
        )

    def summary(self) -> Json:
        return {"counts": dict(self.counts), "log": [asdict(one) for one in self.log]}


class TrafficGate:
    """Outermost: every request passes here, is logged, and may meet a fault instead of the service."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        target = f"{scope['path']}?{query}" if query else scope["path"]
        fault = None
        if self._traffic.faults:
            directory = _directory(scope)
            fault = self._traffic.fault_for(scope["method"], target, directory)
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._serve(fault, scope, receive, watch)
        finally:
            self._traffic.record(scope, target, status, fault)

    async def _serve(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> None:
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
            if fault.status or fault.abort:
                await _answer(fault, send)
                return
        altered = _Altered(send, fault.replace) if fault and fault.replace else send
        try:
            await self._app(scope, receive, altered)
        except Exception:
            # A mistake of the simulation's own; uvicorn is kept quiet because of the aborted answers.
            traceback.print_exc()
            raise


class _Altered:
    """Sends the service's answer with its text changed, so that an answer can be wrong in one place only."""

    def __init__(self, send: Send, replace: Mapping[str, str]) -> None:
        self._send = send
        self._replace = replace
        self._start: Message = {}
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        text = self._body.decode()
        for pattern, replacement in self._replace.items():
            text = re.sub(pattern, replacement, text)
        body = text.encode()
        kept = [pair for pair in self._start["headers"] if pair[0] != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        await self._send({**self._start, "headers": [*kept, length]})
        await self._send({"type": "http.response.body", "body": body})


def _directory(scope: Scope) -> str:
    match = _DIRECTORY_PATH.match(scope["path"])
    if match:
        return match.group(1)
    return claimed_directory(_header(scope["headers"], b"authorization"))


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


async def _answer(fault: Fault, send: Send) -> None:
    body = fault.body.encode()
    ordered = {name.lower(): value for name, value in fault.headers.items()}
    headers = {"content-type": "application/json; charset=utf-8", **ordered}
    # An aborted answer announces more than it sends: the server closes the connection half-way.
    headers["content-length"] = str(len(body) + 1024 if fault.abort else len(body))
    await send(
        {
            "type": "http.response.start",
            "status": fault.status or 200,
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": fault.abort})
