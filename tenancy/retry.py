"""The one retry policy for calls to Azure's services: bounded by a time budget, obedient to Retry-After.

The SDK's own retries are switched off where this is used: they sleep as long as Retry-After says, even past a lease,
and azure-data-tables does not retry creates, merges and transactions at all on a reset or a 429.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from azure.core.exceptions import (
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

import telemetry
from errors import Throttled, Unavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

TRANSIENT_STATUSES = frozenset({408, 500, 502, 503, 504})
FIRST_WAIT = 0.4
LONGEST_WAIT = 8.0


async def call_with_retry(
    attempt: Callable[[int], Awaitable[T]], *, service: str, budget: float = 30.0
) -> T:
    """Awaits `attempt(n)` (n counts from 0) until it succeeds or `budget` seconds would be exceeded.

    Raises Throttled when the service asks to wait longer than the budget allows, Unavailable when it keeps failing;
    any other error of the service passes through unchanged.
    """
    started = time.monotonic()
    tries = 0
    while True:
        try:
            return await attempt(tries)
        except (HttpResponseError, ServiceRequestError, ServiceResponseError) as error:
            wait = _wait_before_next(error, tries)
            if wait is None:
                raise
            if getattr(error, "status_code", None) == 429:
                logger.warning("throttled", extra={"service": service, "wait": wait})
                telemetry.record(telemetry.THROTTLED, wait, service=service)
            if time.monotonic() - started + wait > budget:
                raise _give_up(error, service, wait) from error
        tries += 1
        await asyncio.sleep(wait)


async def call_storage(attempt: Callable[[int], Awaitable[T]], *, service: str) -> T:
    """As call_with_retry, for storage: whatever is neither absent nor in conflict ends as a product error too."""
    try:
        return await call_with_retry(attempt, service=service)
    except HttpResponseError as error:
        if error.status_code in {404, 409, 412}:
            raise
        code = getattr(error, "error_code", None) or error.reason
        raise Unavailable(f"{service} refused the request ({error.status_code} {code}).") from error


def _wait_before_next(error: Exception, tries: int) -> float | None:
    """Seconds to wait, or None when trying again cannot help."""
    backoff: float = min(LONGEST_WAIT, FIRST_WAIT * 2**tries) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
    if not isinstance(error, HttpResponseError):
        return backoff
    status = error.status_code or 0
    if status == 429 or status in TRANSIENT_STATUSES:
        return max(backoff, read_retry_after(_header(error, "Retry-After")))
    # Errors without a status (a body that broke off half-way) are as transient as a reset.
    return backoff if status == 0 else None


def _give_up(error: Exception, service: str, wait: float) -> Throttled | Unavailable:
    if isinstance(error, HttpResponseError) and error.status_code == 429:
        return Throttled(f"{service} asks to wait {wait:.0f} s.", retry_after=wait)
    status = getattr(error, "status_code", None)
    return Unavailable(
        f"{service} does not answer ({status or type(error).__name__}). Try again later."
    )


def _header(error: HttpResponseError, name: str) -> str:
    headers = getattr(error.response, "headers", None) or {}
    return str(headers.get(name, ""))


def read_retry_after(value: str) -> float:
    """Seconds of a Retry-After header: a number or an HTTP date (RFC 9110 section 10.2.3); 0 when unreadable."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
