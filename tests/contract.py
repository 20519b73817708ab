"""Watches the API while tests use it: an answer that its OpenAPI document does not know is replaced by one that says
so, and the test that asked for it fails. So every test is a test of the document, too."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

UNKNOWN = 599


class Watched:
    def __init__(self, app: FastAPI) -> None:
        self._app = app

    @cached_property
    def _paths(self) -> dict[str, Any]:
        return dict(self._app.openapi()["paths"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unknown = ""

        async def send_known(message: Message) -> None:
            nonlocal unknown
            if message["type"] == "http.response.start":
                unknown = self._unknown(scope, message["status"])
                if unknown:
                    message = message | {"status": UNKNOWN, "headers": []}
            elif unknown:
                message = {"type": "http.response.body", "body": unknown.encode()}
            await send(message)

        await self._app(scope, receive, send_known)

    def _unknown(self, scope: Scope, status: int) -> str:
        """What is wrong with an answer, '' when it is one that the document knows."""
        route = scope.get("route")
        methods = self._paths.get(getattr(route, "path_format", ""), {})
        operation = methods.get(scope.get("method", "").lower())
        if operation is None or status == 405 or str(status) in operation["responses"]:
            return ""
        if status == 400 and "requestBody" not in operation:  # a body that it does not ask for
            return ""
        return (
            f"{scope['method']} {scope['path']} answers {status}, and its document does not say so."
        )
