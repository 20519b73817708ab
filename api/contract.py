"""What /api/openapi.json says beyond what FastAPI reads from a route's signature: which refusals a route knows, how to
sign in, which headers it takes and gives, and an example of everything.

All of it is derived: a refusal from the dependencies of a route (`IfMatch` answers 412 and 428, `Viewer` 401, 403 and
404), its codes from the table in api/errors.py, the examples of answers from api/examples.py. What cannot be derived is
said at the route, `responses=may(Conflict)`, and at the model of a body, `examples`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from api.access import UNSAFE, entering, platform_of, required_etag, signed_in
from api.ambiguity import every
from api.errors import MEANINGS, codes_of, phrase_of, status_of
from api.examples import example_of
from api.vocabulary import (
    DESCRIPTION,
    DEVELOPMENT_SIGN_IN,
    HEADERS,
    PARAMETER_MEANINGS,
    PARAMETERS,
    PROBLEM,
    PROBLEMS,
    SIGN_IN,
    TAGS,
    Json,
)
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
    sign_in = SIGN_IN | (DEVELOPMENT_SIGN_IN if development_sign_in else {})
    components = document["components"]
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's; problems look otherwise
        schemas.pop(unused, None)
    _drop_titles(schemas)
    schemas["Problem"] = PROBLEM
    components["parameters"] = PARAMETERS
    components["headers"] = {name: _header(name) for name in HEADERS}
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
    operation["security"] = sign_in if signed_in in calls else []
    _add_parameters(operation, calls, method)
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        shown = schemas[_model_of(content["schema"])].get("examples", [])
        content["examples"] = {f"example{n}": {"value": one} for n, one in enumerate(shown, 1)}
    answers = operation["responses"]
    for status, answer in answers.items():
        if int(status) < 400:
            _complete_answer(status, answer, schemas)
    for number in _refusals(route, calls, method) | {int(one) for one in answers}:
        if number >= 400:
            answers[str(number)] = _reference("responses", _name(number))
    operation["responses"] = dict(sorted(answers.items()))


def _model_of(schema: Json) -> str:
    """The name of a body's model, which the request may leave out altogether."""
    choices = [schema, *schema.get("anyOf", [])]
    reference: str = next(one["$ref"] for one in choices if "$ref" in one)
    return reference.rpartition("/")[2]


def _complete_answer(status: str, answer: Json, schemas: Json) -> None:
    if answer["description"] == "Successful Response":
        answer["description"] = phrase_of(int(status))
    name = "x-ms-request-id"
    answer["headers"] = {name: _reference("headers", name)} | answer.get("headers", {})
    for content in answer.get("content", {}).values():
        content["example"] = example_of(content["schema"], schemas)


def _add_parameters(operation: Json, calls: set[Any], method: str) -> None:
    given: list[Json] = operation.get("parameters", [])
    if required_etag in calls:
        given = [one for one in given if one["name"].lower() != "if-match"]
    for parameter in given:
        _drop_titles(parameter)
        said = PARAMETER_MEANINGS.get(parameter["name"], "")
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
    if signed_in in calls:
        kinds |= {Unauthenticated, Throttled}
    if platform_of in calls or "{" in route.path:
        kinds |= {NotFound}
    if signed_in in calls and method in UNSAFE:
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
        "title": phrase_of(status),
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
    description, example, schema = HEADERS[name]
    return {
        "description": description,
        "required": True,
        "schema": {"type": "string", **schema},
        "example": example,
    }


def _name(status: int) -> str:
    return phrase_of(status).replace(" ", "")


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
