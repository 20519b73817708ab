"""The admin of the simulated Azure: sets up the world, edits it, orders faults, tells what was asked.

Plain HTTP on loopback, without authentication: it is reachable only from this machine, and holds nothing real.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dev.azure.admin_models import (
    DirectoryModel,
    EditModel,
    FaultModel,
    RotationModel,
    SettingsModel,
    StirModel,
    SubscriptionModel,
    TokenModel,
)
from dev.azure.answers import json_response
from dev.azure.cloud import Cloud
from dev.azure.directories import Directory
from dev.azure.document import Json, PointerError, encode
from dev.azure.edits import Editor
from dev.azure.inventory import InvalidDocumentError
from dev.azure.restlessness import stir
from dev.azure.scripted_edits import EditError, apply_edit
from dev.azure.traffic import Fault
from dev.azure.world_file import load_lines

_Model = TypeVar("_Model", bound=BaseModel)
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)


class AdminError(Exception):
    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


class AdminApi:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._editor = Editor(cloud)

    def app(self) -> ASGIApp:
        return Starlette(
            routes=[
                Route("/directories/{id}", self.put_directory, methods=["PUT"]),
                Route("/directories/{id}", self.delete_directory, methods=["DELETE"]),
                Route("/subscriptions/{id}", self.put_subscription, methods=["PUT"]),
                Route("/resources", self.add_resources, methods=["POST"]),
                Route("/resources", self.list_resources, methods=["GET"]),
                Route("/edits", self.edit, methods=["POST"]),
                Route("/stirs", self.stir, methods=["POST"]),
                Route("/faults", self.add_fault, methods=["POST"]),
                Route("/faults", self.list_faults, methods=["GET"]),
                Route("/faults", self.clear_faults, methods=["DELETE"]),
                Route("/settings", self.put_settings, methods=["PUT"]),
                Route("/secrets", self.clear_secrets, methods=["DELETE"]),
                Route("/requests", self.list_requests, methods=["GET"]),
                Route("/requests", self.clear_requests, methods=["DELETE"]),
                Route("/tokens", self.mint_token, methods=["POST"]),
                Route("/signing-keys", self.rotate_keys, methods=["POST"]),
            ],
            exception_handlers={AdminError: _refuse},
        )

    async def put_directory(self, request: Request) -> Response:
        directory_id = _guid(request)
        model = await _read(request, DirectoryModel)
        applications = {one.client_id.lower(): one.build() for one in model.applications}
        name = model.name or directory_id
        self._cloud.register.directories[directory_id] = Directory(directory_id, name, applications)
        return json_response({"id": directory_id, "applications": len(applications)})

    async def delete_directory(self, request: Request) -> Response:
        """Entra ID then knows it no more; its subscriptions stay, as they do for a while in Azure."""
        if self._cloud.register.directories.pop(_guid(request), None) is None:
            raise AdminError(404, "id", "no such directory")
        return Response(status_code=204)

    async def put_subscription(self, request: Request) -> Response:
        subscription_id = _guid(request)
        model = await _read(request, SubscriptionModel)
        if self._cloud.register.directory(model.directory_id) is None:
            raise AdminError(
                400, "directoryId", f"no directory {model.directory_id!r}: put it first"
            )
        self._cloud.register.subscriptions[subscription_id] = model.build(subscription_id)
        return json_response({"id": subscription_id})

    async def add_resources(self, request: Request) -> Response:
        """JSON Lines. Nothing is added unless every line is a document."""
        try:
            added = load_lines(self._cloud.inventory, (await request.body()).splitlines())
        except InvalidDocumentError as error:
            raise AdminError(400, "body", str(error)) from error
        return json_response({"added": added})

    async def list_resources(self, request: Request) -> Response:
        wanted = request.query_params.get("subscription", "").lower()
        if not wanted:
            raise AdminError(400, "subscription", "the query parameter subscription is required")
        found = [one.raw for one in self._cloud.inventory.of_subscription(wanted)]
        return json_response(b'{"value":[' + b",".join(found) + b"]}")

    async def edit(self, request: Request) -> Response:
        model = await _read(request, EditModel)
        try:
            touched = apply_edit(self._cloud, self._editor, model)
        except EditError as error:
            raise AdminError(error.status, error.field, str(error)) from error
        except (PointerError, InvalidDocumentError) as error:
            raise AdminError(400, "set" if model.set else "create", str(error)) from error
        return json_response({"resourceId": touched})

    async def stir(self, request: Request) -> Response:
        model = await _read(request, StirModel)
        inventory = self._cloud.inventory
        dice = random.Random(model.seed)  # noqa: S311 - for a repeatable world, not for a secret
        found = list(inventory.of_subscription(model.subscription_id))
        for resource in found:
            inventory.add(encode(stir(resource.document(), dice, self._cloud.clock())))
        return json_response({"stirred": len(found)})

    async def add_fault(self, request: Request) -> Response:
        model = await _read(request, FaultModel)
        _check_pattern("match.path", model.match.path)
        for pattern in model.replace:
            _check_pattern("replace", pattern)
        fault = self._cloud.traffic.add_fault(model.build())
        return json_response({"id": fault.id}, 201)

    async def list_faults(self, _: Request) -> Response:
        return json_response({"value": [_describe(one) for one in self._cloud.traffic.faults]})

    async def clear_faults(self, _: Request) -> Response:
        self._cloud.traffic.faults.clear()
        return Response(status_code=204)

    async def put_settings(self, request: Request) -> Response:
        model = await _read(request, SettingsModel)
        cloud = self._cloud
        for name in ("page_size", "empty_pages", "throttle"):
            value = getattr(model, name)
            if value is not None:
                setattr(cloud.settings, name, value)
        if model.directory_lag_seconds is not None:
            cloud.settings.directory_lag = model.directory_lag_seconds
        if model.quota is not None:
            cloud.graph_quota.limit = model.quota
        if model.graph_lag_seconds is not None:
            cloud.inventory.graph_lag = model.graph_lag_seconds
        if model.graph_versions is not None:
            cloud.graph_versions = model.graph_versions
        if model.token_lifetime_seconds is not None:
            cloud.tokens.lifetime = model.token_lifetime_seconds
        if model.vault_principals is not None:
            cloud.vault.allowed = set(model.vault_principals)
        return json_response(self._settings())

    def _settings(self) -> Json:
        cloud = self._cloud
        return {
            "quota": cloud.graph_quota.limit,
            "graphLagSeconds": cloud.inventory.graph_lag,
            "graphVersions": dict(cloud.graph_versions),
            "pageSize": cloud.settings.page_size,
            "emptyPages": cloud.settings.empty_pages,
            "throttle": cloud.settings.throttle,
            "directoryLagSeconds": cloud.settings.directory_lag,
            "tokenLifetimeSeconds": cloud.tokens.lifetime,
            "vaultPrincipals": [*sorted(cloud.vault.allowed)],
        }

    async def clear_secrets(self, _: Request) -> Response:
        self._cloud.vault.clear()
        return Response(status_code=204)

    async def list_requests(self, _: Request) -> Response:
        return json_response(self._cloud.traffic.summary())

    async def clear_requests(self, _: Request) -> Response:
        self._cloud.traffic.clear()
        return Response(status_code=204)

    async def mint_token(self, request: Request) -> Response:
        """A user's token of a directory, as its sign-in would give: v2, with whatever claims are wanted."""
        model = await _read(request, TokenModel)
        directory = self._cloud.register.directory(model.directory_id)
        if directory is None:
            raise AdminError(400, "directoryId", f"no directory {model.directory_id!r}")
        tokens = self._cloud.tokens
        claims = {"iss": tokens.issuer(directory.id), "ver": "2.0", **model.claims}
        token = tokens.mint(directory.id, model.audience, claims, model.lifetime_seconds)
        return json_response({"token": token})

    async def rotate_keys(self, request: Request) -> Response:
        model = await _read(request, RotationModel)
        key_id = self._cloud.tokens.rotate(publish=model.publish, withdraw=model.withdraw)
        return json_response({"kid": key_id}, 201)


def _describe(fault: Fault) -> Json:
    """As it was ordered, and how often it was met (`seen`) and answered (`used`)."""
    return {to_camel(name): value for name, value in asdict(fault).items()}


def _check_pattern(field: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise AdminError(400, field, f"no regular expression: {error}") from error


def _guid(request: Request) -> str:
    value = str(request.path_params["id"]).lower()
    if not _GUID.match(value):
        raise AdminError(400, "id", f"{value!r} is no GUID")
    return value


async def _read(request: Request, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise AdminError(400, field, str(first["msg"])) from error


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, AdminError)
    return json_response({"field": error.field, "message": str(error)}, error.status)
