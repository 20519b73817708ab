"""App Service authentication as it stands before the app in Azure, and as it looks when it was set up wrongly."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

EXCLUDED = {"/healthz"}
IDENTITY = "x-ms-client-principal"
SIGN_IN = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=x"


@dataclass(slots=True)
class EasyAuth:
    """`on`: whether callers must sign in. `strips`: whether their own identity headers are taken off.
    `redirects`: unauthenticatedAction. `host_open`: the Functions host's own paths want no key."""

    app_url: str
    on: bool = True
    strips: bool = True
    redirects: bool = True
    host_open: bool = False

    def asgi(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.handle)])

    async def handle(self, request: Request) -> Response:
        path = request.url.path
        if path.startswith(("/admin", "/runtime")):
            return JSONResponse({}) if self.host_open else Response(status_code=401)
        forged = IDENTITY in request.headers and not self.strips
        if self.on and path not in EXCLUDED and not forged:
            return self.refuse()
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in {"host", "connection"}
            and not (self.strips and name.startswith(IDENTITY))
        }
        async with httpx.AsyncClient(base_url=self.app_url) as client:
            answer = await client.request(request.method, path, headers=headers)
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return Response(answer.content, answer.status_code, kept)

    def refuse(self) -> Response:
        if self.redirects:
            return RedirectResponse(SIGN_IN, 302)
        return Response(status_code=401, headers={"www-authenticate": 'Bearer realm="x"'})
