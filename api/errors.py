"""The one place that knows HTTP statuses: product errors as application/problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
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


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(DriftError, _product_error)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _framework_error)


async def _product_error(_: Request, error: Exception) -> JSONResponse:
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
    return problem(status, code, error.message, headers=headers, **members)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Never the input itself: it may hold a secret.
    found = [
        {"field": ".".join(map(str, item["loc"][1:])) or "body", "message": item["msg"]}
        for item in error.errors()
    ]
    unreadable = any(item["type"] == "json_invalid" for item in error.errors())
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in found)
    return problem(400 if unreadable else 422, "invalid", detail, errors=found)


async def _framework_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    return problem(
        error.status_code,
        codes.get(error.status_code, "invalid"),
        str(error.detail),
        headers=error.headers,
    )
