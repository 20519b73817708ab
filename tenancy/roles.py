"""Roles and permissions: one table. What is not in it is denied."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    PLATFORM = "platform"  # the deployment's own operator, inside a tenant that was entered


class Permission(StrEnum):
    READ = "read"  # findings, scans, baselines, inventory, settings
    OPERATE = "operate"  # start scans, work findings, make baselines, choose subscriptions
    ADMINISTER = "administer"  # settings, connection, users
    PROVISION = "provision"  # tenants themselves


ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.ADMIN: frozenset({Permission.READ, Permission.OPERATE, Permission.ADMINISTER}),
    Role.PLATFORM: frozenset(Permission),
}

DENIALS: dict[Permission, str] = {
    Permission.READ: "You need the role viewer in this tenant.",
    Permission.OPERATE: "You need the role operator in this tenant.",
    Permission.ADMINISTER: "You need the role admin in this tenant.",
    Permission.PROVISION: "Only a platform operator may do this.",
}


def allows(role: Role, permission: Permission) -> bool:
    return permission in ROLE_PERMISSIONS.get(role, frozenset())
