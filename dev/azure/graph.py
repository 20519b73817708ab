"""Resource Graph's one endpoint: quota, scope, query, page."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dev.azure.access import authenticate
from dev.azure.answers import AzureError, arm_error, json_response, tracking_headers
from dev.azure.cloud import Cloud
from dev.azure.directories import Subscription
from dev.azure.document import Json, decode
from dev.azure.graph_pages import as_table, cut_page, fingerprint, make_token, read_token
from dev.azure.graph_tables import COLUMNS, ON_REQUEST, TABLES, rows_of
from dev.azure.kql.execution import Result, execute
from dev.azure.kql.parser import parse
from dev.azure.kql.syntax import Distinct, Project, QueryError, Summarize
from dev.azure.quotas import Allowance
from dev.azure.tokens import Principal

MAX_ROWS = 1000
DEFAULT_ROWS = 100
_KEPT_RESULTS = 4


@dataclass(frozen=True, slots=True)
class GraphRequest:
    query: str
    subscriptions: tuple[str, ...] | None
    top: int
    skip: int
    skip_token: str
    as_table: bool


class Graph:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._results: OrderedDict[tuple[object, ...], Result] = OrderedDict()

    def routes(self) -> list[Route]:
        path = "/providers/Microsoft.ResourceGraph/resources"
        return [Route(path, self.serve, methods=["POST"])]

    async def serve(self, request: Request) -> Response:
        started = perf_counter()
        principal = authenticate(self._cloud, request)
        allowance = self._cloud.graph_quota.take(principal.object_id)
        headers = {**tracking_headers(), **_quota_headers(allowance)}
        if not allowance.granted:
            raise _throttled(headers, allowance)
        try:
            asked = _read_request(request, await request.body())
            body = self._answer(asked, principal)
        except QueryError as error:
            raise _bad_request(error.detail, headers) from error
        except AzureError as error:
            error.headers.update(headers)
            raise
        seconds = perf_counter() - started
        headers["x-ms-resource-graph-request-duration"] = f"0:00:00:{seconds:010.7f}"
        return json_response(body, headers=headers)

    def _answer(self, asked: GraphRequest, principal: Principal) -> bytes:
        scope = self._scope(asked, principal)
        query_print = fingerprint(asked.query, asked.subscriptions)
        offset = read_token(asked.skip_token, query_print) if asked.skip_token else asked.skip
        result = self._result(asked, scope, principal)
        page, size = cut_page(result, offset, asked.top)
        pageable = not result.limited and any(kind != "object" for kind in result.columns.values())
        more = offset + size < len(result.rows)
        answer: dict[str, object] = {
            "totalRecords": len(result.rows),
            "count": size,
            "data": as_table(result.columns, page) if asked.as_table else page,
            "facets": [],
            # A text, and "false" on pages that have a token: recorded so.
            "resultTruncated": "true" if more and not pageable else "false",
        }
        if more and pageable:
            answer["$skipToken"] = make_token(offset + size, asked.top, query_print)
        return msgspec.json.encode(answer)

    def _scope(self, asked: GraphRequest, principal: Principal) -> list[Subscription]:
        """What is not readable is left out without a word; only nothing at all is refused."""
        readable = self._cloud.register.readable(principal.directory_id, principal.object_id)
        if asked.subscriptions is not None:
            readable = [one for one in readable if one.id in asked.subscriptions]
        if not readable:
            raise _graph_error(
                403,
                "Forbidden",
                {
                    "code": "AccessDenied",
                    "message": "Access is denied to the requested resource. The user might not have enough "
                    "permission.",
                },
            )
        return readable

    def _result(
        self, asked: GraphRequest, scope: list[Subscription], principal: Principal
    ) -> Result:
        """The pages of one query share a result for as long as the graph's view stands still."""
        cloud = self._cloud
        key = (
            asked.query,
            tuple(scope),
            principal,
            cloud.inventory.graph_version,
            cloud.changes.count(until=cloud.clock() - cloud.inventory.graph_lag),
            tuple(sorted(cloud.graph_versions.items())),
        )
        kept = self._results.get(key)
        if kept is not None:
            return kept
        query = parse(asked.query)
        if query.table not in TABLES:
            raise QueryError(
                "DisallowedLogicalTableName",
                f"Table {query.table} is invalid, unsupported or disallowed.",
            )
        now = datetime.fromtimestamp(cloud.clock(), UTC)
        rows = list(rows_of(cloud, query.table, scope, principal))
        naming = any(isinstance(one, Project | Distinct | Summarize) for one in query.operators)
        result = execute(rows, COLUMNS | ON_REQUEST if naming else COLUMNS, query.operators, now)
        if "ago(" not in asked.query and "now(" not in asked.query:
            self._keep(key, result)
        return result

    def _keep(self, key: tuple[object, ...], result: Result) -> None:
        self._results[key] = result
        while len(self._results) > _KEPT_RESULTS:
            self._results.popitem(last=False)


