"""Who may do what: the whole table, so that no line of it changes unseen."""

from __future__ import annotations

import pytest

from tenancy.roles import DENIALS, ROLE_PERMISSIONS, Permission, Role, allows

ALLOWED = {
    Role.VIEWER: {Permission.READ},
    Role.OPERATOR: {Permission.READ, Permission.OPERATE},
    Role.ADMIN: {Permission.READ, Permission.OPERATE, Permission.ADMINISTER},
    Role.PLATFORM: set(Permission),
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_role_may_what_the_table_says_and_nothing_else(role: Role, permission: Permission) -> None:
    assert allows(role, permission) is (permission in ALLOWED[role])


def test_names_are_what_rows_hold() -> None:
    """A role that is spelled otherwise would be nobody's."""
    assert [role.value for role in Role] == ["viewer", "operator", "admin", "platform"]
    assert set(ROLE_PERMISSIONS) == set(Role)


def test_role_that_is_in_no_table_may_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ROLE_PERMISSIONS, Role.ADMIN)
    assert not any(allows(Role.ADMIN, permission) for permission in Permission)


def test_denial_says_which_role_is_needed() -> None:
    assert DENIALS == {
        Permission.READ: "You need the role viewer in this tenant.",
        Permission.OPERATE: "You need the role operator in this tenant.",
        Permission.ADMINISTER: "You need the role admin in this tenant.",
        Permission.PROVISION: "Only a platform operator may do this.",
    }
