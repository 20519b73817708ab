from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drift.engine.canonical import canonicalise
from drift.engine.compare import ALLOW_LIST_NOTE, EVOLVED_NOTE, IMPLIED_NOTE, compare, differ
from drift.engine.model import Change, ChangeKind, Severity
from tests.engine.documents import KEY, document, vnet

ID = "/subscriptions/1/resourceGroups/g/providers/Contoso.Things/things/t"
TYPE = "contoso.things/things"


def body(properties: Any, resource_type: str = TYPE) -> Any:
    given = {"id": ID, "type": resource_type, "properties": properties}
    return msgspec.json.decode(canonicalise(given, secret_key=KEY).body)


def changes(before: Any, after: Any, resource_type: str = TYPE) -> list[tuple[str, str, Any, Any]]:
    """The changes; on the way, the mirror is looked into."""
    one, other = body(before, resource_type), body(after, resource_type)
    found = compare(one, other, resource_type)
    mirrored = {ChangeKind.ADDED: ChangeKind.REMOVED, ChangeKind.REMOVED: ChangeKind.ADDED}
    assert sorted(compare(other, one, resource_type), key=str) == sorted(
        (
            Change(c.path, mirrored.get(c.kind, c.kind), c.after, c.before, c.severity, note=c.note)
            for c in found
        ),
        key=str,
    )
    return [(change.path, change.kind.value, change.before, change.after) for change in found]


def test_compare_names_the_item_by_identity_and_the_leaf() -> None:
    before = {
        "subnets": [{"name": "web", "properties": {"addressPrefix": "a"}}, {"name": "db", "n": 1}]
    }
    after = {
        "subnets": [{"name": "db", "n": 1}, {"name": "web", "properties": {"addressPrefix": "b"}}]
    }
    assert changes(before, after) == [
        ("/properties/subnets/[name=web]/properties/addressPrefix", "modified", "a", "b")
    ]


def test_compare_added_and_removed_members_and_items() -> None:
    assert changes(
        {"a": 1, "items": [{"name": "x", "v": 1}]},
        {"b": {"c": 2}, "items": [{"name": "y", "v": 1}]},
    ) == [
        ("/properties/a", "removed", 1, None),
        ("/properties/b", "added", None, {"c": 2}),
        ("/properties/items/[name=x]", "removed", {"name": "x", "v": 1}, None),
        ("/properties/items/[name=y]", "added", None, {"name": "y", "v": 1}),
    ]


def test_compare_scalar_items_by_value_copies_counted() -> None:
    assert changes({"prefixes": ["10.0.0.0/8", "x"]}, {"prefixes": ["x", "x", "a]~"]}) == [
        ("/properties/prefixes/[=10.0.0.0~18]", "removed", "10.0.0.0/8", None),
        ("/properties/prefixes/[=a~2~0]", "added", None, "a]~"),
        ("/properties/prefixes/[=x]", "added", None, "x"),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (True, 1),
        (1, "1"),
        (False, 0),
        (0, "0"),
        ("On", "on"),
        (1.5, 1.25),
        ({"a": 1}, [1]),
        (2**70, 2**70 + 1),
    ],
)
def test_compare_values_of_another_kind_or_case(before: Any, after: Any) -> None:
    assert changes({"x": before}, {"x": after}) == [("/properties/x", "modified", before, after)]


def test_compare_ordered_scalars_as_a_whole() -> None:
    kind = "microsoft.network/virtualnetworks"
    before, after = ({"dhcpOptions": {"dnsServers": list(servers)}} for servers in ("ab", "ba"))
    assert changes(before, after, kind) == [
        ("/properties/dhcpOptions/dnsServers", "modified", ["a", "b"], ["b", "a"])
    ]


def test_compare_items_without_identity_by_likeness() -> None:
    before = {
        "rules": [{"port": 80, "open": True, "from": "a"}, {"port": 80, "open": False, "from": "b"}]
    }
    after = {
        "rules": [
            {"port": 80, "open": False, "from": "b"},
            {"port": 80, "open": False, "from": "a"},
        ]
    }
    assert changes(before, after) == [
        ("/properties/rules/[from=a]/open", "modified", True, False),
    ]


def test_compare_items_that_share_an_identity_all_count() -> None:
    before = {"rules": [{"name": "r", "v": 1, "w": 1}, {"name": "r", "v": 2, "w": 2}]}
    after = {
        "rules": [
            {"name": "r", "v": 2, "w": 2},
            {"name": "r", "v": 1, "w": 3},
            {"name": "r", "v": 9, "w": 9},
        ]
    }
    assert changes(before, after) == [
        ("/properties/rules/[name=r]/w", "modified", 1, 3),
        ("/properties/rules/[name=r][2]", "added", None, {"name": "r", "v": 9, "w": 9}),
    ]


