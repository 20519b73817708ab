"""Where a rule's path and a change's path meet: the values there, on each side, and what is known around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drift.engine.conditions import fold
from drift.engine.model import Json
from drift.engine.patterns import like

PRESENT = "present"  # the value of a resource as a whole


@dataclass(frozen=True, slots=True)
class Spot:
    """One value, with the object it is in and the resource it is in (None: not known)."""

    value: Json
    beside: Json
    root: Json


def meets(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    """Whether the change is at the pattern's path, above it, or one element of the array at it."""
    if not segments:
        return True
    beyond = len(segments) - len(pattern)
    if not pattern or beyond > 1 or (beyond == 1 and not _is_element(segments[-1])):
        return False
    return all(map(like, pattern, segments))


def find_spots(
    pattern: tuple[str, ...], segments: tuple[str, ...], value: Json, document: Json
) -> list[Spot]:
    """The values at the pattern's path on one side of a change at `segments`, whose value there is given."""
    if not pattern:
        there = value is not None or document is not None
        return [Spot(PRESENT, document, document)] if there else []
    if len(segments) >= len(pattern):
        beside = next(iter(find_values(document, segments[: len(pattern) - 1])), None)
        return [Spot(value, beside, document)]
    rest = pattern[len(segments) :]
    return [
        Spot(found, holder, document)
        for holder in find_values(value, rest[:-1])
        for found in _children_or_none(holder, rest[-1])
        if found is not None or segments  # of a whole resource, only what it says counts
    ]


def find_values(value: Json, segments: tuple[str, ...]) -> list[Json]:
    """Every value that folded segments lead to; `*` leads to all children."""
    found = [value]
    for segment in segments:
        found = [child for parent in found for child in _children(parent, segment)]
    return [item for item in found if item is not None]


def _children_or_none(holder: Json, segment: str) -> list[Json]:
    found = list(_children(holder, segment))
    return found if found or not isinstance(holder, dict) else [None]


def _children(parent: Json, segment: str) -> Iterator[Json]:
    if isinstance(parent, dict):
        wanted = segment.replace("~1", "/").replace("~0", "~")
        for name, child in parent.items():
            if segment == "*" or name.lower() == wanted:
                yield child
    elif isinstance(parent, list):
        for index, child in enumerate(parent):
            if segment in {"*", str(index)} or _is_named(child, segment):
                yield child


def _is_named(element: Json, segment: str) -> bool:
    """Whether `[name=web]`, or `[objectid=1,applicationid=2]`, names the element."""
    if not isinstance(element, dict) or not segment.startswith("["):
        return False
    folded = {name.lower(): fold(value) for name, value in element.items()}
    pairs = [pair.partition("=") for pair in segment[1:-1].split(",")]
    return all(folded.get(name) == value for name, _, value in pairs)


def _is_element(segment: str) -> bool:
    return segment.startswith("[") or segment.isdecimal()
