"""GET /api/docs: the OpenAPI document as a page that people read. Made here, once; no script, nothing from elsewhere.
It knows of the API what the document says and nothing more, and names no tenant."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: API reference</title><style>{style}</style></head>
<body><main>
<h1>{title}: API reference</h1>
{description}
<p>For programs: <a href="/api/openapi.json">/api/openapi.json</a>.</p>
<nav aria-label="Areas"><ul>{areas}</ul></nav>
{sections}
<h2 id="refusals">Refusals</h2>
{refusals}
<h2 id="sign-in">Sign-in</h2>
{sign_in}
<h2 id="shapes">Shapes</h2>
{shapes}
</main></body>
</html>
"""


@router.get("/api/docs", response_class=HTMLResponse)
async def get_reference(request: Request) -> HTMLResponse:
    """Needs no sign-in, as the document itself."""
    state = request.app.state
    if not hasattr(state, "reference"):
        state.reference = render(request.app.openapi())
    return HTMLResponse(state.reference, headers={"Content-Security-Policy": POLICY})


def render(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    components = document["components"]
    tags = [tag["name"] for tag in document["tags"]]
    extra = [("refusals", "refusals"), ("sign-in", "sign-in"), ("shapes", "shapes")]
    links = [(f"area-{tag}", tag) for tag in tags] + extra
    return PAGE.format(
        title=escape(document["info"]["title"]),
        style=STYLE,
        description=_prose(document["info"]["description"]),
        areas="".join(f'<li><a href="#{name}">{escape(text)}</a></li>' for name, text in links),
        sections="".join(_section(tag, document) for tag in document["tags"]),
        refusals=_list(_refusal(answer) for answer in components["responses"].values()),
        sign_in=_list(
            (escape(name), _inline(scheme["description"]))
            for name, scheme in components["securitySchemes"].items()
        ),
        shapes="".join(_shape(name, schema) for name, schema in components["schemas"].items()),
    )


def _section(tag: dict[str, str], document: dict[str, Any]) -> str:
    operations = [
        _operation(method, path, operation, document["components"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["tags"] == [tag["name"]]
    ]
    heading = f'<h2 id="area-{tag["name"]}">{escape(tag["name"].capitalize())}</h2>'
    return f"<section>{heading}{_prose(tag['description'])}{''.join(operations)}</section>"


def _operation(
    method: str, path: str, operation: dict[str, Any], components: dict[str, Any]
) -> str:
    parameters = [_resolve(one, components) for one in operation.get("parameters", ())]
    parts = [
        _prose(operation["description"]),
        "" if operation["security"] else "<p>Needs no sign-in.</p>",
        _titled("Parameters", _list(_parameter(one) for one in parameters)),
        _body(operation),
        *(_answer(status, one) for status, one in operation["responses"].items()),
        _titled("Refusals", _refusals(operation, components)),
    ]
    return (
        f'<details id="{operation["operationId"]}"><summary>'
        f'<code><span class="method {method}">{method.upper()}</span> {escape(path)}</code>'
        f'<span class="what">{escape(operation["summary"])}</span></summary>'
        f"<div>{''.join(parts)}</div></details>"
    )


def _body(operation: dict[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    content = operation["requestBody"]["content"]["application/json"]
    examples = "".join(_json(one["value"]) for one in content["examples"].values())
    return _titled("Body", f"<p>{_type(content['schema'])}</p>{examples}")


def _answer(status: str, answer: dict[str, Any]) -> str:
    if "$ref" in answer:
        return ""  # a refusal: listed shortly, and said in full once
    said = f"<p>{escape(answer['description'])}</p>"
    for content in answer.get("content", {}).values():
        said = f"<p>{_type(content['schema'])}</p>{_json(content['example'])}"
    headers = ", ".join(f"<code>{escape(name)}</code>" for name in answer["headers"])
    return _titled(f"Answer {status}", f"{said}<p>Headers: {headers}</p>")


def _refusals(operation: dict[str, Any], components: dict[str, Any]) -> str:
    known = [
        f"{status} <code>{'</code>, <code>'.join(_codes(_resolve(answer, components)))}</code>"
        for status, answer in operation["responses"].items()
        if "$ref" in answer
    ]
    return f'<p>{"; ".join(known)}. <a href="#refusals">What they mean</a></p>'


def _refusal(answer: dict[str, Any]) -> tuple[str, str]:
    example = answer["content"]["application/problem+json"]["example"]
    return f"{example['status']} <code>{', '.join(_codes(answer))}</code>", _inline(
        answer["description"]
    )


def _codes(answer: dict[str, Any]) -> list[str]:
    schema = answer["content"]["application/problem+json"]["schema"]
    return list(schema["allOf"][1]["properties"]["code"]["enum"])


def _parameter(parameter: dict[str, Any]) -> tuple[str, str]:
    need = ' <span class="need">required</span>' if parameter["required"] else ""
    where = f"{parameter['in']}, {_type(parameter['schema'])}"
    name = f"<code>{escape(parameter['name'])}</code> {where}{need}"
    return name, _inline(parameter["description"])


def _shape(name: str, schema: dict[str, Any]) -> str:
    members = _list(
        _member(member, inner, member in schema.get("required", ()))
        for member, inner in schema.get("properties", {}).items()
    )
    choices = ", ".join(f"<code>{escape(one)}</code>" for one in schema.get("enum", ()))
    said = _prose(schema.get("description", ""))
    return (
        f'<details id="shape-{name}"><summary><code>{escape(name)}</code></summary>'
        f"<div>{said}{members}{choices}</div></details>"
    )


def _member(name: str, schema: dict[str, Any], required: bool) -> tuple[str, str]:
    need = ' <span class="need">required</span>' if required else ""
    said = _inline(schema.get("description", ""))
    return f"<code>{escape(name)}</code> {_type(schema)}{need}", said


def _type(schema: dict[str, Any]) -> str:
    """What a value is, in words; a shape of its own is a link to it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        shown = re.sub(r"^ListOf_(\w+)_$", r"page of \1", name)
        return f'<a href="#shape-{name}">{escape(shown)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = {"date-time": "time", "password": "secret"}
    return escape(words.get(schema.get("format", ""), schema.get("type", "any value")))


def _resolve(part: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: dict[str, Any] = components[kind][name]
    return found


def _titled(title: str, content: str) -> str:
    return f"<h3>{escape(title)}</h3>{content}" if content else ""


def _list(entries: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f"<dt>{term}</dt>{f'<dd>{said}</dd>' if said else ''}" for term, said in entries
    )
    return f"<dl>{items}</dl>" if items else ""


def _json(value: Any) -> str:
    return f'<pre tabindex="0">{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>'


def _prose(text: str) -> str:
    """Paragraphs with `code` and **strong** words: all that our descriptions use of Markdown."""
    blocks = (block for block in text.split("\n\n") if block.strip())
    return "".join(f"<p>{_inline(block)}</p>" for block in blocks)


def _inline(text: str) -> str:
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", marked)
