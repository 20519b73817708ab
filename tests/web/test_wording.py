"""How ids, paths and times read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drift.engine.findings import Event, Status
from drift.engine.model import ChangeKind, Severity
from drift.scans import ScanStatus
from drift.standing import State
from tenancy.connections import ConnectionKind
from web import wording

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", []),
        ("/properties/httpsOnly", ["httpsOnly"]),
        (
            "/properties/securityRules/[name=ssh]/properties/sourceAddressPrefix",
            ["securityRules", "ssh", "sourceAddressPrefix"],
        ),
        ("/properties/prefixes/[=10.0.0.0~116]", ["prefixes", "10.0.0.0/16"]),
        ("/tags/a~1b", ["tags", "a/b"]),
        (
            "/properties/accessPolicies/[objectId=1,tenantId=2]",
            ["accessPolicies", "[objectId=1,tenantId=2]"],
        ),
        ("/properties", ["properties"]),
    ],
)
def test_paths_read_as_people_say_them(path: str, parts: list[str]) -> None:
    assert wording.segments(path) == parts


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5, minutes=59), "5 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(minutes=-3), "in 3 minutes"),
    ],
)
def test_ages_are_one_unit(passed: timedelta, text: str) -> None:
    assert wording.ago(NOW - passed, NOW) == text


def test_times_carry_utc_for_who_hovers_and_the_moment_for_the_script() -> None:
    assert wording.moment(NOW) == (
        '<time datetime="2026-11-01T12:00:00+00:00" title="2026-11-01 12:00 UTC">2026-11-01 12:00 UTC</time>'
    )
    assert wording.instant("2026-11-01T12:00:00Z") == wording.moment(NOW)
    assert wording.instant("<b>yesterday</b>") == "&lt;b&gt;yesterday&lt;/b&gt;"


def test_the_end_of_a_day_is_that_day_for_every_reader() -> None:
    assert wording.until(datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)) == (
        '<time class="day" datetime="2027-01-31" title="until 2027-01-31 23:59 UTC">2027-01-31</time>'
    )
    assert wording.until(NOW) == wording.moment(NOW)
    assert wording.until(None) == "—"


@pytest.mark.parametrize(
    ("detail", "read"),
    [
        ("", []),
        ("ticket 4711", [("", "ticket 4711")]),
        ('"words"', [("", '"words"')]),
        (
            '{"hit_count": 0, "tag": "", "actor": null, "to": {"a": 1}}',
            [("hit count", "0"), ("to", '{\n  "a": 1\n}')],
        ),
    ],
)
def test_what_an_audit_entry_says_is_read_member_by_member(
    detail: str, read: list[tuple[str, str]]
) -> None:
    assert wording.members(detail) == read


def test_every_word_of_the_product_has_a_look() -> None:
    for kind, looks in (
        (Severity, wording.SEVERITY_MARKS),
        (Status, wording.STATUS_NAMES),
        (Event, wording.EVENT_NAMES),
        (State, wording.STATE_NAMES),
        (State, wording.STATE_MARKS),
        (ScanStatus, wording.SCAN_MARKS),
        (ChangeKind, wording.KIND_MARKS),
        (ConnectionKind, wording.CONNECTION_NAMES),
    ):
        assert set(looks) == set(kind)
