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


def meets(pattern: tuple[str, ...], segments: tuple[str, ...], *, deep: bool) -> bool:
    """Whether the change is at the pattern's path, above it, one element of the array at it, or `deep` below it."""
    if not segments:
        return True
    if not pattern or not all(map(like, pattern, segments)):
        return False
    beyond = len(segments) - len(pattern)
    return beyond < 1 or deep or (beyond == 1 and is_element(segments[-1]))


def find_spots(
    pattern: tuple[str, ...], segments: tuple[str, ...], value: Json, document: Json
) -> list[Spot]:
    """The values at the pattern's path on one side of a change at `segments`, whose value there is given.

    A missing value is a spot that holds None; where the whole resource or array item is missing there is no spot.
    """
    if not pattern:
        there = value is not None or document is not None
        return [Spot(PRESENT, document, document)] if there else []
    if value is None and (not segments or _is_item(pattern, segments)):
        return []
    if len(segments) >= len(pattern):
        beside = next(iter(find_values(document, segments[: len(pattern) - 1])), None)
        return [Spot(value, beside, document)]
    if value is None:
        return [Spot(None, None, document)]
    whole = not segments or is_element(segments[-1])
    rest = pattern[len(segments) :]
    return [
        Spot(found, holder, document)
        for holder in find_values(value, rest[:-1])
        for found in _children_or_none(holder, rest[-1])
        if found is not None or not whole  # of a whole resource or item, only what it says counts
    ]


def _is_item(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    return len(segments) != len(pattern) and is_element(segments[-1])


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
            if segment in {"*", str(index)} or (
                segment.startswith("[") and _is_named(child, segment)
            ):
                yield child


def _is_named(item: Json, segment: str) -> bool:
    """Whether `[name=web]`, `[objectid=1,applicationid=2]` or `[=10.0.0.1]` names the item."""
    label = segment[1:].partition("]")[0]
    label = label.replace("~2", "]").replace("~1", "/").replace("~0", "~")
    if not isinstance(item, dict):
        return label == f"={fold(item)}"
    members = {name.lower(): fold(value) for name, value in item.items()}
    return any(
        all(members.get(name) == value for name, _, value in map(_pair, pairs))
        for pairs in ([label], label.split(","))  # a value may hold commas of its own
    )


def _pair(text: str) -> tuple[str, str, str]:
    return text.partition("=")


def is_element(segment: str) -> bool:
    """Whether a segment of a change's path names an item of an array."""
    return segment.startswith("[") or segment.isdecimal()