def _read_request(request: Request, body: bytes) -> GraphRequest:
    version = request.query_params.get("api-version", "")
    if not version:
        raise arm_error(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    try:
        value = decode(body)
    except ValueError as error:
        raise QueryError("InvalidRequestBody", "The request body is no JSON.") from error
    if not isinstance(value, dict) or not isinstance(value.get("query"), str):
        raise QueryError("InvalidRequestBody", "The request body has no query.")
    options = value.get("options") or {}
    if not isinstance(options, dict):
        raise QueryError("InvalidRequestBody", "The options are no object.")
    if value.get("managementGroups"):
        raise QueryError("UnsupportedScope", "Management groups are not simulated.")
    subscriptions = value.get("subscriptions")
    return GraphRequest(
        query=str(value["query"]),
        subscriptions=tuple(str(one).lower() for one in subscriptions)
        if isinstance(subscriptions, list) and subscriptions
        else None,
        top=_number(options, "$top", DEFAULT_ROWS, MAX_ROWS),
        skip=_number(options, "$skip", 0, None),
        skip_token=str(options.get("$skipToken") or ""),
        as_table=_as_table(options, version),
    )


def _as_table(options: Mapping[str, Json], version: str) -> bool:
    """objectArray is the default since 2020-04-01-preview; recorded answers of 2019-04-01 are tables."""
    chosen = str(options.get("resultFormat") or "").lower()
    return chosen == "table" if chosen else version < "2020-04-01"


def _number(options: Mapping[str, Json], name: str, default: int, most: int | None) -> int:
    value = options.get(name)
    if value is None:
        return default
    least = 1 if name == "$top" else 0
    if not isinstance(value, int) or value < least or (most is not None and value > most):
        raise QueryError("InvalidOptions", f"The option {name} must be from {least} to {most}.")
    return value


def _quota_headers(allowance: Allowance) -> dict[str, str]:
    left = max(0, min(59, round(allowance.wait)))
    return {
        "x-ms-user-quota-remaining": str(allowance.remaining),
        "x-ms-user-quota-resets-after": f"00:00:{left:02d}",
        "x-ms-ratelimit-remaining-tenant-resource-requests": str(allowance.remaining),
    }


def _graph_error(
    status: int, code: str, *details: Json, headers: Mapping[str, str] | None = None
) -> AzureError:
    now = datetime.now(UTC)
    message = (
        f"Please provide below info when asking for support: timestamp = {now:%Y-%m-%dT%H:%M:%S.%f}0Z, "
        f"correlationId = {uuid.uuid4()}."
    )
    return AzureError(
        status, {"error": {"code": code, "message": message, "details": [*details]}}, headers
    )


def _bad_request(detail: Json, headers: Mapping[str, str]) -> AzureError:
    invalid: Json = {
        "code": "InvalidQuery",
        "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix "
        "the error before retrying.",
    }
    return _graph_error(400, "BadRequest", invalid, detail, headers=headers)


def _throttled(headers: Mapping[str, str], allowance: Allowance) -> AzureError:
    detail: Json = {
        "code": "RateLimiting",
        "message": "Client application has been throttled and should not attempt to repeat the request until an amount "
        "of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help.",
    }
    wait = max(1, round(allowance.wait))
    return _graph_error(429, "RateLimiting", detail, headers={**headers, "retry-after": str(wait)})
