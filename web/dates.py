"""Days that people type into forms, and spans that they choose."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from errors import Invalid

SNOOZES = {"1": "1 hour", "4": "4 hours", "24": "1 day", "168": "1 week"}


def end_of_day(text: str, *, field: str) -> datetime | None:
    """The last moment of a day in UTC, None for ''. Raises Invalid for what is no day."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise Invalid(f"{field} must be a day such as 2027-01-31.", field=field) from error
    return datetime.combine(day, time(23, 59, 59), UTC)


def day_of(moment: datetime) -> str:
    """The day of a time in UTC, as a form's field has it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def day_in(now: datetime, days: int) -> str:
    """A day some days ahead, as a form's field has it."""
    return day_of(now + timedelta(days=days))


def read_snooze(hours: str, now: datetime) -> datetime | None:
    """The end of one of the offered snoozes, None for '', which ends one."""
    if hours and hours not in SNOOZES:
        raise Invalid("hours must be one of those offered.", field="hours")
    return now + timedelta(hours=int(hours)) if hours else None
