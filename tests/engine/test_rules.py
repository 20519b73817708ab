from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drift.engine.findings import Attribution, Evidence, Observation, advance
from drift.engine.model import Change, ChangeKind, Difference, Json, ResourceKey, Severity
from drift.engine.rules import Action, Subject, TenantRule, judge, preview, unused
from errors import Invalid

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
SITE = "/subscriptions/1/resourceGroups/Web-Dev/providers/Microsoft.Web/sites/shop"
HTTPS = Change("/properties/httpsOnly", ChangeKind.MODIFIED, True, False)
TAG = Change("/tags/owner", ChangeKind.MODIFIED, "a", "b")


def difference(*changes: Change) -> Difference:
    key = ResourceKey("k")
    return Difference(key, SITE, "microsoft.web/sites", ChangeKind.MODIFIED, changes)


def ignoring(rule_id: str = "r1", **match: Any) -> TenantRule:
    return TenantRule(
        id=rule_id,
        action=Action.IGNORE,
        reason="known",
        author="ada",
        created_at=NOW,
        expires_at=NOW + 30 * DAY,
        **match,
    )


def rating(severity: Severity, rule_id: str = "r2", **match: Any) -> TenantRule:
    return replace(ignoring(rule_id, **match), action=Action.SEVERITY, severity=severity)


def test_severity_of_a_difference_is_that_of_its_worst_change() -> None:
    judged = judge(difference(TAG, HTTPS))
    assert judged.severity is Severity.HIGH
    assert [change.rule for change in judged.changes] == ["tag-changed", "web-plain-http"]
    assert judged.title == "The site answers on plain HTTP"
    assert judged.advice == "Set HTTPS only."


def test_what_the_comparison_explained_stays_informational() -> None:
    explained = replace(HTTPS, severity=Severity.INFORMATIONAL, note="newer API")
    assert judge(difference(explained)).severity is Severity.INFORMATIONAL


def test_rule_hides_some_changes_and_the_rest_decides() -> None:
    judged = judge(difference(TAG, HTTPS), rules=[ignoring(path="/properties/*")], now=NOW)
    assert judged.severity is Severity.LOW
    assert [change.path for change in judged.changes] == [TAG.path]
    assert [change.path for change in judged.ignored_changes] == [HTTPS.path]
    assert (judged.ignored_by, judged.hits) == ("", ("r1",))


def test_rule_hides_the_whole_difference_and_keeps_it_visible() -> None:
    judged = judge(difference(TAG, HTTPS), rules=[ignoring(resource_group="web-*")], now=NOW)
    assert judged.ignored_by == "r1"
    assert len(judged.changes) == 2
    assert judged.severity is Severity.HIGH


def test_rule_sets_the_severity_and_the_newest_wins() -> None:
    older = rating(Severity.LOW, "old", path="/properties/httpsOnly")
    newer = replace(older, id="new", severity=Severity.CRITICAL, created_at=NOW + DAY)
    for rules in ([older, newer], [newer, older]):
        judged = judge(difference(HTTPS), rules=rules, now=NOW + DAY)
        assert judged.severity is Severity.CRITICAL
        assert judged.changes[0].rule == "new"
        assert set(judged.hits) == {"old", "new"}


def test_expired_rule_never_matches() -> None:
    rule = ignoring(path="/properties/httpsOnly")
    assert judge(difference(HTTPS), rules=[rule], now=NOW + 29 * DAY).ignored_by == "r1"
    judged = judge(difference(HTTPS), rules=[rule], now=NOW + 30 * DAY)
    assert (judged.ignored_by, judged.hits) == ("", ())


def test_rules_cannot_be_judged_without_the_time() -> None:
    with pytest.raises(ValueError, match="time"):
        judge(difference(HTTPS), rules=[ignoring(path="/tags/*")])


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"resource_type": "Microsoft.Web/sites"}, True),
        ({"resource_type": "microsoft.web/*"}, True),
        ({"resource_type": "microsoft.storage/*"}, False),
        ({"resource_id": "/subscriptions/1/resourcegroups/web-dev"}, True),
        ({"resource_id": "/subscriptions/2"}, False),
        ({"resource_group": "WEB-DEV"}, True),
        ({"resource_group": "web"}, False),
        ({"tag": "env"}, True),
        ({"tag": "Env=DEV"}, True),
        ({"tag": "env=prod"}, False),
        ({"tag": "owner"}, False),
        ({"kind": ChangeKind.MODIFIED}, True),
        ({"kind": ChangeKind.REMOVED}, False),
        ({"actor": "*@contoso.com"}, True),
        ({"actor": "bob@contoso.com"}, False),
        ({"path": "/properties/https*"}, True),
        ({"path": "/properties"}, False),
        ({"path": "/properties/**", "actor": "bob"}, False),
    ],
)
def test_rule_matches_only_what_it_names(match: dict[str, Any], expected: bool) -> None:
    facts = Subject(tags={"env": "dev"}, actor="Ada@contoso.com")
    judged = judge(difference(HTTPS), rules=[ignoring(**match)], facts=facts, now=NOW)
    assert (judged.ignored_by == "r1") is expected


