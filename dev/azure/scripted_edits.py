"""One edit of the world, as ordered by the admin."""

from __future__ import annotations

from dev.azure.admin_models import EditModel
from dev.azure.cloud import Cloud
from dev.azure.document import copy, remove_value, set_value
from dev.azure.edits import Editor, Writing


class EditError(Exception):
    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


def apply_edit(cloud: Cloud, editor: Editor, edit: EditModel) -> str:
    """The id of the resource that was touched. Either all of the edit happens or nothing."""
    writing = Writing(edit.actor.build(), edit.operation, edit.correlation_id, edit.silent)
    if edit.create is not None:
        return editor.write(edit.create, writing).id
    if not edit.resource_id:
        raise EditError(400, "resourceId", "an edit needs a resourceId, or a document to create")
    resource = cloud.inventory.get(edit.resource_id)
    if resource is None:
        raise EditError(404, "resourceId", f"no resource {edit.resource_id!r}")
    if edit.delete:
        editor.delete(resource, writing)
        return resource.id
    if not (edit.set or edit.remove):
        raise EditError(
            400, "set", "an edit sets or removes a value, creates or deletes a resource"
        )
    document = resource.document()
    for pointer in edit.remove:
        remove_value(document, pointer)
    for pointer, value in edit.set.items():
        set_value(document, pointer, copy(value))
    return editor.write(document, writing).id
