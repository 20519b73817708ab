"""Which methods a path knows. A path that is spelled out (`/api/users/app-roles`) is no id of `/api/users/{user_id}`:
what it does not know itself is refused with 405, and Allow names what it does know (RFC 9110, section 15.5.6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import APIRouter, HTTPException, Request
from fastapi.routing import APIRoute


class Methods:
    def __init__(self, routers: Sequence[APIRouter]) -> None:
        self._routes = [
            route for router in routers for route in router.routes if isinstance(route, APIRoute)
        ]

    def spelled_out(self, path: str) -> list[str]:
        """The methods of a path that has no parameters, none when there is no such path."""
        return _methods(route for route in self._routes if route.path == path)

    def of(self, path: str) -> list[str]:
        matching = (route for route in self._routes if route.path_regex.match(path))
        return self.spelled_out(path) or _methods(matching)


def _methods(routes: Iterable[APIRoute]) -> list[str]:
    return sorted({method for route in routes for method in route.methods or ()})


async def require_method(request: Request) -> None:
    methods: Methods = request.app.state.methods
    known = methods.spelled_out(request.url.path)
    if known and request.method not in known:
        raise HTTPException(405)  # api/errors.py adds Allow
