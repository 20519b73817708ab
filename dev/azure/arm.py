"""Resource Manager: who is asking, which version, which subscription; then reading or writing."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dev.azure.access import authenticate, open_subscription
from dev.azure.answers import arm_error, tracking_headers
from dev.azure.arm_ids import parse_arm_id
from dev.azure.arm_reads import ArmReads
from dev.azure.arm_writes import ArmWrites
from dev.azure.cloud import Cloud
from dev.azure.quotas import BUCKET_SIZES
from dev.azure.tokens import Principal

_VERSION = re.compile(r"^20\d\d-\d\d-\d\d(-[a-z]+)?$", re.IGNORECASE)
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE"]


class Arm:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._reads = ArmReads(cloud)
        self._writes = ArmWrites(cloud)

    def routes(self) -> list[Route]:
        """One route: ARM's paths are case-insensitive, which no router's patterns are."""
        return [Route("/{path:path}", self.serve, methods=_METHODS)]

    async def serve(self, request: Request) -> Response:
        principal = authenticate(self._cloud, request)
        _check_version_given(request)
        parts = request.scope["path"].strip("/").split("/")
        headers = {**tracking_headers(), **self._take_allowance(request, principal, parts)}
        response = await self._dispatch(request, principal, parts)
        response.headers.update(headers)
        return response

    async def _dispatch(self, request: Request, principal: Principal, parts: list[str]) -> Response:
        root = parts[0].lower()
        if root == "tenants" and len(parts) == 1:
            return self._reads.tenants(request, principal)
        if root == "providers" and len(parts) <= 2:
            return self._reads.providers(request, "", parts[1] if len(parts) == 2 else "")
        if root != "subscriptions":
            raise arm_error(
                404, "InvalidResourceType", f"'{request.scope['path']}' is not simulated."
            )
        if len(parts) == 1:
            return self._reads.subscriptions(request, principal)
        if not _GUID.match(parts[1]):
            raise arm_error(
                400,
                "InvalidSubscriptionId",
                f"The provided subscription identifier '{parts[1]}' is malformed or invalid.",
            )
        subscription = open_subscription(self._cloud, principal, parts[1])
        if request.method in {"GET", "HEAD"}:
            return self._reads.in_subscription(request, principal, subscription, parts)
        arm_id = parse_arm_id("/" + "/".join(parts))
        assert arm_id is not None
        return await self._writes.serve(request, principal, subscription, arm_id)

    def _take_allowance(
        self, request: Request, principal: Principal, parts: list[str]
    ) -> dict[str, str]:
        """ARM counts by subscription, principal and kind of operation, and tells what is left."""
        kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(request.method, "writes")
        scope = parts[1].lower() if len(parts) > 1 else ""
        header = f"x-ms-ratelimit-remaining-{'subscription' if scope else 'tenant'}-{kind}"
        if not self._cloud.settings.throttle:
            return {header: str(BUCKET_SIZES[kind][0] - 1)}
        allowance = self._cloud.buckets.take(kind, f"{scope}|{principal.object_id}")
        if allowance.granted:
            return {header: str(allowance.remaining)}
        wait = max(1, int(allowance.wait))
        raise arm_error(
            429,
            "SubscriptionRequestsThrottled",
            f"Number of requests for subscription '{scope}' and operation '{request.method}' exceeded the backend "
            f"storage limit. Please try again after '{wait}' seconds.",
            {"retry-after": str(wait)},
        )


def _check_version_given(request: Request) -> None:
    version = request.query_params.get("api-version", "")
    if not version:
        raise arm_error(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _VERSION.match(version):
        raise arm_error(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are "
            "'2025-04-01,2024-11-01,2022-12-01,2022-09-01,2021-04-01,2020-06-01'.",
        )