def test_compare_members_equal_but_for_case_are_one_member() -> None:
    assert changes({"privateIpAddress": "a"}, {"privateIPAddress": "a"}) == []
    assert changes({"privateIpAddress": "a"}, {"privateIPAddress": "b"}) == [
        ("/properties/privateIPAddress", "modified", "a", "b")
    ]
    assert changes({"State": 1, "state": 1}, {"STATE": 1}) == []
    assert changes({"State": 1, "state": 2}, {"state": 2}) == [
        ("/properties/State", "removed", 1, None)
    ]


def test_compare_keys_with_slashes_dots_and_nothing() -> None:
    assert changes({"a": {"": 1}}, {"a": {"": 1, "b": 2}}) == [
        ("/properties/a/b", "added", None, 2)
    ]
    assert changes({"a/b~": {"": 1, "x.y": 1}}, {"a/b~": {"": 2, "x.y": 2}}) == [
        ("/properties/a~1b~0/", "modified", 1, 2),
        ("/properties/a~1b~0/x.y", "modified", 1, 2),
    ]


def test_compare_the_first_tag_is_named_as_a_tag_whatever_it_is_called() -> None:
    envelope = {"id": ID, "type": TYPE}
    before, after = envelope, envelope | {"tags": {"cost/center~1": "x"}}
    assert [(c.path, c.kind, c.after) for c in compare(before, after, TYPE)] == [
        ("/tags/cost~1center~01", "added", "x")
    ]
    assert [c.path for c in compare(after, before, TYPE)] == ["/tags/cost~1center~01"]


@pytest.mark.parametrize(("count", "is_told"), [(3, False), (5, False), (6, True), (0, True)])
def test_compare_an_autoscaled_count_is_told_outside_of_its_band_only(
    count: int, is_told: bool
) -> None:
    def pool(size: int) -> dict[str, Any]:
        band = {"minCount": 1, "maxCount": 5, "enableAutoScaling": True}
        return {"agentPoolProfiles": [{"name": "a", "count": size} | band]}

    found = changes(pool(2), pool(count), "Microsoft.ContainerService/managedClusters")
    path = "/properties/agentPoolProfiles/[name=a]/count"
    assert [change[0] for change in found] == ([path] if is_told else [])


def test_compare_a_changed_secret_is_told_and_never_shown() -> None:
    found = changes({"adminPassword": "one"}, {"adminPassword": "two"})
    assert [(path, kind) for path, kind, _, _ in found] == [
        ("/properties/adminPassword", "modified")
    ]
    assert all(value.startswith("hmac:") for _, _, *values in found for value in values)


@pytest.mark.parametrize("hidden", ["*****", "<redacted>", "[hidden]", None, ""])
def test_compare_a_secret_hidden_on_one_side_is_silent(hidden: Any) -> None:
    assert changes({"adminPassword": "one", "x": 1}, {"adminPassword": hidden, "x": 1}) == []
    assert (
        changes({"x": 1, "keys": {"primaryKey": "one"}}, {"x": 1, "keys": {"primaryKey": hidden}})
        == []
    )


@pytest.mark.parametrize("hidden", [None, "", "*****"])
def test_compare_a_secret_that_a_request_alone_takes_is_redacted_and_not_removed(
    hidden: Any,
) -> None:
    kind = "Microsoft.App/containerApps"
    before, after = (
        {"configuration": {"secrets": [{"name": "db-password", "value": value}]}}
        for value in ("one", hidden)
    )
    assert changes(before, after, kind) == []


SETTINGS = "Microsoft.Web/sites/config"


@pytest.mark.parametrize(
    ("kind", "before", "after", "path"),
    [
        (SETTINGS, {"DB_PASSWORD": "s3cr3t"}, {}, "/properties/DB_PASSWORD"),
        (SETTINGS, {"DB_PASSWORD": "*****"}, {}, "/properties/DB_PASSWORD"),
        (
            "Microsoft.ContainerInstance/containerGroups",
            {"containers": [{"environmentVariables": [{"name": "API_KEY", "value": "s3cr3t"}]}]},
            {"containers": [{"environmentVariables": [{"name": "API_KEY"}]}]},
            "/properties/containers/[]/environmentVariables/[name=API_KEY]/value",
        ),
        (
            "Microsoft.Logic/workflows",
            {"definition": {"actions": {"call": {"password": "s3cr3t", "x": 1}}}},
            {"definition": {"actions": {"call": {"x": 1}}}},
            "/properties/definition/actions/call/password",
        ),
        (TYPE, {"note": "Server=s;Password=abcdef;Database=d"}, {"x": 1}, "/properties/note"),
    ],
)
def test_compare_a_secret_that_the_api_shows_is_removed_when_it_is_gone(
    kind: str, before: Any, after: Any, path: str
) -> None:
    found = changes(before, after | {"x": 1}, kind)
    assert [change[0] for change in found if change[1] == "removed"] == [path]
    assert not any("s3cr3t" in str(change[2]) for change in found)


