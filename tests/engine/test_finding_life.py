"""Any order of scans and decisions, against a simple model of what a person would expect to see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drift.engine.findings import (
    MAX_STEPS,
    UNSETTLED,
    Event,
    Evidence,
    Finding,
    Observation,
    Status,
    accept,
    acknowledge,
    advance,
    ignore,
    reopen,
)
from drift.engine.model import Change, ChangeKind, ResourceKey, Severity
from errors import Conflict

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHO = "ada"


def seen(
    value: str,
    *,
    severity: Severity = Severity.MEDIUM,
    evidence: Evidence = Evidence.CONFIRMED,
    ignored_by: str = "",
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
        current_digest=value,
        evidence=evidence,
        ignored_by=ignored_by,
    )


class Life(RuleBasedStateMachine):
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
