from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drift.engine.flapping import Round, flapping
from drift.engine.rules import Action, propose

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def history(*scans: str) -> list[Round]:
    return [
        Round(NOW + number * timedelta(hours=1), [f"/{path}" for path in scan])
        for number, scan in enumerate(scans)
    ]


def test_path_that_changed_in_most_scans_flaps() -> None:
    (flap,) = flapping(history("ab", "a", "", "a", "b"))
    assert (flap.path, flap.changed, flap.scans) == ("/a", 3, 5)
    assert (flap.since, flap.until) == (NOW, NOW + timedelta(hours=4))


def test_path_that_changed_in_half_of_the_scans_does_not_flap() -> None:
    assert flapping(history("a", "a", "a", "", "", "")) == ()


def test_few_scans_prove_nothing() -> None:
    assert flapping(history("a", "a", "a", "a")) == ()


def test_only_the_last_scans_count() -> None:
    assert flapping(history(*["a"] * 20, *[""] * 6), window=10) == ()
    assert flapping(history(*[""] * 20, *["a"] * 6), window=10) != ()


def test_flapping_path_is_proposed_as_a_rule_with_its_evidence() -> None:
    (flap,) = flapping(history("a", "a", "a", "", ""))
    rule = propose(
        flap, rule_id="r", resource_type="t/t", resource_id="/s/a", author="ada", now=NOW
    )
    assert (rule.action, rule.path, rule.resource_id) == (Action.IGNORE, "/a", "/s/a")
    assert rule.reason == "Changed in 3 of 5 scans from 2026-11-23 00:00 to 2026-11-23 04:00 UTC."
    assert rule.expires_at == NOW + timedelta(days=90)
