from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from dev.host.configuration import HostError
from dev.host.timers import next_occurrence, read_schedule

if TYPE_CHECKING:
    from conftest import StartHost

NOW = datetime(2026, 11, 23, 22, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 * * * * *", datetime(2026, 11, 23, 22, 1, tzinfo=UTC)),
        ("*/15 * * * * *", datetime(2026, 11, 23, 22, 0, 15, tzinfo=UTC)),
        ("0 30 2 * * *", datetime(2026, 11, 24, 2, 30, tzinfo=UTC)),
        ("30 2 * * *", datetime(2026, 11, 24, 2, 30, tzinfo=UTC)),
    ],
)
def test_next_occurrence_reads_seconds_first(schedule: str, expected: datetime) -> None:
    assert next_occurrence(schedule, NOW) == expected


def test_schedule_may_come_from_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAN_SCHEDULE", "0 */5 * * * *")
    assert read_schedule("tick", "%SCAN_SCHEDULE%") == "0 */5 * * * *"


def test_schedule_that_cannot_be_read_names_the_function() -> None:
    with pytest.raises(HostError, match="tick: 'every minute'"):
        read_schedule("tick", "every minute")


def test_timer_runs_on_its_schedule(start_host: StartHost) -> None:
    host = start_host(SCHEDULE="* * * * * *")
    runs = host.wait_for("beat", count=2)
    assert [run["past_due"] for run in runs] == [False, False]


def test_timer_never_overlaps_itself(start_host: StartHost) -> None:
    host = start_host(SCHEDULE="* * * * * *", BEAT_SECONDS="1.5")
    host.wait_for("beaten", count=2)
    ends = [run["at"] for run in host.runs("beaten")]
    second_start = host.runs("beat")[1]["at"]
    assert second_start >= ends[0]
