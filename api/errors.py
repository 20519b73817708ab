"""The one place that knows HTTP statuses: product errors as application/problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

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
    OverDailyQuota,
    OverQuota,
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
    OverQuota: (409, "over-quota"),
    Conflict: (409, "conflict"),
    PreconditionRequired: (428, "precondition-required"),
    OverDailyQuota: (429, "over-daily-quota"),
    Throttled: (429, "throttled"),
    Unreadable: (424, "unreadable"),
    Refused: (424, "refused-by-azure"),
    Unavailable: (503, "unavailable"),
}
NO_ROUTE = "Nothing has this address. Look at how it is written."
# What is answered before a route is reached, or when one breaks.
FRAMEWORK = {
    400: "invalid",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    500: "internal",
}
# What a caller is told of each in the API's description (api/contract.py).
MEANINGS = {
    400: "The body is no JSON.",
    401: "Nobody is signed in.",
    403: "The role is too low, the tenant is suspended, or a change came without X-Tenant-Id and X-Requested-With.",
    404: "It is not there, or not the caller's to see: one answer for both.",
    409: "The present state does not allow it.",
    412: "Somebody else changed it first. Read it again.",
    413: "The body is too large.",
    422: "Something in the request is wrong. `errors` names each field and says what to do.",
    424: "Azure or Entra ID refused. `scope` and `permission` name what is missing, where that is known.",
    428: "Send If-Match with the ETag of what you read.",
    429: "Too much at once. Wait as many seconds as Retry-After says.",
    500: "Something broke here. `detail` holds the request id, which finds it in the log.",
    503: "A service that is needed does not answer. Nothing was concluded from that; try again later.",
}


# As RFC 9110 has them; older Pythons call them otherwise.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}


def phrase_of(status: int) -> str:
    return _PHRASES.get(status, HTTPStatus(status).phrase)


def codes_of(status: int) -> list[str]:
    """Every `code` that a problem of this status can have."""
    known = {code for number, code in STATUSES.values() if number == status}
    return sorted(known | ({FRAMEWORK[status]} if status in FRAMEWORK else set()))


def status_of(error: type[DriftError]) -> tuple[int, str]:
    for kind, answer in STATUSES.items():
        if issubclass(error, kind):
            return answer
    return 500, FRAMEWORK[500]


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
    body = {
        "type": "about:blank",
        "title": phrase_of(status),
        "status": status,
        "code": code,
        "detail": detail,
        **members,
    }
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
    known: dict[type[Exception], Callable[[Request, Exception], Problem]] = {
        DriftError: _product_error,
        RequestValidationError: _malformed,
        HTTPException: _framework_error,
    }
    for kind, describe in known.items():

        async def handle(
            request: Request, error: Exception, describe: Callable[..., Problem] = describe
        ) -> Response:
            return respond(request, describe(request, error))

        app.add_exception_handler(kind, handle)


def _product_error(_: Request, error: Exception) -> Problem:
    assert isinstance(error, DriftError)
    status, code = status_of(type(error))
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


def _malformed(_: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    # Never the input itself: it may hold a secret.
    found = [
        {"field": ".".join(map(str, item["loc"][1:])) or "body", "message": item["msg"]}
        for item in error.errors()
    ]
    unreadable = any(item["type"] == "json_invalid" for item in error.errors())
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in found)
    return Problem(400 if unreadable else 422, "invalid", detail, members={"errors": found})


def _framework_error(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:  # Starlette knows the methods of one route only
        known = request.app.state.methods.of(request.url.path)
        headers |= {"Allow": ", ".join(known)} if known else {}
    code = FRAMEWORK.get(error.status_code, "invalid")
    detail = NO_ROUTE if error.detail == "Not Found" else str(error.detail)
    return Problem(error.status_code, code, detail, headers)
