"""Requests to Azure Resource Manager with one tenant's credential: one pipeline, one error mapping.

The SDK sends the bearer token to whatever host a body's `nextLink` names, so policies refuse every host but the
configured one, and every scope but the one that is being read, before the token is added. Redirects are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import msgspec
from azure.core import AsyncPipelineClient
from azure.core.exceptions import ClientAuthenticationError, DecodeError, HttpResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import (
    HeadersPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

import telemetry
from errors import Invalid, NotFound, Refused, Unavailable, Unreadable, VersionRefused
from tenancy.access import TenantContext
from tenancy.connections import TenantCredential
from tenancy.ids import SubscriptionId, read_guid
from tenancy.origins import OneHostPolicy
from tenancy.retry import call_with_retry
from tenancy.usage import Count

if TYPE_CHECKING:
    from azure.core.rest import AsyncHttpResponse

SERVICE = "Azure Resource Manager"
GRAPH = "/providers/Microsoft.ResourceGraph/resources"
LISTS = frozenset({"/subscriptions", "/tenants"})  # what a credential sees, whatever it may read
# A type that a version of the API does not have is answered with 404 as well: of the resource that says nothing.
_VERSION_REFUSED = frozenset(
    {"InvalidApiVersionParameter", "NoRegisteredProviderFound", "InvalidResourceType"}
)
_DENIED_ACTION = re.compile(r"perform action '([^']{1,200})'")


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    headers: Mapping[str, str]


class OneScopePolicy(SansIOHTTPPolicy[HttpRequest, Any]):
    """Refuses requests outside one subscription: no id and no link in an answer leads to another one.

    Without a subscription only what lists them can be asked.
    """

    def __init__(self, subscription_id: SubscriptionId | None) -> None:
        super().__init__()
        self._scope = f"/subscriptions/{subscription_id}" if subscription_id else ""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        path = unquote(urlsplit(request.http_request.url).path).lower().replace("\\", "/")
        # What a server would make of dots is not for us to find out.
        if {".", ".."} & set(path.split("/")) or not self._covers(path):
            raise Unavailable("Azure pointed to another scope. The request was not sent.")

    def _covers(self, path: str) -> bool:
        if not self._scope:
            return path in LISTS
        inside = path == self._scope or path.startswith(self._scope + "/")
        return inside or path == GRAPH.lower()


def _uncounted(_: Count) -> None:
    """For who is no tenant."""


class Arm:
    """ARM with the credential of one tenant: its lists, or, through `only`, one subscription."""

    def __init__(
        self,
        endpoint: str,
        scope: str,
        credential: TenantCredential,
        transport: Any,
        subscription_id: SubscriptionId | None = None,
        count: Callable[[Count], None] = _uncounted,
    ) -> None:
        policies = [
            RequestIdPolicy(),
            HeadersPolicy(),
            UserAgentPolicy("azure-drift-detector"),
            OneHostPolicy(endpoint),
            OneScopePolicy(subscription_id),
            AsyncARMChallengeAuthenticationPolicy(credential.token_source, scope),
        ]
        self._only_directory = credential.only_directory
        self._endpoint = endpoint
        self._made_of = (endpoint, scope, credential, transport)
        self._subscription_id = subscription_id
        self._count = count
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            endpoint, policies=policies, transport=transport
        )

    def only(self, subscription_id: SubscriptionId) -> Arm:
        """The same, which then reaches this subscription and nothing else."""
        checked = SubscriptionId(read_guid(subscription_id, field="subscriptionId"))
        return Arm(*self._made_of, checked, self._count)

    async def get(self, path: str, api_version: str, *, scope: str, budget: float = 60.0) -> Answer:
        """GETs a path such as `/subscriptions/{id}`. `scope` is what errors name as unreadable."""
        return await self._send(
            HttpRequest("GET", self._url(path), params={"api-version": api_version}), scope, budget
        )

    def may_read(self, directory_id: str) -> bool:
        """Whether a subscription of this directory is the tenant's to read, whatever the credential can see."""
        return not self._only_directory or directory_id.lower() == self._only_directory

    async def get_link(self, url: str, *, scope: str, budget: float = 60.0) -> Answer:
        """GETs a `nextLink`; refused when it leaves the configured host or the scope that it continues."""
        if not urlsplit(url).path.lower().startswith(scope.lower()):
            raise Unavailable(f"Reading {scope}: Azure pointed to another scope.")
        return await self._send(HttpRequest("GET", url), scope, budget)

    async def post(
        self, path: str, api_version: str, body: Mapping[str, Any], *, scope: str
    ) -> Answer:
        """POSTs a query about the one subscription of this ARM."""
        if not self._subscription_id or body.get("subscriptions") != [self._subscription_id]:
            raise Invalid("A query is about one subscription.", field="subscriptions")
        content = msgspec.json.encode(body)
        query = {"api-version": api_version}
        request = HttpRequest("POST", self._url(path), params=query, content=content)
        request.headers["Content-Type"] = "application/json"
        return await self._send(request, scope, 60.0)

    def _url(self, path: str) -> str:
        """The path as it is, percent-encoded: resource names may hold blanks, `#`, `?` and `%`."""
        if {".", ".."} & set(path.split("/")):
            raise Invalid("A resource id cannot have dots as a segment.", field="resourceId")
        return self._endpoint + quote(path, safe="/:@!$&'()*+,;=-._~")

    async def _send(self, request: HttpRequest, scope: str, budget: float) -> Answer:
        graph = urlsplit(request.url).path == GRAPH

        async def attempt(_: int) -> Answer:
            self._count(Count.GRAPH_CALLS if graph else Count.ARM_CALLS)
            response = await self._client.send_request(request)
            if response.status_code != 200:  # a redirect or an accepted operation is no answer
                raise HttpResponseError(response=response)
            return Answer(response.content, response.headers)

        try:
            return await call_with_retry(attempt, service=SERVICE, budget=budget)
        except ClientAuthenticationError as error:
            raise Refused(_first_line(error.message)) from error
        except DecodeError as error:
            raise Unavailable(f"{SERVICE} answered something unreadable.") from error
        except HttpResponseError as error:
            raise _mapped(error, scope) from error


