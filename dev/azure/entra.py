"""Entra ID: tokens for applications (secret, certificate, federated), and the endpoint of managed identities."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dev.azure.answers import AzureError, json_response
from dev.azure.cloud import Cloud
from dev.azure.directories import Application, Directory
from dev.azure.entra_credentials import CredentialCheck
from dev.azure.entra_errors import entra_error

KNOWN_RESOURCES = frozenset(
    {
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://vault.azure.net",
        "https://storage.azure.com",
        "https://graph.microsoft.com",
    }
)


ANY_DIRECTORY = Directory("{tenantid}", "any")
"""What the documents of no directory in particular have in a directory id's place."""
WHATEVER_DIRECTORY = frozenset({"common", "organizations"})


class Entra:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._credentials = CredentialCheck(cloud.register, cloud.tokens)

    def routes(self) -> list[Route]:
        return [
            Route("/{directory}/v2.0/.well-known/openid-configuration", self.configuration),
            Route("/{directory}/oauth2/v2.0/token", self.token, methods=["POST"]),
            Route("/{directory}/discovery/v2.0/keys", self.keys),
            Route("/msi/token", self.managed_identity_token),
        ]

    async def configuration(self, request: Request) -> Response:
        directory = self._published_directory(request)
        base = f"{self._cloud.origin}/{request.path_params['directory']}"
        return json_response(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": self._cloud.tokens.issuer(directory.id),
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "tenant_region_scope": "EU",
            }
        )

    async def keys(self, request: Request) -> Response:
        directory = self._published_directory(request)
        return json_response(self._cloud.tokens.key_set(directory.id))

    async def token(self, request: Request) -> Response:
        directory = self._directory(request)
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("grant_type") != "client_credentials":
            raise entra_error(
                400,
                "unsupported_grant_type",
                70003,
                f"The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
            )
        application = self._application(directory, _field(form, "client_id"))
        proof = self._credentials.prove(directory, application, form)
        audience = self._audience(directory, _field(form, "scope"))
        token = self._cloud.tokens.mint_for(
            directory.id, audience, application.client_id, application.object_id, proof=proof
        )
        lifetime = int(self._cloud.tokens.lifetime)
        return json_response(
            {
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            }
        )

    async def managed_identity_token(self, request: Request) -> Response:
        """App Service's endpoint (api-version 2019-08-01), which only the app with the header may ask."""
        identity = self._cloud.identity
        header = request.headers.get("x-identity-header", "")
        if not hmac.compare_digest(header.encode(), identity.header.encode()):
            raise AzureError(401, {"statusCode": 401, "message": "Invalid X-IDENTITY-HEADER."})
        resource = request.query_params.get("resource", "")
        if not resource:
            raise AzureError(400, {"statusCode": 400, "message": "The resource is required."})
        asked = request.query_params.get("client_id", identity.client_id)
        if asked.lower() != identity.client_id.lower():
            raise AzureError(
                400,
                {
                    "statusCode": 400,
                    "message": "Unable to load the proper Managed Identity.",
                    "correlationId": str(uuid.uuid4()),
                },
            )
        token = self._identity_token(resource)
        return json_response(
            {
                "access_token": token,
                "expires_on": str(int(self._cloud.clock() + self._cloud.tokens.lifetime)),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": identity.client_id,
            }
        )

    def _identity_token(self, resource: str) -> str:
        """For the token exchange the issuer is the v2 one, which federated credentials name."""
        identity = self._cloud.identity
        tokens = self._cloud.tokens
        if not resource.startswith("api://AzureADTokenExchange"):
            return tokens.mint_for(
                identity.directory_id, resource, identity.client_id, identity.object_id, proof="2"
            )
        return tokens.mint(
            identity.directory_id,
            resource,
            {
                "iss": tokens.issuer(identity.directory_id),
                "sub": identity.object_id,
                "oid": identity.object_id,
                "azp": identity.client_id,
                "ver": "2.0",
            },
        )

    def _published_directory(self, request: Request) -> Directory:
        if request.path_params["directory"] in WHATEVER_DIRECTORY:
            return ANY_DIRECTORY
        return self._directory(request)

    def _directory(self, request: Request) -> Directory:
        wanted = str(request.path_params["directory"])
        directory = self._cloud.register.directory(wanted)
        if directory is None:
            raise entra_error(
                400,
                "invalid_request",
                90002,
                f"Tenant '{wanted}' not found. Check to make sure you have the correct tenant ID and are signing into "
                "the correct cloud. Check with your subscription administrator, this may happen if there are no "
                "active subscriptions for the tenant.",
            )
        return directory

    def _application(self, directory: Directory, client_id: str) -> Application:
        application = directory.applications.get(client_id.lower())
        if application is None:
            raise entra_error(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory '{directory.name}'. This "
                "can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant. You may have sent your authentication request to the wrong "
                "tenant.",
            )
        return application

    def _audience(self, directory: Directory, scope: str) -> str:
        if not scope.endswith("/.default"):
            raise entra_error(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
            )
        resource = scope.removesuffix("/.default")
        if resource.rstrip("/") not in KNOWN_RESOURCES and not resource.startswith("api://"):
            raise entra_error(
                400,
                "invalid_resource",
                500011,
                f"The resource principal named {resource} was not found in the tenant named {directory.name}. This "
                "can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant. You might have sent your authentication request to the "
                "wrong tenant.",
            )
        return resource


def _field(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise entra_error(
            400,
            "invalid_request",
            900144,
            f"The request body must contain the following parameter: '{name}'.",
        )
    return value
