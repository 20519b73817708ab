from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drift.engine.findings import (
    MAX_STEPS,
    UNSETTLED,
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


class Life(RuleBasedStateMachine):
    """Any order of scans and decisions against a model of what a person would expect to see."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.finding: Finding | None = None
        self.pinned: str | None = None  # the value that a person decided about
        self.until: datetime | None = None
        self.told = False  # whether somebody believes that there is drift
        self.value = ""  # last confirmed value, '' is the baseline's

    def step(self, observation: Observation | None) -> None:
        self.now += HOUR
        before = self.finding
        result = advance(before, observation, now=self.now, baseline_id="b1")
        assert result.changed or result.finding == before
        assert result.changed or result.event is None
        if result.event in {Event.OPENED, Event.REOPENED}:
            self.told = True
        if result.event in {Event.WORSENED, Event.RESOLVED}:
            assert self.told
        if result.event is Event.RESOLVED:
            self.told = False
        self.finding = result.finding
        repeated = advance(self.finding, observation, now=self.now, baseline_id="b1")
        assert not repeated.changed, "a message that comes twice changes nothing"

    @rule(value=st.sampled_from("bcd"), severity=st.sampled_from(Severity))
    def scan_confirms(self, value: str, severity: Severity) -> None:
        self.step(seen(value, severity=severity))
        self.value = value
        over = self.until is not None and self.now >= self.until
        if self.pinned is not None and (self.pinned != value or over):
            self.pinned = None
        assert self.finding is not None
        assert (self.finding.status in UNSETTLED) == (self.pinned is None)
        assert self.finding.current_digest == value
        assert self.finding.severity is severity
        if self.pinned is None:
            assert self.told

    @rule(value=st.sampled_from("bcd"))
    def scan_observes(self, value: str) -> None:
        told = self.told
        self.step(seen(value, evidence=Evidence.OBSERVED))
        assert self.finding is not None
        if not (self.until is not None and self.now >= self.until):
            assert self.pinned is None or self.finding.accepted_digest == self.pinned
        if self.finding.status in UNSETTLED:
            self.pinned = None
        assert self.told is told or self.finding.evidence is Evidence.CONFIRMED

    @rule(value=st.sampled_from("bcd"), rule_id=st.sampled_from(["r1", "r2"]))
    def scan_finds_it_hidden(self, value: str, rule_id: str) -> None:
        self.step(seen(value, ignored_by=rule_id))
        assert self.finding is not None
        assert self.finding.status not in UNSETTLED
        if self.finding.ignored_by:
            self.pinned = None

    @rule()
    def scan_finds_the_baseline(self) -> None:
        self.step(None)
        self.pinned = None
        assert self.finding is None or self.finding.status is Status.RESOLVED

    @precondition(lambda self: self.finding is not None)
    @rule(decision=st.sampled_from(["acknowledge", "ignore", "reopen"]))
    def person_decides(self, decision: str) -> None:
        assert self.finding is not None
        decide = {"acknowledge": acknowledge, "ignore": ignore, "reopen": reopen}[decision]
        try:
            self.finding = decide(self.finding, who=WHO, now=self.now, reason="r")
        except Conflict:
            return
        self.pinned = self.finding.current_digest if decision == "ignore" else None
        self.until = None

    @precondition(lambda self: self.finding is not None)
    @rule(hours=st.integers(1, 6))
    def person_accepts(self, hours: int) -> None:
        assert self.finding is not None
        until = self.now + hours * HOUR
        try:
            self.finding = accept(self.finding, who=WHO, now=self.now, reason="r", until=until)
        except Conflict:
            assert self.finding.status in {Status.RESOLVED, Status.IGNORED}
            return
        self.pinned, self.until = self.finding.current_digest, until

    @invariant()
    def a_finding_holds_together(self) -> None:
        finding = self.finding
        if finding is None:
            return
        assert finding.steps[-1].action == finding.status
        assert 1 <= len(finding.steps) <= MAX_STEPS
        assert finding.first_seen <= finding.last_seen <= self.now
        assert bool(finding.ignored_by) <= (finding.status is Status.IGNORED)
        assert (finding.accepted_until is None) or finding.status is Status.ACCEPTED


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
