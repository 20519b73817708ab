from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from drift.engine.findings import (
    MAX_STEPS,
    Attribution,
    Event,
    Evidence,
    Finding,
    Observation,
    Status,
    accept,
    acknowledge,
    advance,
    expire,
    ignore,
    reopen,
)
from drift.engine.model import Change, ChangeKind, ResourceKey, Severity
from errors import Conflict, Invalid

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHO = "ada"


def seen(
    value: str = "b",
    *,
    severity: Severity = Severity.MEDIUM,
    evidence: Evidence = Evidence.CONFIRMED,
    ignored_by: str = "",
    ignored: str = "",
    attribution: Attribution | None = None,
) -> Observation:
    return Observation(
        subscription_id="sub",
        key=ResourceKey("k"),
        resource_id="/subscriptions/sub/a",
        resource_type="t/t",
        kind=ChangeKind.MODIFIED,
        changes=(Change("/properties/x", ChangeKind.MODIFIED, "a", value, severity),),
        severity=severity,
        baseline_digest="base",
        current_digest=f"{value}{ignored}",
        evidence=evidence,
        attribution=attribution,
        ignored_by=ignored_by,
        ignored_changes=(Change("/properties/y", ChangeKind.MODIFIED, 1, ignored),)
        if ignored
        else (),
    )


def moved(finding: Finding | None, observation: Observation | None, now: datetime = NOW) -> Finding:
    result = advance(finding, observation, now=now, baseline_id="b1").finding
    assert result is not None
    return result


def opened() -> Finding:
    return moved(None, seen())


def accepted(until: datetime | None = None) -> Finding:
    return accept(opened(), who=WHO, now=NOW, reason="planned", until=until)


def test_confirmed_drift_opens_with_an_event() -> None:
    result = advance(None, seen(), now=NOW, baseline_id="b1")
    assert result.event is Event.OPENED
    assert result.changed
    assert result.finding is not None
    assert result.finding.status is Status.OPEN
    assert result.finding.baseline_id == "b1"
    assert [step.action for step in result.finding.steps] == ["open"]


def test_the_same_drift_seen_again_writes_nothing() -> None:
    first = opened()
    result = advance(first, seen(), now=NOW + HOUR, baseline_id="b1")
    assert (result.finding, result.event, result.changed) == (first, None, False)


def test_equal_resource_without_finding_is_nothing() -> None:
    result = advance(None, None, now=NOW, baseline_id="b1")
    assert (result.finding, result.event, result.changed) == (None, None, False)


def test_observed_drift_raises_its_event_when_confirmed() -> None:
    first = advance(None, seen(evidence=Evidence.OBSERVED), now=NOW, baseline_id="b1")
    assert first.event is None
    assert first.changed
    second = advance(first.finding, seen(), now=NOW + HOUR, baseline_id="b1")
    assert second.event is Event.OPENED
    third = advance(second.finding, seen(evidence=Evidence.OBSERVED), now=NOW, baseline_id="b1")
    assert (third.event, third.changed) == (None, False)


def test_return_to_the_baseline_resolves_with_an_event() -> None:
    result = advance(opened(), None, now=NOW + HOUR, baseline_id="b1")
    assert result.event is Event.RESOLVED
    assert result.finding is not None
    assert result.finding.status is Status.RESOLVED
    again = advance(result.finding, None, now=NOW + HOUR, baseline_id="b1")
    assert (again.event, again.changed) == (None, False)


def test_drift_nobody_was_told_of_resolves_silently() -> None:
    result = advance(moved(None, seen(evidence=Evidence.OBSERVED)), None, now=NOW, baseline_id="b1")
    assert result.event is None
    assert result.changed


def test_resolved_finding_reopens() -> None:
    result = advance(moved(opened(), None), seen("c"), now=NOW + HOUR, baseline_id="b1")
    assert result.event is Event.REOPENED
    assert result.finding is not None
    assert result.finding.status is Status.REOPENED
    assert result.finding.occurrences == 2
    assert (result.finding.first_seen, result.finding.last_seen) == (NOW, NOW + HOUR)


