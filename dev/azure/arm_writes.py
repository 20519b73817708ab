"""Resource Manager's answers to PUT, PATCH and DELETE."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dev.azure.access import require_resource
from dev.azure.answers import arm_error, json_response
from dev.azure.api_versions import versions_of
from dev.azure.arm_errors import not_found, unsupported_version
from dev.azure.arm_ids import ArmId
from dev.azure.changes import Actor
from dev.azure.cloud import Cloud
from dev.azure.directories import Subscription
from dev.azure.document import Json, JsonObject, decode
from dev.azure.edits import Editor, Writing
from dev.azure.inventory import Resource
from dev.azure.tokens import Principal


class ArmWrites:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._editor = Editor(cloud)

    async def serve(
        self, request: Request, principal: Principal, subscription: Subscription, arm_id: ArmId
    ) -> Response:
        require_resource(
            subscription, principal, arm_id, "delete" if request.method == "DELETE" else "write"
        )
        _check_writable(subscription)
        if arm_id.is_collection or not (arm_id.names or arm_id.resource_group):
            raise arm_error(
                405,
                "HttpMethodNotAllowed",
                f"The requested resource does not support http method '{request.method}'.",
            )
        version = request.query_params["api-version"].lower()
        if arm_id.namespace and version not in versions_of(arm_id.namespace):
            raise unsupported_version(arm_id, "global", version)
        known = self._cloud.inventory.get(arm_id.text)
        _check_etag(request, known)
        writing = Writing(
            Actor(principal.client_id or principal.object_id, "Application", "Unspecified"),
            correlation_id=request.headers.get("x-ms-correlation-request-id", ""),
        )
        if request.method == "DELETE":
            return self._delete(known, writing)
        body = await _object(request)
        if request.method == "PUT":
            return self._put(arm_id, known, body, writing)
        return self._patch(arm_id, known, body, writing)

    def _put(
        self, arm_id: ArmId, known: Resource | None, body: JsonObject, writing: Writing
    ) -> Response:
        if known is None and len(arm_id.types) > 1 and not self._cloud.inventory.get(arm_id.parent):
            raise not_found(self._cloud.inventory, arm_id)
        document: JsonObject = {**body, **_identity(arm_id, known)}
        properties = document.setdefault("properties", {})
        if isinstance(properties, dict):
            properties["provisioningState"] = "Succeeded"
        if known is not None and known.member("etag") is not None:
            document["etag"] = ""  # the write gives it a new one
        written = self._editor.write(document, writing)
        return json_response(written.raw, 200 if known is not None else 201)

    def _patch(
        self, arm_id: ArmId, known: Resource | None, body: JsonObject, writing: Writing
    ) -> Response:
        if known is None:
            raise not_found(self._cloud.inventory, arm_id)
        merged = _merge(known.document(), body)
        assert isinstance(merged, dict)
        merged.update(_identity(arm_id, known))
        return json_response(self._editor.write(merged, writing).raw)

    def _delete(self, known: Resource | None, writing: Writing) -> Response:
        if known is None:
            return Response(status_code=204)
        self._editor.delete(known, writing)
        return Response(status_code=200)


def _identity(arm_id: ArmId, known: Resource | None) -> JsonObject:
    """Id, name and type are the path's; a resource keeps the spelling it was created with."""
    if known is not None:
        document = known.document()
        return {name: document[name] for name in ("id", "name", "type") if name in document}
    name = arm_id.names[-1] if arm_id.names else arm_id.resource_group
    return {
        "id": arm_id.text,
        "name": name,
        "type": arm_id.resource_type or "Microsoft.Resources/resourceGroups",
    }


def _check_writable(subscription: Subscription) -> None:
    if subscription.state != "Enabled":
        raise arm_error(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{subscription.id}' is disabled and therefore marked as read only. You cannot perform "
            "any write actions on this subscription until it is re-enabled.",
        )


def _check_etag(request: Request, known: Resource | None) -> None:
    wanted = request.headers.get("if-match", "")
    if wanted in {"", "*"} or (known is not None and known.member("etag") == wanted):
        return
    raise arm_error(
        412,
        "PreconditionFailed",
        f"Precondition failed. The condition '{wanted}' in the 'If-Match' header was not satisfied.",
    )


def _merge(target: Json, patch: Json) -> Json:
    """JSON merge patch (RFC 7396), which ARM's PATCH is."""
    if not isinstance(patch, dict):
        return patch
    merged: JsonObject = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged


async def _object(request: Request) -> JsonObject:
    try:
        body = decode(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise arm_error(
            400,
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized: it must be a JSON object.",
        )
    return body
