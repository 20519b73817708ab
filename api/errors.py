"""The one place that knows HTTP statuses: product errors as application/problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from errors import (
    Conflict,
    DriftError,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionRequired,
    Refused,
    Stale,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unreadable,
)

logger = logging.getLogger(__name__)

# The most specific class first: a Stale is a Conflict too.
STATUSES: dict[type[DriftError], tuple[int, str]] = {
    Invalid: (422, "invalid"),
    NotFound: (404, "not-found"),
    Unauthenticated: (401, "unauthenticated"),
    Forbidden: (403, "forbidden"),
    Stale: (412, "stale"),
    Conflict: (409, "conflict"),
    PreconditionRequired: (428, "precondition-required"),
    Throttled: (429, "throttled"),
    Unreadable: (424, "unreadable"),
    Refused: (424, "refused-by-azure"),
    Unavailable: (503, "unavailable"),
}


def status_of(error: DriftError) -> tuple[int, str]:
    for kind, answer in STATUSES.items():
        if isinstance(error, kind):
            return answer
    return 500, "internal"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, before it is an answer: JSON for programs, a page for browsers."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)


Respond = Callable[[Request, Problem], Response]


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> JSONResponse:
    body = {"type": "about:blank", "status": status, "code": code, "detail": detail, **members}
    return JSONResponse(
        body,
        status,
        media_type="application/problem+json",
        headers={"x-ms-error-code": code, **(headers or {})},
    )


def answer(_: Request, found: Problem) -> JSONResponse:
    return problem(
        found.status, found.code, found.detail, headers=found.headers, **dict(found.members)
    )


def add_error_handlers(app: FastAPI, respond: Respond = answer) -> None:
    """`respond` says how a problem looks to whom."""
    known: dict[type[Exception], Callable[[Exception], Problem]] = {
        DriftError: _product_error,
        RequestValidationError: _malformed,
        HTTPException: _framework_error,
    }
    for kind, describe in known.items():

        async def handle(
            request: Request, error: Exception, describe: Callable[..., Problem] = describe
        ) -> Response:
            return respond(request, describe(error))

        app.add_exception_handler(kind, handle)


def _product_error(error: Exception) -> Problem:
    assert isinstance(error, DriftError)
    status, code = status_of(error)
    members: dict[str, object] = {}
    headers: dict[str, str] = {}
    if isinstance(error, Invalid):
        members["errors"] = [{"field": error.field, "message": error.message}]
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 wants a 401 to say how to sign in
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, Unreadable):
        members |= {"scope": error.scope, "permission": error.permission}
    return Problem(status, code, error.message, headers, members)


def _malformed(error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    # Never the input itself: it may hold a secret.
    found = [
        {"field": ".".join(map(str, item["loc"][1:])) or "body", "message": item["msg"]}
        for item in error.errors()
    ]
    unreadable = any(item["type"] == "json_invalid" for item in error.errors())
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in found)
    return Problem(400 if unreadable else 422, "invalid", detail, members={"errors": found})


def _framework_error(error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    codes = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    code = codes.get(error.status_code, "invalid")
    return Problem(error.status_code, code, str(error.detail), error.headers or {})
