"""Every built-in rule has an example here: the change it is about, the same change undone, and one it must not mind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drift.engine.model import Change, ChangeKind, Json, Severity
from drift.engine.patterns import like
from drift.engine.severities import BuiltInRule, Verdict, apply, built_in, describe, rate
from errors import NotFound

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "severity-examples.json").read_text()
)
RULES = {rule.id: rule for rule in built_in()}
SPECIFIC = [rule for rule in built_in() if not rule.fallback]
FALLBACKS = [rule for rule in built_in() if rule.fallback]
DIRECTED = [rule for rule in SPECIFIC if type(rule.weak).__name__ != "Touched" and not rule.kinds]


def changed(path: str, before: Json, after: Json) -> Change:
    kind = ChangeKind.MODIFIED
    if before is None:
        kind = ChangeKind.ADDED
    if after is None:
        kind = ChangeKind.REMOVED
    return Change(path, kind, before, after)


def opening(rule: BuiltInRule) -> Change:
    example = EXAMPLES[rule.id]
    return changed(example["path"], example["strong"], example["weak"])


def verdict(rule: BuiltInRule, change: Change) -> Verdict | None:
    around = EXAMPLES[rule.id].get("around")
    before = around or (change.before if not change.path else None)
    after = around or (change.after if not change.path else None)
    return apply(rule, change, before=before, after=after)


def test_built_in_rules_are_many_and_cover_many_types() -> None:
    types = {pattern for rule in SPECIFIC for pattern in rule.types if "*" not in pattern}
    assert len(SPECIFIC) >= 60
    assert len(types) >= 25


def test_every_rule_has_an_example_and_every_example_a_rule() -> None:
    assert set(EXAMPLES) == set(RULES)


@pytest.mark.parametrize("rule", built_in(), ids=lambda rule: rule.id)
def test_rule_says_what_is_so_why_it_matters_and_what_to_do(rule: BuiltInRule) -> None:
    assert len(rule.title) > 8
    assert not rule.title.endswith(".")
    assert rule.reason.endswith(".")
    assert rule.action.endswith(".")
    assert all(pattern == pattern.lower() for pattern in rule.types)
    assert all(path == "" or path.startswith("/") for path in rule.paths)
    assert rule.fallback or not any("**" in path for path in rule.paths)


@pytest.mark.parametrize("rule", built_in(), ids=lambda rule: rule.id)
def test_rule_example_is_of_a_type_the_rule_is_for(rule: BuiltInRule) -> None:
    assert any(like(pattern, EXAMPLES[rule.id]["type"]) for pattern in rule.types)


@pytest.mark.parametrize("rule", SPECIFIC, ids=lambda rule: rule.id)
def test_rule_rates_the_opening_change(rule: BuiltInRule) -> None:
    assert verdict(rule, opening(rule)) == Verdict(rule.severity, rule.id)


@pytest.mark.parametrize("rule", DIRECTED, ids=lambda rule: rule.id)
def test_rule_rates_the_closing_change_lower(rule: BuiltInRule) -> None:
    example = EXAMPLES[rule.id]
    undone = changed(example["path"], example["weak"], example["strong"])
    assert verdict(rule, undone) == Verdict(rule.closing, f"{rule.id}-closed")
    assert rule.closing.rank < rule.severity.rank


@pytest.mark.parametrize("rule", SPECIFIC, ids=lambda rule: rule.id)
def test_rule_minds_neither_another_path_nor_an_equal_value(rule: BuiltInRule) -> None:
    example = EXAMPLES[rule.id]
    elsewhere = example["path"].rpartition("/")[0] + "/somethingElse"
    assert verdict(rule, changed(elsewhere, "a", "b")) is None or rule.deep
    for value in (example["strong"], example["weak"]):
        if value is not None and example["path"]:
            assert verdict(rule, Change(example["path"], ChangeKind.MODIFIED, value, value)) is None


@pytest.mark.parametrize("rule", SPECIFIC, ids=lambda rule: rule.id)
def test_change_is_rated_at_least_as_its_worst_rule_says(rule: BuiltInRule) -> None:
    example = EXAMPLES[rule.id]
    around = example.get("around")
    rated = rate(opening(rule), example["type"].upper(), before=around, after=around)
    assert rated.severity.rank >= rule.severity.rank


@pytest.mark.parametrize("rule", FALLBACKS, ids=lambda rule: rule.id)
def test_fallback_rates_what_no_rule_knows(rule: BuiltInRule) -> None:
    around = EXAMPLES[rule.id].get("around")
    rated = rate(opening(rule), EXAMPLES[rule.id]["type"], before=around, after=around)
    assert (rated.severity, rated.rule) == (rule.severity, rule.id)


NODES = "/subscriptions/1/resourcegroups/mc_shop_k8s_westeurope/providers/microsoft.network/x/y"


@pytest.mark.parametrize(
    ("kind", "change", "severity", "rule"),
    [
        ("networkinterfaces", changed("/properties/x", 1, 2), "low", "kept-changed"),
        (
            "networkinterfaces",
            changed("/properties/key", "hmac:1", "hmac:2"),
            "high",
            "secret-changed",
        ),
        ("networkinterfaces", changed("", None, {"id": NODES}), "low", "kept-by-aks"),
        ("networkinterfaces", changed("", {"id": NODES}, None), "low", "kept-by-aks"),
        (
            "networksecuritygroups",
            changed("", {"id": NODES}, None),
            "high",
            "removed-that-protects",
        ),
    ],
)
def test_what_a_service_keeps_is_marked_and_what_opens_or_protects_it_still_counts(
    kind: str, change: Change, severity: str, rule: str
) -> None:
    around = {"id": NODES} if change.path else None
    rated = rate(change, f"microsoft.network/{kind}", before=around, after=around)
    assert (rated.severity, rated.rule) == (severity, rule)


def test_a_group_that_is_called_alike_is_kept_by_nobody() -> None:
    for group in ("shop", "mcdonalds", "my-mc_x"):
        added = changed(
            "", None, {"id": f"/subscriptions/1/resourcegroups/{group}/providers/a.b/c/d"}
        )
        assert rate(added, "a.b/c").rule == "added"


NSG = "microsoft.network/networksecuritygroups"
SOURCE = "/properties/securityRules/[name=web]/properties/sourceAddressPrefix"


def security_rule(**values: Json) -> dict[str, Json]:
    given: dict[str, Json] = {"access": "Allow", "direction": "Inbound", **values}
    return {"properties": {"securityRules": [{"name": "web", "properties": given}]}}


@pytest.mark.parametrize(
    ("values", "severity", "rule"),
    [
        ({"destinationPortRange": "22"}, "critical", "nsg-any-source-management-port"),
        ({"destinationPortRange": "*"}, "critical", "nsg-any-source-management-port"),
        (
            {"destinationPortRanges": ["80", "3380-3390"]},
            "critical",
            "nsg-any-source-management-port",
        ),
        ({"destinationPortRange": "443"}, "high", "nsg-any-source"),
        ({"destinationPortRange": "22", "access": "Deny"}, "medium", "changed"),
        ({"destinationPortRange": "22", "direction": "Outbound"}, "medium", "changed"),
    ],
)
def test_open_source_is_rated_by_what_the_security_rule_covers(
    values: dict[str, Json], severity: str, rule: str
) -> None:
    document = security_rule(**values)
    change = Change(SOURCE, ChangeKind.MODIFIED, "10.0.0.0/8", "*")
    assert rate(change, NSG, before=document, after=document) == Verdict(Severity(severity), rule)


def test_open_source_in_an_unknown_surrounding_is_high_and_not_critical() -> None:
    change = Change(SOURCE, ChangeKind.MODIFIED, "10.0.0.0/8", "Internet")
    assert rate(change, NSG) == Verdict(Severity.HIGH, "nsg-any-source")


def test_security_rule_added_as_a_whole_is_looked_into() -> None:
    values = {"access": "Allow", "sourceAddressPrefix": "*", "destinationPortRange": "3389"}
    rule: Json = {"name": "web", "properties": {"direction": "Inbound", **values}}
    path = "/properties/securityRules/[name=web]"
    added = rate(Change(path, ChangeKind.ADDED, None, rule), NSG)
    assert added == Verdict(Severity.CRITICAL, "nsg-any-source-management-port")
    removed = rate(Change(path, ChangeKind.REMOVED, rule, None), NSG)
    assert removed.severity is Severity.LOW


def test_removed_deny_rule_is_no_closing() -> None:
    rule: Json = {"name": "web", "properties": {"access": "Deny", "sourceAddressPrefix": "*"}}
    change = Change("/properties/securityRules/[name=web]", ChangeKind.REMOVED, rule, None)
    assert rate(change, NSG).rule == "nsg-deny-gone"


def test_added_resource_is_rated_by_what_it_opens() -> None:
    account = {"type": "x", "properties": {"allowBlobPublicAccess": True}}
    harmless = {"type": "x", "properties": {"allowBlobPublicAccess": False}}
    kind = "microsoft.storage/storageaccounts"
    assert rate(Change("", ChangeKind.ADDED, None, account), kind).severity is Severity.HIGH
    assert rate(Change("", ChangeKind.ADDED, None, harmless), kind) == Verdict(
        Severity.MEDIUM, "added"
    )


def test_removed_resource_is_rated_as_gone_whatever_it_held() -> None:
    account: Json = {"properties": {"allowBlobPublicAccess": True}}
    change = Change("", ChangeKind.REMOVED, account, None)
    assert rate(change, "microsoft.storage/storageaccounts").rule == "removed-with-data"
    assert rate(change, "microsoft.web/certificates") == Verdict(Severity.MEDIUM, "removed")


@pytest.mark.parametrize(
    ("role", "scope", "rule"),
    [
        ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "/subscriptions/1", "role-owner-at-subscription"),
        ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "/", "role-owner-at-subscription"),
        (
            "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            "/subscriptions/1/resourceGroups/a",
            "role-owner-at-resource-group",
        ),
        (
            "b24988ac-6180-42a0-ab88-20f7382dd24c",
            "/subscriptions/1",
            "role-contributor-at-subscription",
        ),
        (
            "b24988ac-6180-42a0-ab88-20f7382dd24c",
            "/subscriptions/1/resourceGroups/a",
            "role-assigned",
        ),
        ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "/subscriptions/1", "role-reader"),
    ],
)
def test_role_assignment_is_rated_by_role_and_scope(role: str, scope: str, rule: str) -> None:
    definition = f"/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/{role}"
    document: Json = {"properties": {"roleDefinitionId": definition, "scope": scope}}
    change = Change("", ChangeKind.ADDED, None, None)
    rated = rate(change, "microsoft.authorization/roleassignments", after=document)
    assert rated.rule == rule


def test_list_of_items_that_is_new_as_a_whole_is_rated_as_such() -> None:
    subnet = {"name": "web", "properties": {"networkSecurityGroup": {"id": "/nsg/a"}}}
    change = Change("/properties/subnets", ChangeKind.ADDED, None, [subnet])
    assert rate(change, "microsoft.network/virtualnetworks") == Verdict(Severity.MEDIUM, "changed")


def test_switch_about_secrets_is_no_secret() -> None:
    path = "/properties/addonProfiles/x/config/enableSecretRotation"
    change = Change(path, ChangeKind.MODIFIED, "false", "true")
    assert rate(change, "microsoft.containerservice/managedclusters").rule == "changed"


def test_values_are_compared_in_any_letter_case_and_form() -> None:
    path, kind = "/properties/supportsHttpsTrafficOnly", "microsoft.storage/storageaccounts"
    assert (
        rate(Change(path, ChangeKind.MODIFIED, "True", "FALSE"), kind).rule == "storage-plain-http"
    )


@pytest.mark.parametrize("rule_id", ["nsg-any-source", "changed"])
def test_describe_knows_rules_and_their_undoing(rule_id: str) -> None:
    assert describe(rule_id) == RULES[rule_id]
    assert describe(f"{rule_id}-closed").severity is RULES[rule_id].closing
    assert describe(f"{rule_id}-closed").title.startswith("No longer: ")


def test_describe_knows_no_other_rule() -> None:
    with pytest.raises(NotFound, match="tenant-7"):
        describe("tenant-7")


def test_item_removed_from_a_list_does_not_make_the_list_missing() -> None:
    kind, path = (
        "microsoft.containerservice/managedclusters",
        "/properties/apiServerAccessProfile/authorizedIPRanges",
    )
    one = Change(f"{path}/[=20.1.2.3~132]", ChangeKind.REMOVED, "20.1.2.3/32", None)
    assert rate(one, kind) == Verdict(Severity.LOW, "cluster-api-widened-closed")
    every = Change(path, ChangeKind.REMOVED, ["20.1.2.3/32"], None)
    assert rate(every, kind) == Verdict(Severity.HIGH, "cluster-api-open")


def test_removed_subnet_has_not_lost_its_security_group() -> None:
    subnet: Json = {"name": "web", "properties": {"networkSecurityGroup": {"id": "/nsg/a"}}}
    path = "/properties/subnets/[name=web]"
    kind = "microsoft.network/virtualnetworks"
    gone = Change(path, ChangeKind.REMOVED, subnet, None)
    assert rate(gone, kind).rule == "changed"
    group = f"{path}/properties/networkSecurityGroup"
    without = Change(group, ChangeKind.REMOVED, {"id": "/nsg/a"}, None)
    assert rate(without, kind).rule == "subnet-without-nsg"


@pytest.mark.parametrize(
    ("segment", "item"),
    [
        ("[name=a,b]", {"name": "a,b"}),
        ("[objectId=1,tenantId=2]", {"objectId": "1", "tenantId": "2"}),
        ("[name=a][2]", {"name": "a"}),
        ("[name=10.0.0.0~18]", {"name": "10.0.0.0/8"}),
        ("0", {"name": "a"}),
    ],
)
def test_surroundings_are_found_in_items_however_they_are_named(
    segment: str, item: dict[str, Json]
) -> None:
    values = {**item, "properties": {"access": "Deny", "direction": "Inbound"}}
    document: Json = {"properties": {"securityRules": [values]}}
    path = f"/properties/securityRules/{segment}/properties/sourceAddressPrefix"
    change = Change(path, ChangeKind.MODIFIED, "10.0.0.0/8", "*")
    assert rate(change, NSG, before=document, after=document).rule == "changed"
