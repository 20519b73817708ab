"""What /api/openapi.json says beyond what FastAPI reads from a route's signature: which refusals a route knows, how to
sign in, which headers it takes and gives, and an example of everything.

All of it is derived: a refusal from the dependencies of a route (`IfMatch` answers 412 and 428, `Viewer` 401, 403 and
404), its codes from the table in api/errors.py, the examples of answers from api/examples.py. What cannot be derived is
said at the route, `responses=may(Conflict)`, and at the model of a body, `examples`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from api.access import UNSAFE, entering, platform_of, principal_of, required_etag
from api.ambiguity import every
from api.errors import MEANINGS, codes_of, status_of
from api.examples import ETAG, GUID, example_of
from api.shapes import GUID_PATTERN
from errors import (
    DriftError,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionRequired,
    Stale,
    Throttled,
    Unauthenticated,
    Unavailable,
)

Json: TypeAlias = dict[str, Any]
PROBLEMS = "application/problem+json"

DESCRIPTION = """\
Watches Azure subscriptions and reports every difference from a baseline that a person would call drift.

**Tenant.** A request is about one tenant: the caller's own. Who belongs to several names one in `X-Tenant-Id`.

**Changes.** POST, PUT, PATCH and DELETE need the header `X-Tenant-Id` or `X-Requested-With`, which a form on a foreign
page cannot send. What several people edit has an ETag: send the one that you read in `If-Match`.

**Lists** are `{"value": [...], "nextLink": "..."}`; the last page has no `nextLink`.

**Times** are RFC 3339 with a zone. A query parameter or a member of a body that is not in this description is refused.

**Refusals** are `application/problem+json` (RFC 9457) with a stable `code`, which is also in `x-ms-error-code`.
"""

TAGS = {
    "me": "Who is signed in, and whether the app is alive.",
    "tenants": "Tenants of this deployment. The platform operator's; to everybody else they do not exist.",
    "settings": "A tenant's schedule, scope, severities that notify, and retention.",
    "connection": "How a tenant's Azure is read. The credential goes to Key Vault and never comes back.",
    "subscriptions": "What the connection sees, and which of it is monitored.",
    "baselines": "What the configuration should be: versions, of which one is active.",
    "scans": "Runs over the monitored subscriptions, and what each could read.",
    "findings": "What drifted, who did it, and what people decided about it.",
    "resources": "The inventory, now or at a time before, and how each resource changed.",
    "rules": "What a tenant does not want to hear about, or wants to hear louder.",
    "users": "Who may enter a tenant, with which role, and invitations.",
    "audit": "Who did what in a tenant.",
}

_PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `detail` is for people.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string", "description": "what went wrong and what to do"},
        "errors": {
            "type": "array",
            "description": "what is wrong in the request",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "scope": {"type": "string", "description": "what could not be read in Azure"},
        "permission": {"type": "string", "description": "the action that the connection lacks"},
    },
}

_PARAMETERS: Json = {
    "X-Tenant-Id": {
        "name": "X-Tenant-Id",
        "in": "header",
        "required": False,
        "description": "which tenant; needed by who belongs to several",
        "schema": {"type": "string", "pattern": GUID_PATTERN},
        "example": GUID,
    },
    "X-Requested-With": {
        "name": "X-Requested-With",
        "in": "header",
        "required": False,
        "description": "any value; needed for a change without X-Tenant-Id",
        "schema": {"type": "string", "minLength": 1},
        "example": "curl",
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "the ETag of what you read",
        "schema": {"type": "string", "minLength": 1},
        "example": ETAG,
    },
}

# What a parameter is, where the route does not say it itself.
_PARAMETER_MEANINGS = {
    "actor": "of this one only: the whole of `actor` in an entry",
    "after": "the id behind which to go on",
    "baseline_id": "id of the baseline version",
    "continuationToken": "from `nextLink`; good for a day, for this list and these filters only",
    "finding_id": "id of the finding",
    "group": "of this resource group only",
    "from": "not before this time",
    "invitation_id": "id of the invitation",
    "incident": "of this incident only: what one operation in Azure caused",
    "key": "key of the resource",
    "maxpagesize": "at most so many at once",
    "resource": "part of the resource id",
    "rule_id": "id of the rule",
    "scan_id": "id of the scan",
    "severity": "one of these; may be repeated",
    "since": "last seen at this time or later",
    "status": "one of these; may be repeated",
    "subscription": "of this subscription only",
    "subscriptionId": "of this subscription only",
    "subscription_id": "id of the Azure subscription",
    "target": "about this only: the whole of `target` in an entry",
    "tenant_id": "id of the tenant",
    "to": "not after this time",
    "type": "of this resource type only",
    "user_id": "id of the user",
}

_HEADERS: Json = {
    "x-ms-request-id": ("names this answer in the log", GUID, {"format": "uuid"}),
    "x-ms-error-code": ("the `code` of the problem", "invalid", {}),
    "ETag": ("the version of what is in the answer, for If-Match", ETAG, {}),
    "Location": ("where the new one is", f"/api/tenants/{GUID}", {"format": "uri-reference"}),
    "Retry-After": ("seconds to wait", "5", {"pattern": "^[0-9]+$"}),
    "WWW-Authenticate": ("how to sign in", "Bearer", {}),
}

_SIGN_IN: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of Entra ID for this app. App Service authentication checks it.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "AppServiceAuthSession",
        "description": "The session of App Service authentication, after /.auth/login/aad in a browser.",
    },
}
_DEVELOPMENT_SIGN_IN: Json = {
    "development": {
        "type": "apiKey",
        "in": "header",
        "name": "X-MS-CLIENT-PRINCIPAL",
        "description": "Development only, on this machine: the principal, as App Service would send it.",
    }
}


def may(*refusals: type[DriftError]) -> dict[int | str, Json]:
    """What a route can answer besides what its signature tells: for its decorator's `responses`."""
    return {status_of(kind)[0]: {"description": ""} for kind in refusals}


