"""Both views of the world, with a clock that the test turns."""

from __future__ import annotations

import pytest

from dev.azure.document import encode
from dev.azure.inventory import InvalidDocumentError, Inventory, read_resource

SUB = "00000000-0000-0000-0000-00000000000a"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def document(name: str, **members: object) -> bytes:
    kind = "Microsoft.Network/routeTables"
    return encode(
        {
            "id": f"/subscriptions/{SUB}/resourceGroups/g/providers/{kind}/{name}",
            "name": name,
            "type": kind,
            **members,
        }
    )


def in_graph(inventory: Inventory) -> list[str]:
    return [one.key.rsplit("/", 1)[1] for one in inventory.in_graph(SUB) if one.is_tracked]


def test_the_graph_follows_after_its_lag_in_order():
    clock = Clock()
    inventory = Inventory(clock)
    inventory.graph_lag = 60
    first = inventory.add(document("a"))
    clock.now += 30
    inventory.remove(first)
    inventory.add(document("b"))
    assert inventory.get(first.id) is None
    assert in_graph(inventory) == []
    clock.now += 30
    assert in_graph(inventory) == ["a"]
    clock.now += 30
    assert in_graph(inventory) == ["b"]


def test_the_graphs_version_moves_only_when_its_view_does():
    clock = Clock()
    inventory = Inventory(clock)
    inventory.graph_lag = 60
    inventory.add(document("a"))
    before = inventory.graph_version
    clock.now += 59
    assert inventory.graph_version == before
    clock.now += 1
    assert inventory.graph_version != before


def test_a_document_added_at_once_is_in_both_views():
    inventory = Inventory(Clock())
    inventory.graph_lag = 3600
    inventory.add(document("a"), at_once=True)
    assert in_graph(inventory) == ["a"]


def test_a_replaced_resource_keeps_the_time_it_was_created():
    clock = Clock()
    inventory = Inventory(clock)
    inventory.add(document("a"))
    clock.now = 2000.0
    replaced = inventory.add(document("A", tags={"x": "y"}))
    assert (replaced.created, replaced.changed) == (1000.0, 2000.0)
    assert len(list(inventory.of_subscription(SUB))) == 2  # it and its group


def test_types_are_remembered_after_the_last_resource_is_gone():
    inventory = Inventory(Clock())
    assert "contoso.things/widgets" not in inventory.types
    kind = "Contoso.Things/widgets"
    path = f"/subscriptions/{SUB}/resourceGroups/g/providers/{kind}/w"
    inventory.remove(inventory.add(encode({"id": path})))
    assert inventory.types["contoso.things/widgets"] == kind


def test_the_types_people_use_are_known_in_an_empty_world():
    types = Inventory(Clock()).types
    assert types["microsoft.network/virtualnetworks"] == "Microsoft.Network/virtualNetworks"
    assert all(one.lower() == key for key, one in types.items())


@pytest.mark.parametrize(
    ("tail", "location", "tracked"),
    [
        ("Microsoft.Network/virtualNetworks/v", "westeurope", True),
        ("Microsoft.Network/virtualNetworks/v", "", True),
        ("Microsoft.Network/virtualNetworks/v/subnets/s", "", False),
        ("Microsoft.Sql/servers/s/databases/d", "westeurope", True),
        ("Microsoft.Sql/servers/s/firewallRules/r", "", False),
        ("Microsoft.Sql/servers/s/providers/Microsoft.Insights/diagnosticSettings/d", "x", False),
        ("Microsoft.Authorization/locks/l", "", False),
        ("Microsoft.Resources/deployments/d", "westeurope", False),
        ("Microsoft.Resources/templateSpecs/t", "westeurope", True),
    ],
)
def test_lists_know_top_level_resources_and_children_with_a_location(
    tail: str, location: str, tracked: bool
):
    path = f"/subscriptions/{SUB}/resourceGroups/g/providers/{tail}"
    resource = read_resource(encode({"id": path, "location": location}), 0)
    assert resource.is_tracked == tracked


def test_a_resource_group_is_no_tracked_resource():
    path = f"/subscriptions/{SUB}/resourceGroups/g"
    assert not read_resource(encode({"id": path, "location": "x"}), 0).is_tracked


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"{}", b'{"id": 1}', b'{"id": "/x"}'])
def test_what_is_no_resource_is_refused(raw: bytes):
    with pytest.raises(InvalidDocumentError):
        read_resource(raw, 0)
