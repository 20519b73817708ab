"""Quotas: None is no limit, what is used up refuses, and says when it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from errors import Conflict, OverDailyQuota, OverQuota, Throttled
from tenancy.quotas import UNLIMITED, Quotas, check_resources, check_scans, check_stored, tomorrow

NOW = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)


@pytest.fixture
def far_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own day is another one than UTC's."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC+10")
        time.tzset()
        yield
    time.tzset()


def test_quotas_are_columns_of_the_tenant_s_record() -> None:
    assert Quotas(1000, 24, 5_000_000).values() == {
        "quota_resources": 1000,
        "quota_scans_a_day": 24,
        "quota_stored_bytes": 5_000_000,
    }


def test_without_quotas_nothing_is_refused() -> None:
    check_scans(UNLIMITED, 10**9, now=NOW)
    check_stored(UNLIMITED, 10**15, 10**15)
    check_resources(UNLIMITED, 10**9, 10**9)


def test_last_scan_of_the_day_is_let_through_and_the_next_one_waits_for_midnight() -> None:
    quotas = Quotas(scans_a_day=3)
    check_scans(quotas, 2, now=NOW)
    with pytest.raises(OverDailyQuota, match="quota of 3 scans a day") as refused:
        check_scans(quotas, 3, now=NOW)
    assert str(refused.value) == (
        "This tenant's quota of 3 scans a day is used up. The next one can be started after midnight UTC, or ask the "
        "platform operator for a larger quota."
    )
    assert refused.value.retry_after == 90 * 60
    assert isinstance(refused.value, Throttled)


def test_quota_of_nothing_lets_nothing_through() -> None:
    with pytest.raises(OverDailyQuota):
        check_scans(Quotas(scans_a_day=0), 0, now=NOW)
    with pytest.raises(OverQuota):
        check_resources(Quotas(resources=0), 1)


def test_what_fits_exactly_fits() -> None:
    check_resources(Quotas(resources=10), 4, 6)
    check_resources(Quotas(resources=10), 10)
    check_stored(Quotas(stored_bytes=10), 4, 6)
    check_stored(Quotas(stored_bytes=10), 10)
    with pytest.raises(OverQuota, match=r"5 resources here and 6 .*quota is 10"):
        check_resources(Quotas(resources=10), 5, 6)
    with pytest.raises(OverQuota, match="stores 4 bytes and may store 10: nothing was added") as no:
        check_stored(Quotas(stored_bytes=10), 4, 7)
    assert isinstance(no.value, Conflict)
    assert str(no.value).endswith(
        ": nothing was added. Delete baselines that nobody needs, or ask the platform operator for a larger quota."
    )


@pytest.mark.usefixtures("far_west")
def test_day_ends_at_midnight_utc() -> None:
    assert tomorrow(NOW) == datetime(2026, 11, 28, tzinfo=UTC)
    late = datetime(2026, 11, 27, 23, 59, 59, 999_999, tzinfo=UTC)
    assert tomorrow(late) == late + timedelta(microseconds=1)
    assert tomorrow(datetime(2026, 11, 28, tzinfo=UTC)) == datetime(2026, 11, 29, tzinfo=UTC)