def open_arm(context: TenantContext, credential: TenantCredential) -> Arm:
    """ARM as the tenant sees it."""
    settings, usage = context.deployment.settings, context.deployment.usage

    def count(what: Count) -> None:
        usage.add(context.tenant.tenant_id, what)
        telemetry.record(telemetry.AZURE_CALLS, 1, service=what.value.removesuffix("_calls"))

    return Arm(
        settings.arm_endpoint,
        settings.arm_scope,
        credential,
        context.deployment.transport,
        count=count,
    )


def decode(answer: Answer, *, scope: str) -> dict[str, Any]:
    """The JSON object of an answer; a login page or an empty body is an error, not an empty result."""
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unavailable(f"{SERVICE} answered no JSON for {scope}.") from error
    if not isinstance(document, dict):
        raise Unavailable(f"{SERVICE} answered no JSON object for {scope}.")
    return document


def _mapped(error: HttpResponseError, scope: str) -> Exception:
    status = error.status_code
    code, message = _azure_error(error)
    if status == 401:
        return Refused(f"Azure refused the tenant's token: {message}")
    if status == 403:
        action = _DENIED_ACTION.search(message)
        return Unreadable(message, scope=scope, permission=action[1] if action else "")
    if status in {400, 404} and code in _VERSION_REFUSED:
        return VersionRefused(f"{SERVICE} answered {status} {code} for {scope}.")
    if status == 404:
        return NotFound(f"{code}: {message}")
    return Unavailable(f"{SERVICE} answered {status} {code} for {scope}.")


def _azure_error(error: HttpResponseError) -> tuple[str, str]:
    """Code and message of an ARM error body, whatever shape it has."""
    detail = error.error
    code = str(getattr(detail, "code", "") or "")
    message = str(getattr(detail, "message", "") or error.reason or "")
    return code, _first_line(message)


def _first_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0][:500] if lines else "no reason given"
