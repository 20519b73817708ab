"""When a channel is told: digests at local times, quiet hours, snoozes, and clocks that are set forward and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from drift.channels import timing
from drift.channels.model import Cadence, Timing, Weekday
from errors import Invalid

BERLIN = Timing(zone="Europe/Berlin")  # an hour ahead of UTC, two in summer
NIGHT = replace(BERLIN, quiet_from="22:00", quiet_until="07:00")
NOON = replace(BERLIN, quiet_from="12:00", quiet_until="13:30", critical_passes=False)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cadence", "at", "now", "due"),
    [
        (Cadence.IMMEDIATE, "09:00", "2026-11-23 08:17:03", "2026-11-23 08:17:03"),
        (Cadence.HOURLY, "09:00", "2026-11-23 08:17:03", "2026-11-23 09:00"),
        (Cadence.HOURLY, "09:00", "2026-11-23 09:00", "2026-11-23 10:00"),
        (Cadence.DAILY, "09:00", "2026-11-23 07:59:59", "2026-11-23 08:00"),
        (Cadence.DAILY, "09:00", "2026-11-23 08:00", "2026-11-24 08:00"),
        (Cadence.DAILY, "00:30", "2026-11-23 23:29", "2026-11-23 23:30"),
        (Cadence.WEEKLY, "09:00", "2026-11-23 07:00", "2026-11-26 08:00"),
        (Cadence.WEEKLY, "09:00", "2026-11-26 08:00", "2026-12-03 08:00"),
        # The clocks go back on 25 October 2026 at 3:00, and forward on 28 March 2027 at 2:00.
        (Cadence.DAILY, "09:00", "2026-10-24 08:00", "2026-10-25 08:00"),
        (Cadence.DAILY, "09:00", "2026-10-23 08:00", "2026-10-24 07:00"),
        (Cadence.DAILY, "02:30", "2026-10-24 12:00", "2026-10-25 00:30"),
        (Cadence.DAILY, "02:30", "2026-10-25 00:30", "2026-10-26 01:30"),
        (Cadence.DAILY, "02:30", "2027-03-27 12:00", "2027-03-28 01:30"),
        (Cadence.HOURLY, "09:00", "2026-10-25 00:15", "2026-10-25 01:00"),
        (Cadence.HOURLY, "09:00", "2026-10-25 01:15", "2026-10-25 02:00"),
    ],
)
def test_digest_is_due_at_its_local_time(cadence: Cadence, at: str, now: str, due: str) -> None:
    when = replace(BERLIN, cadence=cadence, at=at, weekday=Weekday.THURSDAY)
    assert timing.due(when, None, utc(now), critical=False) == utc(due)


def test_hourly_digest_keeps_the_hours_of_its_zone() -> None:
    when = Timing(Cadence.HOURLY, zone="Asia/Kolkata")  # half an hour off
    assert timing.due(when, None, utc("2026-11-23 08:17"), critical=False) == utc(
        "2026-11-23 08:30"
    )


@pytest.mark.parametrize(
    ("when", "now", "critical", "due"),
    [
        (NIGHT, "2026-11-23 20:59", False, "2026-11-23 20:59"),
        (NIGHT, "2026-11-23 21:00", False, "2026-11-24 06:00"),
        (NIGHT, "2026-11-24 03:00", False, "2026-11-24 06:00"),
        (NIGHT, "2026-11-24 06:00", False, "2026-11-24 06:00"),
        (NIGHT, "2026-11-23 21:00", True, "2026-11-23 21:00"),
        (NOON, "2026-11-23 11:15", True, "2026-11-23 12:30"),
        (NOON, "2026-11-23 12:30", False, "2026-11-23 12:30"),
        (NOON, "2026-07-23 10:15", False, "2026-07-23 11:30"),
        (replace(NIGHT, cadence=Cadence.DAILY, at="23:00"), "2026-11-23 09:00", False, "2026-11-24 06:00"),
    ],
)  # fmt: skip
def test_quiet_hours_hold_until_their_end(when: Timing, now: str, critical: bool, due: str) -> None:
    assert timing.due(when, None, utc(now), critical=critical) == utc(due)


def test_snooze_holds_until_its_end_and_then_as_ever() -> None:
    now, until = utc("2026-11-23 08:00"), utc("2026-11-23 21:30")
    assert timing.due(BERLIN, until, now, critical=True) == until
    assert timing.due(NIGHT, until, now, critical=False) == utc("2026-11-24 06:00")
    daily = replace(BERLIN, cadence=Cadence.DAILY, at="20:00")
    assert timing.due(daily, until, now, critical=False) == utc("2026-11-24 19:00")
    assert timing.due(BERLIN, now - timedelta(days=1), now, critical=False) == now


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"zone": "Europe/Atlantis"}, "zone"),
        ({"zone": ""}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"zone": "/etc/localtime"}, "zone"),
        ({"zone": "Europe"}, "zone"),
        ({"zone": "a" * 300}, "zone"),
        ({"zone": "UTC\x00"}, "zone"),
        ({"at": "24:00"}, "at"),
        ({"at": "9:00"}, "at"),
        ({"quiet_from": "22:00"}, "quietUntil"),
        ({"quiet_until": "07:00"}, "quietFrom"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quietUntil"),
        ({"quiet_from": "22:00", "quiet_until": "7am"}, "quietUntil"),
    ],
)
def test_what_is_no_time_or_zone_is_refused(change: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        timing.check(replace(Timing(), **change))
    assert refused.value.field == field


def test_every_zone_by_name_is_there_wherever_the_app_runs() -> None:
    for name in ("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"):
        timing.check(Timing(zone=name))
