"""What every answer has, whatever the route: a request id, security headers, a body limit, and no stack trace.

It sits inside the FastAPI app: an unhandled error would otherwise fail the function, and the host answers its own 500.
"""

from __future__ import annotations

import logging
import uuid

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

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


class _TooLargeError(Exception):
    pass


class Guard:
    def __init__(self, app: ASGIApp, largest_body: int) -> None:
        self._app = app
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        started = False
        received = 0

        async def count(message: Message) -> None:
            nonlocal received
            received += len(message.get("body", b""))
            if received > self._largest_body:
                raise _TooLargeError

        async def limited_receive() -> Message:
            message = await receive()
            await count(message)
            return message

        async def decorated_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["x-ms-request-id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, limited_receive, decorated_send)
        except _TooLargeError:
            answer = problem(413, "too-large", f"The body is over {self._largest_body} bytes.")
        except Exception:
            logger.exception("request failed", extra={"request_id": request_id})
            if started:
                raise
            answer = problem(
                500, "internal", f"Something broke. Its log entry is under request id {request_id}."
            )
        else:
            return
        await answer(scope, Request(scope).receive, decorated_send)
