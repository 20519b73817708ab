"""What people call what is in Azure."""

from __future__ import annotations

from typing import Any

import pytest

from web.naming import ROLES, TYPES, Grant, grant_of, resource_kind, resource_name

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


@pytest.mark.parametrize(
    ("resource_id", "name"),
    [
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/servers/a/databases/b", "a/b"),
        ("/subscriptions/s/resourceGroups/g", "g"),
        ("/subscriptions/s/providers/Microsoft.Authorization/locks/keep", "keep"),
        (
            "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/0d0d0d0d-7777-4777-8777-000000000001",
            "Role assignment 0d0d0d0d",
        ),
        (
            "/subscriptions/s/providers/Microsoft.Network/virtualNetworks/0d0d0d0d-7777-4777-8777-000000000001",
            "0d0d0d0d-7777-4777-8777-000000000001",
        ),
    ],
)
def test_resources_have_their_names(resource_id: str, name: str) -> None:
    assert resource_name(resource_id) == name


def test_types_are_said_as_in_the_portal_and_unknown_ones_as_they_are() -> None:
    assert resource_kind("Microsoft.Network/networkSecurityGroups") == "Network security group"
    assert resource_kind("microsoft.quantum/workspaces") == "quantum/workspaces"
    assert all(name == name.lower() for name in (*TYPES, *ROLES))


def test_role_assignment_says_who_got_what_and_where() -> None:
    properties = {
        "roleDefinitionId": f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{OWNER}",
        "principalId": "somebody",
        "principalType": "User",
        "scope": "/subscriptions/s",
    }
    document: Any = {"type": "Microsoft.Authorization/roleAssignments", "properties": properties}
    assert grant_of(document) == Grant("Owner", "somebody", "User", "/subscriptions/s")
    properties["roleDefinitionId"] = "/roleDefinitions/of-our-own"
    assert grant_of(document) == Grant(
        "the role of-our-own", "somebody", "User", "/subscriptions/s"
    )


@pytest.mark.parametrize(
    "document",
    [None, [], {"type": "microsoft.network/virtualnetworks", "properties": {}}, {"type": 1}],
)
def test_what_is_no_role_assignment_gives_nothing(document: Any) -> None:
    assert grant_of(document) is None
