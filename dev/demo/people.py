"""Whom the sign-in page of the demo offers: everybody who is somebody in the two organisations, and the operator."""

from __future__ import annotations

import json

from dev.demo.client import principal_header
from dev.demo.organisations import OPERATOR, OPERATOR_OBJECT_ID, ORGANISATIONS

DOES = {
    "admin": "admin: also settings and users",
    "operator": "operator: scans, and decides about findings",
    "viewer": "viewer: reads",
}


def offered(platform_directory: str) -> str:
    """The value of DRIFT_DEVELOPMENT_PEOPLE."""
    people = []
    for one in ORGANISATIONS:
        members = [(one.admin_object_id, one.admin, "admin"), *one.colleagues]
        people += [
            {
                "name": name,
                "says": DOES[role],
                "principal": principal_header(one.directory_id, object_id, name),
            }
            for object_id, name, role in members
        ]
    people.append(
        {
            "name": OPERATOR,
            "says": "platform operator: runs this for all tenants",
            "principal": operator(platform_directory),
        }
    )
    return json.dumps(people)


def operator(platform_directory: str) -> str:
    return principal_header(platform_directory, OPERATOR_OBJECT_ID, OPERATOR, "Platform.Operator")