def test_surroundings_are_handed_to_the_built_in_rules() -> None:
    values: Json = {"access": "Allow", "direction": "Inbound", "destinationPortRange": "22"}
    document: Json = {"properties": {"securityRules": [{"name": "a", "properties": values}]}}
    path = "/properties/securityRules/[name=a]/properties/sourceAddressPrefix"
    change = Change(path, ChangeKind.MODIFIED, "10.0.0.0/8", "*")
    group = Difference(
        ResourceKey("k"), SITE, "microsoft.network/networksecuritygroups", change.kind, (change,)
    )
    assert judge(group).severity is Severity.HIGH
    judged = judge(group, facts=Subject(before=document, after=document))
    assert judged.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("match", "field"),
    [
        ({}, "path"),
        ({"path": "/**"}, "path"),
        ({"resource_type": "*"}, "path"),
        ({"path": "tags.owner"}, "path"),
        ({"resource_id": "shop"}, "resourceId"),
        ({"actor": "*" * 13 + "a"}, "actor"),
        ({"tag": "a" * 601}, "tag"),
        ({"path": "/tags/*", "reason": " "}, "reason"),
        ({"path": "/tags/*", "reason": "x" * 1001}, "reason"),
        ({"path": "/tags/*", "author": ""}, "author"),
        ({"path": "/tags/*", "expires_at": NOW}, "expiresAt"),
        ({"path": "/tags/*", "expires_at": datetime(2030, 1, 1)}, "expiresAt"),  # noqa: DTZ001
        ({"path": "/tags/*", "severity": Severity.LOW}, "severity"),
        ({"path": "/tags/*", "action": Action.SEVERITY}, "severity"),
    ],
)
def test_rule_that_cannot_be_meant_names_its_field(match: dict[str, Any], field: str) -> None:
    good = ignoring(path="/tags/a", kind=None)
    with pytest.raises(Invalid) as caught:
        replace(good, **{"path": "", **match})
    assert caught.value.field == field


def found(*changes: Change, actor: str = "") -> Any:
    attribution = Attribution(actor, "User", "Portal", "write", "c", "t") if actor else None
    observation = Observation(
        "1", ResourceKey("k"), SITE, "microsoft.web/sites", ChangeKind.MODIFIED, changes,
        Severity.HIGH, "a", "b", Evidence.CONFIRMED, attribution,
    )  # fmt: skip
    return advance(None, observation, now=NOW, baseline_id="b").finding


def test_preview_shows_the_findings_a_rule_would_have_hidden() -> None:
    whole, part, other = found(TAG), found(TAG, HTTPS), found(HTTPS)
    findings = [whole, part, other]
    assert preview(ignoring(path="/tags/*"), findings) == (whole,)
    assert preview(rating(Severity.LOW, path="/tags/*"), findings) == (whole, part)
    assert preview(ignoring(actor="bob"), [found(TAG, actor="bob"), whole]) == (
        found(TAG, actor="bob"),
    )


def test_preview_of_a_rule_on_a_tag_needs_the_tags() -> None:
    rule = ignoring(tag="env=dev")
    assert preview(rule, [found(TAG)]) == ()
    assert preview(rule, [found(TAG)], tags={"k": {"env": "dev"}}) == (found(TAG),)


def test_unused_rules_are_those_in_force_without_a_late_hit() -> None:
    never = replace(ignoring("never", path="/a"), expires_at=NOW + 365 * DAY)
    hit = replace(never, id="hit", last_hit_at=NOW + 50 * DAY)
    stale = replace(never, id="stale", last_hit_at=NOW + DAY)
    expired = ignoring("expired", path="/a")
    listed = unused([never, hit, stale, expired], now=NOW + 91 * DAY, days=60)
    assert [rule.id for rule in listed] == ["never", "stale"]
