"""Resource Manager's answers to GET and HEAD."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from dev.azure.access import is_hidden, require, require_resource
from dev.azure.answers import arm_error, json_response
from dev.azure.api_versions import LOCATIONS, describe_provider, versions_of
from dev.azure.arm_errors import not_found, unsupported_version
from dev.azure.arm_filter import compile_filter
from dev.azure.arm_ids import ArmId, parse_arm_id
from dev.azure.arm_lists import describe_subscription, list_item, whole_document
from dev.azure.cloud import Cloud
from dev.azure.directories import Subscription
from dev.azure.document import Json
from dev.azure.edits import is_resource_group
from dev.azure.inventory import Resource
from dev.azure.paging import list_page
from dev.azure.tokens import Principal

_Answer: TypeAlias = "Callable[[Request, Principal, Subscription, list[str]], Response]"


class ArmReads:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def tenants(self, request: Request, principal: Principal) -> Response:
        directory = self._cloud.register.directory(principal.directory_id)
        name = directory.name if directory else ""
        value: Json = {
            "id": f"/tenants/{principal.directory_id}",
            "tenantId": principal.directory_id,
            "displayName": name,
            "tenantCategory": "Home",
        }
        return list_page(self._cloud, request, [value], lambda one: one)

    def subscriptions(self, request: Request, principal: Principal) -> Response:
        readable = self._cloud.register.readable(principal.directory_id, principal.object_id)
        value: list[Json] = [describe_subscription(one, principal) for one in readable]
        return json_response({"value": value, "count": {"type": "Total", "value": len(value)}})

    def in_subscription(
        self, request: Request, principal: Principal, subscription: Subscription, parts: list[str]
    ) -> Response:
        """`parts` are the path's segments; ARM's own collections come before what is an id."""
        kind = parts[2].lower() if len(parts) > 2 else ""
        answers: dict[tuple[str, int], _Answer] = {
            ("", 2): self._subscription,
            ("locations", 3): self._locations,
            ("resourcegroups", 3): self._groups,
            ("providers", 3): self._subscription_providers,
            ("providers", 4): self._subscription_providers,
            ("resources", 3): self._resources,
        }
        own = answers.get((kind, len(parts)))
        if (
            own is None
            and kind == "resourcegroups"
            and [one.lower() for one in parts[4:]] == ["resources"]
        ):
            own = self._resources
        if own is not None:
            return own(request, principal, subscription, parts)
        arm_id = parse_arm_id("/" + "/".join(parts))
        assert arm_id is not None
        if arm_id.is_collection and self._cloud.inventory.get(arm_id.text) is None:
            return self._collection(request, principal, subscription, arm_id)
        return self._resource(request, principal, subscription, arm_id)

    def _subscription(
        self, _: Request, principal: Principal, subscription: Subscription, __: list[str]
    ) -> Response:
        action = "Microsoft.Resources/subscriptions/read"
        require(subscription, principal, action, f"/subscriptions/{subscription.id}")
        return json_response(describe_subscription(subscription, principal))

    def _subscription_providers(
        self, request: Request, principal: Principal, subscription: Subscription, parts: list[str]
    ) -> Response:
        scope = f"/subscriptions/{subscription.id}"
        require(subscription, principal, "Microsoft.Resources/subscriptions/providers/read", scope)
        return self.providers(request, scope, parts[3] if len(parts) == 4 else "")

    def providers(self, request: Request, scope: str, wanted: str) -> Response:
        spaces: dict[str, tuple[str, list[str]]] = {}
        for name in self._cloud.inventory.types.values():
            namespace = name.split("/", 1)[0]
            spaces.setdefault(namespace.lower(), (namespace, []))[1].append(name)
        if not wanted:
            described: list[Json] = [
                describe_provider(scope, *spaces[key]) for key in sorted(spaces)
            ]
            return list_page(self._cloud, request, described, lambda one: one)
        if wanted.lower() not in spaces:
            raise arm_error(
                404, "InvalidResourceNamespace", f"The resource namespace '{wanted}' is invalid."
            )
        return json_response(describe_provider(scope, *spaces[wanted.lower()]))

    def _locations(
        self, request: Request, principal: Principal, subscription: Subscription, _: list[str]
    ) -> Response:
        scope = f"/subscriptions/{subscription.id}"
        require(subscription, principal, "Microsoft.Resources/subscriptions/locations/read", scope)
        value: list[Json] = []
        for display in LOCATIONS:
            name = display.replace(" ", "").lower()
            value.append(
                {
                    "id": f"{scope}/locations/{name}",
                    "name": name,
                    "displayName": display,
                    "type": "Region",
                }
            )
        return list_page(self._cloud, request, value, lambda one: one)

    def _groups(
        self, request: Request, principal: Principal, subscription: Subscription, _: list[str]
    ) -> Response:
        action = "Microsoft.Resources/subscriptions/resourcegroups/read"
        require(subscription, principal, action, f"/subscriptions/{subscription.id}")
        found = [one for one in self._visible(principal, subscription) if is_resource_group(one)]
        return list_page(self._cloud, request, found, whole_document)

    def _resources(
        self, request: Request, principal: Principal, subscription: Subscription, parts: list[str]
    ) -> Response:
        group = parts[3].lower() if len(parts) == 5 else ""
        scope = "/" + "/".join(parts[:-1])
        require(subscription, principal, "Microsoft.Resources/subscriptions/resources/read", scope)
        wanted = compile_filter(request.query_params.get("$filter", ""))
        expand = request.query_params.get("$expand", "").split(",")
        found = [
            one
            for one in self._visible(principal, subscription)
            if one.is_tracked and (not group or one.resource_group.lower() == group) and wanted(one)
        ]
        return list_page(self._cloud, request, found, lambda one: list_item(one, expand))

    def _collection(
        self, request: Request, principal: Principal, subscription: Subscription, arm_id: ArmId
    ) -> Response:
        """All of one type at and below a scope: a parent, a resource group or the subscription."""
        require_resource(subscription, principal, arm_id, "read")
        self._check_type(request, arm_id, "global")
        wanted, below = arm_id.resource_type.lower(), arm_id.parent.lower() + "/"
        found = [
            one
            for one in self._visible(principal, subscription)
            if one.id_type == wanted and one.key.startswith(below)
        ]
        return list_page(self._cloud, request, found, whole_document)

    def _resource(
        self, request: Request, principal: Principal, subscription: Subscription, arm_id: ArmId
    ) -> Response:
        require_resource(subscription, principal, arm_id, "read")
        resource = self._find(request, arm_id)
        if resource is None:
            if arm_id.namespace:
                self._check_type(request, arm_id, "global")
            raise not_found(self._cloud.inventory, arm_id)
        if arm_id.namespace:
            self._check_type(request, arm_id, resource.location)
        if request.method == "HEAD":
            return Response(status_code=204)
        etag = resource.member("etag")
        return json_response(resource.raw, headers={"etag": etag} if isinstance(etag, str) else {})

    def _find(self, request: Request, arm_id: ArmId) -> Resource | None:
        """Some ids hold percent escapes of their own, which the server has already decoded in the path."""
        inventory = self._cloud.inventory
        undecoded = request.scope.get("raw_path", b"").decode("latin-1").split("?")[0]
        return inventory.get(arm_id.text) or inventory.get(undecoded)

    def _check_type(self, request: Request, arm_id: ArmId, location: str) -> None:
        if arm_id.resource_type.lower() not in self._cloud.inventory.types:
            raise arm_error(
                404,
                "InvalidResourceType",
                f"The resource type '{'/'.join(arm_id.types)}' could not be found in the namespace "
                f"'{arm_id.namespace}' for api version '{request.query_params['api-version']}'. The supported "
                f"api-versions are '{','.join(versions_of(arm_id.namespace))}'.",
            )
        version = request.query_params["api-version"].lower()
        if version not in versions_of(arm_id.namespace):
            raise unsupported_version(arm_id, location, version)

    def _visible(self, principal: Principal, subscription: Subscription) -> Iterable[Resource]:
        """Lists silently leave out what the caller may not read."""
        return (
            one
            for one in self._cloud.inventory.of_subscription(subscription.id)
            if not is_hidden(subscription, principal, one.id_type, one.resource_group)
        )
