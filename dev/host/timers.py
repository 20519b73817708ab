"""Timer triggers: NCRONTAB with seconds, in UTC, never twice at the same time.

The real host remembers the last run in storage and catches up after a stop; this one starts afresh, so a run is past
due only when the machine slept in between.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from dev.host.configuration import HostError, expand
from dev.host.invocations import Invocations
from dev.host.messages import TypedData
from dev.host.worker import Function

LONGEST_SLEEP = 30.0  # a sleeping machine stops the event loop's clock, not the wall's
LATE = timedelta(seconds=1)


class TimerListener:
    def __init__(self, function: Function, invocations: Invocations) -> None:
        """Raises HostError if the schedule cannot be read."""
        self._function = function
        self._invocations = invocations
        self._schedule = read_schedule(function.name, function.trigger.values["schedule"])

    async def run(self, stopping: asyncio.Event) -> None:
        if self._function.trigger.values.get("runOnStartup"):
            await self._invocations.run(self._function, describe_run(past_due=False))
        while not stopping.is_set():
            due = next_occurrence(self._schedule, datetime.now(UTC))
            await _sleep_until(due, stopping)
            if not stopping.is_set():
                late = datetime.now(UTC) - due > LATE
                await self._invocations.run(self._function, describe_run(past_due=late))


def read_schedule(function: str, text: str) -> str:
    """Five or six fields; the first of six is seconds. %SETTING% is replaced by that setting."""
    schedule = expand(text)
    try:
        CronSim(schedule, datetime.now(UTC))
    except CronSimError as error:
        raise HostError(
            f"{function}: {schedule!r} is not a schedule such as 0 */5 * * * * ({error})"
        ) from None
    return schedule


def next_occurrence(schedule: str, after: datetime) -> datetime:
    return next(CronSim(schedule, after))


def describe_run(*, past_due: bool) -> TypedData:
    run = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": past_due}
    return TypedData(json=json.dumps(run))


async def _sleep_until(due: datetime, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        remaining = (due - datetime.now(UTC)).total_seconds()
        if remaining <= 0:
            return
        try:
            await asyncio.wait_for(stopping.wait(), min(remaining, LONGEST_SLEEP))
        except TimeoutError:
            continue
