"""A receiver of webhooks, as a customer would run one: it checks signatures and keeps what it got.

Development only: plain HTTP on loopback, for the demo's own notices.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from drift.channels.signatures import PREFIX, read_signing_key, sign_webhook

OLDEST_SECONDS = 300  # as Standard Webhooks advises
LONGEST_BODY = 1_000_000
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Received:
    """One notice whose signature is right."""

    notice_id: str
    tenant: str
    headline: str
    resources: tuple[str, ...]  # names
    total: int  # of findings

    def __str__(self) -> str:
        return f"{self.tenant}: {self.headline} ({', '.join(self.resources)})"


class Receiver:
    """A context manager; `url` and `signing_key` are what a channel of kind `webhook` is given."""

    def __init__(self) -> None:
        self.signing_key = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        self.on_notice: Callable[[Received], None] = lambda _: None
        self._notices: dict[str, Received] = {}  # by id: a notice may come twice
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,))

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.server_address[1]}/drift"

    @property
    def notices(self) -> tuple[Received, ...]:
        return tuple(self._notices.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def receive(self, headers: Any, body: bytes) -> int:
        """The HTTP status that a request is answered with."""
        if not is_signed(headers, body, self.signing_key):
            return 401
        event = json.loads(body)
        notice = read_notice(event["id"], event["data"])
        if notice.notice_id not in self._notices:
            self._notices[notice.notice_id] = notice
            self.on_notice(notice)
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                known = 0 < length <= LONGEST_BODY
                body = self.rfile.read(length) if known else b""
                self.send_response(receiver.receive(self.headers, body) if known else 413)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """What came is told by the demo, in its own words."""

        return Handler


def read_notice(notice_id: str, data: Mapping[str, Any]) -> Received:
    names = tuple(one["resourceId"].rpartition("/")[2] for one in data["findings"])
    return Received(notice_id, data["tenant"], data["headline"], names, data["total"])


def is_signed(headers: Any, body: bytes, signing_key: str) -> bool:
    """Whether a request is from a channel that has the key, whole, and young."""
    try:
        at = datetime.fromtimestamp(int(headers.get("webhook-timestamp", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return False
    if abs(time.time() - at.timestamp()) > OLDEST_SECONDS:
        return False
    made = sign_webhook(headers.get("webhook-id", ""), at, body, [read_signing_key(signing_key)])
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(made["webhook-signature"], one) for one in given)