def test_compare_a_secret_in_a_tag_is_removed_with_it() -> None:
    sides = [
        {"id": ID, "type": TYPE, "tags": tags}
        for tags in ({"password": "s3cr3t", "a": "1"}, {"a": "1"})
    ]
    found = compare(
        *(msgspec.json.decode(canonicalise(side, secret_key=KEY).body) for side in sides), TYPE
    )
    assert [(change.path, change.kind) for change in found] == [("/tags/password", "removed")]


def test_compare_an_empty_allow_list_is_informational() -> None:
    kind = "microsoft.keyvault/vaults"
    for before, after in (
        ({"networkAcls": {"bypass": "None"}}, {"networkAcls": {"bypass": "None", "ipRules": []}}),
        ({"sku": 1}, {"sku": 1, "networkAcls": {"ipRules": []}}),
    ):
        found = compare(body(before, kind), body(after, kind), kind)
        assert [(change.kind, change.severity, change.note) for change in found] == [
            (ChangeKind.ADDED, Severity.INFORMATIONAL, ALLOW_LIST_NOTE)
        ]


@pytest.mark.parametrize(
    ("before", "after", "severity", "note"),
    [
        ({}, {"minimumTlsVersion": "TLS1_0"}, Severity.INFORMATIONAL, IMPLIED_NOTE),
        ({"allowSharedKeyAccess": True}, {}, Severity.INFORMATIONAL, IMPLIED_NOTE),
        ({}, {"minimumTlsVersion": "TLS1_2"}, Severity.MEDIUM, ""),
        ({}, {"allowSharedKeyAccess": False}, Severity.MEDIUM, ""),
        ({"minimumTlsVersion": "TLS1_2"}, {"minimumTlsVersion": "TLS1_0"}, Severity.MEDIUM, ""),
        ({"minimumTlsVersion": "TLS1_2"}, {}, Severity.MEDIUM, ""),
    ],
)
def test_compare_a_value_that_azure_came_to_say_is_informational(
    before: Any, after: Any, severity: Severity, note: str
) -> None:
    kind = "microsoft.storage/storageaccounts"
    found = compare(body({"x": 1} | before, kind), body({"x": 1} | after, kind), kind)
    assert [(change.severity, change.note) for change in found] == [(severity, note)]


def test_compare_with_a_newer_api_a_new_property_is_informational() -> None:
    found = compare(body({"a": 1, "b": 1}), body({"a": 2, "c": 1}), TYPE, evolved=True)
    assert [(change.path, change.severity, change.note) for change in found] == [
        ("/properties/a", Severity.MEDIUM, ""),
        ("/properties/b", Severity.MEDIUM, ""),
        ("/properties/c", Severity.INFORMATIONAL, EVOLVED_NOTE),
    ]


def test_differ_added_removed_and_equal_resources() -> None:
    one, same, other = document(1), document(1), document(1, subnets=[{"name": "web"}])
    assert differ(one, same) is None
    assert differ(None, None) is None
    added, removed, modified = differ(None, one), differ(one, None), differ(one, other)
    assert added
    assert removed
    assert modified
    decoded = msgspec.json.decode(one.body)
    assert (added.kind, added.changes) == ("added", (Change("", ChangeKind.ADDED, None, decoded),))
    assert (removed.kind, removed.changes) == (
        "removed",
        (Change("", ChangeKind.REMOVED, decoded, None),),
    )
    assert modified.kind == "modified"
    assert modified.resource_id == vnet(1)["id"]
    assert [change.path for change in modified.changes] == ["/properties/subnets"]


def test_compare_many_items_changed_stays_affordable() -> None:
    before = {"items": [{"v": n, "w": n} for n in range(3000)]}
    after = {"items": [{"v": -n - 1, "w": -n - 1} for n in range(3000)]}
    assert len(changes(before, after)) == 6000


def test_compare_a_long_ordered_array_turned_round_is_one_change() -> None:
    kind = "microsoft.devices/iothubs"
    rules = [{"name": f"r{n}", "priority": n} for n in range(5000)]
    found = changes({"ipFilterRules": rules}, {"ipFilterRules": rules[::-1]}, kind)
    assert [(path, change) for path, change, _, _ in found] == [
        ("/properties/ipFilterRules", "modified")
    ]
    assert found[0][2] == found[0][3][::-1]
