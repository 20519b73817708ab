"""The $filter of a resource list: `eq` and `ne` comparisons joined by `and`, as people use it."""

from __future__ import annotations

import re
from collections.abc import Callable

from dev.azure.answers import arm_error
from dev.azure.inventory import Resource

_TERM = re.compile(
    r"^\s*(resourceType|name|location|resourceGroup|tagName|tagValue)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*$",
    re.IGNORECASE,
)
_AND = re.compile(r"\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)", re.IGNORECASE)

Predicate = Callable[[Resource], bool]


def compile_filter(text: str) -> Predicate:
    """An empty filter accepts everything; an unsupported one is refused as Azure refuses a bad one."""
    if not text.strip():
        return lambda _: True
    terms = [_compile_term(term) for term in _AND.split(text)]
    return lambda resource: all(term(resource) for term in terms)


def _compile_term(text: str) -> Predicate:
    match = _TERM.match(text)
    if match is None:
        raise arm_error(
            400,
            "InvalidFilterInQueryString",
            f"Invalid $filter '{text}' specified in the query string.",
        )
    field, operator, quoted = match.groups()
    wanted = quoted.replace("''", "'").lower()
    equal = operator.lower() == "eq"
    read = _READERS[field.lower()]
    return lambda resource: (wanted in read(resource)) == equal


def _tags(resource: Resource) -> dict[str, str]:
    tags = resource.member("tags")
    if not isinstance(tags, dict):
        return {}
    return {name.lower(): str(value).lower() for name, value in tags.items()}


_READERS: dict[str, Callable[[Resource], list[str]]] = {
    "resourcetype": lambda resource: [resource.id_type],
    "name": lambda resource: [resource.key.rsplit("/", 1)[-1]],
    "location": lambda resource: [resource.location.lower()],
    "resourcegroup": lambda resource: [resource.resource_group.lower()],
    "tagname": lambda resource: [*_tags(resource)],
    "tagvalue": lambda resource: [*_tags(resource).values()],
}
