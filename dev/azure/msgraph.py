"""Microsoft Graph, as far as an app registration needs it: applications, their federated credentials, service
principals and who has their app roles.

As in Graph an object is not seen everywhere at once: for `directory_lag` seconds after it was made, reads of it are
404, lists leave it out, and what builds on it is refused. What is registered here can ask Entra ID for tokens.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dev.azure.answers import AzureError, json_response
from dev.azure.cloud import Cloud
from dev.azure.directories import Application, Directory, FederatedCredential
from dev.azure.document import Json, decode
from dev.azure.tokens import TokenError, principal_of, read_bearer

AUDIENCE = "https://graph.microsoft.com"
# `$filter` as the registration uses it; everything else is refused, never guessed.
_EQUALS = re.compile(r"^(appId|displayName) eq '((?:[^']|'')*)'$")
_ANY_TAG = re.compile(r"^tags/any\((\w+):\1 eq '((?:[^']|'')*)'\)$")
_UNIQUE = "Another object with the same value for property {name} already exists."

Document = dict[str, Any]


@dataclass(slots=True)
class _Kept:
    document: Document
    directory_id: str
    made_at: float
    children: list[Document] = field(
        default_factory=list
    )  # federated credentials; role assignments


def graph_error(status: int, code: str, message: str) -> AzureError:
    inner = {"request-id": str(uuid.uuid4()), "client-request-id": str(uuid.uuid4())}
    return AzureError(
        status, {"error": {"code": code, "message": message, "innerError": {**inner}}}
    )


class MicrosoftGraph:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._applications: dict[str, _Kept] = {}
        self._principals: dict[str, _Kept] = {}

    def routes(self) -> list[Route]:
        one = "/v1.0/applications/{id}"
        credentials = f"{one}/federatedIdentityCredentials"
        principal = "/v1.0/servicePrincipals/{id}"
        return [
            Route("/v1.0/applications", self.list_applications, methods=["GET"]),
            Route("/v1.0/applications", self.create_application, methods=["POST"]),
            Route(one, self.get_application, methods=["GET"]),
            Route(one, self.patch_application, methods=["PATCH"]),
            Route(credentials, self.list_credentials, methods=["GET"]),
            Route(credentials, self.create_credential, methods=["POST"]),
            Route(f"{credentials}/{{child}}", self.patch_credential, methods=["PATCH"]),
            Route("/v1.0/servicePrincipals", self.list_principals, methods=["GET"]),
            Route("/v1.0/servicePrincipals", self.create_principal, methods=["POST"]),
            Route(f"{principal}/appRoleAssignedTo", self.list_assignments, methods=["GET"]),
            Route(f"{principal}/appRoleAssignedTo", self.assign_role, methods=["POST"]),
        ]

    async def list_applications(self, request: Request) -> Response:
        return self._list(request, self._applications)

    async def create_application(self, request: Request) -> Response:
        directory, body = self._caller(request), await _read(request)
        if not body.get("displayName"):
            raise graph_error(400, "Request_BadRequest", "Property 'displayName' is required.")
        empty: Document = {"appRoles": [], "identifierUris": [], "tags": [], "api": {}, "web": {}}
        given = {"id": str(uuid.uuid4()), "appId": str(uuid.uuid4())}
        document = {**empty, "signInAudience": "AzureADMyOrg", **body, **given}
        self._keep(self._applications, directory, document)
        self._publish(self._applications[document["id"]])
        return json_response(document, 201)

    async def get_application(self, request: Request) -> Response:
        return json_response(self._one(request, self._applications).document)

    async def patch_application(self, request: Request) -> Response:
        """Members of `api` and `web` that are not sent stay, arrays are replaced, as Graph does."""
        kept, body = self._one(request, self._applications), await _read(request)
        _refuse_removed_roles(kept.document, body)
        _refuse_unknown_scopes(kept.document, body)
        for name, value in body.items():
            old = kept.document.get(name)
            merged = (
                {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
            )
            kept.document[name] = merged
        return Response(status_code=204)

    async def list_credentials(self, request: Request) -> Response:
        return _values(self._one(request, self._applications).children)

    async def create_credential(self, request: Request) -> Response:
        kept, body = self._one(request, self._applications), await _read(request)
        for name in ("name", "issuer", "subject", "audiences"):
            if not body.get(name):
                raise graph_error(400, "Request_BadRequest", f"Property '{name}' is required.")
        if len(kept.children) >= 20:
            raise graph_error(400, "Request_BadRequest", "No more than 20 federated credentials.")
        _refuse_twice(kept.children, body)
        kept.children.append({"id": str(uuid.uuid4()), **body})
        self._publish(kept)
        return json_response(kept.children[-1], 201)

    async def patch_credential(self, request: Request) -> Response:
        kept, body = self._one(request, self._applications), await _read(request)
        wanted = request.path_params["child"]
        child = next((one for one in kept.children if one["id"] == wanted), None)
        if child is None:
            raise _not_found(wanted)
        others = [one for one in kept.children if one is not child]
        _refuse_twice(others, {**child, **body})
        child.update(body)
        self._publish(kept)
        return Response(status_code=204)

    async def list_principals(self, request: Request) -> Response:
        return self._list(request, self._principals)

    async def create_principal(self, request: Request) -> Response:
        directory, body = self._caller(request), await _read(request)
        app_id = str(body.get("appId", ""))
        application = self._find(self._applications, directory, lambda one: one["appId"] == app_id)
        if application is None:
            message = f"The appId '{app_id}' of the service principal does not reference a valid application object."
            raise graph_error(400, "NoBackingApplicationObject", message)
        if any(one.document["appId"] == app_id for one in self._principals.values()):
            name = "appId"
            raise graph_error(
                409, "Request_MultipleObjectsWithSameKeyValue", _UNIQUE.format(name=name)
            )
        document: Document = {
            "id": str(uuid.uuid4()),
            "appId": app_id,
            "appRoleAssignmentRequired": False,
        }
        self._keep(self._principals, directory, document)
        self._publish(application)
        return json_response(document, 201)

    async def list_assignments(self, request: Request) -> Response:
        return _values(self._one(request, self._principals).children)

    async def assign_role(self, request: Request) -> Response:
        kept, body = self._one(request, self._principals), await _read(request)
        names = ("principalId", "resourceId", "appRoleId")
        assignment = {name: str(body.get(name, "")) for name in names}
        roles = {
            role["id"]
            for one in self._applications.values()
            if one.document["appId"] == kept.document["appId"]
            for role in one.document["appRoles"]
        }
        if assignment["resourceId"] != kept.document["id"] or assignment["appRoleId"] not in roles:
            raise graph_error(400, "Request_BadRequest", "Permission being assigned was not found.")
        if any(all(one[name] == assignment[name] for name in names) for one in kept.children):
            message = "Permission being assigned already exists on the object"
            raise graph_error(400, "Request_BadRequest", message)
        kept.children.append({"id": str(uuid.uuid4()), **assignment})
        return json_response(kept.children[-1], 201)

    def _list(self, request: Request, kept: dict[str, _Kept]) -> Response:
        directory = self._caller(request)
        matches = _filter(request.query_params.get("$filter", ""))
        found = [
            one.document
            for one in kept.values()
            if self._visible(one, directory) and matches(one.document)
        ]
        return _values(found)

    def _one(self, request: Request, kept: dict[str, _Kept]) -> _Kept:
        directory = self._caller(request)
        wanted = str(request.path_params["id"])
        found = self._find(kept, directory, lambda one: one["id"] == wanted)
        if found is None:
            raise _not_found(wanted)
        return found

    def _find(
        self, kept: dict[str, _Kept], directory: Directory, matches: Callable[[Document], bool]
    ) -> _Kept | None:
        seen = (one for one in kept.values() if self._visible(one, directory))
        return next((one for one in seen if matches(one.document)), None)

    def _visible(self, kept: _Kept, directory: Directory) -> bool:
        age = self._cloud.clock() - kept.made_at
        return kept.directory_id == directory.id and age >= self._cloud.settings.directory_lag

    def _keep(self, kept: dict[str, _Kept], directory: Directory, document: Document) -> None:
        kept[document["id"]] = _Kept(document, directory.id, self._cloud.clock())

    def _publish(self, kept: _Kept) -> None:
        """Entra ID then gives tokens to whoever proves the application."""
        document = kept.document
        principal = next(
            (
                one
                for one in self._principals.values()
                if one.document["appId"] == document["appId"]
            ),
            None,
        )
        known = Application(
            client_id=document["appId"],
            object_id=principal.document["id"] if principal else document["id"],
            name=document["displayName"],
        )
        credentials = tuple(
            FederatedCredential(one["issuer"], one["subject"], audience)
            for one in kept.children
            for audience in one["audiences"]
        )
        directory = self._cloud.register.directories[kept.directory_id]
        registered = replace(known, federated_credentials=credentials)
        directory.applications[document["appId"].lower()] = registered

    def _caller(self, request: Request) -> Directory:
        """The directory of a token for Graph."""
        try:
            claims = self._cloud.tokens.read(read_bearer(request.headers.get("authorization")))
        except TokenError as error:
            message = f"Access token is {error.reason}."
            raise graph_error(401, "InvalidAuthenticationToken", message) from error
        caller = principal_of(claims)
        directory = self._cloud.register.directory(caller.directory_id)
        if caller.audience.rstrip("/") != AUDIENCE or directory is None:
            raise graph_error(
                401, "InvalidAuthenticationToken", "Access token is for another audience."
            )
        return directory


def _values(found: list[Document]) -> Response:
    return json_response({"value": cast("Json", found)})


def _filter(text: str) -> Callable[[Document], bool]:
    if not text:
        return lambda _: True
    if found := _EQUALS.match(text):
        name, value = found[1], found[2].replace("''", "'")
        return lambda document: document.get(name) == value
    if found := _ANY_TAG.match(text):
        tag = found[2].replace("''", "'")
        return lambda document: tag in document.get("tags", ())
    raise graph_error(400, "Request_UnsupportedQuery", f"Unsupported Query: {text}")


def _refuse_removed_roles(document: Document, change: Document) -> None:
    """An enabled role or scope must be disabled before it may go."""
    if "appRoles" not in change:
        return
    kept = {role["id"] for role in change["appRoles"]}
    if any(role["isEnabled"] and role["id"] not in kept for role in document["appRoles"]):
        message = "Permission (scope or role) cannot be deleted or updated unless disabled first."
        raise graph_error(400, "CannotDeleteOrUpdateEnabledEntitlement", message)


def _refuse_unknown_scopes(document: Document, change: Document) -> None:
    """What is pre-authorized must have been there before the request."""
    scopes = {one["id"] for one in document["api"].get("oauth2PermissionScopes", ())}
    for one in change.get("api", {}).get("preAuthorizedApplications", ()):
        if not set(one["delegatedPermissionIds"]) <= scopes:
            message = "One or more properties contains invalid values."
            raise graph_error(400, "InvalidValue", message)


def _refuse_twice(present: list[Document], new: Document) -> None:
    for one in present:
        same = (one["issuer"], one["subject"]) == (new["issuer"], new["subject"])
        if one["name"] == new["name"] or same:
            name = "issuer and subject" if same else "name"
            raise graph_error(
                409, "Request_MultipleObjectsWithSameKeyValue", _UNIQUE.format(name=name)
            )


def _not_found(wanted: str) -> AzureError:
    message = f"Resource '{wanted}' does not exist or one of its queried reference-property objects are not present."
    return graph_error(404, "Request_ResourceNotFound", message)


async def _read(request: Request) -> Document:
    try:
        body = decode(await request.body())
    except ValueError as error:
        raise graph_error(400, "BadRequest", "Unable to read JSON request payload.") from error
    if not isinstance(body, dict):
        raise graph_error(400, "BadRequest", "Unable to read JSON request payload.")
    return body
