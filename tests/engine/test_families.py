from __future__ import annotations

from typing import Any

from drift.engine.canonical import canonicalise
from drift.engine.compare import differ
from drift.engine.families import embedded, without_echoes
from drift.engine.model import ChangeKind, Difference, resource_key
from tests.engine.documents import KEY, vnet


def subnet(vnet_number: int, name: str, **properties: Any) -> dict[str, Any]:
    parent = vnet(vnet_number)
    return {
        "id": f"{parent['id']}/subnets/{name}",
        "name": name,
        "type": "Microsoft.Network/virtualNetworks/subnets",
        "properties": properties,
    }


def difference(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Difference:
    sides = [one and canonicalise(one, secret_key=KEY) for one in (before, after)]
    found = differ(sides[0] or None, sides[1] or None)
    assert found is not None
    return found


def parent(*before_and_after: list[dict[str, Any]]) -> Difference:
    before, after = (
        vnet(1, subnets=[{"name": one["name"], "properties": one["properties"]} for one in side])
        for side in before_and_after
    )
    return difference(before, after)


def told(found: Difference, *children: Difference) -> list[str]:
    rest = without_echoes(found, {child.key: child for child in children})
    return [change.path for change in rest.changes] if rest else []


WEB = subnet(1, "Web", addressPrefix="10.1.0.0/24")
WIDER = subnet(1, "Web", addressPrefix="10.1.0.0/16")


def test_a_change_that_the_child_tells_is_not_told_by_its_parent() -> None:
    found = parent([WEB], [WIDER])
    assert embedded(found) == {resource_key(WEB["id"])}
    assert told(found, difference(WEB, WIDER)) == []


def test_a_child_that_came_or_went_is_told_once() -> None:
    assert told(parent([], [WEB]), difference(None, WEB)) == []
    assert told(parent([WEB], []), difference(WEB, None)) == []
    app = subnet(1, "app", addressPrefix="10.2.0.0/24")
    assert told(parent([app], [app, WEB]), difference(None, WEB)) == []
    assert told(parent([], [app, WEB]), difference(None, WEB)) == ["/properties/subnets"]


def test_a_parent_tells_what_no_child_tells() -> None:
    both = parent([WEB], [WIDER])
    path = "/properties/subnets/[name=Web]/properties/addressPrefix"
    assert told(both) == [path]
    other = subnet(2, "Web", addressPrefix="10.1.0.0/16")
    assert told(both, difference(subnet(2, "Web", addressPrefix="10.1.0.0/24"), other)) == [path]
    # The child's own document says something else: then both are told.
    odd = difference(WEB, subnet(1, "Web", addressPrefix="10.1.0.0/20"))
    assert told(both, odd) == [path]
    # It came in the parent, and the child's document was there before.
    assert told(parent([], [WEB]), difference(WEB, WIDER)) == ["/properties/subnets"]


def test_the_parents_own_change_stays_beside_its_childs() -> None:
    before = vnet(1, subnets=[{"name": "Web", "properties": WEB["properties"]}], flag=True)
    after = vnet(1, subnets=[{"name": "Web", "properties": WIDER["properties"]}], flag=False)
    assert told(difference(before, after), difference(WEB, WIDER)) == ["/properties/flag"]


def test_a_resource_that_came_as_a_whole_embeds_nothing() -> None:
    found = difference(None, vnet(1, subnets=[{"name": "Web"}]))
    assert found.kind is ChangeKind.ADDED
    assert embedded(found) == frozenset()
