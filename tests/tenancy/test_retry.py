"""How often and how long a call to Azure is tried again: with a clock of the test's own, so that nothing is waited for.

F01.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

import telemetry
from errors import Throttled, Unavailable
from tenancy import retry
from tenancy.retry import TRANSIENT_STATUSES, call_storage, call_with_retry, read_retry_after


class Time:
    """A clock that only `sleep` moves, and jitter that always waits the longest."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.jitter: set[tuple[float, float]] = set()

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds

    def uniform(self, low: float, high: float) -> float:
        self.jitter.add((low, high))
        return high


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    for module in ("time", "asyncio", "random"):
        monkeypatch.setattr(retry, module, time)
    return time


def answer(
    status: int, *, headers: dict[str, str] | None = None, code: str = ""
) -> HttpResponseError:
    response: Any = SimpleNamespace(
        status_code=status, reason="Reason", headers=headers, text=lambda: ""
    )
    error = HttpResponseError("no", response=response)
    if code:
        error.error_code = code  # as azure-data-tables adds it
    return error


def failing(*errors: Exception, then: str = "done") -> Callable[[int], Any]:
    """An attempt that fails that often; it must be told its number."""
    left = list(errors)

    async def attempt(number: int) -> str:
        assert number == len(errors) - len(left)
        if left:
            raise left.pop(0)
        return then

    return attempt


async def test_first_success_is_the_answer(time: Time) -> None:
    assert await call_with_retry(failing(), service="S") == "done"
    assert time.slept == []


async def test_waits_double_up_to_the_longest_and_end_with_the_budget(time: Time) -> None:
    errors = [answer(503) for _ in range(20)]
    with pytest.raises(Unavailable) as gave_up:
        await call_with_retry(failing(*errors), service="Table Storage")
    assert gave_up.value.message == "Table Storage does not answer (503). Try again later."
    assert gave_up.value.__cause__ is errors[6]
    assert time.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert time.jitter == {(0.75, 1.25)}


async def test_budget_may_be_used_to_the_last_second(time: Time) -> None:
    wait = answer(429, headers={"Retry-After": "20"})
    assert await call_with_retry(failing(wait), service="S", budget=20) == "done"
    assert time.slept == [20]
    with pytest.raises(Throttled):
        await call_with_retry(failing(wait), service="S", budget=19.9)
    half = answer(429, headers={"Retry-After": "10"})
    with pytest.raises(Throttled):
        await call_with_retry(failing(half, wait), service="S", budget=29.9)


@pytest.mark.parametrize("status", sorted(TRANSIENT_STATUSES | {429}))
async def test_what_passes_is_tried_again(time: Time, status: int) -> None:
    assert await call_with_retry(failing(answer(status), answer(status)), service="S") == "done"
    assert time.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    "error",
    [ServiceRequestError("x"), ServiceResponseError("x"), HttpResponseError("broken off")],
    ids=lambda error: type(error).__name__,
)
async def test_broken_connection_is_tried_again(time: Time, error: Exception) -> None:
    assert await call_with_retry(failing(error), service="S") == "done"
    assert time.slept == [0.5]
    with pytest.raises(Unavailable) as gave_up:
        await call_with_retry(failing(error), service="S", budget=0.3)
    told = f"S does not answer ({type(error).__name__}). Try again later."
    assert gave_up.value.message == told


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 412, 413, 501])
async def test_what_does_not_pass_is_told_at_once(time: Time, status: int) -> None:
    error = answer(status, headers={"Retry-After": "1"})
    with pytest.raises(HttpResponseError) as told:
        await call_with_retry(failing(error), service="S")
    assert told.value is error
    assert time.slept == []


async def test_error_of_our_own_passes_through(time: Time) -> None:
    with pytest.raises(ClientAuthenticationError):
        await call_with_retry(
            failing(ClientAuthenticationError("x", response=answer(401).response)), service="S"
        )
    with pytest.raises(ZeroDivisionError):
        await call_with_retry(failing(ZeroDivisionError()), service="S")
    assert time.slept == []


