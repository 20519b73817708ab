"""Row keys that get smaller as time goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from tenancy.rowkeys import newest_first

NOW = datetime(2026, 11, 24, 12, 30, 15, 123456, tzinfo=UTC)


def test_key_is_the_microseconds_that_are_left() -> None:
    """The rows that are stored already are found by these very digits."""
    assert newest_first(datetime(1970, 1, 1, tzinfo=UTC)) == "10000000000000000"
    assert newest_first(NOW) == "8204476584876544"
    assert newest_first(NOW) == f"{10**16 - int(NOW.timestamp()) * 10**6 - 123456}"
    assert newest_first(datetime(2286, 11, 20, tzinfo=UTC)) == "0000064000000000"


def test_later_is_smaller_down_to_the_microsecond() -> None:
    moments = [
        NOW + timedelta(**{unit: 1})
        for unit in ("microseconds", "milliseconds", "seconds", "hours", "days")
    ]
    keys = [newest_first(moment) for moment in [NOW, *moments]]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == len(keys)


def test_same_moment_in_another_zone_is_the_same_key() -> None:
    assert newest_first(NOW.astimezone(timezone(timedelta(hours=5)))) == newest_first(NOW)
