from __future__ import annotations

import pytest

from dev.azure.arm_ids import parse_arm_id

SUB = "/subscriptions/S"
VNET = f"{SUB}/resourceGroups/Rg/providers/Microsoft.Network/virtualNetworks/v"


@pytest.mark.parametrize(
    ("text", "kind", "group", "parent", "is_collection"),
    [
        (SUB, "", "", "", False),
        (f"{SUB}/resourceGroups/Rg", "", "Rg", "", False),
        (VNET, "Microsoft.Network/virtualNetworks", "Rg", f"{SUB}/resourceGroups/Rg", False),
        (f"{VNET}/", "Microsoft.Network/virtualNetworks", "Rg", f"{SUB}/resourceGroups/Rg", False),
        (f"{VNET}/subnets/s", "Microsoft.Network/virtualNetworks/subnets", "Rg", VNET, False),
        (f"{VNET}/subnets", "Microsoft.Network/virtualNetworks/subnets", "Rg", VNET, True),
        (
            f"{VNET}/providers/Microsoft.Authorization/locks/l",
            "Microsoft.Authorization/locks",
            "Rg",
            VNET,
            False,
        ),
        (
            f"{SUB}/providers/Microsoft.Authorization/locks",
            "Microsoft.Authorization/locks",
            "",
            SUB,
            True,
        ),
    ],
)
def test_an_id_tells_type_group_and_parent(
    text: str, kind: str, group: str, parent: str, is_collection: bool
):
    arm_id = parse_arm_id(text)
    assert arm_id is not None
    assert arm_id.subscription_id == "s"
    assert (arm_id.resource_type, arm_id.resource_group) == (kind, group)
    assert (arm_id.parent, arm_id.is_collection) == (parent, is_collection)


def test_two_spellings_have_one_key():
    one, other = parse_arm_id(VNET), parse_arm_id(VNET.upper() + "/")
    assert one is not None
    assert other is not None
    assert one.key == other.key


@pytest.mark.parametrize(
    "text", ["", "/", "x", "/subscriptions", "/subscriptions/", "/providers/a/b/c"]
)
def test_what_is_not_below_a_subscription_is_no_id(text: str):
    assert parse_arm_id(text) is None