@pytest.mark.parametrize("decide", [lambda f: f, lambda f: acknowledge(f, who=WHO, now=NOW)])
def test_worse_drift_is_told_once(decide: Callable[[Finding], Finding]) -> None:
    worse = seen("c", severity=Severity.CRITICAL)
    first = decide(opened())
    result = advance(first, worse, now=NOW + HOUR, baseline_id="b1")
    assert result.event is Event.WORSENED
    assert result.finding is not None
    assert result.finding.status is first.status
    assert advance(result.finding, worse, now=NOW + HOUR, baseline_id="b1").event is None


def test_milder_drift_is_not_told() -> None:
    result = advance(opened(), seen("c", severity=Severity.LOW), now=NOW, baseline_id="b1")
    assert (result.event, result.changed) == (None, True)


def test_accepted_value_stays_accepted_silently() -> None:
    finding = accepted()
    result = advance(finding, seen(), now=NOW + HOUR, baseline_id="b1")
    assert (result.finding, result.event, result.changed) == (finding, None, False)


def test_other_value_than_the_accepted_one_reopens() -> None:
    result = advance(accepted(), seen("c"), now=NOW + HOUR, baseline_id="b1")
    assert result.event is Event.REOPENED
    assert result.finding is not None
    assert (result.finding.status, result.finding.accepted_digest) == (Status.REOPENED, "")
    back = advance(result.finding, seen("b"), now=NOW + HOUR, baseline_id="b1")
    assert back.finding is not None
    assert back.finding.status is Status.REOPENED


def test_unconfirmed_value_does_not_undo_an_acceptance() -> None:
    finding = accepted()
    result = advance(finding, seen("c", evidence=Evidence.OBSERVED), now=NOW, baseline_id="b1")
    assert (result.finding, result.changed) == (finding, False)


def test_accepted_value_survives_a_change_that_a_rule_hides() -> None:
    finding = accept(moved(None, seen(ignored="1")), who=WHO, now=NOW, reason="planned")
    result = advance(finding, seen(ignored="2"), now=NOW + HOUR, baseline_id="b1")
    assert result.finding is not None
    assert result.event is None
    assert result.finding.status is Status.ACCEPTED
    assert result.finding.accepted_digest == "b2"


def test_acceptance_of_one_is_not_acceptance_of_true() -> None:
    one, true = (
        replace(
            seen(ignored=ignored),
            changes=(Change("/properties/x", ChangeKind.MODIFIED, "a", value),),
        )
        for ignored, value in (("1", 1), ("2", True))
    )
    finding = accept(moved(None, one), who=WHO, now=NOW, reason="planned")
    assert moved(finding, true).status is Status.REOPENED


def test_acceptance_reopens_when_its_time_is_over() -> None:
    finding = accepted(until=NOW + HOUR)
    assert not expire(finding, now=NOW).changed
    by_sweep = expire(finding, now=NOW + HOUR)
    by_scan = advance(finding, seen(), now=NOW + HOUR, baseline_id="b1")
    for result in (by_sweep, by_scan):
        assert result.event is Event.REOPENED
        assert result.finding is not None
        assert result.finding.status is Status.REOPENED
        assert result.finding.steps[-1].reason == "the acceptance expired"


def test_accepted_removal_stays_accepted() -> None:
    gone = replace(
        seen(),
        kind=ChangeKind.REMOVED,
        current_digest="",
        changes=(Change("", ChangeKind.REMOVED, {}, None),),
    )
    finding = accept(moved(None, gone), who=WHO, now=NOW, reason="planned")
    assert not advance(finding, gone, now=NOW + HOUR, baseline_id="b1").changed
    assert moved(finding, seen()).status is Status.REOPENED


def test_accepted_finding_resolves_at_the_baseline() -> None:
    result = advance(accepted(), None, now=NOW, baseline_id="b1")
    assert result.event is Event.RESOLVED
    assert result.finding is not None
    assert result.finding.accepted_digest == ""


