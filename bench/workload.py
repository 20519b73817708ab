"""A day in a subscription: few real changes, arrays in another order, bookkeeping that Azure refreshes by itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import msgspec

from drift.engine.canonical import identify
from drift.engine.facts import FactKind, explain

CHANGED, REORDERED, REFRESHED = 0.01, 0.05, 0.10
VOLATILE_MEMBERS = {"etag", "systemData", "provisioningState"}  # what a refresh touches

_CONDITIONAL = {FactKind.OWNED, FactKind.AUTOSCALED, FactKind.DEFAULT}
_PROGRAMS = ("template", "definition", "policyrule")  # where order may mean something


@dataclass(frozen=True, slots=True)
class Work:
    before: list[bytes]
    after: list[bytes]
    edits: dict[int, frozenset[str]]  # document -> the paths that really changed
    reordered: frozenset[int]
    refreshed: frozenset[int]


def make_work(documents: list[bytes], *, rewrite_all: bool = False) -> Work:
    """With `rewrite_all` the bytes of every document differ, in bookkeeping and in the order of members."""
    chance = random.Random(7)
    before = [msgspec.json.encode(_with_bookkeeping(document)) for document in documents]
    numbers = list(range(len(documents)))
    chance.shuffle(numbers)
    reordered = _take(numbers, REORDERED, lambda number: _has_unordered(before[number]))
    rest = [number for number in numbers if number not in reordered]
    edits = _plan_edits(rest, before, chance)
    rest = [number for number in rest if number not in edits]
    refreshed = frozenset(numbers if rewrite_all else rest[: round(REFRESHED * len(before))])
    after = list(before)
    for number in sorted(reordered | refreshed | edits.keys()):
        document = msgspec.json.decode(before[number])
        if number in reordered:
            _reorder(document, chance)
        if number in refreshed:
            _refresh(document, number)
        if rewrite_all:
            document["id"] = document.pop(
                "id"
            )  # so that nothing but parsing tells that it is the same
        for path in edits.get(number, ()):
            _edit(document, path)
        after[number] = msgspec.json.encode(document)
    return Work(before, after, edits, reordered, refreshed)


def _take(numbers: list[int], share: float, fit: Callable[[int], bool]) -> frozenset[int]:
    """The first fitting ones that make up the share."""
    return frozenset(islice(filter(fit, numbers), round(share * len(numbers))))


def _plan_edits(
    numbers: list[int], documents: list[bytes], chance: random.Random
) -> dict[int, frozenset[str]]:
    """One to three paths of each document to be changed."""
    plan = ((number, _choose_leaves(documents[number], chance)) for number in numbers)
    usable = ((number, paths) for number, paths in plan if paths)
    return dict(islice(usable, round(CHANGED * len(documents))))


def _with_bookkeeping(document: bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(document)
    decoded["etag"] = 'W/"0"'
    decoded["systemData"] = {
        "createdAt": "2024-01-01T00:00:00Z",
        "lastModifiedAt": "2026-01-01T00:00:00Z",
    }
    return decoded


def _refresh(document: dict[str, Any], number: int) -> None:
    document["etag"] = f'W/"{number + 1}"'
    document["systemData"]["lastModifiedAt"] = f"2026-11-23T{number % 24:02}:00:00Z"
    properties = document.get("properties")
    if isinstance(properties, dict) and "provisioningState" in properties:
        properties["provisioningState"] = "Updating"


def _has_unordered(document: bytes) -> bool:
    decoded = msgspec.json.decode(document)
    return any(True for _ in _unordered(decoded, "", identify(decoded).resource_type))


def _unordered(value: Any, path: str, resource_type: str) -> Iterator[list[dict[str, Any]]]:
    """Arrays of named objects whose order means nothing."""
    if isinstance(value, dict):
        for name, below in value.items():
            if not any(word in name.lower() for word in _PROGRAMS):
                yield from _unordered(below, f"{path}/{name}", resource_type)
    elif isinstance(value, list):
        if _is_named(value) and not _is_ordered(resource_type, path):
            yield value
        for item in value:
            yield from _unordered(item, f"{path}/*", resource_type)


def _is_named(items: list[Any]) -> bool:
    names = {str(item.get("name")) for item in items if isinstance(item, dict)}
    return 2 <= len(names) == len(items) and "None" not in names


@cache
def _is_ordered(resource_type: str, path: str) -> bool:
    answer = explain(resource_type, path)
    return not answer.compared or any(fact.kind is FactKind.ORDERED for fact in answer.facts)


def _reorder(document: dict[str, Any], chance: random.Random) -> None:
    for items in list(_unordered(document, "", identify(document).resource_type)):
        first = items[0]
        while items[0] is first:
            chance.shuffle(items)


def _edit(document: dict[str, Any], path: str) -> None:
    *above, last = path.split("/")[1:]
    holder = document
    for name in above:
        holder = holder[name]
    holder[last] = _other(holder[last])


def _choose_leaves(document: bytes, chance: random.Random) -> frozenset[str]:
    """Paths of values that a person can configure, outside of arrays."""
    decoded = msgspec.json.decode(document)
    resource_type = identify(decoded).resource_type
    paths = [
        path for top in ("properties", "tags", "sku") for path in _walk(decoded.get(top), f"/{top}")
    ]
    chance.shuffle(paths)
    compared = (path for path in paths if _is_compared(resource_type, path))
    return frozenset(islice(compared, chance.randint(1, 3)))


def _is_compared(resource_type: str, path: str) -> bool:
    """Whatever the values beside it are."""
    answer = explain(resource_type, path)
    return answer.compared and not any(fact.kind in _CONDITIONAL for fact in answer.facts)


def _walk(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, below in value.items():
            if name and not {"/", "~"} & set(name) and name.lower() not in {"id", "type", "name"}:
                yield from _walk(below, f"{path}/{name}")
    elif isinstance(value, bool | int) or (isinstance(value, str) and value[:1].isalpha()):
        yield path


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f"{value}-edited"
