"""When a notice may go: digests at a local time, quiet hours, snooze. Pure; the moment now is an argument.

A local time that the clocks skip is taken as they would have shown it; one that comes twice is the first.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from drift.channels.model import Cadence, Timing, Weekday
from errors import Invalid

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}", re.ASCII)


def check(timing: Timing) -> None:
    """Raises Invalid, naming the field."""
    find_zone(timing.zone)
    _clock(timing.at, field="at")
    if bool(timing.quiet_from) != bool(timing.quiet_until):
        field = "quietUntil" if timing.quiet_from else "quietFrom"
        raise Invalid(f"{field} is missing: quiet hours have a beginning and an end.", field=field)
    if timing.quiet_from:
        _clock(timing.quiet_from, field="quietFrom")
        _clock(timing.quiet_until, field="quietUntil")
        if timing.quiet_from == timing.quiet_until:
            raise Invalid("Quiet hours end at another time than they begin.", field="quietUntil")


def find_zone(name: str) -> ZoneInfo:
    """Raises Invalid for what is no time zone. Only names that look like one are looked for: they become a path."""
    wrong = Invalid("zone must be a time zone such as Europe/Berlin or UTC.", field="zone")
    if not _ZONE.fullmatch(name):
        raise wrong
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise wrong from error


def release(timing: Timing, moment: datetime) -> datetime:
    """When what is made at `moment` is to be told by the channel's cadence, quiet hours left aside."""
    if timing.cadence is Cadence.IMMEDIATE:
        return moment
    zone = find_zone(timing.zone)
    local = moment.astimezone(zone)
    if timing.cadence is Cadence.HOURLY:
        # Whole hours of the zone's own clock, counted in UTC: an hour that the clocks repeat comes twice.
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return moment - past + timedelta(hours=1)
    weekday = list(Weekday).index(timing.weekday)
    day = local.date()
    while True:
        if timing.cadence is Cadence.DAILY or day.weekday() == weekday:
            slot = _at(day, timing.at, zone)
            if slot > moment:
                return slot
        day += timedelta(days=1)


def awake(timing: Timing, moment: datetime, *, critical: bool) -> datetime:
    """`moment`, or the end of the quiet hours that it lies in."""
    if not timing.quiet_from or (critical and timing.critical_passes):
        return moment
    zone = find_zone(timing.zone)
    local = moment.astimezone(zone)
    begins, ends = (_clock(text, field="quiet") for text in (timing.quiet_from, timing.quiet_until))
    now = local.time()
    quiet = begins <= now < ends if begins < ends else now >= begins or now < ends
    if not quiet:
        return moment
    day = local.date() if now < ends else local.date() + timedelta(days=1)
    return max(_at(day, timing.quiet_until, zone), moment)


def due(
    timing: Timing, snoozed_until: datetime | None, moment: datetime, *, critical: bool
) -> datetime:
    """When a notice made at `moment` may go: after the snooze, at the digest's time, outside quiet hours."""
    start = max(moment, snoozed_until) if snoozed_until else moment
    return awake(timing, release(timing, start), critical=critical)


def _at(day: date, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, _clock(clock, field="at"), zone).astimezone(UTC)


def _clock(text: str, *, field: str) -> time:
    if not _CLOCK.fullmatch(text):
        raise Invalid(f"{field} must be a time of day such as 09:00.", field=field)
    return time.fromisoformat(text)