def test_ignore_by_a_person_covers_the_value_only() -> None:
    finding = ignore(opened(), who=WHO, now=NOW, reason="noise")
    assert not advance(finding, seen(), now=NOW, baseline_id="b1").changed
    assert moved(finding, seen("c")).status is Status.REOPENED
    assert advance(finding, None, now=NOW, baseline_id="b1").event is None


def test_ignore_by_a_rule_follows_the_rule() -> None:
    hidden = advance(None, seen(ignored_by="r1"), now=NOW, baseline_id="b1")
    assert hidden.event is None
    assert hidden.finding is not None
    assert (hidden.finding.status, hidden.finding.ignored_by) == (Status.IGNORED, "r1")
    other_value = moved(hidden.finding, seen("c", ignored_by="r1"))
    assert (other_value.status, other_value.changes) == (Status.IGNORED, seen("c").changes)
    assert moved(other_value, seen("c", ignored_by="r2")).ignored_by == "r2"
    gone = advance(other_value, seen("c"), now=NOW, baseline_id="b1")
    assert gone.event is Event.REOPENED
    assert gone.finding is not None
    assert gone.finding.ignored_by == ""
    assert gone.finding.steps[-1].reason == "rule r1 no longer hides it"


def test_rule_hides_an_open_finding_without_an_event() -> None:
    result = advance(opened(), seen(ignored_by="r1"), now=NOW, baseline_id="b1")
    assert result.event is None
    assert result.finding is not None
    assert result.finding.steps[-1].who == "rule:r1"


def test_attribution_is_kept_when_azure_has_forgotten_it() -> None:
    who = Attribution("ada@contoso.com", "User", "Portal", "write", "c", "2026-11-23T10:00:00Z")
    known = moved(opened(), seen(attribution=who))
    assert known.attribution == who
    assert not advance(known, seen(), now=NOW + HOUR, baseline_id="b1").changed
    assert moved(known, seen("c")).attribution is None


def test_steps_are_bounded_and_newest_last() -> None:
    finding = opened()
    for number in range(MAX_STEPS):
        finding = acknowledge(finding, who=WHO, now=NOW + number * HOUR)
        finding = reopen(finding, who=WHO, now=NOW + number * HOUR, reason=str(number))
    assert len(finding.steps) == MAX_STEPS
    assert finding.steps[-1].reason == str(MAX_STEPS - 1)


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_decisions_need_a_reason(reason: str) -> None:
    finding = opened()
    for decide in (accept, ignore):
        with pytest.raises(Invalid) as caught:
            decide(finding, who=WHO, now=NOW, reason=reason)
        assert caught.value.field == "reason"
    with pytest.raises(Invalid) as caught:
        reopen(accepted(), who=WHO, now=NOW, reason=reason)
    assert caught.value.field == "reason"
    with pytest.raises(Invalid):
        accept(finding, who=WHO, now=NOW, reason="x" * 1001)


@pytest.mark.parametrize("until", [NOW, NOW - HOUR, datetime(2027, 1, 1)])  # noqa: DTZ001
def test_acceptance_needs_an_end_in_the_future(until: datetime) -> None:
    with pytest.raises(Invalid) as caught:
        accept(opened(), who=WHO, now=NOW, reason="planned", until=until)
    assert caught.value.field == "until"


def test_decisions_the_state_does_not_allow_are_conflicts() -> None:
    resolved = moved(opened(), None)
    for decide in (acknowledge, accept, ignore, reopen):
        with pytest.raises(Conflict, match="resolved cannot be"):
            decide(resolved, who=WHO, now=NOW, reason="r")
    with pytest.raises(Conflict, match="accepted cannot be acknowledged"):
        acknowledge(accepted(), who=WHO, now=NOW)
    with pytest.raises(Conflict, match="Rule r1 hides"):
        reopen(moved(None, seen(ignored_by="r1")), who=WHO, now=NOW, reason="r")


def test_acceptance_can_be_renewed() -> None:
    renewed = accept(accepted(until=NOW + HOUR), who=WHO, now=NOW, reason="longer")
    assert renewed.accepted_until is None
    assert [step.reason for step in renewed.steps] == ["", "planned", "longer"]
