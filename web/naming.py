"""What people call what is in Azure: resources, their types, and who may do what."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from drift.engine.model import Json

ROLE_ASSIGNMENT = "microsoft.authorization/roleassignments"
_FOLDER = Path(__file__).parent
# As the portal says them; a type that is not here is shown as Azure Resource Manager has it.
TYPES: dict[str, str] = json.loads((_FOLDER / "resource_types.json").read_text("utf-8"))
# Built-in roles have the same id in every directory.
ROLES: dict[str, str] = json.loads((_FOLDER / "roles.json").read_text("utf-8"))
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role assignment gives to whom."""

    role: str
    principal: str
    principal_type: str
    scope: str


def resource_name(resource_id: str) -> str:
    """What people call it: the names behind the provider, or the last segment. Role assignments have no name at all."""
    head, divider, tail = resource_id.rpartition("/providers/")
    if not divider:
        return head.rpartition("/")[2] or tail.rpartition("/")[2] or resource_id
    names = tail.split("/")[2::2]
    if tail.lower().startswith(ROLE_ASSIGNMENT) and names and _GUID.fullmatch(names[-1]):
        return f"Role assignment {names[-1][:8]}"
    return "/".join(names) or tail


def resource_kind(resource_type: str) -> str:
    """A type as the portal says it, or without its provider's usual prefix: network/ddosprotectionplans."""
    return TYPES.get(resource_type.lower()) or resource_type.removeprefix("microsoft.")


def resource_group(resource_id: str) -> str:
    parts = resource_id.split("/")
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


def grant_of(document: Json) -> Grant | None:
    """None for what is no role assignment."""
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        return None
    properties = document.get("properties")
    if str(document["type"]).lower() != ROLE_ASSIGNMENT or not isinstance(properties, dict):
        return None
    role = str(properties.get("roleDefinitionId", "")).rpartition("/")[2]
    return Grant(
        ROLES.get(role.lower(), f"the role {role}"),
        str(properties.get("principalId", "")),
        str(properties.get("principalType", "")),
        str(properties.get("scope", "")),
    )
