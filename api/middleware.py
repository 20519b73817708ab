"""What every answer has, whatever the route: a request id, security headers, a body limit, and no stack trace.

The request id is always made here. One that the caller sent, under whatever name, is neither taken over nor answered:
it stands in logs, where nobody outside decides what is written, and two requests never share one.

It sits inside the FastAPI app: an unhandled error would otherwise fail the function, and the host answers its own 500.
"""

from __future__ import annotations

import logging
import uuid

from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import telemetry
from api.depth import LARGEST_DEPTH, is_too_deep
from api.errors import Problem, Respond, answer

logger = logging.getLogger(__name__)

LARGEST_BODY = 8 * 1024 * 1024  # an uploaded inventory; everything else is far smaller

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}


class Guard:
    def __init__(self, app: ASGIApp, largest_body: int, respond: Respond = answer) -> None:
        self._app = app
        self._respond = respond
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        started = False

        async def send_decorated(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _tell(scope, message["status"], request_id)
                headers = MutableHeaders(scope=message)
                headers["x-ms-request-id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, self._limited(receive), send_decorated)
        except Exception:
            logger.exception("request failed", extra={"request_id": request_id})
            if started:
                raise
            detail = f"Something broke. Its log entry is under request id {request_id}."
            response = self._respond(Request(scope), Problem(500, "internal", detail))
            await response(scope, receive, send_decorated)

    def _limited(self, receive: Receive) -> Receive:
        body = bytearray()

        async def receive_limited() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            if len(body) > self._largest_body:
                raise HTTPException(413, f"The body is over {self._largest_body} bytes.")
            if not message.get("more_body"):
                _check_form(bytes(body))
                body.clear()
            return message

        return receive_limited


def _tell(scope: Scope, status: int, request_id: str) -> None:
    """By the area of the route, never by what was asked for. Our own faults are in the log as well: an alert counts
    them."""
    route = getattr(scope.get("route"), "path", "")
    area = route.split("/")[2] if route.startswith("/api/") else "pages"
    telemetry.record(telemetry.ANSWERS, 1, area=area, status=status)
    if status >= 500:
        extra = {"request_id": request_id, "area": area, "status": status}
        logger.error("answered with a server error", extra=extra)


def _check_form(body: bytes) -> None:
    """Before anything parses it. JSON in UTF-16 or UTF-32 has zero bytes, in UTF-8 it never does."""
    if b"\0" in body:
        raise HTTPException(400, "The body is not JSON in UTF-8.")
    if is_too_deep(body):
        raise HTTPException(400, f"The body is nested deeper than {LARGEST_DEPTH} levels.")
