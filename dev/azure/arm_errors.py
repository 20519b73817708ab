"""Resource Manager's refusals, word for word as recorded where a recording is known."""

from __future__ import annotations

from dev.azure.answers import AzureError, arm_error
from dev.azure.api_versions import LOCATIONS, versions_of
from dev.azure.arm_ids import ArmId
from dev.azure.inventory import Inventory


def not_found(inventory: Inventory, arm_id: ArmId) -> AzureError:
    """404 comes in three kinds: no group, no parent, or just not there."""
    group = arm_id.resource_group
    scope = f"/subscriptions/{arm_id.subscription_id}/resourceGroups/{group}"
    if group and inventory.get(scope) is None:
        return arm_error(
            404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found."
        )
    if len(arm_id.types) > 1 and inventory.get(arm_id.parent) is None:
        return arm_error(
            404,
            "ParentResourceNotFound",
            "Can not perform requested operation on nested resource. Parent resource "
            f"'{'/'.join(arm_id.names[:-1])}' not found.",
        )
    pairs = "/".join(part for pair in zip(arm_id.types, arm_id.names, strict=True) for part in pair)
    return arm_error(
        404,
        "ResourceNotFound",
        f"The Resource '{arm_id.namespace}/{pairs}' under resource group '{group or '<null>'}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def unsupported_version(arm_id: ArmId, location: str, version: str) -> AzureError:
    places = ", ".join(one.replace(" ", "").lower() for one in LOCATIONS)
    return arm_error(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location or 'global'}' and API version '{version}' for "
        f"type '{'/'.join(arm_id.types)}'. The supported api-versions are "
        f"'{', '.join(versions_of(arm_id.namespace))}'. The supported locations are '{places}'.",
    )
