"""Reads the operations of a management package from its source text: which models a resource type's requests take.

A package says it in two places: `build_*_request` functions have the URL and the verb, and the methods that call
them have the models in their signatures.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_MODEL = re.compile(r"_models\.(\w+)")
_READ_VERBS = frozenset({"GET"})
_WRITE_VERBS = frozenset({"PUT", "PATCH"})


@dataclass(slots=True)
class Usage:
    """What one resource type's requests carry."""

    results: set[str] = field(default_factory=set)  # models that a GET answers with
    bodies: set[str] = field(default_factory=set)  # models that a PUT or PATCH takes
    written: bool = False  # whether there is a PUT or PATCH at all, whatever it takes


@dataclass(frozen=True, slots=True)
class _Request:
    verb: str
    url: str


def read_operations(sources: Iterable[str]) -> dict[str, Usage]:
    """Per resource type (lower case), the models of its reads and writes."""
    usages: dict[str, Usage] = defaultdict(Usage)
    for source in sources:
        tree = ast.parse(source)
        requests = dict(_requests(tree))  # each module's own: older packages repeat the names
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                _read_group(node, requests, usages)
    return dict(usages)


def resource_type_of(url: str) -> str:
    """The type that a URL template addresses one resource of; '' for collections, actions and generic URLs."""
    _, found, path = url.partition("?")[0].rpartition("/providers/")
    namespace, *rest = path.strip("/").split("/")
    types = rest[::2]
    if not found or not rest or len(rest) % 2 or any("{" in part for part in (namespace, *types)):
        return ""
    return "/".join((namespace, *types)).lower()


def _requests(tree: ast.Module) -> Iterator[tuple[str, _Request]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("build_"):
            yield node.name, _Request(_verb(node), _url(node))


def _verb(function: ast.FunctionDef) -> str:
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and node.arg == "method":
            return str(node.value.value) if isinstance(node.value, ast.Constant) else ""
    return ""


def _url(function: ast.FunctionDef) -> str:
    constants = (node.value for node in ast.walk(function) if isinstance(node, ast.Constant))
    return next(
        (text for text in constants if isinstance(text, str) and "/providers/" in text),
        "",
    )


def _read_group(
    group: ast.ClassDef, requests: dict[str, _Request], usages: dict[str, Usage]
) -> None:
    methods = [node for node in group.body if isinstance(node, ast.FunctionDef)]
    calls: dict[str, set[str]] = defaultdict(set)
    for method in methods:
        calls[method.name].update(_called(method))
    for method in methods:
        for request in _reached(method.name, calls, requests):
            resource_type = resource_type_of(request.url)
            if not resource_type:
                continue
            if request.verb in _READ_VERBS:
                usages[resource_type].results.update(_annotated([method.returns]))
            elif request.verb in _WRITE_VERBS:
                annotations = [argument.annotation for argument in _arguments(method)]
                usages[resource_type].bodies.update(_annotated(annotations))
                usages[resource_type].written = True


def _reached(
    name: str, calls: dict[str, set[str]], requests: dict[str, _Request]
) -> Iterator[_Request]:
    """The requests of a method, also those it sends through its `_initial` half."""
    for called in calls[name]:
        if called in requests:
            yield requests[called]
        elif called.endswith("_initial") and called != name:
            yield from _reached(called, calls, requests)


def _called(method: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(method):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr


def _arguments(method: ast.FunctionDef) -> list[ast.arg]:
    return [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]


def _annotated(annotations: Iterable[ast.expr | None]) -> set[str]:
    return {
        name
        for annotation in annotations
        if annotation is not None
        for name in _MODEL.findall(ast.unparse(annotation))
    }
