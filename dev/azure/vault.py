"""Key Vault's data plane for secrets (api-version 7.x), behind the bearer challenge that its clients expect."""

from __future__ import annotations

import base64
import binascii
import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dev.azure.answers import AzureError, json_response
from dev.azure.cloud import Cloud
from dev.azure.document import JsonObject, decode
from dev.azure.secrets import (
    SecretVersion,
    StoredSecret,
    describe,
    describe_deleted,
    vault_error,
)
from dev.azure.tokens import TokenError, principal_of, read_bearer

RESOURCE = "https://vault.azure.net"
_NAME = re.compile(r"^[0-9a-zA-Z-]{1,127}$")
MAX_VALUE = 25 * 1024
MAX_TAGS = 15
PAGE = 25


class VaultApi:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._vault = cloud.vault

    def routes(self) -> list[Route]:
        get = ["GET"]
        return [
            Route("/secrets", self.list_all, methods=get),
            Route("/secrets/{name}", self.read, methods=get),
            Route("/secrets/{name}/", self.read, methods=get),
            Route("/secrets/{name}/versions", self.versions, methods=get),
            Route("/secrets/{name}/{version}", self.read, methods=get),
            Route("/secrets/{name}", self.write, methods=["PUT"]),
            Route("/secrets/{name}/", self.update, methods=["PATCH"]),
            Route("/secrets/{name}/{version}", self.update, methods=["PATCH"]),
            Route("/secrets/{name}", self.delete, methods=["DELETE"]),
            Route("/deletedsecrets", self.list_deleted, methods=get),
            Route("/deletedsecrets/{name}", self.read_deleted, methods=get),
            Route("/deletedsecrets/{name}", self.purge, methods=["DELETE"]),
            Route("/deletedsecrets/{name}/recover", self.recover, methods=["POST"]),
        ]

    async def write(self, request: Request) -> Response:
        name = self._open(request)
        body = await _object(request)
        value = body.get("value")
        if not isinstance(value, str) or len(value.encode()) > MAX_VALUE:
            raise vault_error(
                400, "BadParameter", "The secret value must be a string of at most 25 KB."
            )
        stored = self._vault.write(
            name,
            value,
            content_type=_text(body, "contentType") or "",
            tags=_tags(body) or {},
            attributes=_member(body, "attributes"),
        )
        return self._bundle(*stored)

    async def update(self, request: Request) -> Response:
        name = self._open(request)
        body = await _object(request)
        secret, version = self._vault.update(
            name,
            str(request.path_params.get("version", "")),
            content_type=_text(body, "contentType"),
            tags=_tags(body),
            attributes=_member(body, "attributes"),
        )
        return json_response(describe(self._vault.origin, secret, version, in_list=False))

    async def read(self, request: Request) -> Response:
        name = self._open(request)
        secret, version = self._vault.read(name, str(request.path_params.get("version", "")))
        if not version.enabled:
            raise vault_error(
                403,
                "Forbidden",
                "Operation get is not allowed on a disabled secret.",
                "SecretDisabled",
            )
        return self._bundle(secret, version)

    async def versions(self, request: Request) -> Response:
        secret, _ = self._vault.read(self._open(request))
        return self._page(
            request,
            [describe(self._vault.origin, secret, one, in_list=False) for one in secret.versions],
        )

    async def list_all(self, request: Request) -> Response:
        self._authorise(request)
        found = self._vault.list(deleted=False)
        return self._page(
            request, [describe(self._vault.origin, one, one.newest, in_list=True) for one in found]
        )

    async def delete(self, request: Request) -> Response:
        secret = self._vault.delete(self._open(request))
        return json_response(describe_deleted(self._vault.origin, secret, in_list=False))

    async def list_deleted(self, request: Request) -> Response:
        self._authorise(request)
        found = self._vault.list(deleted=True)
        return self._page(
            request, [describe_deleted(self._vault.origin, one, in_list=True) for one in found]
        )

    async def read_deleted(self, request: Request) -> Response:
        secret = self._vault.deleted(self._open(request))
        return json_response(describe_deleted(self._vault.origin, secret, in_list=False))

    async def recover(self, request: Request) -> Response:
        secret = self._vault.recover(self._open(request))
        return json_response(describe(self._vault.origin, secret, secret.newest, in_list=False))

    async def purge(self, request: Request) -> Response:
        self._vault.purge(self._open(request))
        return Response(status_code=204)

    def _bundle(self, secret: StoredSecret, version: SecretVersion) -> Response:
        described = describe(self._vault.origin, secret, version, in_list=False)
        return json_response({"value": version.value, **described})

    def _page(self, request: Request, items: list[JsonObject]) -> Response:
        start = _skip(request.query_params.get("$skiptoken", ""))
        asked = request.query_params.get("maxresults", str(PAGE))
        if not asked.isdecimal() or not 1 <= int(asked) <= PAGE:
            raise vault_error(400, "BadParameter", f"maxresults must be from 1 to {PAGE}.")
        size = int(asked)
        following = start + size
        next_link: str | None = None
        if following < len(items):
            token = base64.urlsafe_b64encode(str(following).encode()).decode()
            version = request.query_params.get("api-version", "7.4")
            next_link = (
                f"{self._vault.origin}{request.url.path}?api-version={version}"
                f"&$skiptoken={token}&maxresults={size}"
            )
        return json_response({"value": [*items[start:following]], "nextLink": next_link})

    def _open(self, request: Request) -> str:
        self._authorise(request)
        name = str(request.path_params["name"])
        if not _NAME.match(name):
            raise vault_error(
                400,
                "BadParameter",
                f"The request URI contains an invalid name: {name}",
            )
        return name

    def _authorise(self, request: Request) -> None:
        try:
            token = read_bearer(request.headers.get("authorization"))
            principal = principal_of(self._cloud.tokens.read(token))
        except TokenError as error:
            raise self._challenge(_token_message(error)) from error
        request.scope["azure.principal"] = principal.object_id
        if principal.audience.rstrip("/") != RESOURCE:
            raise self._challenge(
                f"AKV10022: Invalid audience. Expected {RESOURCE}, found: {principal.audience}."
            )
        if principal.directory_id != self._cloud.identity.directory_id:
            raise self._challenge("AKV10032: Invalid issuer.")
        if principal.object_id not in self._vault.allowed:
            raise vault_error(
                403,
                "Forbidden",
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or "
                "role definitions were changed recently, please observe propagation time.\r\nCaller: appid="
                f"{principal.client_id};oid={principal.object_id}\r\nAction: "
                "'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
                "ForbiddenByRbac",
            )

    def _challenge(self, message: str) -> AzureError:
        error = vault_error(401, "Unauthorized", message)
        directory = self._cloud.identity.directory_id
        error.headers["www-authenticate"] = (
            f'Bearer authorization="{self._cloud.origin}/{directory}", resource="{RESOURCE}"'
        )
        return error


def _token_message(error: TokenError) -> str:
    if error.reason == "missing":
        return "AKV10000: Request is missing a Bearer or PoP token."
    if error.reason == "expired":
        return "AKV10000: Error validating token: IDX10223: Lifetime validation failed. The token is expired."
    return "AKV10000: Error validating token."


async def _object(request: Request) -> JsonObject:
    try:
        body = decode(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise vault_error(400, "BadParameter", "The request body is no JSON object.")
    return body


def _member(body: JsonObject, name: str) -> JsonObject:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _text(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) else None


def _tags(body: JsonObject) -> dict[str, str] | None:
    if "tags" not in body or body["tags"] is None:
        return None
    tags = {name: str(value) for name, value in _member(body, "tags").items()}
    if len(tags) > MAX_TAGS:
        raise vault_error(400, "BadParameter", "Too many tags: a secret has at most 15.")
    return tags


def _skip(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except (binascii.Error, ValueError) as error:
        raise vault_error(400, "BadParameter", "The skip token is invalid.") from error
