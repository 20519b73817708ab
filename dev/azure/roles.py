"""Azure's built-in roles that people assign most; ids from "Azure built-in roles"."""

from __future__ import annotations

from dev.azure.document import Json, JsonObject

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
VAULT_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"

_ROLES: tuple[tuple[str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (OWNER, "Owner", "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
     ("*",), ()),
    (CONTRIBUTOR, "Contributor",
     "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.",
     ("*",),
     ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write",
      "Microsoft.Authorization/elevateAccess/Action")),
    (READER, "Reader", "View all resources, but does not allow you to make any changes.", ("*/read",), ()),
    (USER_ACCESS_ADMINISTRATOR, "User Access Administrator", "Lets you manage user access to Azure resources.",
     ("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"), ()),
    (VAULT_SECRETS_USER, "Key Vault Secrets User",
     "Read secret contents. Only works for key vaults that use the 'Azure role-based access control' permission model.",
     (), ()),
)  # fmt: skip


def built_in_roles() -> list[JsonObject]:
    return [_describe(*role) for role in _ROLES]


def _describe(
    role_id: str,
    name: str,
    description: str,
    actions: tuple[str, ...],
    not_actions: tuple[str, ...],
) -> JsonObject:
    scopes: list[Json] = ["/"]
    permission: Json = {
        "actions": [*actions],
        "notActions": [*not_actions],
        "dataActions": [],
        "notDataActions": [],
    }
    return {
        "id": f"/providers/Microsoft.Authorization/RoleDefinitions/{role_id}",
        "name": role_id,
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "description": description,
            "assignableScopes": scopes,
            "permissions": [permission],
            "isServiceRole": False,
        },
    }