@pytest.mark.parametrize("status", [429, 503])
async def test_service_that_says_when_is_obeyed(time: Time, status: int) -> None:
    later = answer(status, headers={"Retry-After": "7"})
    sooner = answer(status, headers={"Retry-After": "0"})
    assert await call_with_retry(failing(later, sooner), service="S") == "done"
    assert time.slept == [7, 1.0]


async def test_throttling_is_in_the_log_and_measured_and_other_failures_are_not(
    time: Time, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[tuple[Any, ...]] = []

    def record(instrument: Any, value: float, **dimensions: str) -> None:
        measured.append((instrument, value, dimensions))

    monkeypatch.setattr(telemetry, "record", record)
    errors = [answer(503), answer(429, headers={"Retry-After": "7"}), ServiceRequestError("x")]
    assert await call_with_retry(failing(*errors), service="Key Vault") == "done"
    told = [vars(one) for one in caplog.records if one.name == "tenancy.retry"]
    names = ("levelname", "message", "service", "wait")
    assert [tuple(one[name] for name in names) for one in told] == [
        ("WARNING", "throttled", "Key Vault", 7.0)
    ]
    assert measured == [(telemetry.THROTTLED, 7.0, {"service": "Key Vault"})]


async def test_error_that_came_without_an_answer_says_nothing_of_when(time: Time) -> None:
    error = HttpResponseError("no")
    error.status_code = 503
    assert await call_with_retry(failing(error), service="S") == "done"
    assert time.slept == [0.5]


async def test_budget_is_half_a_minute(time: Time) -> None:
    """A lease outlives it."""
    assert await call_with_retry(failing(answer(429, headers={"Retry-After": "30"})), service="S")
    with pytest.raises(Throttled):
        await call_with_retry(failing(answer(429, headers={"Retry-After": "31"})), service="S")


async def test_longer_wait_than_the_budget_is_told_with_its_length(time: Time) -> None:
    error = answer(429, headers={"Retry-After": "45"})
    with pytest.raises(Throttled) as throttled:
        await call_with_retry(failing(error), service="Key Vault")
    assert throttled.value.message == "Key Vault asks to wait 45 s."
    assert throttled.value.retry_after == 45
    assert throttled.value.__cause__ is error
    with pytest.raises(Unavailable, match=r"Key Vault does not answer \(503\)"):
        await call_with_retry(
            failing(answer(503, headers={"Retry-After": "45"})), service="Key Vault"
        )
    assert time.slept == []


@pytest.mark.parametrize("status", [404, 409, 412])
async def test_absent_and_in_conflict_are_for_the_caller_of_storage(
    time: Time, status: int
) -> None:
    error = answer(status)
    with pytest.raises(HttpResponseError) as told:
        await call_storage(failing(error), service="S")
    assert told.value is error


async def test_storage_that_refuses_is_unavailable(time: Time) -> None:
    for error, reason in (
        (answer(403, code="AuthorizationFailure"), "403 AuthorizationFailure"),
        (answer(400), "400 Reason"),
    ):
        with pytest.raises(Unavailable) as refused:
            await call_storage(failing(error), service="Table Storage")
        assert refused.value.message == f"Table Storage refused the request ({reason})."
        assert refused.value.__cause__ is error
    assert await call_storage(failing(answer(503)), service="S") == "done"
    with pytest.raises(Unavailable, match=r"^Q does not answer"):
        await call_storage(failing(*[answer(503)] * 20), service="Q")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 7 ", 7.0),
        ("120", 120.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("\u00b2", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    assert read_retry_after(text) == seconds


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_retry_after_as_a_date(zone: str) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    text = email.utils.format_datetime(moment, usegmt=True).replace("GMT", zone)
    assert 3500 < read_retry_after(text) <= 3600
