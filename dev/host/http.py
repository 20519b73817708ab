"""The HTTP side of the host: an ASGI application that turns requests into invocations.

Facts of the real host that are kept because they bite: bodies are whole, never streamed; of repeated response headers
the last one stays, except Set-Cookie, whose value is percent-encoded by ASP.NET Core on its way out; an exception in
the function is a 500 with no body.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from dev.host.invocations import Invocations
from dev.host.messages import RpcHttp, RpcHttpCookie, TypedData
from dev.host.routes import Route, RouteTable, parse_route
from dev.host.timers import describe_run
from dev.host.worker import Function, Outcome

LARGEST_BODY = 104_857_600  # the platform's own limit on a request
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
ADMIN = "/admin/functions/"
SAME_SITE = {1: "lax", 2: "strict", 3: "none"}

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

logger = logging.getLogger(__name__)


class BodyTooLarge(Exception):
    pass


class HttpListener:
    def __init__(
        self, functions: Iterable[Function], invocations: Invocations, *, route_prefix: str
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._invocations = invocations
        self._routes = RouteTable(
            _parse_trigger(function, route_prefix)
            for function in self._functions.values()
            if function.trigger.type == "httpTrigger"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _read_headers(scope["headers"])
        if urlsplit(f"//{headers.get('host', '')}").hostname not in LOOPBACK_NAMES:
            # Another name that resolves to this machine: a web page is trying to be let in (DNS rebinding).
            await _answer(send, 421, [], b"")
            return
        try:
            body = await _read_body(receive)
        except BodyTooLarge:
            await _answer(send, 413, [], b"")
            return
        path = scope["raw_path"].decode("ascii")
        if path.startswith(ADMIN) and scope["method"] == "POST":
            await self._run_timer(path.removeprefix(ADMIN), headers, send)
            return
        await self._invoke(scope, path, headers, body, send)

    async def _invoke(
        self, scope: Scope, path: str, headers: dict[str, str], body: bytes, send: Send
    ) -> None:
        found = self._routes.find(scope["method"], path)
        if found is None:
            await _answer(send, 404, [], b"")
            return
        name, parameters = found
        query = scope["query_string"].decode("ascii")
        request = RpcHttp(
            method=scope["method"],
            url=f"http://{headers['host']}{path}" + (f"?{query}" if query else ""),
            headers=headers,
            params=parameters,
            query={name: ",".join(values) for name, values in parse_qs(query).items()},
            body=TypedData(bytes=body),
        )
        outcome = await self._invocations.run(
            self._functions[name],
            TypedData(http=request),
            trace_parent=headers.get("traceparent", ""),
        )
        await _answer(send, *_read_outcome(outcome))

    async def _run_timer(self, name: str, headers: dict[str, str], send: Send) -> None:
        """Runs a timer now, as the real host's administration endpoint does."""
        function = self._functions.get(name)
        if function is None or function.trigger.type != "timerTrigger":
            await _answer(send, 404, [], b"")
        elif not headers.get("content-type", "").startswith("application/json"):
            await _answer(send, 415, [], b"")  # also what keeps a foreign web page's form out
        else:
            await self._invocations.run(function, describe_run(past_due=False))
            await _answer(send, 202, [], b"")


def _parse_trigger(function: Function, prefix: str) -> Route:
    values = function.trigger.values
    template = "/".join(part for part in (prefix, values.get("route") or function.name) if part)
    return parse_route(function.name, template, values.get("methods") or ())


def _read_headers(raw: Iterable[Header]) -> dict[str, str]:
    """Lower-case names; repeated ones are joined, cookies in their own way."""
    headers: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        separator = "; " if name == "cookie" else ","
        headers[name] = f"{headers[name]}{separator}{text}" if name in headers else text
    return headers


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge
        if not message.get("more_body"):
            return bytes(body)


def _read_outcome(outcome: Outcome) -> tuple[int, list[Header], bytes]:
    if outcome.error:
        return 500, [], b""
    if outcome.returned is None:
        return 204, [], b""
    answer = outcome.returned.http
    if answer is None:  # the function returned a plain string
        text = [(b"content-type", b"text/plain; charset=utf-8")]
        return 200, text, str(outcome.returned.string).encode()
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers.items()
        if name.lower() not in {"content-length", "transfer-encoding"}  # ours to say
    ]
    headers += [(b"set-cookie", _write_cookie(cookie)) for cookie in answer.cookies or ()]
    return int(answer.status_code), headers, answer.body.bytes or b""


def _write_cookie(cookie: RpcHttpCookie) -> bytes:
    parts = [f"{cookie.name}={quote(cookie.value, safe='-_.~')}"]
    if cookie.expires:
        moment = datetime.fromtimestamp(cookie.expires.value.seconds, UTC)
        parts.append(f"expires={format_datetime(moment, usegmt=True)}")
    if cookie.max_age:
        parts.append(f"max-age={int(cookie.max_age.value)}")
    for name in ("domain", "path"):
        attribute = getattr(cookie, name)
        if attribute and attribute.value:
            parts.append(f"{name}={attribute.value}")
    if cookie.secure and cookie.secure.value:
        parts.append("secure")
    if cookie.same_site in SAME_SITE:
        parts.append(f"samesite={SAME_SITE[cookie.same_site]}")
    if cookie.http_only and cookie.http_only.value:
        parts.append("httponly")
    return "; ".join(parts).encode("latin-1")


async def _answer(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