def gives(header: str, status: int = 200) -> dict[int | str, Json]:
    """A header that comes with the route's good answer: for its decorator's `responses`."""
    return {status: {"headers": {header: _reference("headers", header)}}}


def describe(
    app: FastAPI, routers: Sequence[APIRouter], development_sign_in: Callable[[], bool]
) -> None:
    """From now on the app's OpenAPI document is the one described above. It is made when it is first asked for."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, routers, development_sign_in())
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to extend it


def operation_id(route: APIRoute) -> str:
    return to_camel(route.name)


def _document(app: FastAPI, routers: Sequence[APIRouter], development_sign_in: bool) -> Json:
    document = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
    )
    sign_in = _SIGN_IN | (_DEVELOPMENT_SIGN_IN if development_sign_in else {})
    components = document["components"]
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's; problems look otherwise
        schemas.pop(unused, None)
    _drop_titles(schemas)
    schemas["Problem"] = _PROBLEM
    components["parameters"] = _PARAMETERS
    components["headers"] = {name: _header(name) for name in _HEADERS}
    components["responses"] = {_name(status): _refusal(status) for status in MEANINGS}
    components["securitySchemes"] = sign_in
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    for route in _routes(routers):
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            _complete(operation, route, method, schemas, [{name: []} for name in sign_in])
    return document


def _routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                yield route


def _complete(
    operation: Json, route: APIRoute, method: str, schemas: Json, sign_in: list[Json]
) -> None:
    calls = {dependant.call for dependant in every(route.dependant)}
    if not route.summary:
        operation["summary"] = route.name.replace("_", " ").capitalize()
    operation["security"] = sign_in if principal_of in calls else []
    _add_parameters(operation, calls, method)
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        shown = schemas[content["schema"]["$ref"].rpartition("/")[2]].get("examples", [])
        content["examples"] = {f"example{n}": {"value": one} for n, one in enumerate(shown, 1)}
    answers = operation["responses"]
    for status, answer in answers.items():
        if int(status) < 400:
            _complete_answer(status, answer, schemas)
    for number in _refusals(route, calls, method) | {int(one) for one in answers}:
        if number >= 400:
            answers[str(number)] = _reference("responses", _name(number))
    operation["responses"] = dict(sorted(answers.items()))


def _complete_answer(status: str, answer: Json, schemas: Json) -> None:
    if answer["description"] == "Successful Response":
        answer["description"] = HTTPStatus(int(status)).phrase
    name = "x-ms-request-id"
    answer["headers"] = {name: _reference("headers", name)} | answer.get("headers", {})
    for content in answer.get("content", {}).values():
        content["example"] = example_of(content["schema"], schemas)


def _add_parameters(operation: Json, calls: set[Any], method: str) -> None:
    given = [one for one in operation.get("parameters", []) if one["name"].lower() != "if-match"]
    for parameter in given:
        _drop_titles(parameter)
        said = _PARAMETER_MEANINGS.get(parameter["name"], "")
        parameter.setdefault("description", said)
        choices = parameter["schema"].get("anyOf", [])
        if {"type": "null"} in choices:  # it is left out, not sent as null
            parameter["schema"] = next(one for one in choices if one != {"type": "null"})
    names: list[str] = []
    names += ["X-Tenant-Id"] if _enters(calls) else []
    names += ["X-Requested-With"] if method in UNSAFE else []
    names += ["If-Match"] if required_etag in calls else []
    if given or names:
        operation["parameters"] = [*given, *(_reference("parameters", name) for name in names)]


def _refusals(route: APIRoute, calls: set[Any], method: str) -> set[int]:
    """The statuses that follow from what the route asks for."""
    kinds: set[type[DriftError]] = {Invalid, Unavailable}
    if principal_of in calls:
        kinds |= {Unauthenticated, Throttled}
    if platform_of in calls or "{" in route.path:
        kinds |= {NotFound}
    if principal_of in calls and method in UNSAFE:
        kinds |= {Forbidden}
    if _enters(calls):
        kinds |= {Forbidden, NotFound}
    if required_etag in calls:
        kinds |= {Stale, PreconditionRequired}
    statuses = {status_of(kind)[0] for kind in kinds} | {500}
    return statuses | ({400, 413} if route.body_field else set())


def _enters(calls: set[Any]) -> bool:
    """Whether the route works inside a tenant (api/access.py, `entering`)."""
    made_there = f"{entering.__qualname__}."
    return any(getattr(call, "__qualname__", "").startswith(made_there) for call in calls)


def _refusal(status: int) -> Json:
    codes = codes_of(status)
    names = ["x-ms-request-id", "x-ms-error-code"]
    names += {401: ["WWW-Authenticate"], 429: ["Retry-After"]}.get(status, [])
    stated = {"status": {"const": status}, "code": {"enum": codes}}
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": codes[0],
        "detail": MEANINGS[status],
    }
    return {
        "description": MEANINGS[status],
        "headers": {name: _reference("headers", name) for name in names},
        "content": {
            PROBLEMS: {
                "schema": {"allOf": [_reference("schemas", "Problem"), {"properties": stated}]},
                "example": example,
            }
        },
    }


def _header(name: str) -> Json:
    description, example, schema = _HEADERS[name]
    return {
        "description": description,
        "required": True,
        "schema": {"type": "string", **schema},
        "example": example,
    }


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _drop_titles(schema: Any) -> None:
    """pydantic gives every member its own name as title. That says nothing, and `createdAt` gets it wrong."""
    if isinstance(schema, list):
        for item in schema:
            _drop_titles(item)
    elif isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for name, inner in schema.items():
            if name not in {"examples", "default", "enum"}:
                _drop_titles(inner)
